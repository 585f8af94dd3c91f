"""Token introspection (RFC 7662): a resource server asks what a token is worth, now.

Whoever asks says who it is, and learns nothing but about what is meant for it: a resource server about access
tokens for itself, a confidential client about its own tokens. Everything else is ``{"active": false}``, for
which the same was done whether the token is unknown, expired or somebody else's (checklist T8).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import InvalidClient, InvalidRequest, TokenInvalid
from gatekit.identity.standing import Upright
from gatekit.model.access import Inactive
from gatekit.model.oauth import Client
from gatekit.model.resource import ResourceServer
from gatekit.oauth.bounds import bounded
from gatekit.oauth.claims import AccessClaims
from gatekit.oauth.clients import ClientAuthentication
from gatekit.oauth.core import Core
from gatekit.oauth.documents import UNKNOWN
from gatekit.oauth.http import form, json_answer
from gatekit.oauth.issuing import REFRESH_PREFIX
from gatekit.platform.vault import token_hash

_NOTHING: Mapping[str, Any] = {"active": False}


class Introspection:
    """POST /introspect. The hint is ignored: our tokens say by themselves what they are."""

    def __init__(self, core: Core, clients: ClientAuthentication) -> None:
        self._core = core
        self._clients = clients

    async def introspect(self, request: Request) -> Response:
        """RFC 7662 §2. Raises ``OAuthError``."""
        fields = await form(request, self._core.settings.form_max_bytes)
        resources = self._core.resources  # one reading, while others may be published
        known = resources.callers
        caller = await self._clients.authenticate(request, fields, known)
        if caller.auth_method == "none":
            # RFC 7662 §2.1: a public client is nobody in particular, and could be trying tokens it found.
            raise InvalidClient(UNKNOWN, f"public client {caller.id} asked about a token")
        token = fields.get("token")
        if token is None:
            raise InvalidRequest("token is missing")
        if caller is known.get(caller.id):
            return json_answer(await self._for_resource(resources.called(caller.id), token))
        if token.startswith(REFRESH_PREFIX):
            return json_answer(await self._refresh_token(caller, token))
        return json_answer(await self._for_client(caller, token))

    async def _for_resource(self, server: ResourceServer, token: str) -> Mapping[str, Any]:
        claims = await self._read(token)
        if claims is None or server.uri not in claims.aud:
            return _NOTHING
        found = await self._standing(claims)
        # Where else a token is good is not this one's business (RFC 7662 §5).
        return {**_facts(claims, found), "aud": server.uri} if found else _NOTHING

    async def _for_client(self, client: Client, token: str) -> Mapping[str, Any]:
        claims = await self._read(token)
        if claims is None or claims.client_id != client.id:
            return _NOTHING
        found = await self._standing(claims)
        return _facts(claims, found) if found else _NOTHING

    async def _read(self, token: str) -> AccessClaims | None:
        try:
            return await self._core.access_tokens.read(token)
        except TokenInvalid:
            return None

    async def _standing(self, claims: AccessClaims) -> Upright | None:
        try:
            found = await self._core.bearer.stands(claims)
        except TokenInvalid:
            return None
        return found if self._may_still(claims, found) else None

    def _may_still(self, claims: AccessClaims, found: Upright) -> bool:
        """Whether the lists still let this person and this client use a resource server elsewhere. For our
        own endpoints the door asks that, at each call."""
        other = self._core.resources.elsewhere(claims.aud)
        if other is None:
            return True
        limited = found.client.servers if found.client else ()
        rights = self._core.services.policy().rights(found.principal)
        return other.name in rights.resources() and (not limited or other.name in limited)

    async def _refresh_token(self, client: Client, token: str) -> Mapping[str, Any]:
        now = self._core.now()
        row = await self._core.store.grants.refresh_token(token_hash(token))
        if row is None or row.client_id != client.id or row.used_at is not None or row.expires_at <= now:
            return _NOTHING
        found = await self._core.standings.grant(row.grant_id, now)
        if isinstance(found, Inactive) or found.grant is None:
            return _NOTHING
        return {
            "active": True,
            "scope": " ".join(found.grant.scopes),
            "client_id": client.id,
            "username": found.user.username,
            "exp": min(row.expires_at, found.grant.expires_at),
            "iat": row.created_at,
            "sub": found.user.id,
            "aud": list(found.grant.resources),
            "iss": self._core.settings.issuer,
        }


def _facts(claims: AccessClaims, found: Upright) -> dict[str, Any]:
    """RFC 7662 §2.2; who presents a bound token has to prove that the key is theirs (RFC 9449 §6.2)."""
    bound: dict[str, Any] = {"cnf": {"jkt": claims.jkt}} if claims.jkt else {}
    return {
        "active": True,
        "scope": " ".join(bounded(found.client, claims.scope.split())),
        "client_id": claims.client_id,
        "username": found.user.username,
        "token_type": "DPoP" if bound else "Bearer",
        "exp": min(claims.exp, found.grant.expires_at) if found.grant else claims.exp,
        "iat": claims.iat,
        "sub": claims.sub,
        "aud": list(claims.aud),
        "iss": claims.iss,
        "jti": claims.jti,
        "auth_time": claims.auth_time,
        **bound,
    }
