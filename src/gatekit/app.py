"""Composition root: Config → stores → services → one ASGI application. The one file that knows every room.

``Application`` is started, fed with new configurations, and stopped; ``cli/serve.py`` puts a web server
around it. The data plane (``gateway``) answers the MCP endpoints directly; everything else is the control
plane's, behind Starlette's router.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Literal

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from gatekit import __version__
from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.grants import Grants
from gatekit.admin.keys import Keys
from gatekit.admin.people import People
from gatekit.assembly import (
    dialler,
    document_fetch,
    gateway_settings,
    hosts,
    key_fetch,
    key_hosts,
    logout_send,
    oauth_settings,
    providers,
    tables,
    titles,
    trusted_exchange,
    warm_up,
)
from gatekit.audit.recorder import Recorder
from gatekit.config.model import Config, LocalConnection
from gatekit.errors import ConfigError, StoreError, VaultError
from gatekit.gateway.anonymous import OpenDoor
from gatekit.gateway.core import Gateway
from gatekit.gateway.endpoint import Read, Receive, Scope, Send, endpoint_of
from gatekit.gateway.legacy import legacy_of
from gatekit.gateway.ports import Headers, Surroundings, Wire
from gatekit.identity.directory import Directory
from gatekit.identity.local import Invitations, LocalPasswords
from gatekit.identity.mapping import Mapping as IdentityMapping
from gatekit.identity.passwords import PasswordHasher
from gatekit.model.access import Access
from gatekit.model.audit import ConfigEvent, ProcessEvent
from gatekit.model.ports import Clock, Entropy
from gatekit.oauth.core import Services
from gatekit.oauth.server import AuthorizationServer
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.peers import TrustedProxies
from gatekit.platform.vault import Vault, load_master_key
from gatekit.store.follow import follow, newest
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from gatekit.upstream.pool import Pool
from gatekit.upstream.remote_transport import RemoteTransport
from gatekit.upstream.supervisor import Supervisor
from gatekit.web.assets import asset_routes
from gatekit.web.forward_auth import ForwardAuth
from gatekit.web.front import front
from gatekit.web.health import health_routes
from gatekit.web.middleware import ClientAddress, Hardening, HostGuard
from gatekit.web.own import OwnPages
from gatekit.web.pages import HtmlPages

log = logging.getLogger("gatekit")

TIDY_EVERY = 300.0
TELL_AGAIN = 10.0
CHANGES_KEPT = 10_000


class Application:
    """A whole gateway. Make it with ``Application.open``; it is the ASGI callable."""

    def __init__(self, config: Config, store: Store, vault: Vault, recorder: Recorder) -> None:
        self.config = config
        self.store = store
        self.recorder = recorder
        self._clock: Clock = SystemClock()
        self._entropy: Entropy = SystemEntropy()
        self._tables = tables(config)
        self._vault = vault
        self._hasher = PasswordHasher()
        self._providers = providers(config, self._clock, self._entropy)
        self.directory = Directory(store.users, store.groups)
        supervisor = Supervisor(self._clock, os.environ, __version__)
        remote = RemoteTransport(self._clock, store.settings, supervisor.info, dialler(self._clock))
        self.pool = Pool(supervisor, self._clock, store.settings, self._on_process, remote=remote)
        warm_up(config)
        self.authorization = AuthorizationServer(oauth_settings(config), self._services())
        self.gateway = Gateway(self._surroundings(), self._tables)
        self.routes: tuple[BaseRoute, ...] = ()
        """Everything but the MCP endpoints, for whoever wants to walk it (``tests/arch/test_routes.py``)."""
        self._control = self._control_plane()
        self._proxies = TrustedProxies(config.trusted_proxies)
        self._guarded = HostGuard(ClientAddress(self._route, self._proxies), hosts(config), self._proxies)
        self._jobs: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, config: Config) -> Application:
        """Open what is on disk. Raises StoreError with a text that says what to do."""
        store = await open_store(config.data_dir / "gatekit.db")
        try:
            recorder = Recorder(
                config.data_dir / "audit",
                writer="gateway",
                clock=SystemClock(),
                entropy=SystemEntropy(),
                durability=config.audit.durability,
            )
            return cls(config, store, Vault(load_master_key(config.data_dir)), recorder)
        except BaseException:
            await store.close()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._guarded(scope, receive, send)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if endpoint_of(scope["path"]) is not None:
            await self.gateway.endpoint(scope, receive, send)
        elif self.config.legacy_sse and legacy_of(scope["path"]) is not None:
            await self.gateway.legacy_endpoint(scope, receive, send)
        else:
            await self._control(scope, receive, send)

    def front(self) -> type[asyncio.Protocol]:
        """The HTTP protocol to serve this application with: ``uvicorn.Config(http=…)``."""
        serve, proxies = self.gateway.endpoint.serve, self._proxies
        if not proxies:
            return front(serve, self._guarded.allows)

        def behind_proxies(
            method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
        ) -> Awaitable[None]:
            return serve(method, server, headers, proxies.client(peer, headers), wire, read)

        return front(behind_proxies, self._guarded.allows)

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load keys, start the background jobs. Raises StoreError."""
        await self.authorization.start()
        await self.authorization.set_clients(self.config.clients)
        self.gateway.start()
        self.pool.replace([entry.server for entry in self.config.servers])
        seen = await newest(self.store.changes)
        self._jobs = [
            asyncio.ensure_future(follow(self.store.changes, seen, self._standing_changed)),
            asyncio.ensure_future(self._tidy()),
            asyncio.ensure_future(self._tell()),
        ]
        await self.recorder.write(self._config_event("loaded", str(self.config.path)))

    async def drain(self) -> None:
        """Take no new calls and let the running ones finish, as long as the configuration allows."""
        log.info("draining")
        await self.pool.drain(0)  # no spares any more; the gateway knows best which calls still have a reader
        await self.gateway.drain(self.config.drain_timeout)

    async def close(self) -> None:
        """Stop everything, calls first, then instances, then what they were recorded in."""
        for job in self._jobs:
            job.cancel()
        await self.gateway.close()
        await self.pool.close()
        self._hasher.close()
        await self.recorder.aclose()
        await self.store.close()

    async def apply(self, config: Config) -> None:
        """Let a new configuration take effect: people, rules, servers. The listening address stays."""
        warm_up(config)
        # What can fail comes first: nothing has changed then, and the old configuration is in force.
        await self.authorization.set_clients(config.clients)
        self.config = config
        self._tables = tables(config)
        self._providers.clear()
        self._providers.update(providers(config, self._clock, self._entropy))
        self.gateway.apply(self._tables)
        self.authorization.set_servers(titles(config), config.resources, config.forward_auth)
        self.pool.replace([entry.server for entry in config.servers])
        await self._standing_changed()
        await self.recorder.write(self._config_event("applied", str(config.path)))

    def refused(self, error: ConfigError) -> None:
        """A changed file could not be used; the old configuration stays."""
        log.error("configuration refused, the old one stays in force faults=%s", "; ".join(error.faults))
        self.recorder.record(self._config_event("refused", "; ".join(error.faults)[:2000]))

    def restart_needed(self, settings: tuple[str, ...]) -> None:
        """A changed file also changes what is fixed while the process lives."""
        log.warning("settings wait for a restart settings=%s", ", ".join(settings))

    # -- background jobs ----------------------------------------------------------------------------------

    async def _standing_changed(self) -> None:
        self.directory.forget()
        await self.authorization.changed()
        await self.gateway.recheck()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY)
            try:
                await self.authorization.tidy()
                await self.store.changes.trim(CHANGES_KEPT)
            except (StoreError, VaultError) as error:
                log.error("the store cannot be tidied error=%s", error)

    async def _tell(self) -> None:
        """Relying parties hear of the end of sessions."""
        notices = self.authorization.notices
        while True:
            try:
                if not await notices.deliver():
                    await notices.wait()
            except (StoreError, VaultError) as error:
                log.error("relying parties cannot be told error=%s", error)
                await asyncio.sleep(TELL_AGAIN)

    def _on_process(self, event: ProcessEvent) -> None:
        self.recorder.record(event).add_done_callback(_seen)

    def _config_event(self, action: Literal["loaded", "applied", "refused"], detail: str) -> ConfigEvent:
        return ConfigEvent(at=self._clock.now(), action=action, detail=detail)

    # -- composition --------------------------------------------------------------------------------------

    def _surroundings(self) -> Surroundings:
        config = self.config
        open_door = not config.auth.enabled
        return Surroundings(
            door=OpenDoor() if open_door else self.authorization.bearer,
            trail=self.recorder,
            pool=self.pool,
            clock=self._clock,
            entropy=self._entropy,
            sealer=self._vault,
            settings=gateway_settings(config),
            is_active=_always if open_door else self.authorization.is_active,
        )

    def _services(self) -> Services:
        store, clock = self.store, self._clock
        local = any(isinstance(c, LocalConnection) for c in self.config.auth.connections)
        return Services(
            store=store,
            vault=self._vault,
            audit=self.recorder,
            clock=clock,
            entropy=self._entropy,
            pages=HtmlPages(),
            directory=self.directory,
            mapping=IdentityMapping(
                store.users,
                store.groups,
                clock=clock,
                entropy=self._entropy,
                admits=lambda principal: self._tables.policy.admits(principal),
                forget=self.directory.forget,
            ),
            policy=lambda: self._tables.policy,
            passwords=LocalPasswords(store.users, self._hasher, clock) if local else None,
            invitations=Invitations(store.users, store.invites, self._hasher, clock, store.browser_sessions),
            providers=self._providers,
            fetch=document_fetch(self.config, clock),
            send=logout_send(clock),
            key_fetch=key_fetch(clock),
            exchange=trusted_exchange(self.config, clock),
            own_key_fetch=key_fetch(clock, lambda: key_hosts(self.config)),
        )

    def _control_plane(self) -> Hardening:
        routes: list[BaseRoute] = [*asset_routes(), *health_routes(self._readiness())]
        if self.config.auth.enabled:
            routes += self._forward_auth().routes()  # before the authorization server's "not found"
            routes += self.authorization.routes()
            if self.config.external is None:  # our own pages need our own sign-in
                routes += self._own_pages().routes()
        self.routes = tuple(routes)
        return Hardening(Starlette(routes=routes), self._entropy)

    def _own_pages(self) -> OwnPages:
        desk = (self.store, self.recorder, self._clock, self._entropy)
        return OwnPages(
            self.authorization.browser,
            self.authorization.sign_in_for,
            grants=Grants(*desk),
            keys=Keys(*desk),
            people=People(*desk),
            sessions=BrowserSessions(*desk),
            servers=lambda principal: self._tables.policy.rights(principal).servers(),
            pages=HtmlPages(),
        )

    def _forward_auth(self) -> ForwardAuth:
        judge, passes = self.authorization.forward(lambda: self.config.forward_auth)
        authorization = self.authorization
        return ForwardAuth(
            judge,
            passes,
            authorization.browser,
            authorization.sign_in_for,
            issuer=self.config.public_url,
            pages=HtmlPages(),
        )

    def _readiness(self) -> dict[str, Callable[[], Awaitable[str]]]:
        """Part → what is wrong with it, empty when nothing is."""

        async def store() -> str:
            try:
                await self.store.ready()
            except StoreError as error:
                return str(error)
            return ""

        async def audit() -> str:
            return self.recorder.trouble

        async def draining() -> str:
            return "the gateway was told to stop" if self.gateway.draining else ""

        return {"store": store, "audit": audit, "draining": draining}


async def _always(access: Access) -> bool:  # noqa: ARG001
    return True


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()  # ``Recorder.healthy`` has it; nobody waits for this record
