"""Who failed lately, and when the next try is due."""

from __future__ import annotations

from collections.abc import Hashable

FIRST_DELAY = 0.5
MAX_DELAY = 30.0
HEALTHY_SECONDS = 60.0
"""A process that lived this long starts the count anew."""
FORGET_SECONDS = 120.0


class _Record:
    __slots__ = ("at", "detail", "failures", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.at = 0.0
        self.until = 0.0
        self.detail = ""


class Backoff:
    """Exponential, one count per key. Times are ``Clock.monotonic()``."""

    def __init__(self) -> None:
        self._records: dict[Hashable, _Record] = {}

    def failed(self, key: Hashable, now: float, detail: str, lived: float = 0.0) -> None:
        """Note a failure; ``lived`` is how long the process was of use, in seconds."""
        record = self._records.setdefault(key, _Record())
        if lived >= HEALTHY_SECONDS:
            record.failures = 0
        record.failures += 1
        record.at = now
        record.until = now + min(FIRST_DELAY * 2 ** min(record.failures - 1, 10), MAX_DELAY)
        record.detail = detail

    def __contains__(self, key: Hashable) -> bool:
        return key in self._records

    def worked(self, key: Hashable) -> None:
        self._records.pop(key, None)

    def remaining(self, key: Hashable, now: float) -> float:
        """Seconds until the next try may be made; 0 if now."""
        record = self._records.get(key)
        return max(0.0, record.until - now) if record else 0.0

    def detail(self, key: Hashable) -> str:
        """Why the last try failed."""
        record = self._records.get(key)
        return record.detail if record else ""

    def forget_old(self, now: float) -> None:
        old = [key for key, record in self._records.items() if now - record.at > FORGET_SECONDS]
        for key in old:
            del self._records[key]
