"""Requests for access. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gatekit.model.requests import AccessRequest


class AccessRequests(Protocol):
    async def add(self, request: AccessRequest, most: int, most_of_one: int) -> None:
        """Raise ``Conflict`` where so many wait already, or one of this person for the same."""
        ...

    async def get(self, request_id: str) -> AccessRequest | None: ...

    async def list(
        self, *, waiting: bool = False, user_id: str = "", limit: int = 500
    ) -> Sequence[AccessRequest]:
        """The newest first; of one person if one is named."""
        ...

    async def decide(self, decided: AccessRequest) -> bool:
        """Keep what was decided. False if the request does not wait (any more): the first decision counts."""
        ...

    async def reopen(self, request_id: str) -> None:
        """Let a request wait again whose decision could not be carried out."""
        ...
