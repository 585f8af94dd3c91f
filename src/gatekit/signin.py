"""Config and store → the ways of signing in that are in force, and who makes the provider of which kind.

A new kind of connection gets its line in ``outgoing.redirect_provider`` or in ``directories``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from collections.abc import Mapping as Facts
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.connections import Settings
from gatekit.config.connections import read_entry
from gatekit.config.model import Config, Connection
from gatekit.config.show_connections import shown_connection
from gatekit.directories import Directories
from gatekit.errors import ConfigError, VaultError
from gatekit.identity.claiming import Claims
from gatekit.identity.mapping import Mapping
from gatekit.identity.passwords import PasswordHasher
from gatekit.identity.ports import UPSTREAM, RedirectProvider
from gatekit.identity.registry import Connections
from gatekit.identity.threads import Threads
from gatekit.model.connections import SEALED, ConnectionRules, StoredConnection
from gatekit.model.people import Principal, Role
from gatekit.model.ports import Clock, Entropy
from gatekit.outgoing import redirect_provider
from gatekit.platform.vault import Vault
from gatekit.store.ports import Store

log = logging.getLogger("gatekit")


class Means(Struct, frozen=True, kw_only=True):
    """What the ways of signing in are made with. ``config`` gives the one that is in force now."""

    store: Store
    vault: Vault
    clock: Clock
    entropy: Entropy
    hasher: PasswordHasher
    threads: Threads
    """For LDAP."""
    config: Callable[[], Config]
    admits: Callable[[Principal], bool]
    """The gateway-wide gate."""
    role: Callable[[Principal], Role]
    """What the file lets somebody do to others."""
    forget: Callable[[str], None]
    """Hears the id of each person that changed."""


def stored_connection(row: StoredConnection, vault: Vault) -> Connection | None:
    """What a row means; None if it cannot be read: then nobody signs in over it, and the others can."""
    try:
        entry = json.loads(vault.open(row.document_sealed, f"{SEALED}:{row.name}"))
        found = read_entry(row.name, entry)
    except (VaultError, ConfigError, ValueError) as bad:
        log.error("a stored connection cannot be used connection=%s error=%s", row.name, bad)
        return None
    if row.enabled:
        return found
    return replace(found, rules=replace(found.rules, enabled=False))


def settings(connections: Iterable[Connection], vault: Callable[[], Vault]) -> Settings:
    """What ``admin.connections`` shows; ``connections``: those of the file."""
    in_file = {connection.name: connection for connection in connections}

    def shown(name: str, row: StoredConnection | None) -> Facts[str, Any]:
        found = stored_connection(row, vault()) if row is not None else in_file.get(name)
        return shown_connection(found) if found is not None else {}

    return shown


class SignIns:
    """The connections, and the mapping of what comes over them to people."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self.mapping = Mapping(
            means.store.users,
            means.store.groups,
            means.store.identities,
            clock=means.clock,
            entropy=means.entropy,
            admits=means.admits,
            forget=means.forget,
            rules=self.rules,
            role=means.role,
            seal=lambda upstream: means.vault.seal(upstream, UPSTREAM),
            provisioned=Claims(
                means.store.users,
                means.store.accounts,
                means.clock,
                lambda name: self.rules(name).provisioning,
            ),
        )
        directories = Directories(
            means.store.users, means.hasher, means.clock, self.mapping.admit, means.threads
        )
        self.connections = Connections(self._redirect, directories.provider)
        self._stored: tuple[Connection, ...] = ()
        self.apply()

    def apply(self) -> None:
        """The configuration is another one. Of one name, that of the file counts."""
        auth = self._means.config().auth
        self.connections.replace((*auth.connections, *self._stored))

    async def load(self) -> bool:
        """Read those that were added at run time; whether they are others now. Raises ``StoreError``."""
        before = self._stored
        if self._means.config().external is None:
            rows = await self._means.store.connections.list()
            found = (stored_connection(row, self._means.vault) for row in rows)
            self._stored = tuple(connection for connection in found if connection is not None)
        self.apply()
        return self._stored != before

    def rules(self, name: str) -> ConnectionRules:
        """Of a connection, or of another issuer whose people the configuration lets in."""
        config = self._means.config()
        issuers = {entry.name for entry in config.assertions}
        if config.external is not None:
            issuers.add(config.external.name)
        return ConnectionRules() if name in issuers else self.connections.rules(name)

    def _redirect(self, connection: Connection) -> RedirectProvider:
        means = self._means
        return redirect_provider(
            means.config(), connection, means.store, means.vault, means.clock, means.entropy
        )
