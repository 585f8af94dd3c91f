"""Connections on which nobody has shown yet that they are known here: how many there may be.

A connection costs a descriptor, and descriptors are what a process runs out of first; then it can start no
server and open no file. So those of strangers are bounded, for each place and together. Where there is no
room, the oldest one that has nothing under way makes some: who has only just come has time to say something.
Whoever's call was answered with anything but a refusal is no stranger, and is left in peace.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from gatekit.identity.backoff import network_of

MOST = 8192
"""Of everybody, if the process may have that many descriptors four times over."""
SHARE = 4
"""One place may have this part of them: a proxy that nobody has told us about may stand for many people."""
DESCRIPTORS = 65_536
"""What a gateway asks the system for, if it may have that many."""
_LOOKED_AT = 8


class Connection(Protocol):
    """What is counted."""

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        ...

    def let_go(self) -> None: ...


def _nobody(_: str) -> bool:
    return False


class Strangers:
    """One in a process. ``most``: connections; ``trusts``: network peers that are proxies of the operator."""

    def __init__(self, most: int = MOST, trusts: Callable[[str], bool] = _nobody) -> None:
        self._most = max(SHARE, most)
        self._of_one = self._most // SHARE
        self._trusts = trusts
        self._all: dict[Connection, str] = {}
        """→ place, the oldest first."""
        self._places: dict[str, dict[Connection, None]] = {}

    def __len__(self) -> int:
        return len(self._all)

    def came(self, one: Connection, peer: str) -> bool:
        """A connection was opened. False: there is no room, and it had better be closed."""
        if self._trusts(peer):
            return True
        place = network_of(peer)
        there = self._places.get(place)
        if there is not None and len(there) >= self._of_one and not self._room(there):
            return False
        if len(self._all) >= self._most and not self._room(self._all):
            return False
        self._all[one] = place
        self._places.setdefault(place, {})[one] = None
        return True

    def gone(self, one: Connection) -> None:
        """It was closed, or it is no stranger's. Idempotent."""
        place = self._all.pop(one, None)
        if place is None:
            return
        there = self._places[place]
        del there[one]
        if not there:
            del self._places[place]

    def _room(self, them: dict[Connection, str] | dict[Connection, None]) -> bool:
        for one in list(islice(them, _LOOKED_AT)):
            if one.idle:
                self.gone(one)
                one.let_go()
                return True
            self._later(one)  # busy: not looked at again before all the others
        return False

    def _later(self, one: Connection) -> None:
        place = self._all.pop(one)
        self._all[one] = place
        there = self._places[place]
        del there[one]
        there[one] = None


def room_for(descriptors: int) -> int:
    """How many connections of strangers a process may have that may open so many files."""
    return min(MOST, descriptors // 4)


def descriptors() -> int:
    """How many this process may have."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def ask_for_descriptors() -> None:
    """Take what the system would give us: the soft limit is 1,024 on most, for the sake of programs that are
    older than ``poll``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
