"""The port of OAuth clients; the conventions are those of ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gatekit.model.oauth import Client


class Clients(Protocol):
    """OAuth clients. ``set_disabled`` and ``delete`` record a change ``client:<id>``."""

    async def add(self, client: Client) -> None: ...

    async def get(self, client_id: str) -> Client | None: ...

    async def list(self) -> list[Client]: ...

    async def used(self, client_id: str, now: int) -> None:
        """A login finished with it; from then on it does not expire."""
        ...

    async def set_disabled(self, client_id: str, disabled: bool) -> None: ...

    async def delete(self, client_id: str) -> None:
        """Remove it and its grants, for good: ``deleted`` is true from then on."""
        ...

    async def deleted(self, client_id: str) -> bool: ...

    async def describe(self, client: Client) -> None:
        """Replace what is known of a client that describes itself; ``disabled`` and use are left alone."""
        ...

    async def replace(self, client: Client, registration_hash: str, secret_hash: str | None) -> bool:
        """Compare-and-swap: replace a registration whose ``registration_hash`` and ``secret_hash`` are the
        given ones (an operator may renew the secret meanwhile) and that is not disabled; ``disabled``,
        ``source`` and use are left alone. True for exactly one caller."""
        ...

    async def renew_secret(self, client_id: str, secret_hash: str, old_until: int) -> None:
        """The secret becomes the old one, good until ``old_until``. Raise ``NotFound``."""
        ...

    async def withdraw(self, client_id: str, registration_hash: str, now: int) -> bool:
        """Like ``delete``, by the client itself and not for good: it is ``deleted`` for a while only, so that
        strangers cannot fill the store with what is remembered. False if it is not its registration."""
        ...

    async def configure(self, clients: Sequence[Client]) -> Sequence[str]:
        """Make these the ``configured`` clients, and only these: whoever has one of their identifiers gives
        way, and those of before that are missing go, with their grants. Records changes.

        ``disabled``, ``created_at`` and use of those that stay are left alone. Return the ids that changed.
        """
        ...

    async def restore(self, client: Client) -> None:
        """Insert a client that was forgotten; where it exists, only its redirect URIs are set."""
        ...

    async def expire_unused(self, created_before: int) -> int:
        """Remove clients that no configuration names and that never finished a login; return how many.

        Forgets what was withdrawn before that, and long enough ago.
        """
        ...
