"""The token endpoint (RFC 6749 §3.2): who is the client, which grant type, and off to ``grants``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    InvalidProof,
    InvalidRequest,
    OAuthError,
    ProofNonceWanted,
    TooManyRegistrations,
    UnauthorizedClient,
    UnsupportedGrantType,
)
from gatekit.model.oauth import Client
from gatekit.oauth.client_metadata import REQUIRE_BOUND, demands
from gatekit.oauth.clients import ClientAuthentication
from gatekit.oauth.core import Core
from gatekit.oauth.dpop import HEADER, NONCE_HEADER, note_proven_key
from gatekit.oauth.http import Form, form, place
from gatekit.oauth.issuing import Issuer
from gatekit.platform.limits import KeyedBuckets, Rate, TokenBucket

PATH = "/token"
PROOFS_PER_PLACE, PROOFS = Rate(300, 300), Rate(3000, 3000)
"""Proofs at this endpoint, at once and per minute: tokens last an hour, and an office has one address."""


class GrantType(Protocol):
    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """Redeem what the form carries; raise ``OAuthError``."""
        ...


class Tokens:
    """POST /token."""

    def __init__(
        self, core: Core, issuer: Issuer, grants: Mapping[str, GrantType], clients: ClientAuthentication
    ) -> None:
        self._core = core
        self._clients = clients
        self._issuer = issuer
        self._grants = grants
        self._proofs = KeyedBuckets(PROOFS_PER_PLACE, core.services.clock)
        self._all_proofs = TokenBucket(PROOFS, core.services.clock)

    async def token(self, request: Request) -> Response:
        """RFC 6749 §3.2. Raises ``OAuthError``; a refusal after authentication is audited."""
        fields = await form(request, self._core.settings.form_max_bytes)
        grant_type = fields.get("grant_type")
        client = await self._clients.authenticate(request, fields)
        if grant_type is None:
            raise InvalidRequest("grant_type is missing")
        handler = self._grants.get(grant_type)
        if handler is None:
            raise UnsupportedGrantType("this grant type is not offered")
        if grant_type not in client.grant_types:
            raise UnauthorizedClient("the client is not registered for this grant type")
        try:
            await self._take_proof(request, client)
            response = await handler.answer(request, fields, client)
        except ProofNonceWanted:  # how clients learn the nonce, and no refusal (RFC 9449 §8)
            raise
        except OAuthError as refused:
            await self._issuer.record(
                request, client, "refused", grant_type=grant_type, reason=refused.detail
            )
            raise
        if nonce := self._core.proofs.fresh_nonce():
            response.headers[NONCE_HEADER] = nonce
        return response

    async def _take_proof(self, request: Request, client: Client) -> None:
        """Whose key the tokens will be bound to (RFC 9449 §5), before anything is looked at or used up."""
        if HEADER.encode() in dict(request.scope["headers"]):
            # Each proof writes a row, and is judged before anything that its sender would have to know.
            wait = self._proofs.take(place(request)) or self._all_proofs.take()
            if wait:
                raise TooManyRegistrations(math.ceil(wait), "proofs")
        jkt = await self._core.proofs.offered(request, PATH)
        if not jkt and (self._core.settings.dpop_required or demands(client, REQUIRE_BOUND)):
            raise InvalidProof("a DPoP proof is needed: tokens are bound to a key here")  # RFC 9449 §5.2
        note_proven_key(request, jkt)
