"""The answer of the bearer check: who asks, through what, for which endpoints, until when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gatekit.model import scopes
from gatekit.model.people import Principal

EVERY_SERVER = "*"


class Access(Struct, frozen=True, kw_only=True):
    """A verified access token or API key, or a local person who needs neither."""

    principal: Principal
    client_id: str
    client_name: str
    credential: Literal["access_token", "api_key", "local"]
    credential_id: str
    """jti of the access token, or id of the API key; empty for a local person (``gatekit stdio``)."""
    grant_id: str = ""
    issuer: str = ""
    """Who issued the access token, if it was not us."""
    servers: frozenset[str] = frozenset()
    """Names of the servers this credential may reach at all; ``*`` stands for every one."""
    audience: frozenset[str] = frozenset()
    """What an access token is for as it says itself: resource identifiers, of MCP endpoints and of others."""
    aggregate: bool = False
    """Whether the credential is meant for the aggregate endpoint."""
    auth_time: int = 0
    """When the person signed in, seconds since the epoch; 0: nobody knows, as for API keys."""
    scopes: frozenset[str] = frozenset()
    """None: it may do nothing."""
    more: bool = True
    """Whether a new sign-in could give scopes that it lacks."""
    expires_at: float = 0.0
    amr: frozenset[str] = frozenset()
    """How the person showed who they are (RFC 8176), at the sign-in that the grant came from: ``pwd``,
    ``otp``, ``hwk``, ``swk``, ``mfa``. Empty: nobody said, as for API keys."""
    jkt: str = ""
    """Thumbprint of the key that the token is bound to: each request came with a proof (RFC 9449)."""

    def reaches(self, server: str) -> bool:
        """Whether the credential is meant for ``server``, or for the aggregate endpoint if that is empty
        (RFC 8707 §2): a token is good for what it was issued for, and for nothing else."""
        if not server:
            return self.aggregate
        return EVERY_SERVER in self.servers or server in self.servers

    @property
    def may_call(self) -> bool:
        """Whether it is good for more than reading."""
        return scopes.may_call(self.scopes)


class Asked(Struct, frozen=True):
    """The request that a credential came with, for credentials that are good for one request only."""

    method: str
    path: str
    """Below the public origin, without the query."""
    proofs: Sequence[bytes]
    """Values of its DPoP headers (RFC 9449 §4.1)."""


class Active(Struct, frozen=True):
    """``principal_is_active`` says yes."""


class Inactive(Struct, frozen=True):
    """``principal_is_active`` says no; all of it is for log and audit."""

    reason: str
    user_id: str = ""
    username: str = ""
    """Whom it is about, if that much is known."""


Standing = Active | Inactive
