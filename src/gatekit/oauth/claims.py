"""The payload of our access tokens (RFC 9068)."""

from __future__ import annotations

from msgspec import Struct


class Confirmation(Struct, frozen=True, forbid_unknown_fields=True):
    """RFC 7800 §3.1: what its holder must prove."""

    jkt: str
    """Thumbprint of the holder's key (RFC 9449 §6.1)."""


class AccessClaims(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
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
    cnf: Confirmation | None = None
    """None: whoever bears the token may use it."""

    @property
    def jkt(self) -> str:
        """Thumbprint of the key that the token is bound to; empty: none."""
        return self.cnf.jkt if self.cnf else ""


def lineage(jti: str) -> tuple[str, ...]:
    """The names of a token and of all that it was made of, the oldest first (``token_exchange``).

    A token that is made of another one has that one's name before its own, so that it ends with it.
    """
    parts = jti.split(".")
    return tuple(".".join(parts[:number]) for number in range(1, len(parts) + 1))
