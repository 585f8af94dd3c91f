"""OpenID Connect for relying parties: who may ask for it, and what an id_token says.

Only clients that an operator entered are relying parties. Everybody else may send ``openid`` (many MCP
clients do) and hears nothing of it: for them nothing is different from a server without OpenID Connect.

A relying party that names neither a resource nor one of our own scopes wants to know who somebody is, and
nothing else. Then that is all it gets: its grant has no resources, and its access token opens ``/userinfo``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from gatekit.errors import InvalidRequest, TokenInvalid
from gatekit.identity.standing import Upright
from gatekit.model.factors import acr_of
from gatekit.model.oauth import Client, RelyingSession
from gatekit.model.scopes import may_read
from gatekit.oauth.core import Core
from gatekit.oauth.request import AuthorizationRequest
from gatekit.oauth.statements import Algorithm

OPENID = "openid"
SIGNED_WITH = "id_token_signed_response_alg"
IDENTITY_SCOPES = (OPENID, "profile", "email", "groups")
"""OpenID Connect Core §5.4, and ``groups``, which it has no scope for and every relying party asks for."""
ID_TOKEN_LIFETIME = 600
"""Seconds. It is read once, right after it was issued."""


def is_relying_party(client: Client) -> bool:
    return client.source == "configured"


def sign_in_only(scopes: Iterable[str]) -> bool:
    """Whether a grant of these scopes says who somebody is, and opens nothing."""
    asked = frozenset(scopes)
    return OPENID in asked and asked.issubset(IDENTITY_SCOPES)


class Relying:
    """The OpenID Connect half of the authorization and token endpoints."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def scopes(self, client: Client, wanted: AuthorizationRequest) -> tuple[str, ...]:
        """What to grant of the scopes asked for."""
        asked = frozenset(wanted.scope.split())
        allowed = frozenset(client.scope.split() or IDENTITY_SCOPES)  # empty: all there are
        if not is_relying_party(client) or OPENID not in asked & allowed:
            return self._core.scopes(wanted.scope, wanted.resources)
        identity = tuple(scope for scope in IDENTITY_SCOPES if scope in asked & allowed)
        if wanted.resources or may_read(asked):
            return (*self._core.scopes(wanted.scope, wanted.resources), *identity)
        return identity

    async def hinted(self, client: Client, wanted: AuthorizationRequest) -> str:
        """The id of the person that an ``id_token_hint`` names, empty without one (OpenID Connect Core
        §3.1.2.1). Raises ``InvalidRequest`` for one that we never gave this client."""
        if not wanted.id_token_hint or not is_relying_party(client):
            return ""
        claims = await self.read_hint(wanted.id_token_hint)
        if claims is None or claims.get("aud") != client.id:
            raise InvalidRequest("id_token_hint is not an id_token of this client")
        return str(claims["sub"])

    async def read_hint(self, hint: str) -> Mapping[str, Any] | None:
        """The claims of an id_token that we issued, however long ago (RP-Initiated Logout §2); else None."""
        try:
            claims = await self._core.statements.read("id-token", hint)
        except TokenInvalid:
            return None
        return claims if claims.get("iss") == self._core.settings.issuer else None

    async def id_token(self, found: Upright) -> str | None:
        """OpenID Connect Core §2, for a code that is about to be redeemed; None if nobody asked for one."""
        grant, client = found.grant, found.client
        if grant is None or client is None or OPENID not in grant.scopes:
            return None
        session = await self._core.store.relying_sessions.of_grant(grant.id)
        if session is None:
            return None
        now = self._core.now()
        claims = {
            "iss": self._core.settings.issuer,
            "sub": found.user.id,
            "aud": client.id,
            "iat": now,
            "exp": now + ID_TOKEN_LIFETIME,
            "auth_time": grant.auth_time,
            "sid": self.sid(session),
        }
        if grant.amr:
            claims["amr"] = grant.amr.split()
        if acr := acr_of(grant.amr, grant.connection):
            claims["acr"] = acr
        if session.nonce:
            claims["nonce"] = session.nonce
        return await self._core.statements.sign("id-token", claims, signed_with(client))

    def sid(self, session: RelyingSession) -> str:
        """What a browser session is called towards one client (Back-Channel Logout §2.1). Another name for
        each client, so that two of them cannot tell that they know the same browser."""
        if session.sid:
            return session.sid
        return self._core.services.vault.mac(f"{session.session_hash}\0{session.client_id}", "sid")


def signed_with(client: Client) -> Algorithm:
    """What an operator wrote that the client knows (OpenID Connect Registration §2; Back-Channel Logout
    §2.6 says the same of logout tokens). ES256 unless it says otherwise."""
    return "RS256" if json.loads(client.metadata).get(SIGNED_WITH) == "RS256" else "ES256"


def registered_uris(client: Client, name: str) -> tuple[str, ...]:
    """URIs that the operator wrote beside a client: ``post_logout_redirect_uris`` and the like."""
    found = json.loads(client.metadata).get(name) or ()
    return (found,) if isinstance(found, str) else tuple(found)
