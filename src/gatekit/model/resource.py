"""Resource servers that are not part of this gateway: others who take our access tokens."""

from __future__ import annotations

from msgspec import Struct

from gatekit.model.oauth import TokenAuthMethod


class ResourceServer(Struct, frozen=True, kw_only=True):
    """Somebody else's API. It checks tokens by our public keys, or asks us about each (RFC 7662)."""

    name: str
    """Also what it calls itself when it asks."""
    uri: str
    """Its identifier (RFC 8707 §2), byte for byte what stands in ``aud``."""
    title: str
    scopes: tuple[str, ...] = ()
    auth_method: TokenAuthMethod = "none"
    """How it proves who it is when it asks; ``none``: it may not ask."""
    secret_hash: str | None = None
    jwks_uri: str = ""
