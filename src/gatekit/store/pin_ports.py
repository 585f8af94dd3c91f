"""Definitions that servers gave. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from gatekit.model.pins import Brief, Pin, PinState


class Sought(Struct, frozen=True, kw_only=True):
    """Which definitions; what is empty says nothing."""

    server: str = ""
    kind: str = ""
    name: str = ""
    state: str = ""
    beginning: str = ""
    """Of the id."""


class Pins(Protocol):
    async def brief(self) -> Sequence[Brief]:
        """All of them, as far as the data plane keeps them."""
        ...

    async def list(self, server: str = "") -> Sequence[Pin]:
        """By server, kind and name, the oldest first; of one server if one is named."""
        ...

    async def find(self, sought: Sought, *, whole: bool = True) -> Sequence[Pin]:
        """In the order of ``list``. Without ``whole``, ``definition`` is empty: all of them are large."""
        ...

    async def sight(self, pins: Sequence[Pin]) -> Sequence[PinState]:
        """Keep what was seen, in one step; what is known stays as it is. The state of each from now on: only
        the first definition of a name can be trusted, also where two processes see two at one moment."""
        ...

    async def decide(self, pin_id: str, state: PinState, by: str, now: int) -> Pin:
        """The pin as it was before. Raise ``NotFound``."""
        ...
