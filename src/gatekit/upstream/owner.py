"""The owner task of one Link: admitted → starting → ready → draining → dead."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from gatekit.errors import AttributeMissing, LinkClosed, LinkError, PoolFull, SpawnFailed
from gatekit.model.people import Principal
from gatekit.model.personal import Lacking, fill
from gatekit.model.server import Server
from gatekit.upstream.link import Hello, UpstreamKey
from gatekit.upstream.transport import AT_ONCE, PROMPT, Carrier, Ending, OwnedLink

if TYPE_CHECKING:
    from gatekit.upstream.pool import Pool

_log = logging.getLogger("gatekit.upstream")

State = Literal["waiting", "starting", "ready", "draining", "dead"]


class Owner:
    """Everything that happens to one Link happens in this task; callers only ever hold futures."""

    def __init__(self, pool: Pool, key: UpstreamKey, server: Server, hello: Hello) -> None:
        self._pool = pool
        self._transport = pool.transport(server)
        self.key = key
        self.server = server
        self.hello = hello
        self.state: State = "waiting"
        self.link: OwnedLink | None = None
        self.pid = 0
        self.admitted = False
        self.spare: Carrier | None = None
        """A process to begin with, from ``admission``."""
        self.warm = False
        """The process was a spare."""
        self.since = self.last_used = pool.clock.monotonic()
        self.calls_seen = 0
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[OwnedLink] = loop.create_future()
        # A start that nobody waits for any more (or that was made for an open stream) may fail unseen.
        self.ready.add_done_callback(lambda ready: ready.cancelled() or ready.exception())
        self._stop: asyncio.Future[tuple[str, Ending]] = loop.create_future()
        self._carrier: Carrier | None = None
        self.task = loop.create_task(self._run(), name=f"upstream {key.server} {key.scope}")
        self.task.add_done_callback(self._ended)

    @property
    def spent(self) -> bool:
        """It had a Link, and that cannot take calls any more."""
        return self.link is not None and not self.link.alive

    def stop(self, reason: str, ending: Ending) -> None:
        """Ask for the end; the first request counts. Calls that may not wait fail before this returns."""
        if self._stop.done():
            return
        self._stop.set_result((reason, ending))
        if self.link is None:
            self.task.cancel()
        elif ending.calls:
            self.link.drain()
        else:
            self.link.fail(LinkClosed(reason))

    def reconfigure(self, server: Server) -> None:
        """Settings that need no other process."""
        self.server = server
        if self.link is not None:
            self.link.server = server

    async def _run(self) -> None:
        try:
            await self._start()
            await self._watch()
        except LinkError as error:
            self._start_failed(error)
        except asyncio.CancelledError:
            reason = self._stop.result()[0] if self._stop.done() else "the gateway is shutting down"
            self._start_failed(LinkClosed(reason))
        except Exception as error:  # noqa: BLE001  Link owner boundary
            _log.exception("server %s: its owner failed", self.server.name)
            self._start_failed(SpawnFailed("the server could not be started", repr(error)))
        finally:
            await self._finish()

    async def _start(self) -> None:
        pool = self._pool
        await pool.admission.enter(self)
        async with pool.gate(self.server.name):
            # Asked in here, so that a queue behind starts that fail does not have to fail one by one.
            await pool.wait_out(self)
            self.state = "starting"
            link = await self._open()
        now = pool.clock.monotonic()
        self.link = link
        self.state = "ready"
        self.since = self.last_used = now
        self.calls_seen = link.calls
        link.ready(now)
        pool.on_ready(self, link)
        self.ready.set_result(link)

    async def _open(self) -> OwnedLink:
        try:
            return await self._transport.open(self.server, self.hello, self._spawn, self._discard)
        except SpawnFailed:
            if not self.warm:
                raise
        # A spare may have gone bad while it waited; that must not be worse than having had none.
        await self._discard()
        return await self._transport.open(self.server, self.hello, self._spawn, self._discard)

    async def _spawn(self) -> OwnedLink:
        self._carrier, self.spare = self.spare, None
        self.warm = self._carrier is not None
        if self._carrier is None:
            self._carrier = await self._transport.spawn(_filled(self.server, self.hello.person))
        else:
            self._carrier.link.server = self.server  # settings that need no other process may have changed
        self.pid = self._carrier.pid
        return self._carrier.link

    async def _discard(self) -> None:
        carrier, self._carrier = self._carrier, None
        if carrier is not None:
            await carrier.end(AT_ONCE, "the server did not answer the probe")

    async def _watch(self) -> None:
        carrier, link = self._carrier, self.link
        if carrier is None or link is None:
            return
        ends: set[asyncio.Future[Any]] = {carrier.over, self._stop}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self._stop.done() and not carrier.over.done():
            self.state = "draining"
            reason, ending = self._stop.result()
            await carrier.end(ending, reason)
            self._carrier = None
            self._pool.on_stopped(self, reason)
        else:
            self._pool.on_crashed(self, link, carrier.detail(carrier.over.result()))

    def _start_failed(self, error: LinkError) -> None:
        if self.ready.done():
            return
        if isinstance(error, SpawnFailed) and self._carrier is not None:
            error = SpawnFailed(error.public, self._carrier.detail(error.detail))
        not_its_fault = isinstance(error, PoolFull | LinkClosed | AttributeMissing)
        counts = not not_its_fault and not getattr(error, "retry_after", 0.0)
        self._pool.on_failed(self, error.detail, counts)
        self.ready.set_exception(error)

    async def _finish(self) -> None:
        """Whatever happened, nothing of the upstream is left behind."""
        carriers = (self._carrier, self.spare)
        self._carrier = self.spare = None
        for carrier in carriers:
            if carrier is not None:
                await carrier.end(PROMPT, "the server has ended")

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Not in a ``finally``: a task that is cancelled before its first step never enters its body.
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("server %s: its end failed", self.server.name, exc_info=error)
        self.state = "dead"
        if not self.ready.done():
            self.ready.set_exception(LinkClosed("the server was stopped"))
        self._pool.on_gone(self)


def _filled(server: Server, person: Principal | None) -> Server:
    """``server`` with the attributes of ``person`` in its environment. Raise ``AttributeMissing``."""
    if not server.personal_env:
        return server
    filled = fill(server.personal_env, person)
    if isinstance(filled, Lacking):
        raise AttributeMissing(
            f"this server is started with the person's {filled.attribute}, and {filled.reason}",
            f"{filled.variable}: ${{user:{filled.attribute}}}: {filled.reason}",
        )
    return replace(server, env=(*server.env, *filled.env.items()), personal_env=())
