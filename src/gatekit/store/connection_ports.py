"""Connections that were added at run time. Conventions as in ``ports``."""

from __future__ import annotations

from typing import Protocol

from gatekit.model.connections import StoredConnection


class StoredConnections(Protocol):
    """Writing methods record a change ``connection:<name>``."""

    async def add(self, connection: StoredConnection) -> None:
        """Raise ``Conflict`` if there is one of that name."""
        ...

    async def get(self, name: str) -> StoredConnection | None: ...

    async def list(self) -> list[StoredConnection]:
        """By name."""
        ...

    async def set_enabled(self, name: str, enabled: bool, now: int) -> bool:
        """False: so it was already. Raise ``NotFound``."""
        ...

    async def replace(self, connection: StoredConnection) -> None:
        """Its document and ``updated_at``; whether it is enabled stays, and its kind. Raise ``NotFound``."""
        ...

    async def remove(self, name: str) -> None:
        """Its people stay. Raise ``NotFound``."""
        ...
