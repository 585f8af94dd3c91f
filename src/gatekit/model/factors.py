"""What else people with an account of the gateway itself show besides a password."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

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
METHODS = frozenset(
    {"face", "fpt", "geo", HARDWARE_KEY, "iris", "kba", "mca", MFA, OTP, "pin", PWD, "rba", "retina", "sc"}
    | {"sms", SOFTWARE_KEY, "tel", "user", "vbm", "wia"}
)
"""Authentication method references (RFC 8176 §2)."""
