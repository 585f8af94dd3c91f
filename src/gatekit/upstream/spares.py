"""Warm spares: processes that are started before anybody asks for them.

A spare is a process that waits for its first request and has been told nothing yet. The client it is given to
opens it with its own ``initialize`` (or ``server/discover``), so version and capabilities are exactly what
they would be without spares; only the start of the program is over by then. A spare belongs to nobody, so a
server whose environment names a person has none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any, Literal, Protocol

from gatekit.errors import LinkError
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.upstream.admission import Admission, Guest
from gatekit.upstream.backoff import Backoff
from gatekit.upstream.link import UpstreamKey
from gatekit.upstream.transport import PROMPT, Carrier, Ending, Transport

_log = logging.getLogger("gatekit.upstream")

What = Literal["started", "exited", "failed", "stopped"]


class Tell(Protocol):
    """For the audit: what happened to the spare with this pid."""

    def __call__(self, server: Server, pid: int, what: What, detail: str, /) -> None: ...


class Spare:
    """One of them; its task looks after it until it is taken or ends."""

    def __init__(self, server: Server, number: int) -> None:
        self.server = server
        self.key = UpstreamKey(server.name, f"spare:{number}")
        self.admitted = False
        self.carrier: Carrier | None = None
        self.stop: asyncio.Future[tuple[str, Ending] | None] = asyncio.get_running_loop().create_future()
        """Ends with a reason when it is no longer wanted, with None when it was taken."""
        self.task: asyncio.Task[None] | None = None

    @property
    def ready(self) -> bool:
        return self.carrier is not None and not self.carrier.over.done() and not self.stop.done()


class Spares:
    """The spares of all servers. ``tend`` is called about once a second, and whenever one is missing."""

    def __init__(
        self, clock: Clock, transport: Transport, gate: Callable[[str], asyncio.Semaphore], tell: Tell
    ) -> None:
        self._clock = clock
        self._transport = transport
        self._gate = gate
        self._tell = tell
        self._servers: dict[str, Server] = {}
        self._spares: dict[str, list[Spare]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._backoff = Backoff()
        self._number = 0

    @property
    def ready(self) -> int:
        """How many wait to be taken."""
        return sum(spare.ready for spares in self._spares.values() for spare in spares)

    def want(self, servers: Iterable[Server]) -> None:
        """From now on, for these servers; spares of others and of older launch recipes are stopped."""
        self._servers = {server.name: server for server in servers if server.warm}
        for name, spares in list(self._spares.items()):
            server = self._servers.get(name)
            for number, spare in enumerate(spares[:]):
                same = server is not None and server.fingerprint() == spare.server.fingerprint()
                if server is None or not same or number >= server.warm:
                    self._drop(spare, "no spare of this kind is wanted any more")

    def take(self, server: Server) -> Carrier | None:
        """A running process of ``server``, without its place; None if there is none."""
        recipe = server.fingerprint() if server.name in self._spares else ""
        for spare in self._spares.get(server.name, ()):
            carrier = spare.carrier
            if carrier is not None and spare.ready and spare.server.fingerprint() == recipe:
                self._forget(spare)
                spare.stop.set_result(None)
                return carrier
        return None

    def evict(self, name: str) -> bool:
        """End one, so that its place becomes free; False if there is none."""
        for spare in self._spares.get(name, ()):
            self._drop(spare, "it made room for an instance that somebody asked for")
            return True
        return False

    def tend(self, admission: Admission) -> None:
        """Start what is missing: one at a time for each server, after a back-off if the last ones died."""
        now = self._clock.monotonic()
        for name, server in self._servers.items():
            spares = self._spares.setdefault(name, [])
            starting = any(spare.carrier is None for spare in spares)
            if starting or len(spares) >= server.warm or self._backoff.remaining(server.fingerprint(), now):
                continue
            self._number += 1
            spare = Spare(server, self._number)
            if admission.try_enter(spare):
                spares.append(spare)
                spare.task = asyncio.create_task(self._keep(spare, admission), name=f"spare {name}")
                self._tasks.add(spare.task)
                spare.task.add_done_callback(self._tasks.discard)
        self._backoff.forget_old(now)

    async def close(self, ending: Ending, seconds: float) -> None:
        """Stop all of them."""
        self._servers = {}
        for spares in list(self._spares.values()):
            for spare in spares[:]:
                self._drop(spare, "the gateway is shutting down", ending)
        if self._tasks:
            _, late = await asyncio.wait(set(self._tasks), timeout=seconds)
            for task in late:
                task.cancel()

    def _drop(self, spare: Spare, reason: str, ending: Ending = PROMPT) -> None:
        self._forget(spare)
        if not spare.stop.done():
            spare.stop.set_result((reason, ending))

    def _forget(self, spare: Spare) -> None:
        spares = self._spares.get(spare.server.name, [])
        if spare in spares:
            spares.remove(spare)
        if not spares:
            self._spares.pop(spare.server.name, None)

    async def _keep(self, spare: Spare, admission: Admission) -> None:
        server, begun = spare.server, self._clock.monotonic()
        try:
            async with self._gate(server.name):
                spare.carrier = await self._transport.spawn(server)
            self._tell(server, spare.carrier.pid, "started", "spare")
            self.tend(admission)
            await self._until_its_end(spare, spare.carrier, begun)
        except LinkError as error:
            self._backoff.failed(server.fingerprint(), self._clock.monotonic(), error.detail)
            self._tell(server, 0, "failed", f"spare: {error.detail}")
        except Exception:  # noqa: BLE001  Link owner boundary
            self._backoff.failed(server.fingerprint(), self._clock.monotonic(), "internal")
            _log.exception("server %s: a spare could not be looked after", server.name)
        finally:
            self._forget(spare)
            admission.leave(spare)

    async def _until_its_end(self, spare: Spare, carrier: Carrier, begun: float) -> None:
        ends: set[asyncio.Future[Any]] = {carrier.over, spare.stop}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if not _taken(spare):
                await carrier.end(PROMPT, "the gateway is shutting down")
            raise
        if _taken(spare):
            return
        if spare.stop.done():
            reason, ending = spare.stop.result() or ("", PROMPT)
            await carrier.end(ending, reason)
            self._tell(spare.server, carrier.pid, "stopped", f"spare: {reason}")
            return
        now, detail = self._clock.monotonic(), carrier.detail(carrier.over.result())
        self._forget(spare)
        self._backoff.failed(spare.server.fingerprint(), now, detail, lived=now - begun)
        self._tell(spare.server, carrier.pid, "exited", f"spare: {detail}")
        await carrier.end(PROMPT, "the server has ended")


def _taken(spare: Spare) -> bool:
    return spare.stop.done() and spare.stop.result() is None


def adoptable(guest: Guest) -> bool:
    """Whether a spare would do: the process knows no person, and runs here."""
    return not guest.server.personal_env and not guest.server.url
