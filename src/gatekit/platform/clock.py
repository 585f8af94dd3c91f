"""The real clock and the real source of randomness."""

from __future__ import annotations

import secrets
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class SystemClock:
    """Implements ``model.ports.Clock``."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


class SystemEntropy:
    """Implements ``model.ports.Entropy`` with the operating system's generator."""

    def token(self, prefix: str, nbytes: int = 32) -> str:
        return prefix + secrets.token_urlsafe(nbytes)

    def letters(self, alphabet: str, length: int) -> str:
        return "".join(secrets.choice(alphabet) for _ in range(length))

    def ident(self, prefix: str) -> str:
        # 48 bits of milliseconds + 80 random bits in Crockford base 32: sorts by time, like a ULID.
        value = (int(time.time() * 1000) << 80) | secrets.randbits(80)
        return prefix + "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))
