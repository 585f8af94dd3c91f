"""Claims about a person (OpenID Connect Core §5): for ``/userinfo``, and for everybody else who is told."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import BearerError, InsufficientScope, TokenInvalid
from gatekit.identity.standing import Upright
from gatekit.model.access import Asked
from gatekit.model.people import Principal
from gatekit.oauth.bounds import bounded
from gatekit.oauth.claims import AccessClaims
from gatekit.oauth.core import Core
from gatekit.oauth.http import json_answer
from gatekit.oauth.relying import OPENID

PATH = "/userinfo"


class UserInfo:
    """GET and POST /userinfo."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def userinfo(self, request: Request) -> Response:
        """OpenID Connect Core §5.3. The token comes in the header, never in the body or the query (T9)."""
        headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
        proofs = [value for name, value in request.scope["headers"] if name == b"dpop"]
        asked = Asked(request.method, PATH, proofs)
        try:
            claims, found = await self._core.bearer.authentic(headers, asked)
            self._check_audience(claims)
            scopes = frozenset(bounded(found.client, claims.scope.split()))
            if OPENID not in scopes:
                raise InsufficientScope("the access token does not have the scope openid")
        except BearerError as refused:
            return _refused(refused)
        return json_answer(self._about(found, scopes))

    def _check_audience(self, claims: AccessClaims) -> None:
        """RFC 8707 §2: a server elsewhere must not ask here with the token that it was sent (T3)."""
        issuer, ours = self._core.settings.issuer, self._core.resources.ours
        if not all(url == issuer or ours(url) for url in claims.aud):
            raise TokenInvalid("the access token is meant for another resource")

    def _about(self, found: Upright, scopes: frozenset[str]) -> dict[str, Any]:
        person = found.principal
        claims: dict[str, Any] = {"sub": found.user.id}
        if "profile" in scopes:
            claims["name"] = person.display_name or person.username
            claims["preferred_username"] = person.username
        if "email" in scopes and person.email:
            claims["email"] = person.email
            claims["email_verified"] = person.email_verified
        if "groups" in scopes:
            claims["groups"] = groups_of(self._core, person)
        return claims


def groups_of(core: Core, person: Principal) -> list[str]:
    """Names of the person's groups: our own as they are, those of a provider with its name before them, as
    access lists write them. Anybody can found an organisation called ``sre`` at GitHub."""
    foreign = (f"{connection}:{name}" for connection, name in person.asserted_groups)
    return sorted({*core.services.policy().groups(person), *foreign})


def _refused(error: BearerError) -> Response:
    """RFC 6750 §3: an error code only if a token was presented."""
    parts = ['realm="userinfo"']
    if error.error:
        parts.append(f'error="{error.error}"')
        if isinstance(error, InsufficientScope):
            parts.append(f'scope="{OPENID}"')
    challenge = f"{error.schemes[0]} " + ", ".join(parts)
    nonce = {"DPoP-Nonce": error.nonce} if error.nonce else {}
    content = {"error": error.error or "invalid_token", "error_description": error.description}
    return json_answer(content, error.status, {"WWW-Authenticate": challenge, **nonce})
