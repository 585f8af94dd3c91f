"""Second factors. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gatekit.model.factors import Totp


class Factors(Protocol):
    """They go with their person. Recovery codes are known by their keyed digests only."""

    async def add(self, totp: Totp, codes: Sequence[str]) -> None:
        """With its recovery codes; raise ``Conflict`` if the person has one."""
        ...

    async def get(self, user_id: str) -> Totp | None: ...

    async def used(self, user_id: str, step: int, now: int) -> bool:
        """Note a use, in one step; False if this time step or a later one was used before."""
        ...

    async def remove(self, user_id: str) -> bool:
        """With the recovery codes; whether there was any."""
        ...

    async def set_codes(self, user_id: str, codes: Sequence[str]) -> None:
        """These and no others; raise ``NotFound`` without a second factor that they could stand for."""
        ...

    async def codes_left(self, user_id: str) -> int: ...

    async def spend(self, user_id: str, code: str) -> bool:
        """Use one up, in one step; False if there is no such code."""
        ...
