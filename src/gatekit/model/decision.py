"""The policy engine's judgement. A sum type: there is no way to read it as a plain boolean."""

from __future__ import annotations

from msgspec import Struct


class Allow(Struct, frozen=True):
    """Go ahead; ``rule`` names what allowed it, for the audit."""

    rule: str


class Deny(Struct, frozen=True):
    """No. ``reason`` and ``rule`` are for the audit; the caller hears only that the thing is unknown."""

    reason: str
    rule: str


Decision = Allow | Deny
