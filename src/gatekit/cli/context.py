"""Where a command works: which data directory, which public address, who types.

``@located`` gives a command ``--config`` and ``--data-dir`` and hands it a ``Workspace``; the same options
on the group (``gatekit users --data-dir DIR list``) do as well. Nothing is opened before ``read`` or
``change``.
"""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click
from msgspec import Struct

from gatekit.errors import AuditUnavailable, ConfigError, InvalidInput, NotFound

if TYPE_CHECKING:
    from gatekit.admin.admin_keys import AdminKeys
    from gatekit.admin.browser_sessions import BrowserSessions
    from gatekit.admin.clients import Clients
    from gatekit.admin.connections import Connections
    from gatekit.admin.desk import Actor, Audit
    from gatekit.admin.factors import Factors
    from gatekit.admin.grants import Grants
    from gatekit.admin.groups import Groups
    from gatekit.admin.identities import Identities
    from gatekit.admin.keys import Keys
    from gatekit.admin.merging import Merging
    from gatekit.admin.passkeys import Passkeys
    from gatekit.admin.people import People
    from gatekit.admin.roles import RoleDesk
    from gatekit.admin.service_accounts import ServiceAccounts
    from gatekit.admin.signing import SigningKeys
    from gatekit.admin.transfer import Transfer
    from gatekit.admin.transfer_groups import GroupTransfer
    from gatekit.config.model import Config, Connection
    from gatekit.identity.saml.keys import SamlKeys
    from gatekit.model.connections import StoredConnection
    from gatekit.store.ports import Store

T = TypeVar("T")
Function = Callable[..., Any]

CONFIG_VARIABLE = "GATEKIT_CONFIG"
DATABASE = "gatekit.db"
_META = "gatekit.place"
TENANT = "gatekit.tenant"
"""Where the root of the command line leaves the name of ``--tenant``."""


class Office:
    """The use cases, over an open store and trail."""

    def __init__(self, store: Store, audit: Audit, actor: Actor, data_dir: Path) -> None:
        from gatekit.platform.clock import SystemClock, SystemEntropy

        self.actor = actor
        self._data_dir = data_dir
        self._parts = (store, audit, SystemClock(), SystemEntropy())

    def of(self, desk: Callable[..., T]) -> T:
        return desk(*self._parts)

    async def stored_connection(self, name: str) -> StoredConnection | None:
        return await self._parts[0].connections.get(name)

    @property
    def people(self) -> People:
        from gatekit.admin.people import People

        return People(*self._parts)

    @property
    def identities(self) -> Identities:
        from gatekit.admin.identities import Identities

        return Identities(*self._parts)

    @property
    def factors(self) -> Factors:
        from gatekit.admin.factors import Factors

        return Factors(*self._parts)

    @property
    def passkeys(self) -> Passkeys:
        from gatekit.admin.passkeys import Passkeys

        return Passkeys(*self._parts)

    @property
    def merging(self) -> Merging:
        from gatekit.admin.merging import Merging

        return Merging(*self._parts)

    @property
    def sessions(self) -> BrowserSessions:
        from gatekit.admin.browser_sessions import BrowserSessions

        return BrowserSessions(*self._parts)

    @property
    def transfer(self) -> Transfer:
        from gatekit.admin.transfer import Transfer

        return Transfer(*self._parts)

    @property
    def group_transfer(self) -> GroupTransfer:
        from gatekit.admin.transfer_groups import GroupTransfer

        return GroupTransfer(*self._parts)

    @property
    def roles(self) -> RoleDesk:
        from gatekit.admin.roles import RoleDesk

        return RoleDesk(*self._parts)

    @property
    def service_accounts(self) -> ServiceAccounts:
        from gatekit.admin.service_accounts import ServiceAccounts

        return ServiceAccounts(*self._parts)

    def connections(self, workspace: Workspace) -> Connections:
        from gatekit.admin.connections import Connections
        from gatekit.config.connections import read_entry
        from gatekit.platform.vault import Vault, load_master_key
        from gatekit.signin import settings

        def vault() -> Vault:
            return Vault(load_master_key(self._data_dir))

        return Connections(
            *self._parts,
            vault=vault,
            settings=settings(workspace.connections, vault),
            read=lambda name, entry: read_entry(name, entry).kind,
            in_file={entry.name: (entry.kind, entry.rules.enabled) for entry in workspace.connections},
            reserved=workspace.issuers,
        )

    @property
    def groups(self) -> Groups:
        from gatekit.admin.groups import Groups

        return Groups(*self._parts)

    @property
    def keys(self) -> Keys:
        from gatekit.admin.keys import Keys

        return Keys(*self._parts)

    @property
    def admin_keys(self) -> AdminKeys:
        from gatekit.admin.admin_keys import AdminKeys

        return AdminKeys(*self._parts)

    @property
    def clients(self) -> Clients:
        from gatekit.admin.clients import Clients

        return Clients(*self._parts)

    @property
    def grants(self) -> Grants:
        from gatekit.admin.grants import Grants

        return Grants(*self._parts)

    def saml_keys(self, host: str) -> SamlKeys:
        """``host``: our public one, which stands in certificates."""
        from gatekit.identity.saml.keys import SamlKeys
        from gatekit.platform.vault import Vault, load_master_key

        store, _, clock, _ = self._parts
        return SamlKeys(store.signing_keys, Vault(load_master_key(self._data_dir)), clock, host)

    @property
    def signing_keys(self) -> SigningKeys:
        from gatekit.admin.signing import SigningKeys
        from gatekit.oauth.keys import new_key
        from gatekit.platform.vault import Vault, load_master_key

        # Read when a key is made, not before: a list must not leave a new master key behind.
        return SigningKeys(
            *self._parts,
            lambda purpose, now: new_key(Vault(load_master_key(self._data_dir)), purpose, now),
        )


class Workspace(Struct, frozen=True, kw_only=True):
    """One installation, found but not opened."""

    data_dir: Path
    public_url: str = ""
    """Empty when only the data directory is known."""
    servers: frozenset[str] | None = None
    """None when only the data directory is known."""
    durability: Literal["process", "disk"] = "process"
    provisioned: Mapping[str, bool] | None = None
    """Connections of the file, and whether they have provisioning; None when the file is not known."""
    connections: tuple[Connection, ...] = ()
    """Those of the file."""
    issuers: frozenset[str] = frozenset()
    """Names that the file gives to other issuers."""
    config: Config | None = None
    """The file, if it is known."""

    def connection(self, name: str) -> Connection | None:
        """Of the file, or added at run time. Raises ``StoreError``."""
        from gatekit.platform.vault import Vault, load_master_key
        from gatekit.signin import stored_connection

        for entry in self.connections:
            if entry.name == name:
                return entry
        row = self.read(lambda office: office.stored_connection(name))
        return stored_connection(row, Vault(load_master_key(self.data_dir))) if row else None

    def read(self, work: Callable[[Office], Awaitable[T]]) -> T:
        """Run something that changes nothing. Raises ``StoreError``, ``AdminError``."""
        return asyncio.run(self._run(work, None))

    def change(self, work: Callable[[Office], Awaitable[T]]) -> T:
        """Run something that changes something, once it is certain that it can be recorded.

        Raises ``StoreError``, ``AdminError``, ``AuditUnavailable``.
        """
        return asyncio.run(self._run_recorded(work))

    async def _run_recorded(self, work: Callable[[Office], Awaitable[T]]) -> T:
        from gatekit.audit.recorder import Recorder
        from gatekit.platform.clock import SystemClock, SystemEntropy

        recorder = Recorder(
            self.data_dir / "audit",
            writer="cli",
            clock=SystemClock(),
            entropy=SystemEntropy(),
            durability=self.durability,
        )
        try:
            if not recorder.healthy:
                raise AuditUnavailable(f"nothing was changed: it cannot be recorded ({recorder.trouble})")
            return await self._run(work, recorder)
        finally:
            await recorder.aclose()

    async def _run(self, work: Callable[[Office], Awaitable[T]], audit: Audit | None) -> T:
        from gatekit.admin.desk import operator
        from gatekit.store.sql.store import open_store

        store = await open_store(self.data_dir / DATABASE)
        try:
            return await work(Office(store, audit or _NoChanges(), operator(who()), self.data_dir))
        finally:
            await store.close()

    def invite_link(self, token: str) -> str:
        """What to send to the person."""
        return f"{self.public_url}/invite/{token}"


class _NoChanges:
    """Stands in for the trail where nothing may be changed."""

    async def write(self, event: object) -> None:
        raise AuditUnavailable(f"this command changes nothing, and yet: {event!r}")


def find(config: Path | None, data_dir: Path | None, tenant: str = "") -> Workspace:
    """The installation that the options mean. Raises ``ConfigError``, ``InvalidInput``, ``NotFound``."""
    if tenant and data_dir is not None:
        raise InvalidInput("--tenant says which data directory it is; leave --data-dir out")
    if data_dir is not None and config is None:
        if not data_dir.is_dir():
            raise NotFound(f"{data_dir}: there is no such directory")
        return Workspace(data_dir=data_dir.absolute())
    loaded = _loaded(config or Path(os.environ.get(CONFIG_VARIABLE) or "gatekit.yaml"), tenant)
    return Workspace(
        data_dir=data_dir.absolute() if data_dir is not None else loaded.data_dir,
        public_url=loaded.public_url,
        config=loaded,
        servers=frozenset(rules.server for rules in loaded.rules.servers),
        durability=loaded.audit.durability,
        connections=loaded.auth.connections,
        issuers=frozenset(
            [entry.name for entry in loaded.assertions] + ([loaded.external.name] if loaded.external else [])
        ),
        provisioned={
            connection.name: connection.rules.provisioning is not None
            for connection in loaded.auth.connections
        },
    )


def _loaded(path: Path, tenant: str) -> Config:
    """What a file means, under the limits of its tenant if it is one's. Raises ``ConfigError``."""
    from gatekit.config.load import load
    from gatekit.config.tenants import common_of, is_tenants_file, load_tenant, load_tenants, tenant_called

    if tenant:
        common = load_tenants(path)
        named = tenant_called(common, tenant)
    elif is_tenants_file(path):
        raise ConfigError([f"{path} is of several tenants; say which: gatekit --tenant NAME …"])
    else:
        above = common_of(path) if path.exists() else None
        if above is None:
            return load(path)
        common, named = above
    outcome = load_tenant(named, common).outcome
    if isinstance(outcome, ConfigError):
        raise outcome
    return outcome


def placed(function: Function) -> Function:
    """``--config`` and ``--data-dir`` for a group: its commands find what was said here."""

    def remember(context: click.Context, /, config: Path | None, data_dir: Path | None) -> None:
        context.meta[_META] = (config, data_dir)

    return _options(click.pass_context(functools.update_wrapper(remember, function)))


def located(function: Function) -> Function:
    """``--config`` and ``--data-dir`` for a command, which gets a ``Workspace`` first."""

    def find_first(
        context: click.Context, /, *args: Any, config: Path | None, data_dir: Path | None, **kwargs: Any
    ) -> Any:
        before = context.meta.get(_META, (None, None))
        tenant = context.meta.get(TENANT, "")
        return function(find(config or before[0], data_dir or before[1], tenant), *args, **kwargs)

    return _options(click.pass_context(functools.update_wrapper(find_first, function)))


def with_config(function: Function) -> Function:
    """``--config`` for a command that needs the file; it gets the file's place first."""

    def find_first(context: click.Context, /, *args: Any, config: Path | None, **kwargs: Any) -> Any:
        named = config or context.meta.get(_META, (None, None))[0] or os.environ.get(CONFIG_VARIABLE)
        path = Path(named or "gatekit.yaml")
        if tenant := context.meta.get(TENANT, ""):
            from gatekit.config.tenants import load_tenants, tenant_called

            _loaded(path, tenant)  # under its limits: what passes them reads the same without
            path = tenant_called(load_tenants(path), tenant).config
        return function(path, *args, **kwargs)

    option = click.option(
        "-c",
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"The configuration file.  [default: ${CONFIG_VARIABLE} or gatekit.yaml]",
    )
    return option(click.pass_context(functools.update_wrapper(find_first, function)))


def _options(function: Function) -> Function:
    config = click.option(
        "-c",
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        help=f"The configuration file.  [default: ${CONFIG_VARIABLE} or gatekit.yaml]",
    )
    data_dir = click.option(
        "--data-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="The data directory; then no configuration file is needed.",
    )
    return config(data_dir(function))


def who() -> str:
    """The operator's name, as the operating system knows it."""
    import pwd

    if name := os.environ.get("SUDO_USER"):
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
