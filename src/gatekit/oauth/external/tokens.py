"""Access tokens that another authorization server issued for our endpoints (RFC 9068, RFC 7662).

Everything that a stranger could leave out is asked for: who signed, that it is an access token and not one of
the other JWTs that the same keys sign, that it was meant for us, and that it has not expired.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from gatekit.errors import (
    AuditUnavailable,
    CheckUnavailable,
    ForeignTokenInvalid,
    InsufficientScope,
    KeysUnavailable,
    PersonRefused,
    SignInRefused,
    TokenInvalid,
)
from gatekit.identity import claims as reading
from gatekit.identity.standing import Upright
from gatekit.model.access import EVERY_SERVER, Access
from gatekit.model.audit import TokenEvent
from gatekit.model.ports import Clock
from gatekit.model.scopes import of_foreign
from gatekit.model.trust import ExternalServer
from gatekit.oauth.external.introspection import Introspector
from gatekit.oauth.external.people import People
from gatekit.oauth.ports import Audit
from gatekit.oauth.resources import Reach, Resources
from gatekit.platform.discovery import Discovery
from gatekit.platform.fetching import Exchange
from gatekit.platform.foreign import audience, check_times, parse, verify
from gatekit.platform.remote_keys import RemoteKeys

MAX_SEEN = 50_000

_NOT_ACCESS = frozenset(("nonce", "at_hash", "c_hash", "s_hash", "events"))
"""Claims of id_tokens and logout tokens, which the same keys sign (OIDC Core §2; Back-Channel §2.4)."""

Claims = Mapping[str, Any]


class ExternalTokens:
    """Judges tokens of one authorization server. Keeps keys and a little memory; never an ``Access``."""

    def __init__(
        self,
        trusted: ExternalServer,
        public_url: str,
        scopes: tuple[str, ...],
        fetch: Exchange,
        clock: Clock,
        people: People,
        audit: Audit,
    ) -> None:
        """``scopes``: those of ours that such a token stands for, if it names none of them."""
        self._trusted = trusted
        self._resources = Resources(public_url, ())
        self._scopes = frozenset(scopes)
        self._clock = clock
        self._people = people
        self._audit = audit
        self._discovery = Discovery(fetch, clock, trusted.issuer)
        self._keys = RemoteKeys(fetch, clock)
        asked = trusted.introspection
        self._introspector = Introspector(fetch, clock, asked, self._discovery) if asked else None
        self._seen: dict[bytes, None] = {}
        """Hashes of tokens whose acceptance is in the audit."""

    async def access(self, token: str) -> Access:
        """Raises ``BearerError``; ``StoreError`` passes through."""
        try:
            claims = await self._claims(token)
            return await self._judge(token, claims)
        except ForeignTokenInvalid as bad:
            raise TokenInvalid("the access token cannot be accepted", bad.detail) from bad
        except KeysUnavailable as failed:
            raise CheckUnavailable(failed.description, failed.detail) from failed
        except AuditUnavailable as failed:
            raise CheckUnavailable(
                "the gateway cannot record anything at the moment", str(failed)
            ) from failed

    async def _claims(self, token: str) -> Claims:
        trusted = self._trusted
        if token.startswith("gk_"):  # a secret of ours from before, which is nobody else's business
            raise ForeignTokenInvalid("", "one of our own tokens")
        signed = token.count(".") == 2
        if self._introspector is not None and (not signed or trusted.introspection_of_all):
            return _introspected(await self._introspector.claims(token), trusted.issuer)
        if not signed:
            raise ForeignTokenInvalid("", "not a JWT, and there is no introspection")
        found = parse(token)
        if found.issuer != trusted.issuer:  # exactly: a slash more is somebody else (checklist T4)
            raise ForeignTokenInvalid("", f"issuer {found.issuer[:200]!r} is not the configured one")
        jwks_uri = trusted.jwks_uri or await self._discovery.endpoint("jwks_uri")
        keys = await self._keys.keys(jwks_uri, found.kid)
        claims = verify(
            found,
            keys,
            algorithms=frozenset(trusted.algorithms),
            typ=frozenset(trusted.token_types),
        )
        if found.typ != "at+jwt":
            _refuse_other_tokens(claims)
        return claims

    async def _judge(self, token: str, claims: Claims) -> Access:
        trusted, now = self._trusted, self._clock.now()
        ends = check_times(claims, now, skew=trusted.clock_skew)
        reach = self._reach(claims)
        client = reading.client(claims)
        if trusted.clients and client not in trusted.clients:
            raise ForeignTokenInvalid("", f"issued to {client!r}, which is not among the clients")
        missing = [scope for scope in trusted.required_scopes if scope not in reading.scopes(claims)]
        if missing:
            raise InsufficientScope("the access token lacks a scope", f"lacks {' '.join(missing)}")
        issued = claims.get("iat", now)
        person = reading.identity(trusted, claims)
        try:
            found = await self._people.upright(trusted, person, float(issued))
        except SignInRefused as refused:
            raise PersonRefused(refused.public, refused.detail) from refused
        token_id = _token_id(token, claims)
        await self._record(token, found, client, token_id, reach)
        return Access(
            principal=found.principal,
            client_id=client,
            client_name="",
            credential="access_token",
            credential_id=token_id,
            issuer=trusted.issuer,
            servers=reach.servers,
            aggregate=reach.aggregate,
            scopes=of_foreign(reading.scopes(claims), self._scopes),
            expires_at=ends,
            jkt=_bound_to(claims),
        )

    def _reach(self, claims: Claims) -> Reach:
        """Which endpoints the token was issued for (RFC 8707 §2, checklist T3)."""
        meant = audience(claims)
        if not set(meant).isdisjoint(self._trusted.audiences):
            return Reach(frozenset((EVERY_SERVER,)), True)
        reach = self._resources.reach(meant)
        if not reach.servers and not reach.aggregate:
            raise ForeignTokenInvalid("", f"meant for {', '.join(meant)[:200] or 'nobody in particular'}")
        return reach

    async def _record(self, token: str, found: Upright, client: str, token_id: str, reach: Reach) -> None:
        """Once for each token: which issuer's word stands behind the calls that follow."""
        key = sha256(token.encode("ascii")).digest()
        if key in self._seen:
            return
        urls = [self._resources.url(name) for name in sorted(reach.servers) if name != EVERY_SERVER]
        await self._audit.write(
            TokenEvent(
                at=self._clock.now(),
                principal_id=found.user.id,
                principal=found.user.username,
                client_id=client,
                action="accepted",
                token_id=token_id,
                resources=tuple(urls),
                issuer=self._trusted.issuer,
                subject=found.user.subject,
            )
        )
        self._seen[key] = None
        while len(self._seen) > MAX_SEEN:
            del self._seen[next(iter(self._seen))]


def _introspected(claims: Claims, issuer: str) -> Claims:
    """What a refresh token, or a token of another issuer behind the same endpoint, would look like."""
    if claims.get("iss", issuer) != issuer:
        raise ForeignTokenInvalid("", f"introspection names the issuer {str(claims['iss'])[:200]!r}")
    if str(claims.get("token_type", "")).lower() not in ("bearer", "dpop"):
        raise ForeignTokenInvalid("", "introspection does not call it an access token")
    return claims


def _refuse_other_tokens(claims: Claims) -> None:
    """Without ``at+jwt`` nothing but its contents tells an access token from its siblings (checklist T2)."""
    if "scope" not in claims and "scp" not in claims:  # an id_token never has it
        raise ForeignTokenInvalid("", "not an access token: it has neither scope nor scp")
    if marks := sorted(_NOT_ACCESS & claims.keys()):
        raise ForeignTokenInvalid("", f"not an access token: it has {', '.join(marks)}")
    if claims.get("typ", "Bearer") != "Bearer":  # Keycloak writes the kind of token into the claims
        raise ForeignTokenInvalid("", f"not an access token but {str(claims['typ'])[:40]!r}")


def _bound_to(claims: Claims) -> str:
    """RFC 9449 §6: the key that must be proved with each request. What else a token may be bound to
    (RFC 8705: a certificate) nobody can prove here, and then it is worth nothing (RFC 7800 §3.1)."""
    if "cnf" not in claims and str(claims.get("token_type", "")).lower() != "dpop":
        return ""
    bound = claims.get("cnf")
    thumbprint = bound.get("jkt") if isinstance(bound, dict) and len(bound) == 1 else None
    if not isinstance(thumbprint, str) or not thumbprint:
        raise ForeignTokenInvalid("", "bound to something that cannot be proved here")
    return thumbprint


def _token_id(token: str, claims: Claims) -> str:
    for name in ("jti", "uti"):  # Entra ID calls it uti
        value = claims.get(name)
        if isinstance(value, str) and 0 < len(value) <= 256 and value.isprintable():
            return value
    return f"sha256:{sha256(token.encode('ascii')).hexdigest()[:32]}"
