"""uvicorn's server, which lets the gateway drain before it stops to listen.

While calls finish the port stays open: a client that comes is told to try again, and a load balancer reads
in ``/readyz`` that this replica goes. uvicorn alone would close the port first, and end the process by the
signal once it is done, before the application could close what it has open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator

import uvicorn

_log = logging.getLogger("gatekit.web")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class DrainingServer(uvicorn.Server):
    """Stops in two steps: ``drain`` on the first signal, then uvicorn's own end. A second one skips these."""

    def __init__(self, config: uvicorn.Config, drain: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self._drain = drain
        self._draining: asyncio.Future[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """In place of uvicorn's: its handlers would raise the signal again afterwards."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self.told_to_stop)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)

    def told_to_stop(self) -> None:
        """What SIGTERM and SIGINT do."""
        if self._draining is None:
            self._draining = asyncio.ensure_future(self._stop())
        else:
            _log.warning("stopping at once")
            self.force_exit = True
            self._draining.cancel()

    async def _stop(self) -> None:
        try:
            await self._drain()
        finally:
            self.should_exit = True
