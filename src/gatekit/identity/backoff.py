"""Slows down guessing: the more failures, the longer the wait. In memory, bounded, with an injected clock."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from msgspec import Struct

from gatekit.model.ports import Clock


class Allowance(Struct, frozen=True):
    """``free`` failures cost nothing; then the wait doubles from one second up to ``longest`` seconds.

    ``memory`` seconds without a failure wipe the slate.
    """

    free: int
    longest: float = 300.0
    memory: float = 900.0


class _Failures(Struct):
    count: int
    last: float


class Backoff:
    """Failures per key."""

    def __init__(self, allowance: Allowance, clock: Clock, max_keys: int = 10_000) -> None:
        self._allowance = allowance
        self._clock = clock
        self._max_keys = max_keys
        self._failures: OrderedDict[str, _Failures] = OrderedDict()

    def wait(self, key: str) -> float:
        """Seconds until the next attempt is looked at; 0.0 for now."""
        failures = self._current(key)
        if failures is None or failures.count < self._allowance.free:
            return 0.0
        delay = min(2.0 ** min(failures.count - self._allowance.free, 30), self._allowance.longest)
        return max(0.0, failures.last + delay - self._clock.monotonic())

    def failed(self, key: str) -> None:
        """Note a failure. Call it *before* the check and ``forgive`` after a success: attempts that run at
        the same time must count each other."""
        failures = self._current(key) or _Failures(0, 0.0)
        failures.count += 1
        failures.last = self._clock.monotonic()
        self._failures[key] = failures
        self._failures.move_to_end(key)
        while len(self._failures) > self._max_keys:
            self._failures.popitem(last=False)

    def forgive(self, key: str) -> None:
        """Take one failure back."""
        failures = self._failures.get(key)
        if failures is None:
            return
        failures.count -= 1
        if failures.count <= 0:
            del self._failures[key]

    def clear(self, key: str) -> None:
        """Forget every failure of the key."""
        self._failures.pop(key, None)

    def _current(self, key: str) -> _Failures | None:
        failures = self._failures.get(key)
        if failures is not None and self._clock.monotonic() - failures.last > self._allowance.memory:
            del self._failures[key]
            return None
        return failures


def network_of(address: str) -> str:
    """What counts as one place: an IPv4 address, or the /64 of an IPv6 address (one household has 2^64)."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return parsed.exploded[:19]
    return str(parsed)
