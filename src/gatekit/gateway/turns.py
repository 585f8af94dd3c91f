"""Whose turn it is at a server that carries out only so many calls at a time.

Those that wait stand in one line for each person. A place that becomes free goes to whoever has the fewest
calls running there, and among these to whoever was served longest ago: somebody with one call waits for the
calls that run, and not for a hundred of somebody else's. When the line is full, who has most in it gives way.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gatekit.errors import LinkBusy
from gatekit.model.server import Server

_Waiter = asyncio.Future[None]


class _Line:
    """The calls of one server."""

    __slots__ = ("running", "server", "waiting")

    def __init__(self) -> None:
        self.server = Server(name="")
        """With its bounds as they are now."""
        self.running: Counter[str] = Counter()
        """Calls by person."""
        self.waiting: dict[str, deque[_Waiter]] = {}
        """By person; who was served last stands last."""

    def __len__(self) -> int:
        return sum(map(len, self.waiting.values()))

    def serve(self) -> None:
        """Let in who may."""
        while self.running.total() < (self.server.max_calls or math.inf):
            mine = self.server.max_calls_per_user or math.inf
            fitting = [person for person in self.waiting if self.running[person] < mine]
            if not fitting:
                return
            person = min(fitting, key=self.running.__getitem__)  # of equals the first
            own = self.waiting.pop(person)
            waiter = own.popleft()
            if own:
                self.waiting[person] = own
            self.running[person] += 1
            waiter.set_result(None)

    def crowded(self) -> None:
        """There is one too many: the last call of whoever has most in line is turned away."""
        busiest = max(self.waiting, key=lambda person: len(self.waiting[person]))
        last = self.waiting[busiest][-1]
        self.remove(busiest, last)
        text = f"{_full(self.server)}, and as many wait as may"
        last.set_exception(LinkBusy(text, retry_after=_soon(self.server)))

    def remove(self, person: str, waiter: _Waiter) -> None:
        own = self.waiting.get(person)
        if own is not None and waiter in own:
            own.remove(waiter)
            if not own:
                del self.waiting[person]

    def leave(self, person: str) -> None:
        self.running[person] -= 1
        if not self.running[person]:
            del self.running[person]
        self.serve()


class Turns:
    """The lines of all servers that have one."""

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def turn(self, server: Server, person: str) -> AsyncIterator[None]:
        """Wait for a turn and have it. Raises ``LinkBusy``: it did not come in time, or the line is full."""
        line = self._lines.setdefault(server.name, _Line())
        line.server = server
        try:
            await self._come(line, person)
            try:
                yield
            finally:
                line.leave(person)
        finally:
            if not line.running and not line.waiting and self._lines.get(server.name) is line:
                del self._lines[server.name]

    async def _come(self, line: _Line, person: str) -> None:
        server = line.server
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        line.waiting.setdefault(person, deque()).append(waiter)
        line.serve()
        if len(line) > server.max_calls_waiting:
            line.crowded()
        try:
            if not waiter.done():
                await asyncio.wait((waiter,), timeout=server.max_call_wait)
        except asyncio.CancelledError:
            if _served(waiter):
                line.leave(person)
            raise
        finally:
            line.remove(person, waiter)
        if not waiter.done():
            waiter.cancel()
            raise LinkBusy(f"{_full(server)}, and no turn came", retry_after=_soon(server))
        waiter.result()

    def waiting(self, server: str) -> int:
        """How many calls stand in line there."""
        line = self._lines.get(server)
        return len(line) if line is not None else 0


def _served(waiter: _Waiter) -> bool:
    return waiter.done() and not waiter.cancelled() and waiter.exception() is None


def _full(server: Server) -> str:
    return f"{server.max_calls} calls are running at the server, which is the limit"


def _soon(server: Server) -> float:
    return float(max(1, math.ceil(min(server.max_call_wait, 5))))
