"""Ends what is open for people who may no longer: sessions, streams, calls that wait or run, and processes.

The store's feed of changes says whose standing may have changed; ``principal_is_active`` says what it is now.
Only those whom an entry is about are looked at: one person who leaves does not wait for a look at everybody.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from gatekit.errors import AccessEnded
from gatekit.gateway.exchange import Exchange
from gatekit.gateway.handshake import HandshakeDoor
from gatekit.gateway.legacy import LegacyDoor
from gatekit.gateway.outcomes import fault_of
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Shelf
from gatekit.gateway.rounds import Rounds
from gatekit.gateway.stateless import StatelessDoor
from gatekit.model.access import Access

REASON = "access ended"
ENDED = fault_of(AccessEnded("your access has ended; sign in again if you should still have it"))

EVERYBODY = ("all:*",)
"""A feed entry that concerns all: the file was changed, or nobody knows what was."""


class Concerned(Struct, frozen=True):
    """Whom entries of the feed are about."""

    everybody: bool
    users: frozenset[str]
    clients: frozenset[str]
    credentials: frozenset[str]
    """Grants and API keys, by id."""

    def holds(self, access: Access) -> bool:
        return (
            self.everybody
            or access.principal.id in self.users
            or access.client_id in self.clients
            or access.grant_id in self.credentials
            or access.credential_id in self.credentials
        )


def concerned(entries: Sequence[str]) -> Concerned:
    """What cannot be told to be about somebody concerns everybody."""
    found: dict[str, set[str]] = {"user": set(), "client": set(), "grant": set(), "key": set()}
    everybody = False
    for entry in entries:
        noun, _, ident = entry.partition(":")
        if noun in found:
            found[noun].add(ident)
        else:
            everybody = True
    return Concerned(
        everybody,
        frozenset(found["user"]),
        frozenset(found["client"]),
        frozenset(found["grant"] | found["key"]),
    )


class Leaving:
    """Looks at everything that is open."""

    def __init__(
        self,
        around: Surroundings,
        shelf: Shelf,
        doors: tuple[HandshakeDoor, StatelessDoor, LegacyDoor],
        rounds: Rounds,
        exchange: Exchange,
    ) -> None:
        self._around = around
        self._shelf = shelf
        self._handshake, self._stateless, self._legacy = doors
        self._rounds = rounds
        self._exchange = exchange

    async def recheck(self, entries: Sequence[str]) -> None:
        """End what is open for those whom ``entries`` concern and who no longer may.

        Raises ``StoreError``.
        """
        whom = concerned(entries)
        gone = _Gone(whom, self._still)
        # In the order in which one becomes the other while this waits: a call opens a session, is parked.
        for flight in list(self._exchange.flights):
            if await gone(flight.access, flight.server) and flight in self._exchange.flights:
                flight.cancel(ENDED)
        for waiting in self._exchange.asking.waiting():
            if await gone(waiting.access, waiting.endpoint):
                await self._exchange.asking.drop(waiting)
        for nonce, opened in self._rounds.parking.parked():
            if await gone(opened.access, opened.endpoint):
                self._rounds.drop(nonce, REASON)
        for session in list(self._handshake.sessions):
            if await gone(session.access, session.server):
                await self._handshake.end(session, REASON)
        await self._end_streams(gone)
        await self._stop_processes(whom)

    async def _end_streams(self, gone: _Gone) -> None:
        for stream in list(self._stateless.subscriptions):
            if await gone(stream.access, stream.endpoint):
                stream.end()
        for line in list(self._legacy.lines.values()):
            if await gone(line.access, line.server):
                line.reply.abandon()

    async def _stop_processes(self, whom: Concerned) -> None:
        """Instances that served one person alone do not outlive the person's standing, nor the last grant or
        key that could use them."""
        pool = self._around.pool
        served = pool.principals()
        if not served:
            return
        bereft: frozenset[str] = frozenset()
        if whom.credentials or whom.clients:
            bereft = await self._around.bereft(served, whom.credentials, whom.clients)
        for principal_id in served:
            if principal_id in bereft or (
                (whom.everybody or principal_id in whom.users)
                and not await self._around.is_person_active(principal_id)
            ):
                pool.stop_principal(principal_id)

    async def _still(self, access: Access, server: str) -> bool:
        if server and not self._shelf.current.admits(access, server):
            return False
        return await self._around.is_active(access)


class _Gone:
    """Whether somebody is concerned and may no longer. Asks once for each credential and server: one client
    has many streams open."""

    def __init__(self, whom: Concerned, still: Callable[[Access, str], Awaitable[bool]]) -> None:
        self._whom = whom
        self._still = still
        self._told: dict[tuple[str, str, str], bool] = {}

    async def __call__(self, access: Access, server: str) -> bool:
        if not self._whom.holds(access):
            return False
        key = (access.principal.id, access.credential_id, server)
        if key not in self._told:
            self._told[key] = not await self._still(access, server)
        return self._told[key]
