"""Rules that administrators made. Conventions as in ``ports``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gatekit.model.rules import StoredRule


class StoredRules(Protocol):
    """Writing methods record a change ``rule:<name>``."""

    async def add(self, rule: StoredRule) -> None:
        """Raise ``Conflict`` if there is one of that name."""
        ...

    async def get(self, name: str) -> StoredRule | None: ...

    async def list(self) -> Sequence[StoredRule]:
        """By name."""
        ...

    async def replace(self, rule: StoredRule) -> StoredRule:
        """Everything but when and by whom it was made. The rule as it was before. Raise ``NotFound``."""
        ...

    async def remove(self, name: str) -> StoredRule:
        """The rule as it was. Raise ``NotFound``."""
        ...
