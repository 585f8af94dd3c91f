"""Identity assertions (ID-JAG): an enterprise's identity provider says who is there, and nobody is asked.

RFC 7523 §2.1 with the profile of draft-ietf-oauth-identity-assertion-authz-grant and the MCP extension
"enterprise-managed authorization". The identity provider has decided that this client may act for this person
here; it signed that for us alone, for this client alone, for minutes and for one use. What the person may do
is still what our own lists say.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    ForeignTokenInvalid,
    InvalidGrant,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    SignInRefused,
    UnauthorizedClient,
)
from gatekit.identity import claims as reading
from gatekit.identity.standing import Upright
from gatekit.model.access import Inactive
from gatekit.model.oauth import JWT_BEARER, Client, Grant
from gatekit.model.people import ExternalIdentity
from gatekit.model.scopes import WHOLE, granted, may_read
from gatekit.model.trust import AssertionIssuer
from gatekit.oauth.bounds import granted_to
from gatekit.oauth.core import Core
from gatekit.oauth.dpop import proven_key
from gatekit.oauth.http import Form, request_id
from gatekit.oauth.issuing import Issuer
from gatekit.platform.discovery import Discovery
from gatekit.platform.foreign import Foreign, audience, check_times, parse, text, verify
from gatekit.platform.remote_keys import RemoteKeys

PROFILE = "urn:ietf:params:oauth:grant-profile:id-jag"
TYP = "oauth-id-jag+jwt"
_PURPOSE = "identity-assertion"
_INVALID = "the assertion is invalid"

Claims = Mapping[str, Any]


class IdentityAssertionGrant:
    """``grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer``, for assertions of type ``TYP`` only."""

    def __init__(self, core: Core, issuer: Issuer) -> None:
        self._core = core
        self._issuer = issuer
        self._trusted = {entry.issuer: entry for entry in core.settings.assertions}
        exchange, clock = core.services.exchange, core.services.clock
        self._keys = RemoteKeys(exchange, clock) if exchange else None
        self._discoveries = (
            {name: Discovery(exchange, clock, name) for name in self._trusted} if exchange else {}
        )

    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """What the assertion and the lists refuse comes first, then the one use of the assertion: what fails
        after that costs the client a new assertion, and nobody a second token. Raises ``OAuthError``."""
        # The operator's clients alone, and those that can prove who they are: a copied assertion is worth
        # nothing to anybody else (checklist K2).
        if client.source != "configured" or client.auth_method == "none":
            raise UnauthorizedClient("the client may not bring identity assertions")
        try:
            trusted, claims, ends = await self._verified(form, client)
            resources = self._resources(claims, form, client)
            scopes = self._scopes(claims, form, client)
            asserted = reading.identity(trusted, claims)
            issued_at = float(claims["iat"])
            found = await self._core.people.upright(trusted, asserted, issued_at, request_id(request))
        except ForeignTokenInvalid as bad:
            raise InvalidGrant(_INVALID, bad.detail) from bad
        except SignInRefused as refused:
            raise InvalidGrant("this person may not use this gateway", refused.detail) from refused
        granted_resources = self._permitted(resources, found, client)
        await self._use_up(trusted, claims, ends)
        grant = await self._grant(found, client, granted_resources, scopes, claims, asserted)
        standing = await self._core.standings.grant(grant.id, self._core.at())
        if isinstance(standing, Inactive):
            raise InvalidGrant(_INVALID, standing.reason)
        await self._core.store.clients.used(client.id, self._core.now())
        token, issued = await self._issuer.access_token(
            grant, grant.resources, grant.scopes, proven_key(request)
        )
        await self._record(request, client, standing, issued, asserted)
        # Never a refresh token: the identity provider is asked each time (MCP extension).
        return self._issuer.answer(token, issued, None)

    async def _verified(self, form: Form, client: Client) -> tuple[AssertionIssuer, Claims, float]:
        """The assertion's issuer, its claims, and when it ends. What costs nothing is looked at first."""
        written = form.get("assertion")
        if written is None:
            raise InvalidRequest("assertion is missing")
        found = parse(written)
        trusted = self._trusted.get(found.issuer)
        if trusted is None or self._keys is None:
            raise ForeignTokenInvalid("", f"issuer {found.issuer[:200]!r} is not trusted")
        if found.typ != TYP:  # RFC 7523 is used for other things as well; the type tells them apart (T2)
            raise ForeignTokenInvalid("", f"type {found.typ[:64]!r} is not an identity assertion")
        ends = self._check(found, trusted, client)
        jwks_uri = trusted.jwks_uri or await self._discoveries[trusted.issuer].endpoint("jwks_uri")
        keys = await self._keys.keys(jwks_uri, found.kid)
        verify(found, keys, algorithms=frozenset(trusted.algorithms), typ=frozenset((TYP,)))
        return trusted, found.claims, ends

    def _check(self, found: Foreign, trusted: AssertionIssuer, client: Client) -> float:
        claims = found.claims
        # A text, or a list with this one text: what is for several servers can be carried between them.
        if audience(claims) != (self._core.settings.issuer,):
            raise ForeignTokenInvalid("", f"aud is not our issuer alone: {str(claims.get('aud'))[:200]!r}")
        if text(claims, "client_id", 2048) != client.id:
            raise ForeignTokenInvalid("", f"issued to the client {str(claims['client_id'])[:200]!r}")
        if trusted.clients and client.id not in trusted.clients:
            raise ForeignTokenInvalid("", f"client {client.id} may not bring assertions of {trusted.name}")
        if "cnf" in claims:
            # It may only be used by who proves that key; to ignore it would take the protection away.
            raise ForeignTokenInvalid("", "the assertion is bound to a key, which is not supported")
        text(claims, "jti")
        if "iat" not in claims:
            raise ForeignTokenInvalid("", "iat is missing")
        return check_times(claims, self._core.at(), skew=trusted.clock_skew, longest=trusted.longest)

    def _resources(self, claims: Claims, form: Form, client: Client) -> tuple[str, ...]:
        """What it is for, narrowed by what the request names (RFC 8707 §2.2); empty: everything permitted."""
        known = self._core.resources
        named = claims.get("resource", [])
        values = [named] if isinstance(named, str) else named
        if not isinstance(values, list) or not all(isinstance(item, str) and item for item in values):
            raise ForeignTokenInvalid("", "resource is neither a text nor a list of texts")
        try:
            asserted = known.resolve(values, client.servers)
        except InvalidTarget as unknown:
            raise ForeignTokenInvalid("", unknown.detail) from unknown
        asked = known.resolve(form.all("resource"), client.servers)
        if asserted and any(resource not in asserted for resource in asked):
            raise InvalidTarget("the assertion does not cover this resource")
        if not values and not asked:
            # The MCP extension wants it in the assertion; others leave it to the request. Never to chance.
            raise InvalidTarget("name the resource that the token is for")
        return asked or asserted or known.limit(client.servers)

    def _scopes(self, claims: Claims, form: Form, client: Client) -> tuple[str, ...]:
        """Those of the assertion that were asked for."""
        known, said = self._core.settings.scopes, claims.get("scope")
        if said is not None and not isinstance(said, str):
            raise ForeignTokenInvalid("", "scope is not a text")
        if said is not None and not may_read(said.split()):
            raise ForeignTokenInvalid("", "the assertion has no scope for this gateway")
        allowed = _whole(granted((said or "").split(), known), known)
        asked = _whole(granted((form.get("scope") or "").split(), known), known)
        found = tuple(scope for scope in known if scope in allowed and scope in asked)
        if not found:
            raise InvalidScope("the assertion does not cover this scope")
        return granted_to(client, found)

    def _permitted(self, wanted: Sequence[str], found: Upright, client: Client) -> tuple[str, ...]:
        rights = self._core.services.policy().rights(found.principal)
        permitted = self._core.resources.offered(wanted, rights)
        if not permitted or any(resource not in permitted for resource in wanted):
            raise InvalidTarget(
                "the person may not use this resource",
                f"{found.user.username} is on no list for {list(wanted)} (client {client.id})",
            )
        return permitted

    async def _use_up(self, trusted: AssertionIssuer, claims: Claims, ends: float) -> None:
        """The MCP extension: once, although the draft would let a client bring it again."""
        key = f"{trusted.issuer}\0{claims['jti']}"
        kept_until = math.ceil(ends + trusted.clock_skew) + 1
        if not await self._core.store.replays.first(_PURPOSE, key, kept_until, self._core.now()):
            raise InvalidGrant(_INVALID, "the assertion was used before")

    async def _grant(
        self,
        found: Upright,
        client: Client,
        resources: tuple[str, ...],
        scopes: tuple[str, ...],
        claims: Claims,
        asserted: ExternalIdentity,
    ) -> Grant:
        """One for each assertion, as long as its token: the next needs the identity provider's word again."""
        now = self._core.now()
        signed_in = claims.get("auth_time")
        grant = Grant(
            id=self._core.services.entropy.ident("gkg_"),
            user_id=found.user.id,
            client_id=client.id,
            resources=resources,
            scopes=scopes,
            auth_time=signed_in if type(signed_in) is int and 0 < signed_in <= now else int(claims["iat"]),
            created_at=now,
            expires_at=now + self._core.settings.access_token_lifetime,
            connection=asserted.connection,
        )
        await self._core.store.grants.add(grant)
        return grant

    async def _record(
        self, request: Request, client: Client, found: Upright, issued: Any, asserted: ExternalIdentity
    ) -> None:
        await self._issuer.record(
            request, client, "issued", found=found, claims=issued, grant_type=JWT_BEARER, asserted=asserted
        )


def _whole(scopes: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """The old scope that stands for all the others, spelled out."""
    return known if WHOLE in scopes else scopes
