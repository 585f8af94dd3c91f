"""The policy engine's judgement. A sum type: there is no way to read it as a plain boolean.

Only ``Allow`` may go on. Whoever asks "is it a Deny?" must mean "does it not exist for this person?", because
``StepUp`` and ``Ask`` are no yes either.
"""

from __future__ import annotations

from msgspec import Struct

from gatekit.model.rules import Selector


class Allow(Struct, frozen=True):
    """Go ahead; ``rule`` names what allowed it, for the audit."""

    rule: str
    shadow: str = ""
    """Here and below: the shadow rule that would have changed the answer."""


class Deny(Struct, frozen=True):
    """No. ``reason`` and ``rule`` are for the audit; the caller hears only that the thing is unknown."""

    reason: str
    rule: str
    final: bool = False
    """A deny rule says so, so that no other reading of the call may turn it around."""
    shadow: str = ""


class StepUp(Struct, frozen=True, kw_only=True):
    """Not with this sign-in: a fresher or a stronger one is asked for. The caller may know."""

    rule: str
    reason: str = ""
    max_age: float = 0.0
    """Seconds since the person signed in; 0: however long."""
    amr: tuple[str, ...] = ()
    """What the sign-in must have shown (RFC 8176), in alphabetical order."""
    scopes: tuple[str, ...] = ()
    acr: str = ""
    shadow: str = ""


class Ask(Struct, frozen=True, kw_only=True):
    """Not before one of ``approvers`` has said yes to this very call."""

    rule: str
    approvers: tuple[Selector, ...] = ()
    reason: str = ""
    shadow: str = ""


Decision = Allow | Deny | StepUp | Ask
