"""Sign-in with an OpenID provider: there, back, and who it is.

Each of the three things that come back with the browser is bound to it: ``state`` to the run, the PKCE
verifier to the code, the nonce to the id_token. What does not fit ends the sign-in; nothing is tried twice.
"""

from __future__ import annotations

import json
import logging
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatekit.errors import (
    ForeignTokenInvalid,
    KeysUnavailable,
    OutboundRefused,
    ProviderFailed,
    SignInRefused,
)
from gatekit.identity.oidc import backchannel, client, leaving, people, tokens
from gatekit.identity.oidc.graph import Graph, too_many_groups
from gatekit.identity.oidc.tokens import TENANT
from gatekit.identity.ports import Ended, Leg, Replays
from gatekit.model.connections import OidcConnection
from gatekit.model.people import ExternalIdentity
from gatekit.model.ports import Clock, Entropy
from gatekit.platform.discovery import Discovery
from gatekit.platform.fetching import Answer, Exchange
from gatekit.platform.foreign import parse
from gatekit.platform.remote_keys import RemoteKeys

log = logging.getLogger("gatekit.identity.oidc")

TIMEOUT = 10.0
MAX_BYTES = 512 * 1024
MAX_TEXT = 200

_OPERATORS_FAULT = frozenset(
    ("invalid_client", "unauthorized_client", "invalid_scope", "unsupported_response_type", "invalid_request")
)


class _Secret(Struct):
    state: str
    verifier: str
    nonce: str


class _Tokens(Struct):
    """OpenID Connect Core §3.1.3.3."""

    access_token: str = ""
    token_type: str = ""
    id_token: str = ""
    refresh_token: str = ""
    error: str = ""
    error_description: str = ""


class OidcProvider:
    """Implements ``RedirectProvider``, ``Recheck``, ``BackchannelPartner`` and ``LogoutPlace`` of
    ``identity.ports``. Contacts nobody until it is used."""

    def __init__(self, connection: OidcConnection, fetch: Exchange, clock: Clock, entropy: Entropy) -> None:
        self.connection = connection
        self._fetch = fetch
        self._clock = clock
        self._entropy = entropy
        found_at = connection.issuer.replace(TENANT, "organizations")
        self.discovery = Discovery(fetch, clock, connection.issuer, found_at=found_at)
        self.keys = RemoteKeys(fetch, clock)
        self._graph = Graph(connection, fetch)

    @property
    def name(self) -> str:
        return self.connection.name

    @property
    def title(self) -> str:
        return self.connection.title

    async def begin(self, callback_url: str) -> Leg:
        """§3.1.2.1, with PKCE (RFC 7636) and a nonce."""
        secret = _Secret(
            state=self._entropy.token("gk_os_"),
            verifier=self._entropy.token("", 48),
            nonce=self._entropy.token("", 24),
        )
        challenge = urlsafe_b64encode(sha256(secret.verifier.encode("ascii")).digest()).rstrip(b"=")
        params = {
            "response_type": "code",
            "client_id": self.connection.client_id,
            "redirect_uri": callback_url,
            "scope": " ".join(self._scopes()),
            "state": secret.state,
            "nonce": secret.nonce,
            "code_challenge": challenge.decode("ascii"),
            "code_challenge_method": "S256",
            **self._habits(),
        }
        endpoint = await self._endpoint("authorization_endpoint")
        joint = "&" if urlsplit(endpoint).query else "?"
        return Leg(f"{endpoint}{joint}{urlencode(params)}", msgspec.json.encode(secret).decode("ascii"))

    async def complete(self, params: Mapping[str, str], secret: str, callback_url: str) -> ExternalIdentity:
        kept = msgspec.json.decode(secret, type=_Secret)
        code = await self._code(params, kept)
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback_url,
            "code_verifier": kept.verifier,
        }
        return await self._identity(await self._redeem(form), kept.nonce)

    async def ask_again(self, upstream: str) -> ExternalIdentity:
        """Implements ``identity.ports.Recheck``: ``upstream`` is the refresh token of the last time.

        ``invalid_grant`` is a no; whatever else goes wrong says nothing about the person (checklist F7).
        """
        kept = leaving.read(upstream)
        if not kept.refresh_token:  # it gave none, and only that could be asked with
            raise ProviderFailed(self._down(), f"{self.name}: there is no refresh token to ask with")
        found = await self._redeem({"grant_type": "refresh_token", "refresh_token": kept.refresh_token})
        identity = await self._identity(found, None)
        now = leaving.Kept(found.refresh_token or kept.refresh_token, found.id_token or kept.id_token)
        return replace(identity, upstream=leaving.written(self.connection, now))

    async def leave_to(self, upstream: str, back: str, state: str) -> str:
        """Implements ``identity.ports.LogoutPlace``."""
        if not self.connection.logout:
            return ""
        try:
            if not await self.discovery.names("end_session_endpoint"):
                return ""
            endpoint = await self.discovery.endpoint("end_session_endpoint")
        except KeysUnavailable as failed:
            raise ProviderFailed(self._down(), f"{self.name}: {failed.detail or failed}") from failed
        return leaving.address(endpoint, self.connection, leaving.read(upstream), back, state)

    async def logged_out(self, logout_token: str, replays: Replays) -> Ended:
        """Implements ``identity.ports.BackchannelPartner``."""
        now = self._clock.now()
        return await backchannel.ended(logout_token, self.connection, self.discovery, self.keys, replays, now)

    # -- the way there and back ----------------------------------------------------------------------------

    def _scopes(self) -> list[str]:
        scopes = dict.fromkeys(("openid", *self.connection.scopes))
        if self.connection.recheck and self.connection.kind != "google":
            scopes["offline_access"] = None
        return list(scopes)

    def _habits(self) -> dict[str, str]:
        if self.connection.kind == "oidc" and self.connection.recheck:
            # §11: without it a provider MUST ignore offline_access, unless it has other reasons not to. Okta
            # and Entra ID have; there it would bring up a page that not everybody may agree to.
            return {"prompt": "consent"}
        if self.connection.kind != "google":
            return {}
        habits = {}
        if self.connection.recheck:  # Google has no offline_access, and gives the token with consent only
            habits = {"access_type": "offline", "prompt": "consent"}
        if len(self.connection.hosted_domains) == 1:
            habits["hd"] = self.connection.hosted_domains[0]  # a hint for its page; the claim is checked
        return habits

    async def _code(self, params: Mapping[str, str], kept: _Secret) -> str:
        if not compare_digest(params.get("state", "").encode(), kept.state.encode()):
            raise SignInRefused(EXPIRED, "state does not match")
        await self._check_iss(params.get("iss"))
        if error := params.get("error"):
            raise self._refused(error, params.get("error_description", ""))
        code = params.get("code", "")
        if not code:
            raise ProviderFailed(self._garbage(), "callback without code and without error")
        return code

    async def _check_iss(self, said: str | None) -> None:
        """RFC 9207 §2.4, against mix-up: an answer of another issuer is not for us, an error least of all."""
        if said is None:
            document = await self._document()
            if document.get("authorization_response_iss_parameter_supported") is True:
                raise SignInRefused(EXPIRED, "the answer does not name its issuer")
            return
        if TENANT in self.connection.issuer:
            expected = [self.connection.issuer.replace(TENANT, tenant) for tenant in self.connection.tenants]
        else:
            expected = [self.connection.issuer]
        if said not in expected:
            raise SignInRefused(EXPIRED, f"answer of another issuer: {said[:MAX_TEXT]!r}")

    def _refused(self, error: str, description: str) -> SignInRefused | ProviderFailed:
        detail = f"{self.name}: {error[:MAX_TEXT]}: {description[:MAX_TEXT]}"
        if error == "access_denied":
            return SignInRefused(
                f"You cancelled the sign-in at {self.title}, or it did not let you in. You can try again.",
                detail,
            )
        if error == "invalid_grant":
            return SignInRefused(f"The sign-in at {self.title} took too long. Please try again.", detail)
        if error in _OPERATORS_FAULT:
            return ProviderFailed(
                f"This gateway is not set up correctly at {self.title} ({error}). "
                "Tell whoever runs it; trying again will not help.",
                detail,
            )
        return ProviderFailed(f"{self.title} refused the sign-in. Please try again.", detail)

    async def _redeem(self, form: Mapping[str, str]) -> _Tokens:
        endpoint = await self._endpoint("token_endpoint")
        chosen = client.method(self.connection, await self._document())
        headers, sent = client.authenticated(
            self.connection, chosen, form, endpoint, self._clock, self._entropy
        )
        answer = await self._ask("POST", endpoint, headers, sent)
        if answer.status >= 500 or answer.status == 429:
            raise ProviderFailed(self._down(), f"{self.name}: token endpoint answered {answer.status}")
        try:
            found = msgspec.json.decode(answer.body, type=_Tokens)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProviderFailed(
                self._garbage(), f"{self.name}: unusable answer ({answer.status}) of the token endpoint"
            ) from None  # the decoder's words may hold a token
        if found.error:
            raise self._refused(found.error, found.error_description)
        if answer.status != 200 or not found.access_token or found.token_type.lower() != "bearer":
            raise ProviderFailed(self._garbage(), f"{self.name}: no token in a {answer.status} answer")
        return found

    # -- who it is -----------------------------------------------------------------------------------------

    async def _identity(self, found: _Tokens, nonce: str | None) -> ExternalIdentity:
        try:
            claims = await self._claims(found, nonce)
            groups = None
            if too_many_groups(self.connection, claims):
                groups = await self._graph.groups(found.access_token)
            identity = people.identity(self.connection, claims, groups)
        except ForeignTokenInvalid as bad:
            raise ProviderFailed(self._garbage(), f"{self.name}: {bad.detail or bad}") from bad
        except KeysUnavailable as failed:
            raise ProviderFailed(self._down(), f"{self.name}: {failed.detail or failed}") from failed
        except OutboundRefused as failed:
            raise ProviderFailed(self._down(), f"{self.name}: {failed}") from failed
        kept = leaving.Kept(found.refresh_token, found.id_token)
        return replace(identity, upstream=leaving.written(self.connection, kept))

    async def _claims(self, found: _Tokens, nonce: str | None) -> Mapping[str, Any]:
        """Those of the id_token, with what userinfo adds. The id_token wins: it is signed."""
        signed: Mapping[str, Any] = {}
        if found.id_token:
            signed = await tokens.id_token(
                parse(found.id_token),
                self.connection,
                self.keys,
                await self.discovery.endpoint("jwks_uri"),
                nonce=nonce,
                access_token=found.access_token,
                now=self._clock.now(),
            )
        elif nonce is not None:  # §12.2: only the answer to a refresh may lack it
            raise tokens.invalid("no id_token in the answer")
        more = await self._userinfo(found.access_token, signed)
        if not signed:
            # Whose userinfo it is follows from the refresh token alone; the caller compares the subject.
            more = {**more, "iss": self.connection.issuer}
            if self.connection.kind == "entra":
                raise tokens.invalid("no id_token in the answer to a refresh")
        return {**more, **signed}

    async def _userinfo(self, access_token: str, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """§5.3. Google's, Okta's and others' id_tokens may lack what the scopes asked for."""
        if not await self.discovery.names("userinfo_endpoint"):
            return {}
        endpoint = await self.discovery.endpoint("userinfo_endpoint")
        headers = {"accept": "application/json", "authorization": f"Bearer {access_token}"}
        answer = await self._ask("GET", endpoint, headers, None)
        if answer.status != 200:
            raise ProviderFailed(self._down(), f"{self.name}: userinfo answered {answer.status}")
        try:
            claims = json.loads(answer.body.decode("utf-8"))
        except (ValueError, RecursionError):
            raise tokens.invalid("userinfo is not JSON") from None
        # §5.3.2: sub MUST be there, and be that of the id_token (against token substitution).
        if not isinstance(claims, dict) or not isinstance(claims.get("sub"), str):
            raise tokens.invalid("userinfo without sub")
        if signed and claims["sub"] != signed.get("sub"):
            raise tokens.invalid("userinfo is about somebody else")
        return claims

    # -- one request ---------------------------------------------------------------------------------------

    async def _endpoint(self, name: str) -> str:
        try:
            return await self.discovery.endpoint(name)
        except KeysUnavailable as failed:
            raise ProviderFailed(self._down(), f"{self.name}: {failed.detail or failed}") from failed

    async def _document(self) -> Mapping[str, Any]:
        try:
            return await self.discovery.document()
        except KeysUnavailable as failed:
            raise ProviderFailed(self._down(), f"{self.name}: {failed.detail or failed}") from failed

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        try:
            return await self._fetch(
                method, url, headers=headers, form=form, max_bytes=MAX_BYTES, timeout=TIMEOUT
            )
        except OutboundRefused as refused:
            raise ProviderFailed(self._down(), f"{self.name}: {refused}") from refused

    def _down(self) -> str:
        return (
            f"{self.title} cannot be reached at the moment. Try again in a few minutes, or sign in another "
            "way; if it stays so, tell whoever runs this gateway."
        )

    def _garbage(self) -> str:
        return (
            f"{self.title} answered something that cannot be used. Try again; if it stays so, tell whoever "
            "runs this gateway."
        )


EXPIRED = "This sign-in does not fit the one that was started. Please try again."
