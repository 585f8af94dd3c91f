"""Two people who are one. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from gatekit.model.people import Alias


class Moved(Struct, frozen=True):
    """What a merge moved, by its number."""

    identities: int
    groups: int
    grants: int
    keys: int


class Merging(Protocol):
    async def merge(self, source: str, into: str, now: int) -> Moved:
        """Everything of ``source`` (ids of people) is ``into``'s from now on, and ``source`` is gone.

        Identities, memberships, grants, API keys and admin keys move. Browsers are signed out, and relying
        parties are told; invitations, passkeys, the password and remembered consents go. All of it or
        nothing. Records ``user:``, ``grant:`` and ``key:`` changes.

        Raise ``NotFound``; ``Conflict`` if both have an identity at one connection.
        """
        ...

    async def aliases(self, user_id: str) -> Sequence[Alias]:
        """Who became this person, oldest first."""
        ...
