"""What else people with an account of the gateway itself show besides a password."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from gatekit.model.people import LOCAL

SecondFactor = Literal["off", "optional", "required"]
"""``optional``: asked of who set one up. ``required``: who has none sets one up at the next sign-in."""


class LocalFactors(Struct, frozen=True, kw_only=True):
    """What the operator says of accounts of the gateway itself."""

    passkeys: bool = True
    second_factor: SecondFactor = "optional"


class Totp(Struct, frozen=True, kw_only=True):
    """What an authenticator application and we share (RFC 6238). Times are seconds since the epoch."""

    user_id: str
    secret_sealed: str
    """Base32, sealed."""
    last_step: int
    """The last time step that a code was accepted of; none counts twice (RFC 6238 §5.2)."""
    created_at: int
    last_used_at: int = 0
    """0: never."""


PWD = "pwd"
OTP = "otp"
MFA = "mfa"
HARDWARE_KEY = "hwk"
SOFTWARE_KEY = "swk"
PHISHING_RESISTANT = "phr"
"""OpenID EAP ACR Values 1.0 §2: after a passkey. Not ``phrh``: nobody attests that a key is in hardware."""
CLASSES = frozenset({MFA, PHISHING_RESISTANT})
"""What ``acr_values`` may ask for; others are not known and pass unheard (OpenID Connect Core §5.5.1.1)."""


def acr_of(amr: str, connection: str) -> str:
    """The class that a sign-in reached, empty if none; ``amr``: as in ``BrowserSession``.

    Only our own passkeys are known to resist phishing: what a provider calls a key may be anything.
    """
    shown = frozenset(amr.split())
    if MFA not in shown:
        return ""
    return PHISHING_RESISTANT if connection == LOCAL and shown & {HARDWARE_KEY, SOFTWARE_KEY} else MFA


def reaches(acr: str, asked: Iterable[str]) -> bool:
    """Whether ``acr`` is one of those that were ``asked`` for, or more."""
    return any(acr == PHISHING_RESISTANT or (acr == MFA and name == MFA) for name in asked)


METHODS = frozenset(
    {"face", "fpt", "geo", HARDWARE_KEY, "iris", "kba", "mca", MFA, OTP, "pin", PWD, "rba", "retina", "sc"}
    | {"sms", SOFTWARE_KEY, "tel", "user", "vbm", "wia"}
)
"""Authentication method references (RFC 8176 §2)."""
