"""Connections that are added at run time, beside those of the configuration file.

What an admin enters is kept as it was entered, sealed, because it holds secrets; it is read with the same
code as the file, so it means the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Audit, Desk, words
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.connections import SEALED, Kind, StoredConnection
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

MAX_DOCUMENT = 256 * 1024

Settings = Callable[[str, StoredConnection | None], Mapping[str, Any]]
"""What a connection is set to, with its secrets masked: of the file (None), or added at run time."""


class Vault(Protocol):
    """``platform.vault.Vault``."""

    def seal(self, plain: str, purpose: str) -> str: ...


class ConnectionView(Struct, frozen=True, kw_only=True):
    name: str
    kind: str
    enabled: bool
    source: Literal["file", "store"]
    updated_at: int = 0
    """Of one that was added at run time: when it became what it is. Seconds since 1970."""
    settings: Mapping[str, Any] | None = None
    """None in lists, and where nobody can say."""


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
        settings: Settings | None = None,
    ) -> None:
        """``read``: check an entry and tell its kind, or raise ``ConfigError``; ``in_file``: name → (kind,
        enabled) of those that stand in the file; ``reserved``: names of other issuers there."""
        super().__init__(store, audit, clock, entropy)
        self._vault = vault
        self._read = read
        self._in_file = in_file
        self._reserved = frozenset(reserved)
        self._settings = settings

    async def list(self, actor: Actor) -> Sequence[ConnectionView]:
        self._may(actor, "connections:read")
        found = [
            ConnectionView(name=name, kind=kind, enabled=enabled, source="file")
            for name, (kind, enabled) in self._in_file.items()
        ]
        for row in await self._store.connections.list():
            if row.name not in self._in_file:
                found.append(_of_store(row))
        return found

    async def show(self, actor: Actor, name: str) -> ConnectionView:
        self._may(actor, "connections:read")
        row = None
        if name in self._in_file:
            kind, enabled = self._in_file[name]
            view = ConnectionView(name=name, kind=kind, enabled=enabled, source="file")
        else:
            row = await self._stored(name)
            view = _of_store(row)
        return replace(view, settings=self._settings(name, row)) if self._settings else view

    async def add(self, actor: Actor, name: str, entry: Mapping[str, Any]) -> ConnectionView:
        """``entry``: the keys as in the file. Raises ``ConfigError`` with all that is wrong with it."""
        self._may(actor, "connections:write")
        if name in self._in_file or name in self._reserved:
            raise Conflict(f"{name} stands in the configuration file; choose another name")
        row = self._row(name, entry)
        if await self._store.connections.get(name) is not None:
            raise Conflict(f"there is a connection called {name} already")
        after = words(kind=row.kind, keys=_keys(entry))
        await self._record(actor, "connection.add", name, after=after)
        await self._store.connections.add(row)
        return _of_store(row)

    async def replace(self, actor: Actor, name: str, entry: Mapping[str, Any]) -> ConnectionView:
        """Another entry for one that was added at run time; its people stay. Raises ``ConfigError``."""
        self._may(actor, "connections:write")
        before = await self._stored(name)
        row = self._row(name, entry)
        if row.kind != before.kind:
            # Who somebody is hangs on the name: another kind would speak for the people of the first.
            raise Conflict(f"{name} is of the kind {before.kind}; remove it, and add the new one")
        row = replace(row, enabled=before.enabled, created_at=before.created_at)
        after = words(kind=row.kind, keys=_keys(entry))
        await self._record(actor, "connection.replace", name, before=words(kind=before.kind), after=after)
        await self._store.connections.replace(row)
        return _of_store(row)

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

    def _row(self, name: str, entry: Mapping[str, Any]) -> StoredConnection:
        document = json.dumps(dict(entry))
        if len(document) > MAX_DOCUMENT:
            raise InvalidInput(f"an entry may have {MAX_DOCUMENT // 1024} kB")
        kind, now = self._read(name, entry), self._now()
        if kind == "local":
            raise InvalidInput("the connection `local` is switched on in the configuration file")
        return StoredConnection(
            name=name,
            kind=kind,
            document_sealed=self._vault().seal(document, f"{SEALED}:{name}"),
            created_at=now,
            updated_at=now,
        )

    async def _stored(self, name: str) -> StoredConnection:
        if name in self._in_file:
            raise Conflict(f"{name} stands in the configuration file; change it there (`enabled: false`)")
        row = await self._store.connections.get(name)
        if row is None:
            raise NotFound(f"there is no connection {name}; `gatekit connections list` shows which there are")
        return row


def _of_store(row: StoredConnection) -> ConnectionView:
    return ConnectionView(
        name=row.name, kind=row.kind, enabled=row.enabled, source="store", updated_at=row.updated_at
    )


def _keys(entry: Mapping[str, Any]) -> str:
    """Which keys an entry has, for the trail; never what is in them."""
    return ",".join(sorted(map(str, entry)))
