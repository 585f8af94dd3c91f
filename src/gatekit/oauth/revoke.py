"""Token revocation (RFC 7009), effective at once."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import InvalidRequest, TokenInvalid
from gatekit.model.oauth import Client
from gatekit.oauth.clients import ClientAuthentication
from gatekit.oauth.core import Core
from gatekit.oauth.http import NO_STORE, form
from gatekit.oauth.issuing import REFRESH_PREFIX, Issuer
from gatekit.platform.vault import token_hash


class Revocation:
    """POST /revoke. The hint is ignored: our tokens say by themselves what they are."""

    def __init__(self, core: Core, issuer: Issuer, clients: ClientAuthentication) -> None:
        self._core = core
        self._clients = clients
        self._issuer = issuer

    async def revoke(self, request: Request) -> Response:
        """RFC 7009 §2: 200 for whatever is not (or no longer) this client's token, too (checklist T7)."""
        fields = await form(request, self._core.settings.form_max_bytes)
        client = await self._clients.authenticate(request, fields)
        token = fields.get("token")
        if token is None:
            raise InvalidRequest("token is missing")
        if token.startswith(REFRESH_PREFIX):
            await self._refresh_token(request, client, token)
        else:
            await self._access_token(request, client, token)
        return Response(status_code=200, headers=NO_STORE)

    async def _refresh_token(self, request: Request, client: Client, token: str) -> None:
        """RFC 7009 §2.1: the access tokens of the same grant fall with it."""
        row = await self._core.store.grants.refresh_token(token_hash(token))
        if row is None or row.client_id != client.id:
            return
        reason = "revoked by the client"
        if await self._core.store.grants.revoke(row.grant_id, self._core.now(), reason):
            self._core.bearer.forget()
            await self._issuer.record(request, client, "revoked", grant_id=row.grant_id, reason=reason)

    async def _access_token(self, request: Request, client: Client, token: str) -> None:
        try:
            claims = await self._core.access_tokens.read(token)
        except TokenInvalid:
            return
        if claims.client_id != client.id or claims.exp <= self._core.at():
            return
        await self._core.store.grants.deny_token(claims.jti, claims.exp)
        self._core.bearer.forget()
        await self._issuer.record(request, client, "revoked", claims=claims, reason="revoked by the client")
