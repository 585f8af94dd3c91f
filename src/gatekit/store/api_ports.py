"""Ports of the REST interface. Conventions: see ``store.ports``."""

from __future__ import annotations

from typing import Protocol

from gatekit.model.admin_keys import AdminKey, ApiReply


class AdminKeys(Protocol):
    """``revoke`` records a change ``key:<id>``."""

    async def add(self, key: AdminKey) -> None:
        """Raise ``NotFound`` if its owner does not exist."""
        ...

    async def by_hash(self, token_hash: str) -> AdminKey | None: ...

    async def get(self, key_id: str) -> AdminKey | None: ...

    async def list(self, user_id: str | None = None) -> list[AdminKey]:
        """Oldest first."""
        ...

    async def revoke(self, key_id: str, now: int) -> bool: ...

    async def used(self, key_id: str, now: int) -> None:
        """Note the time. Records no change."""
        ...


class ApiReplies(Protocol):
    """Answers to requests with an ``Idempotency-Key``."""

    async def begin(self, reply: ApiReply, now: int) -> ApiReply | None:
        """Compare-and-swap: None for the one caller who may carry the request out; the row for the others.

        A row that has expired counts as none.
        """
        ...

    async def finish(self, key_id: str, name_hash: str, sealed: str) -> None:
        """Keep the answer."""
        ...

    async def abandon(self, key_id: str, name_hash: str) -> None:
        """Forget a request that changed nothing, so that it may be tried again."""
        ...

    async def purge(self, now: int) -> None: ...
