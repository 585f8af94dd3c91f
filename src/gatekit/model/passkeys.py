"""A passkey: a key pair of a person, of which we keep the public half."""

from __future__ import annotations

from msgspec import Struct


class Passkey(Struct, frozen=True, kw_only=True):
    """Times are seconds since the epoch."""

    id: str
    """The credential id, base64url without padding (WebAuthn Level 3 §5.1)."""
    user_id: str
    name: str
    """What its owner calls it."""
    public_key: str
    """COSE_Key, base64url without padding (RFC 9052 §7)."""
    sign_count: int = 0
    """The largest that was seen; 0 from authenticators that do not count (§6.1.1)."""
    created_at: int
    last_used_at: int = 0
    """0: never."""
