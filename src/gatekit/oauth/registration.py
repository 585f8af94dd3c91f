"""Dynamic client registration (RFC 7591): open to strangers, therefore small, budgeted and forgetful.

Lenient where real clients are untidy (unknown members, grant types we do not have, several kinds of redirect
URI), strict where it matters: redirect URIs, authentication method, size.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import InvalidClientMetadata, InvalidRedirectUri, InvalidRequest, TooManyRegistrations
from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import Client, TokenAuthMethod
from gatekit.oauth.client_metadata import (
    MAX_NAME,
    MAX_TEXT,
    PublishedKeys,
    clean_text,
    extras,
    grant_types,
    published_keys,
    texts,
)
from gatekit.oauth.core import Core
from gatekit.oauth.http import address, body, json_answer, place, request_id
from gatekit.oauth.readmission import Readmission
from gatekit.oauth.redirects import acceptable
from gatekit.platform.limits import KeyedBuckets, TokenBucket
from gatekit.platform.strict_json import RepeatedMember, read_object
from gatekit.platform.vault import token_hash

AUTH_METHODS: tuple[TokenAuthMethod, ...] = (
    *("none", "client_secret_post", "client_secret_basic"),
    "private_key_jwt",
)
SECRET_METHODS = ("client_secret_post", "client_secret_basic")
REGISTRATION_PREFIX = "gk_rg_"


MAX_LINGERING = 1000
"""Refused registrations that wait at the same time; one costs about 15 KB while it does."""


class Registration:
    """The endpoint POST /register."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._readmission = Readmission(core)
        settings, clock = core.settings, core.services.clock
        self._addresses = KeyedBuckets(settings.registration_per_address, clock)
        self._everybody = TokenBucket(settings.registration_global, clock)
        self._day = TokenBucket(settings.registration_daily, clock)
        self._lingering = 0

    async def register(self, request: Request) -> Response:
        """RFC 7591 §3. Raises ``OAuthError``."""
        await self._spend(request)
        raw = await body(request, self._core.settings.registration_max_bytes)
        metadata = decode(raw, request.headers.get("content-type", ""))
        token = self._core.services.entropy.token(REGISTRATION_PREFIX)
        secret, client = self._client(metadata, token)
        await self._core.services.audit.write(
            ClientEvent(
                at=self._core.at(),
                request_id=request_id(request),
                client_id=client.id,
                client=client.name,
                address=address(request),
                action="registered",
                redirect_uris=client.redirect_uris,
            )
        )
        await self._core.store.clients.add(client)
        return json_answer(self.answer(client, token, secret), 201)

    def turned_away(self, place: str) -> int:
        """Seconds until a registration from ``place`` may be tried again; 0 if this one has to be looked
        at. It has to be while its refusal would go on record: what is turned away is counted as refused and
        not recorded, so it can be judged before anything of the request is read."""
        wait = self._wait(place)
        if not wait or not self._core.refusals.unrecorded(place):
            return 0
        return math.ceil(wait)

    def _wait(self, place: str) -> float:
        return max(self._addresses.wait(place), self._everybody.wait(), self._day.wait())

    async def _spend(self, request: Request) -> None:
        where = place(request)
        wait = self._wait(where)
        if not wait:
            self._addresses.take(where)
            self._everybody.take()
            self._day.take()
            return
        await self._core.services.audit.write(
            ClientEvent(
                at=self._core.at(),
                request_id=request_id(request),
                address=address(request),
                action="refused",
                reason="registration budget spent",
            )
        )
        await self._linger()
        raise TooManyRegistrations(math.ceil(wait))

    async def _linger(self) -> None:
        """Whoever sends one registration after the other hears of its refusal late, and can send the next one
        only then: a flood over few connections slows itself down, and calls hardly notice it."""
        if self._lingering < MAX_LINGERING:
            self._lingering += 1
            try:
                await asyncio.sleep(self._core.settings.refusal_seconds)
            finally:
                self._lingering -= 1

    def new_secret(self) -> str:
        return self._core.services.entropy.token("gk_cs_")

    def _client(self, metadata: Mapping[str, Any], token: str) -> tuple[str | None, Client]:
        method = _auth_method(metadata)
        secret = self.new_secret() if method in SECRET_METHODS else None
        found = self.described(metadata, method)
        return secret, replace(
            found,
            # Ours, never theirs, and never a URL: those name metadata documents (checklist K2, M3).
            id=self._identifier(method, found.redirect_uris),
            secret_hash=token_hash(secret) if secret else None,
            registration_hash=token_hash(token),
            created_at=self._core.now(),
        )

    def described(self, metadata: Mapping[str, Any], method: TokenAuthMethod) -> Client:
        """What ``metadata`` says of a client, judged; no identifier, no secrets. Raises ``OAuthError``."""
        keys = published_keys(metadata) if method == "private_key_jwt" else PublishedKeys()
        kept = extras(metadata)
        grants = grant_types(metadata)
        given = _redirect_uris(metadata)
        # RFC 7591 §2: only flows that redirect need one.
        redirects = "authorization_code" in grants or bool(given)
        redirect_uris = acceptable(given, self._core.settings.private_use_schemes) if redirects else ()
        return Client(
            id="",
            name=clean_text(texts(metadata, "client_name"), MAX_NAME) or "Unnamed client",
            redirect_uris=redirect_uris,
            auth_method=method,
            jwks=keys.jwks,
            jwks_uri=keys.jwks_uri,
            signing_algorithm=keys.algorithm,
            grant_types=grants,
            scope=clean_text(texts(metadata, "scope"), MAX_TEXT),
            application_type="native" if metadata.get("application_type") == "native" else "web",
            client_uri=kept.get("client_uri", ""),
            metadata=json.dumps(kept, sort_keys=True, separators=(",", ":")),
        )

    def _identifier(self, method: TokenAuthMethod, redirect_uris: tuple[str, ...]) -> str:
        # Only public clients: a secret that we have forgotten cannot be recognised.
        return self._readmission.identifier(redirect_uris if method == "none" else ())

    def answer(self, client: Client, token: str, secret: str | None = None) -> dict[str, Any]:
        """RFC 7591 §3.2.1, RFC 7592 §3: everything that holds for the client now, no nulls.

        ``token``: the registration access token; ``secret``: if it is a new one.
        """
        answer: dict[str, Any] = {
            "client_id": client.id,
            "client_id_issued_at": client.created_at,
            "client_name": client.name,
            "redirect_uris": list(client.redirect_uris),
            "grant_types": list(client.grant_types),
            "response_types": ["code"] if "authorization_code" in client.grant_types else [],
            "token_endpoint_auth_method": client.auth_method,
            "application_type": client.application_type,
            "scope": " ".join(self._core.settings.scopes),
            **PublishedKeys(client.jwks, client.jwks_uri, client.signing_algorithm).members(),
            **json.loads(client.metadata),
            "registration_access_token": token,
            "registration_client_uri": f"{self._core.settings.issuer}/register/{client.id}",
        }
        if secret is not None:
            answer["client_secret"] = secret
            answer["client_secret_expires_at"] = 0  # never
        return answer


def decode(raw: bytes, content_type: str) -> Mapping[str, Any]:
    """A JSON object in which nothing is repeated. Raises ``OAuthError``."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise InvalidClientMetadata("the body must be application/json")
    try:
        return read_object(raw)
    except RepeatedMember as bad:
        raise InvalidRequest("a member of the JSON object is repeated") from bad
    except ValueError as bad:
        raise InvalidClientMetadata("the body must be a well-formed JSON object", str(bad)[:200]) from bad


def _redirect_uris(metadata: Mapping[str, Any]) -> list[str]:
    value = metadata.get("redirect_uris", [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidRedirectUri("redirect_uris must be an array of redirect_uri strings")
    return value


def _auth_method(metadata: Mapping[str, Any]) -> TokenAuthMethod:
    # RFC 7591 §2: left out means client_secret_basic.
    method = texts(metadata, "token_endpoint_auth_method") or "client_secret_basic"
    if method not in AUTH_METHODS:
        raise InvalidClientMetadata(f"token_endpoint_auth_method must be one of {', '.join(AUTH_METHODS)}")
    return method
