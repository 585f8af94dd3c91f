"""MCP as bytes, sans-I/O: pure functions and tables, no asyncio, no HTTP, no clock.

Owns the JSON-RPC envelope (``jsonrpc``), the one table of methods and revisions (``methods``), the mirrored
HTTP headers (``headers``), Server-Sent Events framing (``sse``), the names of the aggregate endpoint
(``names``) and the two dialects that a client may speak (``era``): *handshake* (2024-11-05 … 2025-11-25) and
*stateless* (2026-07-28 and later). What lies between the dialects is ``model.call``, which knows no revision.

Owns neither connections nor sessions, and decides nothing about people. ``gateway`` calls it on the client's
side and ``upstream`` on the other. A date of a protocol revision is written here and in
``upstream/negotiate`` only.
"""
