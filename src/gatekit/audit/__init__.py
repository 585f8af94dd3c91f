"""The trail: what happened, safe before it is answered.

``recorder.py`` appends (hash-chained, group-committed), ``query.py`` reads. The recorder knows nothing of
MCP; it is handed finished ``model.audit`` events by the gateway, the authorization server and ``admin``.
"""
