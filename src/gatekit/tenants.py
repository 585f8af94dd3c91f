"""Several organisations in one process: a whole ``Application`` each, behind one listener.

Which of them a request is for is decided once, by its Host header and before anything else is looked at.
What is behind that decision has no way to another one: it has its own store, keys, caches, processes, trail.
So nothing in the rest of the code knows of tenants, and no query can forget to ask for one. Without a common
file this module is not even imported.

One that cannot be started or read is out of order alone. It is tried again until it works.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import msgspec
from msgspec import Struct

from gatekit.app import Application
from gatekit.config.model import Config
from gatekit.config.reload import POLL_SECONDS, Reloader
from gatekit.config.tenants import Tenant, Tenants, load_tenant, load_tenants
from gatekit.errors import ConfigError
from gatekit.gateway.endpoint import Read, Receive, Scope, Send
from gatekit.gateway.ports import Headers, Wire
from gatekit.platform.peers import TrustedProxies
from gatekit.platform.telemetry import about
from gatekit.web.front import front
from gatekit.web.lobby import Lobby, TurnedAway
from gatekit.web.middleware import PROBES, SECURITY_HEADERS, host_name, is_address_or_loopback
from gatekit.web.strangers import Strangers, descriptors, room_for

log = logging.getLogger("gatekit.tenants")

TRY_AGAIN = 10.0
"""Seconds between two attempts to start one that is out of order."""
_NOT_HERE = b"nothing is published under that host name"
_OUT_OF_ORDER = b"out of order, try again later"


class Running(Struct, frozen=True):
    """One that works."""

    tenant: Tenant
    application: Application
    reloader: Reloader
    job: asyncio.Task[None]
    turned_away: Mapping[bytes, TurnedAway]


class Broken(Struct, frozen=True):
    """One that could not be started, and why."""

    tenant: Tenant
    reason: str


class Building:
    """All of them. It is the ASGI callable, and what ``cli/serve.py`` starts, drains and closes."""

    def __init__(self, common: Tenants) -> None:
        self.common = common
        self._proxies = TrustedProxies(common.trusted_proxies)
        self._hosts: dict[str, Running | Broken] = {}
        self._spellings: dict[bytes, str] = {}
        """Host headers as they came → name. Most come in a handful of spellings."""
        self._seen: tuple[int, ...] = ()
        self._poked = asyncio.Event()
        self._draining = False

    # -- which one ----------------------------------------------------------------------------------------

    def _at(self, host: bytes) -> Running | Broken | None:
        name = self._spellings.get(host)
        if name is None:
            name = host_name(host)
            if len(self._spellings) < 1024:
                self._spellings[host] = name
        return self._hosts.get(name)

    def _of(self, headers: Headers) -> Running | None:
        found = self._at(next((value for name, value in headers if name == b"host"), b""))
        return found if isinstance(found, Running) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:  # which of two is meant is a question that proxies answer differently
            await _say(send, 400, b"one Host header, please")
            return
        match self._at(hosts[0]):
            case Running(tenant=tenant, application=application):
                with about(tenant.name):
                    await application(scope, receive, send)
            case Broken():
                await _say(send, 503, _OUT_OF_ORDER)
            case _ if scope["path"] in PROBES and is_address_or_loopback(hosts[0]):
                await self._probe(scope["path"], send)
            case _:
                await _say(send, 421, _NOT_HERE)  # RFC 9110 §15.5.20

    async def _serve(
        self, method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
    ) -> None:
        """The short way to the MCP endpoints."""
        found = self._of(headers)
        if found is None:  # it ended while this request waited for the one before it
            await wire.respond(421, _plain(_NOT_HERE), _NOT_HERE)
            return
        serve = found.application.gateway.endpoint.serve
        with about(found.tenant.name):
            await serve(method, server, headers, self._proxies.client(peer, headers), wire, read)

    def _allows(self, host: bytes) -> bool:
        return isinstance(self._at(host), Running)

    async def _probe(self, path: str, send: Send) -> None:
        """Anybody may ask, so it counts and names nobody; the log has the names."""
        broken = sum(isinstance(one, Broken) for one in self._hosts.values())
        running = len(self._hosts) - broken
        # With one out of order the process stays in service, because of the others.
        bad = path == "/readyz" and (self._draining or (broken and not running))
        status = "alive" if path == "/healthz" else "not ready" if bad else "ready"
        counted = {"status": status, "tenants": {"running": running, "out_of_order": broken}}
        await _say(send, 503 if bad else 200, msgspec.json.encode(counted), b"application/json")

    def front(self) -> type[asyncio.Protocol]:
        """As ``Application.front``."""
        strangers = Strangers(room_for(descriptors()), self._proxies.trusts)
        return front(self._serve, self._allows, _Lobby(self._proxies.client, self._of), strangers)

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Start all that are enabled. Never raises because of one of them."""
        self._seen = _stat(self.common.path)
        await asyncio.gather(*(self._open(one) for one in self.common.tenants if one.enabled))

    async def follow(self) -> None:
        """Follow the common file, and try again what is out of order. Run it as one background task."""
        waited = 0.0
        while True:
            try:
                async with asyncio.timeout(POLL_SECONDS):
                    await self._poked.wait()
            except TimeoutError:
                waited += POLL_SECONDS
            poked = self._poked.is_set()
            self._poked.clear()
            if poked or _stat(self.common.path) != self._seen:
                await self._reread()
            if poked or waited >= TRY_AGAIN:
                waited = 0.0
                await self._mend()

    def poke(self) -> None:
        """Look at all files now (SIGHUP)."""
        self._poked.set()
        for one in self._hosts.values():
            if isinstance(one, Running):
                one.reloader.poke()

    async def drain(self) -> None:
        """As ``Application.drain``, all at once."""
        self._draining = True
        await asyncio.gather(*(one.application.drain() for one in self._running()))

    async def close(self) -> None:
        """Stop all."""
        self._draining = True
        await asyncio.gather(*(self._close(one.tenant.host) for one in self._running()))

    def _running(self) -> list[Running]:
        return [one for one in self._hosts.values() if isinstance(one, Running)]

    async def _reread(self) -> None:
        self._seen = _stat(self.common.path)
        try:
            common = await asyncio.to_thread(load_tenants, self.common.path)
        except ConfigError as error:
            log.error("common file refused, the old one stays in force faults=%s", "; ".join(error.faults))
            return
        before = self.common
        fixed = (before.host, before.port, before.trusted_proxies)
        if (common.host, common.port, common.trusted_proxies) != fixed:
            log.warning("settings wait for a restart settings=proxy")
        self.common = Tenants(
            path=before.path, host=fixed[0], port=fixed[1], trusted_proxies=fixed[2], tenants=common.tenants
        )
        wanted = {one.host: one for one in common.tenants if one.enabled}
        leaving = [host for host, one in self._hosts.items() if wanted.get(host) != one.tenant]
        # All go before the first comes: a directory may have changed hands.
        await asyncio.gather(*(self._close(host) for host in leaving))
        await asyncio.gather(*(self._open(one) for host, one in wanted.items() if host not in self._hosts))

    async def _mend(self) -> None:
        for one in list(self._hosts.values()):
            if isinstance(one, Broken):
                await self._open(one.tenant)

    async def _open(self, tenant: Tenant) -> None:
        try:
            with about(tenant.name):  # and its background jobs have it from here
                self._hosts[tenant.host] = await self._started(tenant)
            log.info("tenant started tenant=%s host=%s", tenant.name, tenant.host)
        except ConfigError as error:
            self._fail(tenant, "; ".join(error.faults))
        except Exception as error:  # noqa: BLE001  boundary: whatever one of them has, the others run
            self._fail(tenant, f"{type(error).__name__}: {error}")

    def _fail(self, tenant: Tenant, reason: str) -> None:
        log.error("tenant out of order tenant=%s reason=%s", tenant.name, reason)
        self._hosts[tenant.host] = Broken(tenant, reason)

    async def _started(self, tenant: Tenant) -> Running:
        read = partial(load_tenant, tenant, self.common)
        attempt = await asyncio.to_thread(read)
        if not isinstance(attempt.outcome, Config):
            raise attempt.outcome
        config = attempt.outcome
        application = await Application.open(config)
        try:
            await application.start()
        except BaseException:
            await application.close()
            raise
        reloader = Reloader(
            config.path, config, application.apply, application.refused, application.restart_needed, read=read
        )
        job = asyncio.ensure_future(reloader.run())
        job.add_done_callback(partial(_stopped_following, tenant.name))
        return Running(tenant, application, reloader, job, application.authorization.turned_away())

    async def _close(self, host: str) -> None:
        """First nobody gets in, then what runs ends: streams, calls, processes."""
        one = self._hosts.pop(host)
        if not isinstance(one, Running):
            return
        one.job.cancel()
        try:
            with about(one.tenant.name):
                await one.application.close()
        except Exception as error:  # noqa: BLE001  boundary, as above
            log.error("tenant did not stop cleanly tenant=%s reason=%r", one.tenant.name, error)
        else:
            log.info("tenant stopped tenant=%s", one.tenant.name)


class _Lobby(Lobby):
    """One for all, with the budgets of whoever the request is for."""

    def __init__(
        self, client: Callable[[str, Headers], str], of: Callable[[Headers], Running | None]
    ) -> None:
        super().__init__(client)
        self._of = of

    def refuses(self, method: bytes, path: bytes, peer: str, headers: Headers) -> int:
        found = self._of(headers) if method == b"POST" else None
        judge = found.turned_away.get(path) if found is not None else None
        return judge(self.place(peer, headers)) if judge is not None else 0


def _stopped_following(name: str, job: asyncio.Task[None]) -> None:
    if not job.cancelled() and job.exception() is not None:
        log.error("a configuration is not followed any more tenant=%s error=%r", name, job.exception())


def _stat(path: Path) -> tuple[int, ...]:
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _plain(body: bytes, kind: bytes = b"text/plain; charset=utf-8") -> Headers:
    return [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *SECURITY_HEADERS,
    ]


async def _say(send: Send, status: int, body: bytes, kind: bytes = b"text/plain; charset=utf-8") -> None:
    await send({"type": "http.response.start", "status": status, "headers": _plain(body, kind)})
    await send({"type": "http.response.body", "body": body})
