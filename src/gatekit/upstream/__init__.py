"""The other side: what stands behind a published Server.

``pool`` hands out a ``Link`` for an ``UpstreamKey`` and decides who shares, waits, is stopped or restarted.
One ``owner`` task per Link starts, watches and ends what carries it, by means of a ``transport``: for a
command that is a process, seen to by ``supervisor``. No request handler ever enters a cancel scope or
context manager that belongs to a Link: callers hold futures. A remote server has no process:
``remote_transport`` opens a ``remote`` Link to it, over Streamable HTTP (``http``) or HTTP+SSE (``sse``).
``negotiate`` finds out the upstream's era. ``stdio`` is the Link itself, all of it in event loop callbacks
(``framing``, ``pipes``, ``reply`` and ``signals`` are its parts). Processes are children of the launcher
(``launcher_main``, spoken to by ``launcher``), a small process that outlives even a killed gateway, for as
long as it takes to leave no orphan.

Not here: who may call (``policy``), what the client sees (``gateway``, the only caller besides ``app``),
and what a process may touch or use up (a sandbox, later).
"""
