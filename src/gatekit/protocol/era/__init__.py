"""The two dialects that a client may speak, and the rule that tells them apart.

*Handshake* (2024-11-05 … 2025-11-25) opens a session with ``initialize``; *stateless* (2026-07-28 and later)
carries its envelope in every request. Each translates between the wire and ``model.call``: requests lose the
keys that only their era knows, results and errors get them. They do not know each other; what a result of one
era lacks in the other is added from the method's row in ``protocol.methods``.

Called by ``gateway`` for the client's side and by ``upstream`` for the envelope of stateless servers.
"""
