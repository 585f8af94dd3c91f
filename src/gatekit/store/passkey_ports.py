"""Passkeys. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gatekit.model.passkeys import Passkey


class Passkeys(Protocol):
    """They go with their person."""

    async def add(self, passkey: Passkey) -> None:
        """Raise ``Conflict`` if the credential is known, whosever it is (WebAuthn §7.1 step 26)."""
        ...

    async def get(self, ident: str) -> Passkey | None: ...

    async def of_user(self, user_id: str) -> Sequence[Passkey]:
        """Oldest first."""
        ...

    async def used(self, ident: str, sign_count: int, now: int) -> bool:
        """Note a use, in one step; False if the count does not grow, which says that there are two of this
        authenticator (§7.2 step 22), or if the passkey is gone."""
        ...

    async def remove(self, user_id: str, ident: str) -> None:
        """Raise ``NotFound`` if that person has no such passkey."""
        ...
