"""Composition root of ``gatekit stdio``: the same data plane as ``app``, for one local person and one client.

No web server, no authorization server, no pages: those cost half the memory and most of the start-up time,
and nobody could reach them. Everything else is the same store, the same trail and the same tables.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import string
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Literal

from gatekit import __version__
from gatekit.assembly import gateway_settings, tables
from gatekit.audit.recorder import Recorder
from gatekit.config.model import Config
from gatekit.errors import ConfigError, GatekitError, IdentityError, NotFound, StoreLocked
from gatekit.gateway.core import Gateway
from gatekit.gateway.ports import Surroundings
from gatekit.identity.directory import Directory
from gatekit.local.flights import Write
from gatekit.local.inside import InsideChannel
from gatekit.local.person import LocalDoor, People, os_person
from gatekit.local.pump import Pump
from gatekit.model.access import Access
from gatekit.model.audit import ConfigEvent, ProcessEvent
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import Principal
from gatekit.outgoing import dialler
from gatekit.pinned import Pinned
from gatekit.platform.clock import SystemClock, SystemEntropy
from gatekit.platform.vault import Vault, load_master_key
from gatekit.plugged import Plugged
from gatekit.policy.stored import Stored, read_stored, with_stored
from gatekit.store.follow import follow, newest, touches
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from gatekit.upstream.pool import Pool
from gatekit.upstream.remote_transport import RemoteTransport
from gatekit.upstream.supervisor import Supervisor

log = logging.getLogger("gatekit")

WRITER = "local"
MAX_WRITERS = 1 + 26 + 26 * 26
"""How many of these may run on one data directory; each writes a trail of its own."""
_NEWEST = 2**62


class Local:
    """Who asks and for what: what the command line was told."""

    def __init__(self, os_name: str, uid: int, user: str = "", server: str = "") -> None:
        """``user``: whom the rules shall see, ``""`` for the operating system's user.
        ``server``: the only one to offer, ``""`` for all."""
        self.os_name = os_name
        self.uid = uid
        self.user = user
        self.server = server


class LocalApplication:
    """A gateway for one person. Make it with ``LocalApplication.open``."""

    def __init__(
        self,
        config: Config,
        local: Local,
        store: Store,
        recorder: Recorder,
        principal: Principal,
        stored: Stored,
    ) -> None:
        self.config = config
        self._local = local
        self._stored = stored
        self._store = store
        self._recorder = recorder
        self._clock = SystemClock()
        self._directory = _directory(store, lambda: self.config)
        self._people = People(store.users, self._directory)
        self._door = LocalDoor(principal, local.server)
        supervisor = Supervisor(self._clock, os.environ, __version__)
        self._plugged = Plugged(self._clock, SystemEntropy(), supervisor)
        remote = RemoteTransport(self._clock, store.settings, supervisor.info, dialler(self._clock))
        self._pool = Pool(supervisor, self._clock, store.settings, self._on_process, remote=remote)
        self._gateway = Gateway(
            Surroundings(
                door=self._door,
                trail=recorder,
                pool=self._pool,
                clock=self._clock,
                entropy=SystemEntropy(),
                sealer=Vault(load_master_key(config.data_dir)),
                settings=gateway_settings(config),
                is_active=self._is_active,
                is_person_active=self._is_person_active,
                bereft=self._bereft,
            ),
            tables(config, stored, self._plugged.chains(config)),
        )
        self._pinned = Pinned(store.pins, self._gateway)
        self._channel = InsideChannel(self._gateway.endpoint.serve, local.server)
        self._jobs: list[asyncio.Task[None]] = []

    @classmethod
    async def open(cls, config: Config, local: Local) -> LocalApplication:
        """Open what is on disk and find out who asks.

        Raises ``StoreError``, ``NotFound``, ``IdentityError``, ``VaultError``: each text says what to do.
        """
        known = [rules.server for rules in config.rules.servers]  # virtual ones as well
        if local.server and local.server not in known:
            there = ", ".join(known) or "none"
            raise NotFound(f"{config.path}: there is no server called {local.server!r} (there are: {there})")
        store = await open_store(config.data_dir / "gatekit.db")
        try:
            people = People(store.users, _directory(store, lambda: config))
            stored = await read_stored(store.groups, store.rules, SystemClock().now())
            principal = await _person(config, stored, local, people, SystemClock().now())
            recorder = _recorder(config)
            try:
                return cls(config, local, store, recorder, principal, stored)
            except BaseException:
                await recorder.aclose()
                raise
        except BaseException:
            await store.close()
            raise

    def pump(self, write: Write) -> Pump:
        """What serves the client's lines."""
        return Pump(self._channel, write, self._door.introduce)

    async def start(self) -> None:
        """Start the background jobs. Raises ``StoreError``, ``AuditUnavailable``."""
        seen = await newest(self._store.changes)
        await self._pinned.load()
        self._gateway.start()
        self._jobs = [
            asyncio.ensure_future(follow(self._store.changes, seen, self._changed)),
            asyncio.ensure_future(self._pinned.run()),
        ]
        await self._recorder.write(self._config_event("loaded", str(self.config.path)))

    async def close(self) -> None:
        """Stop everything: calls first, then instances, then what they were recorded in."""
        for job in self._jobs:
            job.cancel()
        await self._channel.aclose()
        await self._gateway.close()
        await self._plugged.close()
        await self._pool.close()
        await self._pinned.close()
        await self._recorder.aclose()
        await self._store.close()

    # -- while it runs -------------------------------------------------------------------------------------

    async def apply(self, config: Config) -> None:
        """Let a changed file take effect: people, rules, servers."""
        plugins = self._plugged.chains(config)
        self.config = config
        self._gateway.apply(tables(config, self._stored, plugins))
        self._pool.replace([entry.server for entry in config.servers])
        await self._standing_changed()
        await self._recorder.write(self._config_event("applied", str(config.path)))

    def refused(self, error: ConfigError) -> None:
        """A changed file could not be used; the old configuration stays."""
        log.error("configuration refused, the old one stays in force faults=%s", "; ".join(error.faults))
        self._recorder.record(self._config_event("refused", "; ".join(error.faults)[:2000]))

    async def _changed(self, entries: Sequence[str]) -> None:
        if touches(entries, "group") or touches(entries, "rule"):
            groups, rules = self._store.groups, self._store.rules
            self._stored = await read_stored(groups, rules, self._clock.now())
            self._gateway.apply(tables(self.config, self._stored, self._plugged.chains(self.config)))
        if touches(entries, "pin"):
            await self._pinned.decided()
        await self._standing_changed()

    async def _standing_changed(self) -> None:
        self._directory.forget()
        try:
            principal = await _person(self.config, self._stored, self._local, self._people, self._clock.now())
        except (NotFound, IdentityError) as error:
            self._door.refuse(str(error))
        else:
            self._door.admit(principal)
        await self._gateway.recheck()

    async def _is_active(self, access: Access) -> bool:
        return not self._door.refusal and access.principal.id == self._door.access.principal.id

    async def _is_person_active(self, principal_id: str) -> bool:
        return not self._door.refusal and principal_id == self._door.access.principal.id

    async def _bereft(self, *_: Collection[str]) -> frozenset[str]:
        return frozenset()  # a local person has neither grants nor keys

    def _on_process(self, event: ProcessEvent) -> None:
        self._recorder.record(event).add_done_callback(_seen)

    def _config_event(self, action: Literal["loaded", "applied", "refused"], detail: str) -> ConfigEvent:
        return ConfigEvent(at=self._clock.now(), action=action, detail=detail)


async def _person(config: Config, stored: Stored, local: Local, people: People, now: float) -> Principal:
    if not config.auth.enabled and not local.user:
        return os_person(local.uid, local.os_name)
    connections = frozenset(entry.name for entry in config.auth.connections if entry.rules.enabled)
    rules = with_stored(config.rules, stored)
    return await people.find(local.user or local.os_name, rules, connections, now)


def _directory(store: Store, config: Callable[[], Config]) -> Directory:
    """Connections that were added at run time are not looked at here; what they say counts in the gateway."""

    def rules(name: str) -> ConnectionRules:
        found = (entry.rules for entry in config().auth.connections if entry.name == name)
        return next(found, ConnectionRules(enabled=False))

    return Directory(store.users, store.groups, store.identities, rules=rules)


def _recorder(config: Config) -> Recorder:
    """The trail under the first name that no other process writes. Raises ``StoreLocked``."""
    for writer in itertools.islice(_writers(), MAX_WRITERS):
        try:
            return Recorder(
                config.data_dir / "audit",
                writer=writer,
                clock=SystemClock(),
                entropy=SystemEntropy(),
                durability=config.audit.durability,
            )
        except StoreLocked:
            continue
        except OSError as error:
            raise GatekitError(
                f"the audit trail in {config.data_dir / 'audit'} cannot be written: {error}"
            ) from error
    raise StoreLocked(f"{MAX_WRITERS} local gateways use {config.data_dir} already: end some of them")


def _writers() -> Iterator[str]:
    for length in itertools.count():
        for letters in itertools.product(string.ascii_lowercase, repeat=length):
            yield WRITER + "".join(letters)


def _seen(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()  # ``Recorder.healthy`` has it; nobody waits for this record
