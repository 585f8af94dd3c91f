"""The other side: what stands behind a published Server.

``pool`` hands out a ``Link`` for an ``UpstreamKey``; one owner task per Link (``supervisor``) spawns, waits,
restarts, drains and kills. Requests reach the owner by queue and future; no request handler ever enters a
cancel scope or context manager that belongs to a Link. ``negotiate`` finds out the upstream's era.
"""
