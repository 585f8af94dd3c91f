"""Whom we believe about people besides our own sign-in: what the operator wrote about other issuers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
"""Signature algorithms that may be accepted (``platform.foreign`` implements exactly these)."""

Unknown = Literal["create", "refuse"]
"""What happens to a person who is seen for the first time."""


class ClaimNames(Struct, frozen=True, kw_only=True):
    """Where an issuer's claims say what. A name, a dotted path, or a JSON pointer (RFC 6901)."""

    subject: str = "sub"
    """The immutable id; with the issuer it is who somebody is."""
    username: str = "sub"
    """What access lists name after the connection (``idp:alice``). Never a claim that people can set."""
    email: str = "email"
    email_verified: str = "email_verified"
    """Only an address that this claim says is verified counts; empty: the issuer is trusted to verify all."""
    name: str = "name"
    groups: str = ""
    """A text or a list of texts; empty: there are none."""


class Introspection(Struct, frozen=True, kw_only=True):
    """RFC 7662 at the issuer."""

    client_id: str
    client_secret: str
    endpoint: str = ""
    """Empty: as discovered."""
    every_token: bool = False
    """Also for tokens whose signature could be checked here, so that a revocation counts at once."""
    cache: float = 10.0
    """Seconds that an answer is believed."""

    def __repr__(self) -> str:
        """Without the secret: a repr ends up in logs and tracebacks."""
        return f"Introspection(client_id={self.client_id!r}, endpoint={self.endpoint!r})"


class Issuer(Struct, frozen=True, kw_only=True):
    """Another authorization server or identity provider whose signature we believe."""

    name: str
    """The connection that its people belong to."""
    issuer: str
    """Exactly as its tokens have it in ``iss``."""
    jwks_uri: str = ""
    """Empty: as discovered (RFC 8414, OpenID Connect Discovery)."""
    algorithms: tuple[str, ...] = ("RS256", "PS256", "ES256", "EdDSA")
    clients: tuple[str, ...] = ()
    """Client identifiers that tokens may have been issued to; empty: every one."""
    claims: ClaimNames = ClaimNames()
    unknown_people: Unknown = "create"
    clock_skew: float = 30.0


class ExternalServer(Issuer, frozen=True, kw_only=True):
    """The authorization server that issues the access tokens for our endpoints."""

    audiences: tuple[str, ...] = ()
    """Values of ``aud`` that stand for the whole gateway. The URL of an endpoint always stands for it."""
    token_types: tuple[str, ...] = ("at+jwt",)
    """Accepted ``typ``, in lower case; ``""`` stands for a token without one."""
    required_scopes: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    """What clients are told to ask for."""
    introspection: Introspection | None = None

    @property
    def introspection_of_all(self) -> bool:
        return self.introspection is not None and self.introspection.every_token


class AssertionIssuer(Issuer, frozen=True, kw_only=True):
    """An identity provider whose identity assertions (ID-JAG) are exchanged for our tokens."""

    longest: float = 300.0
    """Seconds that an assertion may live."""
