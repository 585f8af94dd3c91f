"""The bearer check, asked for every MCP request before its body is read.

``cached`` is the hot path: a hash, a dictionary, a look at the clock, no await. ``check`` is what fills it:
it verifies, looks at the deny list and asks ``principal_is_active`` with fresh rows. A cached answer dies
with its token, after ``bearer_cache_seconds``, and at once when ``forget`` is called.

Tokens that are bound to a key (RFC 9449) never get into what ``cached`` sees: each of their requests goes
through ``check``, which keeps what it knows of the token apart and judges the proof anew.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from gatekit.errors import (
    BearerError,
    InsufficientScope,
    ProofInvalid,
    ProofRefused,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
)
from gatekit.identity.standing import Standings, Upright
from gatekit.model.access import EVERY_SERVER, Access, Asked, Inactive
from gatekit.model.oauth import ApiKey, Client
from gatekit.model.ports import Clock
from gatekit.model.scopes import ALL, READ, may_call, may_read
from gatekit.oauth.bounds import bounded, reach_of
from gatekit.oauth.claims import AccessClaims, lineage
from gatekit.oauth.dpop import ALGORITHMS, Proofs, Target
from gatekit.oauth.external.tokens import ExternalTokens
from gatekit.oauth.formats import AccessTokens
from gatekit.oauth.resources import Resources
from gatekit.oauth.settings import OAuthSettings
from gatekit.platform.vault import token_hash
from gatekit.store.ports import Store

API_KEY_PREFIX = "gk_key_"
MAX_HEADER = 8192 + 64
DENY_LIST_SECONDS = 2.0
"""How old our copy of the deny list may be when a token is verified."""

_SCHEME = re.compile(rb"((?i:bearer|dpop)) +([A-Za-z0-9._~+/-]+=*) *\Z")
"""RFC 6750 §2.1 (b64token), RFC 9449 §7.1 (token68). Only the scheme is without case: to look at the whole
token so would take five times as long."""
_BOTH = ("Bearer", "DPoP")

_Entries = dict[bytes, tuple[Access, float]]


class Bearer:
    """The resource server's half. One per process, owned by ``AuthorizationServer``."""

    def __init__(
        self,
        settings: OAuthSettings,
        store: Store,
        clock: Clock,
        tokens: AccessTokens,
        standings: Standings,
        proofs: Proofs,
        external: ExternalTokens | None = None,
    ) -> None:
        """``external``: judges access tokens instead of us."""
        self._settings = settings
        self._external = external
        self._store = store
        self._clock = clock
        self._tokens = tokens
        self._standings = standings
        self._proofs = proofs
        self._resources = Resources(settings.issuer, ())
        self._scopes = " ".join(settings.offered_scopes)
        self._now = clock.now
        self._entries: _Entries = {}
        """By the hash of the whole header: nothing in here needs a proof."""
        self._bound: _Entries = {}
        """By the hash of the token alone."""
        self._generation = 0
        self._denied: frozenset[str] = frozenset()
        self._denied_until = 0.0
        self._denied_generation = -1

    def cached(self, authorization: bytes) -> Access | None:
        """What ``check`` said about this very header value a moment ago, or None."""
        entry = self._entries.get(sha256(authorization).digest())
        if entry is None or self._now() >= entry[1]:
            return None
        return entry[0]

    def forget(self) -> None:
        """Something changed (a grant, a user, a key, the policy): verify everything anew."""
        self._generation += 1  # whoever is verifying right now must not remember what they saw before
        self._entries.clear()
        self._bound.clear()

    async def check(
        self, authorization: Sequence[bytes], asked: Asked | None = None, resource: str = ""
    ) -> Access:
        """Verify the ``Authorization`` headers of one request, all of them.

        ``asked``: the request itself; without it no token that is bound to a key is accepted. ``resource``:
        an application behind a proxy, which a token may be for instead of an endpoint of ours. Raises
        ``TokenMissing`` (none, or another scheme), ``TokenMalformed`` (several, absurd), ``TokenInvalid`` or
        ``ProofInvalid``. ``StoreError`` passes through: no answer is not a yes.
        """
        scheme, token = presented(authorization)
        if scheme == "DPoP":
            return await self._with_proof(token, asked)
        generation = self._generation
        access = await (
            self._api_key(token) if token.startswith(API_KEY_PREFIX) else self._access_token(token, resource)
        )
        if access.credential == "access_token":
            self._refuse_bearer(access.jkt)
        if generation == self._generation and not resource:  # else: something changed while we looked
            self._remember(self._entries, authorization[0], access)
        return access

    async def _with_proof(self, token: str, asked: Asked | None) -> Access:
        """RFC 9449 §7.1. The token first: only for genuine ones is a signature worth our time."""
        try:
            access = self._known(token)
            if access is None:
                generation = self._generation
                access = await self._access_token(token)
                if access.jkt and generation == self._generation:
                    self._remember(self._bound, token.encode("ascii"), access)
            await self._prove(token, access.jkt, asked)
        except BearerError as error:
            raise _for(("DPoP",), error) from None
        return access

    async def _prove(self, token: str, jkt: str, asked: Asked | None) -> None:
        """Raise ``BearerError`` unless the request came with a proof by the holder of the key ``jkt``."""
        if not jkt:
            raise TokenInvalid("the access token is not bound to a key")
        if asked is None:
            raise TokenInvalid("access tokens that are bound to a key are of no use here")
        target = Target(asked.method, f"{self._settings.issuer}{asked.path}", token)
        try:
            proven = await self._proofs.verify(asked.proofs, target)
        except ProofRefused as refused:
            raise ProofInvalid(refused) from refused
        if proven != jkt:
            raise TokenInvalid("the access token is bound to another key")

    async def authentic(self, authorization: Sequence[bytes], asked: Asked) -> tuple[AccessClaims, Upright]:
        """For our own endpoints: what the access token of a request says, and of whom; the proof is judged,
        audience and scopes are the caller's to check. Raises as ``check`` does."""
        scheme, token = presented(authorization)
        claims = await self._tokens.read(token)
        found = await self.stands(claims)
        if scheme == "DPoP":
            try:
                await self._prove(token, claims.jkt, asked)
            except BearerError as error:
                raise _for(("DPoP",), error) from None
        else:
            self._refuse_bearer(claims.jkt)
        return claims, found

    def _refuse_bearer(self, jkt: str) -> None:
        """Raise if a token may not be used by whoever bears it (RFC 9449 §7.2)."""
        if jkt:
            raise _for(_BOTH, TokenInvalid("the access token is bound to a key: use the DPoP scheme"))
        if self._settings.dpop_required:
            raise _for(("DPoP",), TokenInvalid("the access token is not bound to a key, as it must be here"))

    def _known(self, token: str) -> Access | None:
        entry = self._bound.get(sha256(token.encode("ascii")).digest())
        return entry[0] if entry is not None and self._now() < entry[1] else None

    def challenge(self, error: BearerError, server: str, legacy: bool = False) -> str:
        """The ``WWW-Authenticate`` value for ``server`` (empty: the aggregate endpoint); ``legacy``: for its
        HTTP+SSE URL, because the resource that a client reads there must be the URL that it uses.

        RFC 9728 §5.1, RFC 6750 §3: an error code only if a token was presented. Of DPoP it speaks to those
        who used it, or must (RFC 9449 §7.1): others read the first challenge, or none of several.
        """
        url = metadata_url(self._settings.issuer, server, legacy)
        parts = [f'resource_metadata="{url}"']
        if self._scopes:
            parts.append(f'scope="{self._scopes}"')
        if error.error:
            parts.append(f'error="{error.error}"')
            if error.description:
                parts.append(f'error_description="{_quotable(error.description)}"')
            parts.extend(f'{name}="{_quotable(value)}"' for name, value in error.parameters)
        schemes = ("DPoP",) if self._settings.dpop_required else error.schemes
        algorithms = f'algs="{" ".join(ALGORITHMS)}"'
        if schemes == ("DPoP",):
            return "DPoP " + ", ".join((*parts, algorithms))
        bearer = "Bearer " + ", ".join(parts)
        return bearer if schemes == ("Bearer",) else f"{bearer}, DPoP {algorithms}"

    def _remember(self, entries: _Entries, raw: bytes, access: Access) -> None:
        if len(entries) >= self._settings.bearer_cache_size:
            for stale in list(entries)[: max(1, len(entries) // 8)]:  # the first are the oldest
                del entries[stale]
        until = min(access.expires_at, self._clock.now() + self._settings.bearer_cache_seconds)
        entries[sha256(raw).digest()] = (access, until)

    async def stands(self, claims: AccessClaims) -> Upright:
        """Whether what an authentic access token says still holds, with fresh rows. Asked by every use of
        one: by ``check`` and by introspection.

        Raises ``TokenInvalid``, ``StoreError``.
        """
        now = self._clock.now()
        if claims.iss != self._settings.issuer:
            raise TokenInvalid("the access token is not one of ours", f"issuer {claims.iss!r}")
        if claims.exp <= now:
            raise TokenInvalid("the access token has expired")
        if not (await self.deny_list(now)).isdisjoint(lineage(claims.jti)):
            raise TokenInvalid("the access token was revoked")
        found = await self._standings.grant(claims.gid, now)
        if isinstance(found, Inactive):
            raise _ended("the access token was revoked", found)
        if found.user.id != claims.sub or found.client is None or found.client.id != claims.client_id:
            raise TokenInvalid("the access token was revoked", "token and grant disagree")
        return found

    async def _access_token(self, token: str, resource: str = "") -> Access:
        if self._external is not None:
            return await self._external.access(token)
        claims = await self._tokens.read(token)
        reach = self._resources.reach(claims.aud)
        if not reach.servers and not reach.aggregate and resource not in claims.aud:
            raise TokenInvalid("the access token is meant for another resource")
        found = await self.stands(claims)
        reach = reach_of(found.client, reach)
        scopes = frozenset(bounded(found.client, claims.scope.split()))
        if not may_read(scopes):
            raise InsufficientScope("the access token has no scope for this gateway")
        return Access(
            principal=found.principal,
            client_id=claims.client_id,
            client_name=found.client.name if isinstance(found.client, Client) else "",
            credential="access_token",
            credential_id=claims.jti,
            grant_id=claims.gid,
            servers=reach.servers,
            audience=frozenset(claims.aud),
            aggregate=reach.aggregate,
            auth_time=found.grant.auth_time if found.grant else 0,
            scopes=scopes,
            more=may_call(bounded(found.client, ALL)),
            expires_at=float(_end(claims, found.grant.expires_at if found.grant else claims.exp)),
            amr=frozenset(found.grant.amr.split()) if found.grant else frozenset(),
            jkt=claims.jkt,
        )

    async def _api_key(self, token: str) -> Access:
        key = await self._store.api_keys.by_hash(token_hash(token))
        now = self._clock.now()
        if key is None:
            raise TokenInvalid("the API key is unknown")
        if key.revoked_at is not None:
            raise TokenInvalid("the API key was revoked")
        if key.expires_at <= now:
            raise TokenInvalid("the API key has expired")
        found = await self._standings.person(key.user_id, now)
        if isinstance(found, Inactive):
            raise _ended("the API key was revoked", found)
        if _worth_noting(key, now):
            await self._store.api_keys.used(key.id, int(now))
        return Access(
            principal=found.principal,
            client_id="",
            client_name=f"API key {key.name}",
            credential="api_key",
            credential_id=key.id,
            servers=frozenset(key.servers) or frozenset((EVERY_SERVER,)),
            aggregate=True,
            scopes=frozenset((READ,) if key.read_only else self._settings.scopes),
            more=False,
            expires_at=float(key.expires_at),
        )

    async def deny_list(self, now: float) -> frozenset[str]:
        """Ids of access tokens that were revoked; read anew after ``forget``, and every few seconds. Raises
        ``StoreError``."""
        if self._denied_generation != self._generation or now >= self._denied_until:
            generation = self._generation
            self._denied = frozenset([jti for jti, _ in await self._store.grants.denied_tokens(int(now))])
            self._denied_generation = generation
            self._denied_until = now + DENY_LIST_SECONDS
        return self._denied


def _ended(text: str, found: Inactive) -> TokenInvalid:
    """A genuine credential whose person, client or grant does not count any more: the audit names them."""
    return TokenInvalid(text, found.reason, principal_id=found.user_id, principal=found.username)


def metadata_url(issuer: str, server: str, legacy: bool = False) -> str:
    """Where the RFC 9728 document of one endpoint is."""
    last = "sse" if legacy else "mcp"
    path = f"/s/{server}/{last}" if server else f"/{last}"
    return f"{issuer}/.well-known/oauth-protected-resource{path}"


def presented(authorization: Sequence[bytes]) -> tuple[str, str]:
    """(``Bearer`` or ``DPoP``, token) of the one ``Authorization`` header there may be (RFC 6750 §2.1, §3.1;
    RFC 9449 §7.1). Raises ``BearerError``."""
    if not authorization:
        raise TokenMissing("an access token is required")
    if len(authorization) > 1:
        raise TokenMalformed("more than one Authorization header")
    raw = authorization[0]
    if len(raw) > MAX_HEADER:
        raise TokenMalformed("the Authorization header is too long")
    match = _SCHEME.match(raw)
    if match is not None:
        return "DPoP" if len(match[1]) == 4 else "Bearer", match[2].decode("ascii")
    scheme = raw.partition(b" ")[0].lower()
    if scheme in (b"bearer", b"dpop"):
        malformed = TokenInvalid("the access token is malformed")
        raise _for(("DPoP",), malformed) if scheme == b"dpop" else malformed
    raise TokenMissing("an access token is required", "another authentication scheme")


def _for(schemes: tuple[str, ...], error: BearerError) -> BearerError:
    """The same refusal, for somebody who can use ``schemes``."""
    error.schemes = schemes
    return error


def _worth_noting(key: ApiKey, now: float) -> bool:
    """A write a minute tells when a key was last used; more would be load."""
    return key.last_used_at is None or now - key.last_used_at >= 60


def _end(claims: AccessClaims, grant_ends: int) -> int:
    return min(claims.exp, grant_ends)


def _quotable(text: str) -> str:
    """RFC 6750 §3: %x20-21 / %x23-5B / %x5D-7E."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "'" for char in text)
