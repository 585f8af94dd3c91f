"""How often something may happen, and how much of it. In memory, per process; the clock is injected."""

from __future__ import annotations

import math
from collections import deque

from msgspec import Struct

from gatekit.model.ports import Clock


class Rate(Struct, frozen=True):
    """``burst`` at once, then ``per_minute`` on average."""

    burst: int
    per_minute: float


class TokenBucket:
    """One budget. Not for use across threads."""

    def __init__(self, rate: Rate, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._level = float(rate.burst)
        self._at = clock.monotonic()

    def take(self) -> float:
        """Take one. Return 0.0 if there was one, else the seconds until there will be."""
        wait = self.wait()
        if not wait:
            self._level -= 1.0
        return wait

    def wait(self) -> float:
        """What ``take`` would return; takes nothing."""
        now = self._clock.monotonic()
        per_second = self._rate.per_minute / 60
        self._level = min(float(self._rate.burst), self._level + (now - self._at) * per_second)
        self._at = now
        if self._level >= 1.0:
            return 0.0
        return (1.0 - self._level) / per_second if per_second > 0 else 3600.0

    def give_back(self) -> None:
        """Undo one ``take``."""
        self._level = min(float(self._rate.burst), self._level + 1.0)


class KeyedBuckets:
    """One budget per key (an address). Bounded: the key that was used longest ago is forgotten first."""

    def __init__(self, rate: Rate, clock: Clock, max_keys: int = 10_000) -> None:
        self._rate = rate
        self._clock = clock
        self._max_keys = max_keys
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, key: str) -> float:
        """Take one from the budget of ``key``; see ``TokenBucket.take``."""
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate, self._clock)
        self._buckets[key] = bucket  # re-inserted: dicts keep order, so the first key is the stalest
        while len(self._buckets) > self._max_keys:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take()

    def wait(self, key: str) -> float:
        """What ``take`` would return; takes nothing."""
        bucket = self._buckets.get(key)
        return bucket.wait() if bucket is not None else 0.0

    def give_back(self, key: str) -> None:
        """Undo one ``take``."""
        if bucket := self._buckets.get(key):
            bucket.give_back()


class SlidingCount:
    """How much was used within the last ``seconds``, whenever one looks: told too high by up to a thirtieth
    of the window's length, never too low. Not for use across threads."""

    PARTS = 30

    __slots__ = ("_parts", "_step", "_total")

    def __init__(self, seconds: float) -> None:
        self._step = seconds / self.PARTS
        self._parts: deque[tuple[int, int]] = deque()
        """(number of the part of time, what was used in it), oldest first."""
        self._total = 0

    def used(self, now: float) -> int:
        """``now``: seconds of one clock, never going back."""
        parts, number = self._parts, int(now / self._step)
        while parts and number > parts[0][0] + self.PARTS:
            self._total -= parts.popleft()[1]
        return self._total

    def add(self, amount: int, now: float) -> None:
        if not amount:
            return
        self.used(now)
        parts, number = self._parts, int(now / self._step)
        if parts and parts[-1][0] == number:
            parts[-1] = (number, parts[-1][1] + amount)
        else:
            parts.append((number, amount))
        self._total += amount

    def wait(self, amount: int, limit: int, now: float) -> float:
        """Seconds until ``amount`` more are within ``limit``: 0.0 now, ``inf`` never."""
        left = self.used(now) + amount - limit
        if left <= 0:
            return 0.0
        for number, used in self._parts:
            left -= used
            if left <= 0:
                return max(0.0, (number + self.PARTS + 1) * self._step - now)
        return math.inf
