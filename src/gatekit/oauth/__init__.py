"""The authorization server and the resource server's bearer check.

``server`` puts the room together for ``app``. A login walks through it in this order: ``metadata``
(discovery) → ``registration`` → ``request`` (what is asked, by whom) → ``authorize`` (the one dispatcher:
login? consent? code?) → ``interaction`` (passwords, provider callbacks, the answer on the consent page) →
``consent`` → ``code`` → ``token`` with ``grants/`` → ``formats`` (signed or opaque) → ``keys``. On every MCP
request ``bearer``; others who take our tokens ask ``introspection``; ``revoke`` ends what was given;
``account`` holds the pages outside of a login. A client may hand over its request beforehand (``pushed``)
and prove a key with each of its requests (``dpop``).

Not here: who people are (``identity``), what they may use (``policy``), the HTML itself (``web`` implements
``pages``), and the MCP endpoints (``gateway``), which see nothing of this room but ``Bearer``.
"""
