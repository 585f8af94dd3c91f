"""The doctor: would each known client get in here, and if not, why, and what mends it?

Owns: a table of real clients with what each of them sends (``table``), replaying that against a running
gateway (``walk``, up to the sign-in page; ``signin`` beyond it, with somebody's password), checks that no
single client makes (``ground``), and the words for everything that can be wrong (``ailments``). ``examine``
puts them together; read it first.

Owns not: printing, and where a configuration lies; both are the command line's, which alone calls it. It
speaks HTTP through ``platform/outbound`` like everybody, and knows nothing of how the gateway works inside:
it sees what a client sees, so it is as good for a gateway behind a proxy, and for any other MCP server.
"""
