"""Password rules and argon2id, in threads of its own.

Each hash takes 64 MiB and tens of milliseconds, so the number that run at once is what bounds the memory
(checklist U2), and the number that may wait is what bounds the queue.
"""

from __future__ import annotations

import base64
import unicodedata

import argon2
from msgspec import Struct

from gatekit.errors import SignInRefused
from gatekit.identity.threads import Threads

MIN_BYTES = 8
MAX_BYTES = 1024


class HashCost(Struct, frozen=True, kw_only=True):
    """RFC 9106 §4, second recommended option: t=3, p=4, m=64 MiB."""

    time_cost: int = 3
    memory_kib: int = 65536
    parallelism: int = 4


def normalised(password: str) -> bytes:
    """NFC, then UTF-8 (RFC 8265 §4.2.2): the same password typed on two systems is the same password."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


def check_password(password: str) -> None:
    """Raise ``SignInRefused`` with the rule that a new password breaks."""
    size = len(normalised(password)) if len(password) <= MAX_BYTES else MAX_BYTES + 1
    if size < MIN_BYTES:
        raise SignInRefused(f"Choose a password of at least {MIN_BYTES} characters.", "password too short")
    if size > MAX_BYTES:
        raise SignInRefused(f"Choose a password of at most {MAX_BYTES} bytes.", "password too long")


class PasswordHasher:
    """argon2id. ``close`` ends its threads."""

    def __init__(self, cost: HashCost | None = None, workers: int = 2, max_waiting: int = 64) -> None:
        cost = cost or HashCost()
        self._argon2 = argon2.PasswordHasher(cost.time_cost, cost.memory_kib, cost.parallelism)
        self._threads = Threads("password", workers, max_waiting)
        self._decoy = _decoy(cost)

    async def hash(self, password: str) -> str:
        """The PHC string of a new password. Raises ``SignInRefused`` when it breaks a rule,
        ``ProviderFailed`` when too many people wait."""
        check_password(password)
        return await self.renew(password)

    async def renew(self, password: str) -> str:
        """Hash a password that was accepted before, whatever the rules are today."""
        return await self._threads.run(lambda: self._argon2.hash(normalised(password)))

    async def verify(self, hash: str, password: str) -> bool:
        """Whether the password is right; False for a hash that cannot be read. Raises ``ProviderFailed``."""
        if len(password) > MAX_BYTES:  # cannot have been accepted; do not spend time on normalising it
            password = password[:MAX_BYTES] + "\0"
        return await self._threads.run(lambda: self._verify(hash, normalised(password)))

    async def waste(self, password: str) -> None:
        """Take as long as ``verify`` takes: the answer for somebody who does not exist."""
        await self.verify(self._decoy, password)

    def outdated(self, hash: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        try:
            return self._argon2.check_needs_rehash(hash)
        except argon2.exceptions.InvalidHashError:
            return True

    def close(self) -> None:
        self._threads.close()

    def _verify(self, hash: str, password: bytes) -> bool:
        try:
            return self._argon2.verify(hash, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _decoy(cost: HashCost) -> str:
    """A hash of nothing, which costs as much to check as a real one."""
    salt, digest = (base64.b64encode(bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={cost.memory_kib},t={cost.time_cost},p={cost.parallelism}${salt}${digest}"
