"""Who may start an instance, who waits in line for a place, and who is told that all places are taken.

A place becomes free when an instance has ended with its whole tree. Of those in line, who has the fewest
instances of the server comes first, then who came first: one busy person does not keep others out. A line is
bounded, for the server and for each person in it.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from typing import Protocol

from gatekit.errors import PoolFull
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.upstream.link import UpstreamKey


class Guest(Protocol):
    """Who holds a place or wants one: the owner of a Link, or a spare (of nobody)."""

    key: UpstreamKey
    server: Server
    admitted: bool


class _Waiter:
    __slots__ = ("guest", "number", "place")

    def __init__(self, guest: Guest, number: int) -> None:
        self.guest = guest
        self.number = number
        self.place: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Admission:
    """Places and lines of all servers. Methods are called from the event loop."""

    def __init__(
        self,
        clock: Clock,
        adopt: Callable[[Guest], bool],
        make_room: Callable[[Guest, bool], None],
    ) -> None:
        """``adopt`` gives the guest a spare, which then leaves its place to it; False: there is none for it.
        ``make_room`` is asked when a guest does not fit, and may end something: a spare of the server, or
        (True) an instance of the guest's own person."""
        self._clock = clock
        self._adopt = adopt
        self._make_room = make_room
        self._inside: Counter[str] = Counter()
        self._own: Counter[tuple[str, str]] = Counter()
        self._lines: dict[str, list[_Waiter]] = {}
        self._numbers = 0

    async def enter(self, guest: Guest) -> None:
        """Take a place, waiting for it if need be. Raise ``PoolFull``."""
        server, line = guest.server, self._lines.setdefault(guest.server.name, [])
        self._numbers += 1
        waiter = _Waiter(guest, self._numbers)
        line.append(waiter)
        try:
            self.serve(server.name)
            if waiter.place.done():
                return
            self._check_line(guest, line)
            await asyncio.wait({waiter.place}, timeout=server.max_wait)
            if not waiter.place.done():
                raise PoolFull(self._why(guest)[0], retry_after=_soon(server))
        finally:
            if waiter in line:
                line.remove(waiter)
            if not line and self._lines.get(server.name) is line:
                del self._lines[server.name]

    def try_enter(self, guest: Guest) -> bool:
        """Take a place if there is one that nobody else wants; for spares."""
        if guest.server.name in self._lines or self._inside[guest.server.name] >= guest.server.max_instances:
            return False
        self._admit(guest)
        return True

    def leave(self, guest: Guest) -> None:
        """Give the place back, if there was one. Idempotent."""
        if not guest.admitted:
            return
        guest.admitted = False
        name, person = guest.key.server, guest.key.principal_id
        self._inside[name] -= 1
        self._own[name, person] -= 1
        if not self._inside[name]:
            del self._inside[name]
        if not self._own[name, person]:
            del self._own[name, person]
        self.serve(name)

    def serve(self, name: str) -> None:
        """Let in who fits. Also called now and then, because what may make room changes with time."""
        line = self._lines.get(name)
        while line:
            line.sort(key=lambda waiter: (self._own_of(waiter.guest), waiter.number))
            fitting = next((waiter for waiter in line if self._fits(waiter.guest)), None)
            if fitting is None:
                return
            line.remove(fitting)
            self._admit(fitting.guest)
            fitting.place.set_result(None)

    def serve_all(self) -> None:
        for name in list(self._lines):
            self.serve(name)

    @property
    def waiting(self) -> int:
        """How many are in line."""
        return sum(map(len, self._lines.values()))

    def _admit(self, guest: Guest) -> None:
        guest.admitted = True
        self._inside[guest.key.server] += 1
        self._own[guest.key.server, guest.key.principal_id] += 1

    def _own_of(self, guest: Guest) -> int:
        person = guest.key.principal_id
        return self._own.get((guest.key.server, person), 0) if person else 0

    def _fits(self, guest: Guest) -> bool:
        why, own = self._why(guest)
        if not own and self._adopt(guest):
            return True
        if why:
            self._make_room(guest, own)
        return not why

    def _why(self, guest: Guest) -> tuple[str, bool]:
        """Why the guest does not fit (empty: it does), and whether that is for its own person's sake."""
        server = guest.server
        if self._own_of(guest) >= server.max_instances_per_user:
            text = (
                f"{server.max_instances_per_user} instances are running for this person, which is the limit"
            )
            return text, True
        if self._inside.get(guest.key.server, 0) >= server.max_instances:
            return f"{server.max_instances} instances of the server are running, which is the limit", False
        return "", False

    def _check_line(self, guest: Guest, line: list[_Waiter]) -> None:
        server, person = guest.server, guest.key.principal_id
        own = sum(waiter.guest.key.principal_id == person for waiter in line)
        if person and own > server.max_waiting_per_user:
            why = f"{server.max_waiting_per_user} starts of this person are waiting, which is the limit"
        elif len(line) > server.max_waiting:
            why = f"{server.max_waiting} starts of the server are waiting, which is the limit"
        else:
            return
        raise PoolFull(why, retry_after=_soon(server))


def _soon(server: Server) -> float:
    """Seconds after which another try makes sense: the line has moved on by then."""
    return float(max(1, math.ceil(server.max_wait)))
