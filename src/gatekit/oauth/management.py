"""Managing a registration (RFC 7592): its owner reads, changes and withdraws it.

The owner is whoever has the registration access token, which is kept as a hash, reaches this one client, and
is a new one after every change. What an operator decided stays decided: a disabled client gets nothing here,
and neither does one of the configuration, of a metadata document, or one that was forgotten (checklist K3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hmac import compare_digest
from typing import Any

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import BearerError, InvalidClientMetadata, TokenInvalid, TooManyRegistrations
from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import Client
from gatekit.oauth.bearer import presented
from gatekit.oauth.client_metadata import texts
from gatekit.oauth.core import Core
from gatekit.oauth.http import NO_STORE, address, api_route, body, json_answer, place, request_id
from gatekit.oauth.registration import REGISTRATION_PREFIX, SECRET_METHODS, Registration, decode
from gatekit.platform.limits import KeyedBuckets, TokenBucket
from gatekit.platform.vault import token_hash

SECRET_OVERLAP = 86_400
"""Seconds for which a secret is still good after the client was given the next one."""

_OURS = (
    *("registration_access_token", "registration_client_uri"),
    *("client_secret_expires_at", "client_id_issued_at"),
)
"""RFC 7592 §2.2: what an update must not include."""


class Management:
    """GET, PUT and DELETE /register/{client_id}."""

    def __init__(self, core: Core, registration: Registration) -> None:
        self._core = core
        self._registration = registration
        settings, clock = core.settings, core.services.clock
        self._places = KeyedBuckets(settings.registration_per_address, clock)
        self._everybody = TokenBucket(settings.registration_global, clock)

    def routes(self) -> list[Route]:
        return [api_route("/register/{client_id}", self.manage, ["GET", "PUT", "DELETE"])]

    async def manage(self, request: Request) -> Response:
        """RFC 7592 §2. The same answer for a client that is not there and for a token that is not its own."""
        try:
            client, token = await self._owner(request)
            if client.disabled:
                # §2.1: "does not have permission to read its record". Only its owner learns that much.
                return json_answer(
                    {"error": "access_denied", "error_description": "the client is disabled"}, 403
                )
            if request.method == "PUT":
                return await self._update(request, client)
            if request.method == "DELETE":
                return await self._withdraw(request, client)
        except BearerError as refused:
            challenge = f'Bearer error="{refused.error}"' if refused.error else "Bearer"
            content = {"error": refused.error or "invalid_token", "error_description": refused.description}
            return json_answer(content, refused.status, {"WWW-Authenticate": challenge})
        # The secret is not among it: we have nothing but its hash.
        return json_answer(self._registration.answer(client, token))

    async def _owner(self, request: Request) -> tuple[Client, str]:
        """Whose token it is, if it is the one of the client in the path. Raises ``BearerError``."""
        headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
        scheme, token = presented(headers)
        client = await self._core.store.clients.get(request.path_params["client_id"])
        known = client.registration_hash if client is not None and client.source == "dynamic" else None
        good = compare_digest(token_hash(token), known or "")
        if not good or client is None or scheme != "Bearer" or not token.startswith(REGISTRATION_PREFIX):
            raise TokenInvalid("the registration access token is not good for this client")
        return client, token

    async def _update(self, request: Request, client: Client) -> Response:
        """RFC 7592 §2.2: everything is replaced, and what is left out is gone."""
        wait = self._places.take(place(request)) or self._everybody.take()
        if wait:
            raise TooManyRegistrations(math.ceil(wait))
        settings = self._core.settings
        raw = await body(request, settings.registration_max_bytes)
        metadata = decode(raw, request.headers.get("content-type", ""))
        self._check_own(client, metadata)
        token = self._core.services.entropy.token(REGISTRATION_PREFIX)
        wanted = replace(
            self._registration.described(metadata, client.auth_method),
            id=client.id,
            created_at=client.created_at,
            registration_hash=token_hash(token),
        )
        wanted, secret = self._with_secret(client, wanted, metadata)
        await self._record(request, wanted, "changed")
        expected = client.registration_hash or "", client.secret_hash
        if not await self._core.store.clients.replace(wanted, *expected):
            raise _overtaken()
        self._core.bearer.forget()
        return json_answer(self._registration.answer(wanted, token, secret))

    def _check_own(self, client: Client, metadata: Mapping[str, Any]) -> None:
        if metadata.get("client_id") != client.id:
            raise InvalidClientMetadata("client_id must be there, and that of the client")
        for name in _OURS:
            if name in metadata:
                raise InvalidClientMetadata(f"{name} must not be included in an update")
        method = texts(metadata, "token_endpoint_auth_method")
        if method and method != client.auth_method:
            # Whoever finds a token must not turn a client with a key into one with a secret, or with nothing.
            raise InvalidClientMetadata("token_endpoint_auth_method cannot be changed; register anew")
        secret = metadata.get("client_secret")
        if secret is not None and not self._is_current(client, secret):
            raise InvalidClientMetadata("client_secret must be the current one, or be left out for a new one")

    def _is_current(self, client: Client, secret: object) -> bool:
        given = token_hash(secret) if isinstance(secret, str) else ""
        return client.secret_hash is not None and compare_digest(given, client.secret_hash)

    def _with_secret(
        self, client: Client, wanted: Client, metadata: Mapping[str, Any]
    ) -> tuple[Client, str | None]:
        """The secret stays if it was sent along; else there is a new one, and the old one ends in a day."""
        if client.auth_method not in SECRET_METHODS or metadata.get("client_secret") is not None:
            kept = replace(
                wanted,
                secret_hash=client.secret_hash,
                old_secret_hash=client.old_secret_hash,
                old_secret_until=client.old_secret_until,
            )
            return kept, None
        secret = self._registration.new_secret()
        renewed = replace(
            wanted,
            secret_hash=token_hash(secret),
            old_secret_hash=client.secret_hash,
            old_secret_until=self._core.now() + SECRET_OVERLAP,
        )
        return renewed, secret

    async def _withdraw(self, request: Request, client: Client) -> Response:
        """RFC 7592 §2.3: the client, its secret, its registration token and all its grants end."""
        await self._record(request, client, "deleted")
        clients = self._core.store.clients
        if not await clients.withdraw(client.id, client.registration_hash or "", self._core.now()):
            raise _overtaken()
        self._core.bearer.forget()
        return Response(status_code=204, headers=NO_STORE)

    async def _record(self, request: Request, client: Client, action: Any) -> None:
        await self._core.services.audit.write(
            ClientEvent(
                at=self._core.at(),
                request_id=request_id(request),
                client_id=client.id,
                client=client.name,
                address=address(request),
                action=action,
                redirect_uris=client.redirect_uris,
                reason="by the client itself",
            )
        )


def _overtaken() -> TokenInvalid:
    return TokenInvalid("the registration access token is not good for this client", "changed meanwhile")
