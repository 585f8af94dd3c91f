"""Composition root: Config → stores → services → one ASGI application. With ``control`` it knows every room.

``Application`` is started, fed with new configurations, and stopped; ``cli/serve.py`` puts a web server
around it. The data plane (``gateway``) answers the MCP endpoints directly; everything else is the control
plane's, behind Starlette's router.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Sequence
from typing import Literal

from starlette.routing import BaseRoute

from gatekit import __version__, control
from gatekit.approving import Announcer, Approving
from gatekit.assembly import gateway_settings, hosts, oauth_settings, tables, titles
from gatekit.audit.recorder import Recorder
from gatekit.config.model import Config
from gatekit.directories import ldap_threads
from gatekit.errors import ConfigError, StoreError, VaultError
from gatekit.gateway.anonymous import OpenDoor
from gatekit.gateway.core import Gateway
from gatekit.gateway.endpoint import Read, Receive, Scope, Send, endpoint_of
from gatekit.gateway.leaving import EVERYBODY
from gatekit.gateway.legacy import legacy_of
from gatekit.gateway.ports import Headers, Surroundings, Wire
from gatekit.identity.directory import Directory
from gatekit.identity.passwords import PasswordHasher
from gatekit.model.access import Access
from gatekit.model.audit import ConfigEvent, ProcessEvent
from gatekit.model.ports import Clock, Entropy
from gatekit.oauth.server import AuthorizationServer
from gatekit.outgoing import dialler, warm_up
from gatekit.pinned import Pinned
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.peers import TrustedProxies
from gatekit.platform.vault import Vault, load_master_key
from gatekit.plugged import Plugged
from gatekit.policy.stored import NOTHING_STORED, read_stored
from gatekit.signin import Means, SignIns
from gatekit.store.follow import follow, newest, touches
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from gatekit.upstream.pool import Pool
from gatekit.upstream.remote_transport import RemoteTransport
from gatekit.upstream.supervisor import Supervisor
from gatekit.web.front import front
from gatekit.web.lobby import Lobby
from gatekit.web.middleware import ClientAddress, HostGuard
from gatekit.web.strangers import Strangers, descriptors, room_for

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
        self._stored = NOTHING_STORED
        supervisor = Supervisor(self._clock, os.environ, __version__)
        self._plugged = Plugged(self._clock, self._entropy, supervisor)
        self._tables = tables(config, plugins=self._plugged.chains(config))
        self._vault = vault
        self._hasher = PasswordHasher()
        self._threads = ldap_threads()
        self.signins = SignIns(self._means())
        self.directory = Directory(
            store.users,
            store.groups,
            store.identities,
            rules=self.signins.rules,
        )
        remote = RemoteTransport(self._clock, store.settings, supervisor.info, dialler(self._clock))
        self.pool = Pool(supervisor, self._clock, store.settings, self._on_process, remote=remote)
        self._announcer = Announcer(lambda: self.config, self._clock, self._entropy)
        warm_up(config)
        self.authorization = AuthorizationServer(oauth_settings(config), control.services(self._parts()))
        self.gateway = Gateway(self._surroundings(), self._tables)
        self._pinned = Pinned(store.pins, self.gateway)
        self._approving = Approving(store.approvals, self.gateway, recorder, self._clock)
        ready = control.readiness(self._parts(), lambda: self.gateway.draining)
        self.routes: tuple[BaseRoute, ...] = control.routes(self._parts(), self.authorization, ready)
        self._control = control.behind(self.routes, self._entropy)
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
        turned_away = self.authorization.turned_away()
        strangers = Strangers(room_for(descriptors()), proxies.trusts)
        if not proxies:
            return front(serve, self._guarded.allows, Lobby(turned_away=turned_away), strangers)

        def behind_proxies(
            method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
        ) -> Awaitable[None]:
            return serve(method, server, headers, proxies.client(peer, headers), wire, read)

        return front(behind_proxies, self._guarded.allows, Lobby(proxies.client, turned_away), strangers)

    # -- life ---------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Load keys, start the background jobs. Raises StoreError."""
        await self.authorization.start()
        await self.authorization.set_clients(self.config.clients)
        seen = await newest(self.store.changes)
        await self._restock()
        await self.signins.load()
        await self._pinned.load()
        await self._approving.load("gateway")
        self.gateway.start()
        self.pool.replace([entry.server for entry in self.config.servers])
        self._jobs = [
            asyncio.ensure_future(follow(self.store.changes, seen, self._changed)),
            asyncio.ensure_future(self._tidy()),
            asyncio.ensure_future(self._tell()),
            asyncio.ensure_future(self._pinned.run()),
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
        self._announcer.close()
        await self._plugged.close()
        await self.pool.close()
        await self._pinned.close()
        self._hasher.close()
        self._threads.close()
        await self.recorder.aclose()
        await self.store.close()

    async def apply(self, config: Config) -> None:
        """Let a new configuration take effect: people, rules, servers. The listening address stays."""
        warm_up(config)
        # What can fail comes first: nothing has changed then, and the old configuration is in force.
        await self.authorization.set_clients(config.clients)
        plugins = self._plugged.chains(config)
        self.config = config
        self._tables = tables(config, self._stored, plugins)
        self.signins.apply()
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

    async def _changed(self, entries: Sequence[str]) -> None:
        if touches(entries, "group") or touches(entries, "rule"):
            await self._restock()
        if touches(entries, "connection"):
            await self.signins.load()
        if touches(entries, "pin"):
            await self._pinned.decided()
        if touches(entries, "approval"):
            await self._approving.heard(entries)
        if others := [entry for entry in entries if not entry.startswith(("pin:", "approval:"))]:
            await self._standing_changed(others)

    async def _restock(self) -> bool:
        """Nested groups, groups by rule and stored rules, as they are now. True if they were otherwise."""
        stored = await read_stored(self.store.groups, self.store.rules, self._clock.now())
        changed = stored != self._stored
        if changed:
            self._stored, self._tables = (
                stored,
                tables(self.config, stored, self._plugged.chains(self.config)),
            )
            self.gateway.apply(self._tables)
        return changed

    async def _standing_changed(self, entries: Sequence[str] = EVERYBODY) -> None:
        self.directory.forget()
        await self.authorization.changed()
        await self.gateway.recheck(entries)

    async def _tidy(self) -> None:
        while True:
            await asyncio.sleep(TIDY_EVERY)
            try:
                await self.authorization.tidy()
                await self._approving.tidy()
                await self.store.changes.trim(CHANGES_KEPT)
                if await self._restock():  # a rule expired, which nobody tells
                    await self._standing_changed()
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

    def _means(self) -> Means:
        return Means(
            store=self.store,
            vault=self._vault,
            clock=self._clock,
            entropy=self._entropy,
            hasher=self._hasher,
            threads=self._threads,
            config=lambda: self.config,
            admits=lambda principal: self._tables.policy.admits(principal),
            role=lambda principal: self._tables.policy.role(principal),
            forget=lambda user_id: self.directory.forget(user_id),
        )

    def _parts(self) -> control.Parts:
        return control.Parts(
            store=self.store,
            vault=self._vault,
            recorder=self.recorder,
            clock=self._clock,
            entropy=self._entropy,
            hasher=self._hasher,
            directory=self.directory,
            signins=self.signins,
            config=lambda: self.config,
            tables=lambda: self._tables,
            used=lambda: self.gateway.used,
        )

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
            is_person_active=_always if open_door else self.authorization.is_person_active,
            bereft=self.authorization.bereft,
            approvals=self.store.approvals,
            announce=self._announcer,
        )


async def _always(_: Access | str) -> bool:
    return True


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()  # ``Recorder.healthy`` has it; nobody waits for this record
