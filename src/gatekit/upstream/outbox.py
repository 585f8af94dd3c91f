"""Messages that nobody waits for: notifications and answers, posted one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from gatekit.errors import LinkError

_log = logging.getLogger("gatekit.upstream")

MAX_QUEUED = 1024
MAX_QUEUED_BYTES = 32 * 1024 * 1024
POST_SECONDS = 30.0
"""How long one may take; those behind it wait."""


class Outbox:
    """Keeps the order, because an upstream may act on a message the moment it comes."""

    def __init__(self, name: str, post: Callable[[bytes], Awaitable[None]]) -> None:
        self._name = name
        self._post = post
        self._queue: deque[bytes] = deque()
        self._bytes = 0
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def put(self, message: bytes) -> None:
        """Dropped rather than piled up where the upstream does not take it."""
        if len(self._queue) >= MAX_QUEUED or self._bytes + len(message) > MAX_QUEUED_BYTES:
            self.dropped += 1
            return
        self._queue.append(message)
        self._bytes += len(message)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._send(), name=f"outbox {self._name}")

    async def flushed(self) -> None:
        """Wait until everything was posted, or could not be."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def close(self) -> None:
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))

    async def _send(self) -> None:
        while self._queue:
            message = self._queue.popleft()
            self._bytes -= len(message)
            try:
                async with asyncio.timeout(POST_SECONDS):
                    await self._post(message)
            except (TimeoutError, LinkError) as error:
                said = error.detail if isinstance(error, LinkError) else "no answer"
                _log.debug("server %s did not take a notification: %s", self._name, said)
