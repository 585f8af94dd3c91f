"""Connections that are added at run time, beside those of the configuration file.

What an admin enters is kept as it was entered, sealed, because it holds secrets; it is read with the same
code as the file, so it means the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from gatekit.admin.desk import Actor, Audit, Desk, words
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.connections import SEALED, Kind, StoredConnection
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

MAX_DOCUMENT = 256 * 1024


class Vault(Protocol):
    """``platform.vault.Vault``."""

    def seal(self, plain: str, purpose: str) -> str: ...


class ConnectionView(Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    enabled: bool
    source: Literal["file", "store"]


class Connections(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        *,
        vault: Callable[[], Vault],
        read: Callable[[str, Mapping[str, Any]], Kind],
        in_file: Mapping[str, tuple[Kind, bool]],
        reserved: Collection[str] = (),
    ) -> None:
        """``read``: check an entry and tell its kind, or raise ``ConfigError``; ``in_file``: name → (kind,
        enabled) of those that stand in the file; ``reserved``: names of other issuers there."""
        super().__init__(store, audit, clock, entropy)
        self._vault = vault
        self._read = read
        self._in_file = in_file
        self._reserved = frozenset(reserved)

    async def list(self, actor: Actor) -> Sequence[ConnectionView]:
        self._may(actor, "connections:read")
        found = [
            ConnectionView(name=name, kind=kind, enabled=enabled, source="file")
            for name, (kind, enabled) in self._in_file.items()
        ]
        for row in await self._store.connections.list():
            if row.name not in self._in_file:
                view = ConnectionView(name=row.name, kind=row.kind, enabled=row.enabled, source="store")
                found.append(view)
        return found

    async def show(self, actor: Actor, name: str) -> ConnectionView:
        found = next((view for view in await self.list(actor) if view.name == name), None)
        if found is None:
            raise NotFound(f"there is no connection {name}; `gatekit connections list` shows which there are")
        return found

    async def add(self, actor: Actor, name: str, entry: Mapping[str, Any]) -> ConnectionView:
        """``entry``: the keys as in the file. Raises ``ConfigError`` with all that is wrong with it."""
        self._may(actor, "connections:write")
        if name in self._in_file or name in self._reserved:
            raise Conflict(f"{name} stands in the configuration file; choose another name")
        document = json.dumps(dict(entry))
        if len(document) > MAX_DOCUMENT:
            raise InvalidInput(f"an entry may have {MAX_DOCUMENT // 1024} kB")
        kind, now = self._read(name, entry), self._now()
        if kind == "local":
            raise InvalidInput("the connection `local` is switched on in the configuration file")
        row = StoredConnection(
            name=name,
            kind=kind,
            document_sealed=self._vault().seal(document, f"{SEALED}:{name}"),
            created_at=now,
            updated_at=now,
        )
        if await self._store.connections.get(name) is not None:
            raise Conflict(f"there is a connection called {name} already")
        await self._record(
            actor, "connection.add", name, after=words(kind=kind, keys=",".join(sorted(entry)))
        )
        await self._store.connections.add(row)
        return ConnectionView(name=name, kind=kind, enabled=True, source="store")

    async def set_enabled(self, actor: Actor, name: str, enabled: bool) -> bool:
        """Whoever came over a disabled connection is out at once. False: so it was already."""
        self._may(actor, "connections:write")
        row = await self._stored(name)
        if row.enabled == enabled:
            return False
        await self._record(
            actor,
            "connection.enable" if enabled else "connection.disable",
            name,
            before=words(enabled=str(row.enabled).lower()),
            after=words(enabled=str(enabled).lower()),
        )
        return await self._store.connections.set_enabled(name, enabled, self._now())

    async def remove(self, actor: Actor, name: str) -> None:
        """The people stay, and cannot come in."""
        self._may(actor, "connections:write")
        row = await self._stored(name)
        await self._record(actor, "connection.remove", name, before=words(kind=row.kind))
        await self._store.connections.remove(name)

    async def _stored(self, name: str) -> StoredConnection:
        if name in self._in_file:
            raise Conflict(f"{name} stands in the configuration file; change it there (`enabled: false`)")
        row = await self._store.connections.get(name)
        if row is None:
            raise NotFound(f"there is no connection {name}; `gatekit connections list` shows which there are")
        return row
