"""The payload of our access tokens (RFC 9068)."""

from __future__ import annotations

from msgspec import Struct


class AccessClaims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything in one access token. Signed by us, so its shape is exactly this."""

    iss: str
    sub: str
    """Id of the user."""
    aud: tuple[str, ...]
    """Resource identifiers (RFC 8707)."""
    client_id: str
    gid: str
    """Id of the grant."""
    jti: str
    iat: int
    exp: int
    scope: str
    auth_time: int
