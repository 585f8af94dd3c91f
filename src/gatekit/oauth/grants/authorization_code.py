"""``grant_type=authorization_code`` (RFC 6749 §4.1.3 with PKCE, RFC 7636).

The order of checks is the security: is the code this client's, is the request sound, does everybody still
count, and only then is the code used up. So a stranger's attempt burns nothing (checklist C3, C4).
"""

from __future__ import annotations

import re
from hashlib import sha256
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import InvalidGrant, InvalidRequest
from gatekit.model.access import Inactive
from gatekit.model.oauth import AuthorizationCode, Client
from gatekit.oauth.code import CODE_PREFIX
from gatekit.oauth.core import Core
from gatekit.oauth.dpop import proven_key
from gatekit.oauth.http import Form
from gatekit.oauth.issuing import Issuer
from gatekit.oauth.redirects import match
from gatekit.oauth.relying import Relying
from gatekit.platform.segments import encode_segment
from gatekit.platform.vault import token_hash

GRANT_TYPE = "authorization_code"

VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}\Z")
"""RFC 7636 §4.1."""


class CodeGrant:
    """``grant_type=authorization_code``."""

    def __init__(self, core: Core, issuer: Issuer) -> None:
        self._core = core
        self._issuer = issuer
        self._relying = Relying(core)

    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """RFC 6749 §4.1.3, RFC 7636 §4.5."""
        code_hash, code = await self._find(form, client)
        verifier_fits = _fits(form.get("code_verifier"), code.code_challenge)
        if code.used_at is not None:
            if verifier_fits:
                await self._replayed(request, code, client)
            raise InvalidGrant("the authorization code is invalid", "code used before")
        self._check_binding(form, client, code)
        key = proven_key(request)
        if code.jkt and code.jkt != key:
            raise InvalidGrant(
                "the authorization code is bound to a key", "no proof with the key of dpop_jkt"
            )
        found = await self._core.standings.grant(code.grant_id, self._core.at())
        if isinstance(found, Inactive) or found.grant is None:
            reason = found.reason if isinstance(found, Inactive) else "no grant"
            raise InvalidGrant("the authorization code is invalid", reason)
        resources = self._issuer.narrowed(found.grant, form)
        if not verifier_fits:
            await self._burn(form, code_hash)
        refresh_token, row = None, None
        if "refresh_token" in client.grant_types:
            refresh_token, row = self._issuer.new_refresh(found.grant, client, key)
        token, claims = await self._issuer.access_token(found.grant, resources, found.grant.scopes, key)
        id_token = await self._relying.id_token(found)
        if await self._core.store.grants.redeem(code_hash, self._core.now(), row) is None:
            # Somebody was faster, with the same code and the right verifier: that is a replay, too (C2).
            await self._replayed(request, code, client)
            raise InvalidGrant("the authorization code is invalid", "code used at the same time")
        await self._core.store.clients.used(client.id, self._core.now())
        await self._issuer.record(
            request, client, "issued", found=found, claims=claims, grant_type=GRANT_TYPE
        )
        return self._issuer.answer(token, claims, refresh_token, id_token)

    async def _find(self, form: Form, client: Client) -> tuple[str, AuthorizationCode]:
        value = form.get("code")
        if value is None:
            raise InvalidRequest("code is missing")
        code_hash = token_hash(value)
        code = await self._core.store.grants.code(code_hash) if value.startswith(CODE_PREFIX) else None
        if code is None or code.client_id != client.id:
            raise InvalidGrant("the authorization code is invalid", "unknown code, or another client's")
        return code_hash, code

    def _check_binding(self, form: Form, client: Client, code: AuthorizationCode) -> None:
        if code.expires_at <= self._core.now():
            raise InvalidGrant("the authorization code is invalid", "code expired")
        # RFC 6749 §4.1.3. Left out is fine where there was never a choice (OAuth 2.1 §4.1.3 dropped it).
        presented = form.get("redirect_uri")
        only = len(client.redirect_uris) == 1 and match(client.redirect_uris, code.redirect_uri) is not None
        if presented != code.redirect_uri and not (presented is None and only):
            raise InvalidGrant("the authorization code is invalid", "redirect_uri differs")

    async def _burn(self, form: Form, code_hash: str) -> None:
        verifier = form.get("code_verifier")
        if verifier is not None and VERIFIER.match(verifier):
            # A well-formed guess. One is all there is (checklist C7).
            await self._core.store.grants.redeem(code_hash, self._core.now(), None)
        raise InvalidGrant("the authorization code is invalid", "code_verifier missing or wrong")

    async def _replayed(self, request: Request, code: AuthorizationCode, client: Client) -> None:
        """RFC 6749 §4.1.2: everything that came from the code falls."""
        reason = "authorization code replayed"
        found = await self._issuer.fell(code.grant_id, reason)
        await self._issuer.record(
            request,
            client,
            "reused",
            found=found,
            grant_type=GRANT_TYPE,
            grant_id=code.grant_id,
            reason=reason,
        )


def _fits(verifier: str | None, challenge: str) -> bool:
    """RFC 7636 §4.6."""
    if verifier is None or not VERIFIER.match(verifier):
        return False
    return compare_digest(encode_segment(sha256(verifier.encode("ascii")).digest()), challenge)
