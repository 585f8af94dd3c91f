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
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from gatekit import __version__
from gatekit.audit.recorder import Recorder
from gatekit.config.model import Config, GitHubConnection, LocalConnection
from gatekit.errors import ConfigError, StoreError
from gatekit.gateway.anonymous import OpenDoor
from gatekit.gateway.core import Gateway
from gatekit.gateway.endpoint import Read, Receive, Scope, Send, endpoint_of
from gatekit.gateway.ports import GatewaySettings, Headers, Surroundings, Wire
from gatekit.gateway.published import Published
from gatekit.identity.directory import Directory
from gatekit.identity.local import Invitations, LocalPasswords
from gatekit.identity.mapping import Mapping as IdentityMapping
from gatekit.identity.passwords import PasswordHasher
from gatekit.identity.ports import RedirectProvider
from gatekit.model.access import Access
from gatekit.model.audit import ConfigEvent, ProcessEvent
from gatekit.model.ports import Clock, Entropy
from gatekit.model.rules import ByProviderGroup
from gatekit.oauth.core import Services
from gatekit.oauth.server import AuthorizationServer
from gatekit.oauth.settings import OAuthSettings
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.limits import Rate
from gatekit.platform.peers import TrustedProxies
from gatekit.platform.vault import Vault, load_master_key
from gatekit.policy.engine import Policy
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from gatekit.upstream.pool import Pool
from gatekit.upstream.supervisor import Supervisor
from gatekit.web.assets import asset_routes
from gatekit.web.front import front
from gatekit.web.health import health_routes
from gatekit.web.middleware import ClientAddress, Hardening, HostGuard
from gatekit.web.pages import HtmlPages

log = logging.getLogger("gatekit")

CHANGES_EVERY = 0.25
"""Seconds between looks at what other processes (the command line) changed."""
TIDY_EVERY = 300.0
CHANGES_KEPT = 10_000
NEWEST = 2**62
"""A sequence after everything: asks only for the newest number."""


class Application:
    """A whole gateway. Make it with ``Application.open``; it is the ASGI callable."""

    def __init__(self, config: Config, store: Store, vault: Vault, recorder: Recorder) -> None:
        self.config = config
        self.store = store
        self.recorder = recorder
        self._clock: Clock = SystemClock()
        self._entropy: Entropy = SystemEntropy()
        self._tables = _tables(config)
        self._vault = vault
        self._hasher = PasswordHasher()
        self._providers = _providers(config, self._clock, self._entropy)
        self.directory = Directory(store.users, store.groups)
        supervisor = Supervisor(self._clock, os.environ, __version__)
        self.pool = Pool(supervisor, self._clock, store.settings, self._on_process)
        self.authorization = AuthorizationServer(_oauth_settings(config), self._services())
        self.gateway = Gateway(self._surroundings(), self._tables)
        self.routes: tuple[BaseRoute, ...] = ()
        """Everything but the MCP endpoints, for whoever wants to walk it (``tests/arch/test_routes.py``)."""
        self._control = self._control_plane()
        self._proxies = TrustedProxies(config.trusted_proxies)
        self._guarded = HostGuard(ClientAddress(self._route, self._proxies), _hosts(config))
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
        self.gateway.start()
        newest, _ = await self.store.changes.since(NEWEST)
        self._jobs = [
            asyncio.ensure_future(self._follow_changes(newest)),
            asyncio.ensure_future(self._tidy()),
        ]
        await self.recorder.write(self._config_event("loaded", str(self.config.path)))

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
        self.config = config
        self._tables = _tables(config)
        self._providers.clear()
        self._providers.update(_providers(config, self._clock, self._entropy))
        self.gateway.apply(self._tables)
        self.authorization.set_servers(_titles(config))
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

    async def _follow_changes(self, newest: int) -> None:
        """Notice what other processes (the command line) changed, within a second."""
        while True:
            await asyncio.sleep(CHANGES_EVERY)
            try:
                newest, entries = await self.store.changes.since(newest)
                if entries:
                    await self._standing_changed()
            except StoreError as error:
                log.error("the store cannot be read error=%s", error)
                await asyncio.sleep(5)

    async def _standing_changed(self) -> None:
        self.directory.forget()
        self.authorization.bearer.forget()
        await self.gateway.recheck()

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY)
            try:
                await self.authorization.tidy()
                await self.store.changes.trim(CHANGES_KEPT)
            except StoreError as error:
                log.error("the store cannot be tidied error=%s", error)

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
            settings=GatewaySettings(
                max_body_bytes=config.limits.max_body_bytes,
                max_depth=config.limits.max_depth,
                allowed_origins=frozenset({config.public_url, *config.allowed_origins}),
                version=__version__,
            ),
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
        )

    def _control_plane(self) -> Hardening:
        routes: list[BaseRoute] = [*asset_routes(), *health_routes(self._readiness())]
        if self.config.auth.enabled:
            routes += self.authorization.routes()
        self.routes = tuple(routes)
        return Hardening(Starlette(routes=routes), self._entropy)

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

        return {"store": store, "audit": audit}


async def _always(access: Access) -> bool:  # noqa: ARG001
    return True


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()  # ``Recorder.healthy`` has it; nobody waits for this record


def _hosts(config: Config) -> tuple[str, ...]:
    """Names under which the gateway may be addressed, besides loopback ones."""
    return config.host, urlsplit(config.public_url).hostname or ""


def _tables(config: Config) -> Published:
    servers = {entry.server.name: entry.server for entry in config.servers}
    return Published(servers, Policy.compile(config.rules))


def _titles(config: Config) -> tuple[tuple[str, str], ...]:
    return tuple((entry.server.name, entry.server.title or entry.server.name) for entry in config.servers)


def _oauth_settings(config: Config) -> OAuthSettings:
    tokens, registration = config.tokens, config.registration
    return OAuthSettings(
        issuer=config.public_url,
        servers=_titles(config),
        access_token_lifetime=tokens.access_ttl,
        refresh_token_lifetime=tokens.refresh_ttl,
        refresh_grace=tokens.refresh_grace,
        code_lifetime=tokens.code_ttl,
        private_use_schemes=registration.private_use_schemes,
        registration_enabled=registration.enabled,
        registration_per_address=Rate(
            registration.per_minute_per_address, registration.per_minute_per_address
        ),
        registration_global=Rate(registration.per_minute, registration.per_minute),
    )


def _providers(config: Config, clock: Clock, entropy: Entropy) -> dict[str, RedirectProvider]:
    wanted = [c for c in config.auth.connections if isinstance(c, GitHubConnection)]
    if not wanted:
        return {}
    # An HTTP client costs 100 ms and 7 MB at start-up, so it is imported only where a provider needs it.
    from gatekit.identity.github import GitHubProvider, GitHubSettings  # noqa: PLC0415
    from gatekit.platform.outbound import Outbound  # noqa: PLC0415

    providers: dict[str, RedirectProvider] = {}
    for connection in wanted:
        settings = GitHubSettings(
            name=connection.name,
            client_id=connection.client_id,
            client_secret=str(connection.client_secret),
            base_url=connection.base_url,
            api_url=connection.api_url,
            fetch_orgs=bool(connection.allowed_orgs) or _asks_for_groups(config, connection.name),
            allowed_orgs=connection.allowed_orgs,
            title=connection.title,
        )
        # What the operator named may lie in a private network: that is what an enterprise server does.
        hosts = {urlsplit(url).hostname or "" for url in (connection.base_url, connection.api_url)}
        outbound = Outbound(clock, hosts - {"", "github.com", "api.github.com"})
        providers[connection.name] = GitHubProvider(settings, outbound, entropy)
    return providers


def _asks_for_groups(config: Config, connection: str) -> bool:
    """Whether any rule names an organisation or team of this connection."""
    rules = config.rules
    lists = [rules.gateway or (), *(members for _, members in rules.groups)]
    for server in rules.servers:
        lists += [server.allowed or (), *(tool.allowed for tool in server.tools)]
    return any(
        isinstance(selector, ByProviderGroup) and selector.connection == connection
        for members in lists
        for selector in members
    )
