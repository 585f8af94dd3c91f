"""A clock that stands still until it is told to move."""

from __future__ import annotations


class ManualClock:
    """Implements ``model.ports.Clock``."""

    def __init__(self, at: float = 1_800_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at
