"""Who shares which process: ``UpstreamKey`` → Link, with admission, idle stop, reload and restart.

``get`` is all that a call needs while its process runs. Everything slow happens in the owner task that each
key has while something runs for it (``owner``): wait in line (``admission``), wait out a back-off, start or
take a spare (``spares``), watch, end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from gatekit.errors import LinkClosed, SpawnFailed
from gatekit.model.audit import ProcessEvent
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.upstream.admission import Admission, Guest
from gatekit.upstream.backoff import Backoff
from gatekit.upstream.link import Hello, SignalSink, UpstreamKey
from gatekit.upstream.negotiate import Remember
from gatekit.upstream.owner import Owner
from gatekit.upstream.spares import Spares, adoptable
from gatekit.upstream.supervisor import StdioTransport, Supervisor
from gatekit.upstream.transport import CLOSING, GENTLE, PROMPT, Ending, OwnedLink, Transport

_log = logging.getLogger("gatekit.upstream")

SWEEP_SECONDS = 1.0
EVICT_SECONDS = 10.0
"""Idle time after which a person's own instance may make room for the same person's next one."""
PATIENCE = 1.0
"""A back-off this short is waited out; a longer one is reported."""
STARTS_PER_SERVER = 4
"""Processes of one server that may be starting at the same time."""
CLOSE_SECONDS = 5.0
_DRAIN_POLL = 0.02


class Pool:
    """All Links of the gateway. Methods are called from the event loop."""

    def __init__(
        self,
        supervisor: Supervisor,
        clock: Clock,
        remember: Remember,
        on_event: Callable[[ProcessEvent], None],
        sweep_seconds: float = SWEEP_SECONDS,
        remote: Transport | None = None,
    ) -> None:
        """``remote``: how servers with a URL are reached; without it they cannot be."""
        self.clock = clock
        self._stdio = StdioTransport(supervisor, clock, remember)
        self._remote = remote
        self._on_event = on_event
        self._sweep_seconds = sweep_seconds
        self._links: dict[UpstreamKey, OwnedLink] = {}
        self._owners: dict[UpstreamKey, Owner] = {}
        self._ending: set[Owner] = set()
        self._held: dict[UpstreamKey, int] = {}
        self._sinks: dict[UpstreamKey, SignalSink] = {}
        self._revive: dict[UpstreamKey, tuple[Server, Hello]] = {}
        self._backoff = Backoff()
        self._gates: dict[str, asyncio.Semaphore] = {}
        self.admission = Admission(clock, self._adopt, self._make_room)
        self._spares = Spares(clock, self._stdio, self.gate, self._tell_of_spare)
        self._sweeper: asyncio.Task[None] | None = None
        self._closed = False

    # -- for calls -------------------------------------------------------------------------------------

    def get(self, key: UpstreamKey) -> OwnedLink | None:
        """The Link of ``key`` if it can take a call right now."""
        link = self._links.get(key)
        return link if link is not None and link.alive else None

    async def acquire(self, key: UpstreamKey, server: Server, hello: Hello) -> OwnedLink:
        """The Link of ``key``, started if need be; starts of one key are made once.

        Raise ``SpawnFailed`` (also while a back-off runs), ``PoolFull``, ``LinkClosed`` (stopped meanwhile).
        """
        link = self.get(key)
        if link is not None:
            return link
        owner = self._owners.get(key)
        if owner is None or owner.spent:
            owner = self._start(key, server, hello)
        return await asyncio.shield(owner.ready)

    def hold(self, key: UpstreamKey) -> None:
        """A stream is open on ``key``: no idle stop, and after a crash a restart that waits for no call."""
        self._held[key] = self._held.get(key, 0) + 1

    def unhold(self, key: UpstreamKey) -> None:
        count = self._held.pop(key, 0) - 1
        if count > 0:
            self._held[key] = count
        else:
            self._revive.pop(key, None)

    def rename(self, key: UpstreamKey, new: UpstreamKey) -> None:
        """The instance of ``key`` is better known as ``new``, if nothing is there yet."""
        if new in self._owners or key not in self._owners:
            return
        owner = self._owners[new] = self._owners.pop(key)
        owner.key = new
        if key in self._links:
            self._links[new] = self._links.pop(key)

    # -- ending ----------------------------------------------------------------------------------------

    def release(self, key: UpstreamKey) -> None:
        """The session behind ``key`` is over."""
        self._stop(key, "the session ended", PROMPT)

    async def stop(self, key: UpstreamKey, reason: str) -> None:
        """Stop at once: calls that wait fail now, the process ends in the background."""
        self._stop(key, reason, PROMPT)

    def stop_server(self, name: str, reason: str = "the server was stopped") -> None:
        self._stop_all((key for key in self._owners if key.server == name), reason, PROMPT)

    def principals(self) -> frozenset[str]:
        """Ids of the people who have an instance of their own."""
        return frozenset(key.principal_id for key in self._owners if key.principal_id)

    def stop_principal(self, principal_id: str, reason: str = "access was withdrawn") -> None:
        self._stop_all((key for key in self._owners if key.principal_id == principal_id), reason, PROMPT)

    def replace(self, servers: Iterable[Server]) -> None:
        """A new configuration (or the first): what was removed or is started differently now is drained and
        stopped, and spares are started for what wants some."""
        wanted = {server.name: server for server in servers}
        self._spares.want(wanted.values())
        if any(server.warm for server in wanted.values()):
            self._begin()
            self._spares.tend(self.admission)
        for key, owner in list(self._owners.items()):
            server = wanted.get(key.server)
            if server is None:
                self._stop(key, "the server was removed", GENTLE)
            elif server.fingerprint() != owner.server.fingerprint():
                sink = owner.link.sink if owner.link else None
                self._stop(key, "the server's configuration changed", GENTLE)
                self._keep(owner, server, sink)
            else:
                owner.reconfigure(server)
        for key, (_, hello) in list(self._revive.items()):
            server = wanted.get(key.server)
            if server is None:
                del self._revive[key]
            else:
                self._revive[key] = (server, hello)

    async def drain(self, seconds: float) -> int:
        """Let the calls that run come to their end, at most ``seconds`` long; no spare is kept meanwhile.

        Return how many still run then; ``close`` fails those. Nothing is refused here: whoever lets nobody
        in any more calls this next. Open subscriptions are not waited for.
        """
        self._spares.want(())
        deadline = self.clock.monotonic() + seconds
        # Polled: an event would have to be set by every call, for something that happens once.
        while (left := self._working()) and self.clock.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_POLL)
        return left

    def _working(self) -> int:
        owners = (*self._owners.values(), *self._ending)
        return sum(
            owner.link.working if owner.link is not None else not owner.ready.done() for owner in owners
        )

    async def close(self) -> None:
        """Stop everything, in order within ``CLOSE_SECONDS``, and then the rest by force."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._stop_all(list(self._owners), "the gateway is shutting down", CLOSING)
        spares = asyncio.create_task(self._spares.close(CLOSING, CLOSE_SECONDS), name="spares")
        tasks = {owner.task for owner in self._ending}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in late:
                task.cancel()
        await spares
        await self._stdio.close()
        if self._remote is not None:
            await self._remote.close()

    def _stop_all(self, keys: Iterable[UpstreamKey], reason: str, ending: Ending) -> None:
        for key in list(keys):
            self._stop(key, reason, ending)

    def _stop(self, key: UpstreamKey, reason: str, ending: Ending) -> None:
        self._revive.pop(key, None)
        self._sinks.pop(key, None)
        owner = self._owners.pop(key, None)
        self._links.pop(key, None)
        if owner is not None:
            self._ending.add(owner)
            owner.stop(reason, ending)

    # -- for owners ------------------------------------------------------------------------------------

    def _start(self, key: UpstreamKey, server: Server, hello: Hello) -> Owner:
        if self._closed:
            raise LinkClosed("the gateway is shutting down")
        self._begin()
        owner = self._owners[key] = Owner(self, key, server, hello)
        return owner

    def _begin(self) -> None:
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep_forever(), name="upstream sweep")

    def transport(self, server: Server) -> Transport:
        """How ``server`` is reached. Raise ``SpawnFailed``."""
        if not server.url:
            return self._stdio
        if self._remote is None:
            raise SpawnFailed("remote servers cannot be reached from here")
        return self._remote

    def _adopt(self, guest: Guest) -> bool:
        """For ``admission``: give the guest a spare."""
        if not isinstance(guest, Owner) or not adoptable(guest):
            return False
        guest.spare = self._spares.take(guest.server)
        return guest.spare is not None

    def _make_room(self, guest: Guest, own: bool) -> None:
        """For ``admission``: the guest does not fit. One at a time: what ends already will make room."""
        peers = [owner for owner in (*self._owners.values(), *self._ending) if owner.admitted]
        if not own:
            self._spares.evict(guest.key.server)
            return
        mine = [owner for owner in peers if _same(owner.key, guest.key)]
        if not any(owner in self._ending for owner in mine):
            self._evict(mine)

    def _evict(self, own: list[Owner]) -> None:
        """Clients that never end their sessions would otherwise lock their own user out."""
        now = self.clock.monotonic()
        idle = [other for other in own if self._idle(other, now) > EVICT_SECONDS]
        if idle:
            oldest = min(idle, key=lambda other: other.last_used)
            self._stop(oldest.key, "it made room for another instance of the same person", PROMPT)

    def gate(self, server: str) -> asyncio.Semaphore:
        return self._gates.setdefault(server, asyncio.Semaphore(STARTS_PER_SERVER))

    async def wait_out(self, owner: Owner) -> None:
        """Wait a short back-off out; raise ``SpawnFailed`` for a long one."""
        now = self.clock.monotonic()
        # Crashes after the start count for their key alone, or one person could stop a server for all.
        causes: tuple[Any, ...] = (owner.key, owner.server.fingerprint())
        delay, cause = max((self._backoff.remaining(cause, now), n) for n, cause in enumerate(causes))
        if delay > PATIENCE:
            raise SpawnFailed(
                f"the server failed; the next start is tried in {delay:.0f} s",
                self._backoff.detail(causes[cause]),
                retry_after=delay,
            )
        await asyncio.sleep(delay)

    def on_ready(self, owner: Owner, link: OwnedLink) -> None:
        self._backoff.worked(owner.server.fingerprint())
        self._links[owner.key] = link
        sink = self._sinks.pop(owner.key, None)
        if sink is not None:
            link.listen(sink)
        self._tell(owner, "started", f"{link.era} {link.version}{', from a spare' if owner.warm else ''}")
        if owner.warm:  # not before, so that its successor's start does not get in its way
            self._spares.tend(self.admission)

    def on_failed(self, owner: Owner, detail: str, counts: bool) -> None:
        """The start failed; ``counts``: because of the server, not for want of a place."""
        if counts:
            self._backoff.failed(owner.server.fingerprint(), self.clock.monotonic(), detail)
        self._forget(owner)
        self._ending.add(owner)
        if counts:
            self._keep(owner, owner.server, None)
        self._tell(owner, "failed", detail)

    def on_crashed(self, owner: Owner, link: OwnedLink, detail: str) -> None:
        now = self.clock.monotonic()
        self._backoff.failed(owner.key, now, detail, lived=now - owner.since)
        self._forget(owner)
        self._keep(owner, owner.server, link.sink)
        self._ending.add(owner)  # what is left of its tree still counts
        self._tell(owner, "exited", detail)

    def on_stopped(self, owner: Owner, reason: str) -> None:
        self._tell(owner, "stopped", reason)

    def on_gone(self, owner: Owner) -> None:
        self._forget(owner)
        self._ending.discard(owner)
        self.admission.leave(owner)

    def _forget(self, owner: Owner) -> None:
        if self._owners.get(owner.key) is owner:
            del self._owners[owner.key]
            self._links.pop(owner.key, None)

    def _keep(self, owner: Owner, server: Server, sink: SignalSink | None) -> None:
        """What the next process of this key takes over; it starts by itself if a stream is open."""
        if sink is not None:
            self._sinks[owner.key] = sink
        if owner.key in self._held:
            self._revive[owner.key] = (server, owner.hello)

    def _tell(self, owner: Owner, action: Any, detail: str) -> None:
        person = owner.hello.person
        self._record(
            ProcessEvent(
                at=self.clock.now(),
                action=action,
                server=owner.server.name,
                pid=owner.pid,
                principal_id=owner.key.principal_id,
                principal=person.username if person is not None else "",
                detail=detail,
            )
        )

    def _tell_of_spare(self, server: Server, pid: int, action: Any, detail: str) -> None:
        event = ProcessEvent(at=self.clock.now(), action=action, server=server.name, pid=pid, detail=detail)
        self._record(event)

    def _record(self, event: ProcessEvent) -> None:
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001  Link owner boundary: a process is looked after even so
            _log.exception("server %s: %s could not be recorded", event.server, event.action)

    # -- periodic --------------------------------------------------------------------------------------

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self._sweep_seconds)
            try:
                self.sweep()
            except Exception:  # noqa: BLE001  background job boundary
                _log.exception("upstream sweep failed")

    def sweep(self) -> None:
        """Timeouts of calls, idle stops, restarts for open streams, forgetting."""
        now = self.clock.monotonic()
        for owner in (*self._owners.values(), *self._ending):
            if owner.link is not None:
                owner.link.sweep(now)
        for owner in list(self._owners.values()):
            if self._idle(owner, now) > owner.server.idle_timeout:
                self._stop(owner.key, "idle", PROMPT)
        for key, (server, hello) in list(self._revive.items()):
            if key in self._owners:
                del self._revive[key]
            elif not self._backoff.remaining(key, now) + self._backoff.remaining(server.fingerprint(), now):
                del self._revive[key]
                self._start(key, server, hello)
        for key in [key for key in self._sinks if key not in self._held and key not in self._backoff]:
            del self._sinks[key]
        self._backoff.forget_old(now)
        self.admission.serve_all()
        self._spares.tend(self.admission)

    def _idle(self, owner: Owner, now: float) -> float:
        """Seconds without a call; 0 for who is starting, working or held open."""
        link = owner.link
        if link is None or link.pending or link.calls != owner.calls_seen or owner.key in self._held:
            owner.last_used = now
            owner.calls_seen = link.calls if link else 0
        return now - owner.last_used

    def stats(self) -> dict[str, int]:
        """Numbers for metrics and tests."""
        links = [link for link in self._links.values() if link.alive]
        return {
            "ready": len(links),
            "starting": len(self._owners) - len(links),
            "waiting": self.admission.waiting,
            "spares": self._spares.ready,
            "ending": len(self._ending),
            "calls": sum(link.calls for link in links),
            "pending": sum(link.pending for link in links),
            "stray_lines": sum(link.stray_lines for link in links),
        }


def _same(one: UpstreamKey, other: UpstreamKey) -> bool:
    """Of one person and one server."""
    return one.server == other.server and one.principal_id == other.principal_id
