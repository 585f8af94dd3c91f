"""Blocking work in threads of its own: so many at once, so many waiting, and everybody else hears "busy"."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from gatekit.errors import ProviderFailed

BUSY = "Too many people are signing in at this moment. Try again in a minute."

T = TypeVar("T")


class Threads:
    """A bounded pool; ``close`` ends it. ``name`` is what its threads and its refusals are called."""

    def __init__(self, name: str, workers: int, max_waiting: int) -> None:
        self._name = name
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=f"gatekit-{name}")
        self._max_running = workers + max_waiting
        self._running = 0
        self._lock = Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises; ``ProviderFailed`` when too many wait."""
        with self._lock:
            if self._running >= self._max_running:
                raise ProviderFailed(BUSY, f"{self._name} queue full")
            self._running += 1
        future = self._pool.submit(work)
        # Not in a finally: a request that is given up leaves its work running, and that still counts.
        future.add_done_callback(self._done)
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _done(self, _: object) -> None:
        with self._lock:
            self._running -= 1
