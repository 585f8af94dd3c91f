"""What every room may ask of its surroundings: time and randomness. Both are injected, never imported."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Source of time."""

    def now(self) -> float:
        """Seconds since the Unix epoch, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never run backwards; for durations and deadlines inside this process."""
        ...


class Entropy(Protocol):
    """Source of unguessable strings."""

    def token(self, prefix: str, nbytes: int = 32) -> str:
        """``prefix`` + base64url (no padding) of ``nbytes`` random bytes, e.g. ``gk_at_…``."""
        ...

    def letters(self, alphabet: str, length: int) -> str:
        """``length`` unguessable characters of ``alphabet``, for codes that people type."""
        ...

    def ident(self, prefix: str) -> str:
        """A unique, time-ordered identifier for a row, e.g. ``usr_01K…``; not a secret."""
        ...
