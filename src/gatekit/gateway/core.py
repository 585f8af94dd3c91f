"""The data plane put together: one object that ``app`` starts, feeds with new tables, and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Sequence

from gatekit.errors import GatekitError
from gatekit.gateway.aggregate import Aggregate
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.changes import Comparison
from gatekit.gateway.dispatch import Dispatch
from gatekit.gateway.drain import STOPPING, Drain
from gatekit.gateway.endpoint import Endpoint, LegacyEndpoint
from gatekit.gateway.exchange import Exchange
from gatekit.gateway.feeds import Feeds
from gatekit.gateway.handshake import HandshakeDoor
from gatekit.gateway.leaving import EVERYBODY, Leaving
from gatekit.gateway.legacy import LegacyDoor
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.published import Published, Shelf
from gatekit.gateway.quotas import Used
from gatekit.gateway.replay import ReplayStore
from gatekit.gateway.reply import Reply
from gatekit.gateway.rounds import Rounds
from gatekit.gateway.sessions import InFlight, McpSession, SessionRegistry
from gatekit.gateway.stateless import StatelessDoor
from gatekit.model.access import Access

_log = logging.getLogger("gatekit.gateway")

_SWEEP_SECONDS = 0.5
_WATCH_AFTER = 0.5
"""Seconds after which a running call is watched for a disconnect; quick ones are not worth a task."""
_PRIME_AFTER = 1.0
"""Seconds after which the answer to a running call becomes a stream that its client can resume."""


class Gateway:
    """The running data plane."""

    def __init__(self, around: Surroundings, tables: Published) -> None:
        self._around = around
        self._shelf = Shelf(tables)
        self._endings: set[asyncio.Task[None]] = set()
        self.feeds = Feeds(around.pool, around.clock)
        catalog = Catalog(around, self._shelf, self.feeds)
        self._slots = catalog.slots
        self.pins = catalog.pins
        self._aggregate = aggregate = Aggregate(around, self._shelf, catalog)
        self.rounds = Rounds(around, catalog)
        self._exchange = Exchange(around, self._shelf, catalog, aggregate, self.rounds)
        self.asking = self._exchange.asking
        self.sessions = SessionRegistry(around.settings.sessions_per_principal, self._evicted)
        self._handshake = HandshakeDoor(
            around, self._shelf, self._exchange, catalog, aggregate, self.sessions
        )
        self._stateless = StatelessDoor(around, self._shelf, self._exchange, catalog, aggregate)
        self._dispatch = Dispatch(around, self._handshake, self._stateless)
        self.endpoint = Endpoint(self._dispatch, around.entropy.token("", 6) + "-")
        self.legacy = LegacyDoor(around, self._handshake, self._stateless)
        self.legacy_endpoint = LegacyEndpoint(self.legacy, around.entropy.token("", 6) + "-")
        self._leaving = Leaving(
            around,
            self._shelf,
            (self._handshake, self._stateless, self.legacy),
            self.rounds,
            self._exchange,
        )
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._sweeper = asyncio.ensure_future(self._sweep_for_ever())

    def apply(self, tables: Published) -> None:
        """Judge everything from now on by ``tables``; calls in flight were judged when they came in."""
        comparison = Comparison(self._shelf.current, tables)
        self._shelf.current = tables
        for session in self.sessions:
            session.lists_changed(comparison.changed(session))
        for stream in list(self._stateless.subscriptions):
            stream.lists_changed(comparison.changed(stream))
            self._stateless.widen(stream)

    def relisted(self) -> None:
        """What is withheld has changed: whoever is there may read the lists anew."""
        for who in (*self.sessions, *self._stateless.subscriptions):
            who.lists_changed(("tools", "prompts", "resources"))

    async def recheck(self, entries: Sequence[str] = EVERYBODY) -> None:
        """Somebody's standing may have changed: end what is open for those who no longer may. ``entries`` of
        the store's feed say whose. Raises ``StoreError``."""
        self._around.epoch.count += 1  # first: from here on nobody opens anything with what was judged before
        await self._leaving.recheck(entries)

    @property
    def replays(self) -> ReplayStore | None:
        """What sessions may have to hear again."""
        return self._handshake.replays

    @property
    def used(self) -> Iterator[Used]:
        """What was used of which quota."""
        return self._exchange.ledger.used()

    @property
    def draining(self) -> bool:
        """Whether new calls are refused because the gateway is about to stop."""
        return self._dispatch.retry_after > 0

    async def drain(self, patience: float) -> None:
        """Refuse new calls and let running ones finish, for at most ``patience`` seconds; end all streams."""
        await Drain(
            (self._dispatch, self.legacy), self._exchange, self.rounds, self._handshake, self._stateless
        ).run(patience)
        self.legacy.close()

    async def close(self) -> None:
        """Answer nobody any more: end sessions and streams (instances are the pool's business)."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for session in self.sessions:
            self.sessions.remove(session)
            session.close()
        for flight in list(self._exchange.flights):
            flight.cancel(STOPPING)
        for stream in list(self._stateless.subscriptions):
            stream.end()
        self.asking.close()
        self._aggregate.close()
        self.legacy.close()
        self.feeds.close()
        self.rounds.close()
        if self._endings:
            await asyncio.wait(self._endings, timeout=5)

    # -- the sweep: everything that would otherwise need a timer of its own ---------------------------------

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                self._sweep(self._around.clock.monotonic())
            except GatekitError:
                _log.exception("sweep failed")

    def _sweep(self, now: float) -> None:
        self.rounds.sweep(now)
        self._exchange.tasks.sweep()
        self._slots.sweep()
        self._exchange.ledger.sweep()
        self.feeds.sweep()
        keepalive = self._around.settings.keepalive
        life = self._around.settings.stream_life
        for flight in self._exchange.flights:
            _look_after(flight, now, keepalive, life)
        wall = self._around.clock.now()
        for stream in list(self._stateless.subscriptions):
            _look_after_stream(stream.access, stream.reply, now, wall, keepalive)
        for line in self.legacy.lines.values():
            _look_after_stream(line.access, line.reply, now, wall, keepalive)
        self.legacy.sweep(now)
        patience = self._around.settings.input_patience
        for session in self.sessions:
            if session.questions:
                session.sweep(now, patience)
            if session.streams or session.resumed:
                for reply in (*session.streams, *session.resumed):
                    _look_after_stream(session.access, reply, now, wall, keepalive)
                    if life and _primed(session) and now - reply.started_at > life:
                        reply.abandon()
                session.touched_at = now
            elif not session.calls and now - session.touched_at > self._around.settings.session_idle:
                self._finish(session, "idle")

    def _evicted(self, session: McpSession) -> None:
        self._finish(session, "too many sessions of one person")

    def _finish(self, session: McpSession, reason: str) -> None:
        task = asyncio.ensure_future(self._handshake.end(session, reason))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)


def _primed(session: McpSession) -> bool:
    """Whether its client comes back by itself when a stream is closed (SEP-1699)."""
    return session.replay is not None and session.replay.primes


def _look_after(flight: InFlight, now: float, keepalive: float, life: float) -> None:
    reply, age = flight.reply, now - flight.reply.started_at
    if not flight.watched and age > _WATCH_AFTER:
        flight.watched = True
        reply.watch().add_done_callback(lambda task: None if task.cancelled() else _left(flight))
    if reply.resumable is not None and reply.resumable.primes and age > _PRIME_AFTER:
        if not reply.streaming and reply.sse_ok:
            reply.open_stream()  # from now on the client can come back for its answer
        elif life and age > life and reply.track is not None:
            reply.track.leave(reply)
            reply.abandon()
    if now - reply.touched_at > keepalive:
        reply.keepalive(now)


def _left(flight: InFlight) -> None:
    if flight.reply.ended:
        return
    flight.left = True
    if flight.disconnect_cancels:
        flight.cancel()


def _look_after_stream(access: Access, reply: Reply, now: float, wall: float, keepalive: float) -> None:
    if wall >= access.expires_at > 0:
        reply.abandon()  # a stream must not outlive its token
    elif now - reply.touched_at > keepalive:
        reply.keepalive(now)
