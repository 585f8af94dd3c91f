"""Who people are: stored users, groups, one file per identity provider, and the rules that map the one to
the other.

Not here: OAuth towards MCP clients (``oauth``), and who may use which server (``policy``). The authorization
endpoint calls a provider, hands its ``ExternalIdentity`` to ``mapping`` and gets a stored ``User`` back.
``standing.py`` holds the one function that says whether somebody still counts: ``principal_is_active``.
"""
