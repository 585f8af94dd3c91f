"""Token exchange (RFC 8693), to make less of a token: fewer servers, fewer scopes, the same person.

For a program that hands parts of its work to others and does not want to hand out everything it may do. What
comes out never reaches further or lives longer than what went in, ends with it, and can be renewed only by
exchanging again. To act for somebody else (``actor_token``, impersonation) is not offered.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    BearerError,
    InvalidProof,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
)
from gatekit.identity.standing import Upright
from gatekit.model import scopes
from gatekit.model.oauth import TOKEN_EXCHANGE, Client
from gatekit.oauth.bounds import granted_to
from gatekit.oauth.claims import AccessClaims, lineage
from gatekit.oauth.core import Core
from gatekit.oauth.dpop import proven_key
from gatekit.oauth.http import Form
from gatekit.oauth.issuing import Issuer

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"

_OURS = frozenset((*scopes.ALL, scopes.WHOLE))

MAX_GENERATIONS = 4
"""How often something may be made of what was made of a token: each adds to its name."""


class TokenExchangeGrant:
    """``grant_type=urn:ietf:params:oauth:grant-type:token-exchange``."""

    def __init__(self, core: Core, issuer: Issuer) -> None:
        self._core = core
        self._issuer = issuer

    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """RFC 8693 §2.1 and §2.2. Raises ``OAuthError``."""
        subject = _asked(form)
        claims, found = await self._subject(subject, client)
        if found.grant is None:
            raise InvalidRequest(_UNUSABLE, "no grant")
        jkt = proven_key(request)
        if claims.jkt and claims.jkt != jkt:
            # RFC 9449: whoever cannot use the token itself makes nothing of it either.
            raise InvalidProof("the subject_token is bound to a key: a DPoP proof with it is needed")
        resources, allowed = self._resources(form, claims), _scopes(form, client, claims)
        token, narrowed = await self._issuer.access_token(found.grant, resources, allowed, jkt, parent=claims)
        await self._issuer.record(
            request,
            client,
            "issued",
            found=found,
            claims=narrowed,
            grant_type=TOKEN_EXCHANGE,
            reason=f"made of {claims.jti}",
        )
        return self._issuer.answer(token, narrowed, None, issued_token_type=ACCESS_TOKEN)

    async def _subject(self, token: str, client: Client) -> tuple[AccessClaims, Upright]:
        """What the token says and for whom it stands, if all that still counts (checklist R6)."""
        try:
            claims = await self._core.access_tokens.read(token)
            found = await self._core.bearer.stands(claims)
        except BearerError as refused:  # RFC 8693 §2.2.2: invalid_request, whatever is wrong with it
            raise InvalidRequest(_UNUSABLE, refused.detail) from refused
        if claims.client_id != client.id:
            raise InvalidRequest(_UNUSABLE, f"it was issued to {claims.client_id!r}")
        if len(lineage(claims.jti)) >= MAX_GENERATIONS:
            raise InvalidRequest("the subject_token was exchanged too often", "too many generations")
        return claims, found

    def _resources(self, form: Form, claims: AccessClaims) -> tuple[str, ...]:
        if form.get("audience") is not None:
            raise InvalidTarget("name a server by its URL in resource, not in audience")
        wanted = self._core.resources.resolve(form.all("resource"))
        if any(resource not in claims.aud for resource in wanted):
            raise InvalidTarget("the subject_token does not reach this resource")
        return wanted or claims.aud


def _asked(form: Form) -> str:
    """The subject token of a request that asks for what is offered."""
    if form.get("actor_token") is not None or form.get("actor_token_type") is not None:
        raise InvalidRequest("delegation is not offered: leave actor_token out")
    if form.get("requested_token_type") not in (None, ACCESS_TOKEN):
        raise InvalidRequest("the only requested_token_type is an access token")
    subject = form.get("subject_token")
    if subject is None:
        raise InvalidRequest("subject_token is missing")
    if form.get("subject_token_type") != ACCESS_TOKEN:
        raise InvalidRequest("the only subject_token_type is an access token of this gateway")
    return subject


def _scopes(form: Form, client: Client, claims: AccessClaims) -> tuple[str, ...]:
    """What was asked for, all of it within what the token had; everything it had if that is nothing.

    Unlike at a sign-in, unknown scopes are refused: nobody adds any here by habit.
    """
    had, asked = granted_to(client, claims.scope.split()), tuple((form.get("scope") or "").split())
    if not asked:
        return had
    ours = tuple(scope for scope in asked if scope in _OURS)
    others = tuple(dict.fromkeys(scope for scope in asked if scope not in _OURS))
    if beyond := scopes.excess(ours, had).union(scope for scope in others if scope not in had):
        raise InvalidScope("the scope exceeds that of the subject_token", f"asked for {sorted(beyond)}")
    return (*(scopes.granted(ours) if ours else ()), *others)


_UNUSABLE = "the subject_token cannot be exchanged"
