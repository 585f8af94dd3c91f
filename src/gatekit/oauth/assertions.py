"""``private_key_jwt``: a client proves itself with a signature (RFC 7523 §2.2, §3; OpenID Connect Core §9).

Nothing that is secret is ever stored here or sent: the gateway knows public keys, and an assertion is for
this gateway alone, for a few minutes, and for one request (checklist A2).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from gatekit.errors import ForeignTokenInvalid, InvalidClient, OutboundRefused
from gatekit.model.oauth import Client
from gatekit.oauth.client_metadata import SIGNING_ALGORITHMS
from gatekit.oauth.core import Core
from gatekit.oauth.documents import UNKNOWN
from gatekit.platform import foreign
from gatekit.platform.fetching import Answer, Fetch
from gatekit.platform.foreign import Foreign, Key
from gatekit.platform.limits import TokenBucket
from gatekit.platform.remote_keys import RemoteKeys

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST = 300.0
"""Seconds that an assertion may be good for."""
SKEW = 30.0
"""Seconds by which a client's clock may differ; official SDKs use the whole of ``LONGEST``."""
_TYPES = frozenset(("", "jwt", "client-authentication+jwt"))
"""A type is optional in RFC 7523; draft-ietf-oauth-rfc7523bis names the last one. Never another kind (T2)."""
_PURPOSE = "client-assertion"


def read(assertion: str) -> tuple[str, Foreign]:
    """(client_id, the assertion taken apart), nothing of it verified. Raises ``InvalidClient``."""
    try:
        found = foreign.parse(assertion)
        return foreign.text(found.claims, "sub", 2048), found
    except ForeignTokenInvalid as bad:
        raise InvalidClient(UNKNOWN, f"client assertion: {bad.detail}") from bad


class Assertions:
    """Verifies the assertions of registered clients."""

    def __init__(self, core: Core) -> None:
        self._core = core
        services = core.services
        # One client may name a private host because the operator wrote it down; nobody else may thereby.
        self._own = _remote(core, services.own_key_fetch)
        self._strangers = _remote(core, _budgeted(core, services.key_fetch))

    async def check(self, found: Foreign, client: Client) -> None:
        """RFC 7523 §3: every rule in order, the signature before the one use is spent.

        Raises ``InvalidClient``, or ``KeysUnavailable`` if the client's own server does not answer.
        """
        try:
            ends = self._check_claims(found, client)
            algorithms = frozenset(
                (client.signing_algorithm,) if client.signing_algorithm else SIGNING_ALGORITHMS
            )
            foreign.verify(found, await self._keys(found, client), algorithms=algorithms, typ=_TYPES)
            jti = foreign.text(found.claims, "jti")
        except ForeignTokenInvalid as bad:
            raise InvalidClient(UNKNOWN, f"assertion of client {client.id}: {bad.detail}") from bad
        kept_until = math.ceil(ends + SKEW) + 1
        name = f"{client.id}\0{jti}"
        if not await self._core.store.replays.first(_PURPOSE, name, kept_until, self._core.now()):
            raise InvalidClient(UNKNOWN, f"assertion of client {client.id} was used before")

    def _check_claims(self, found: Foreign, client: Client) -> float:
        """What costs nothing comes first: a stranger's text must not make us fetch keys. Return ``exp``."""
        claims = found.claims
        if claims.get("sub") != client.id or found.issuer != client.id:
            raise ForeignTokenInvalid("", "iss and sub are not the client_id")
        # One text and no list: an assertion that is for several servers can be carried from one to the other
        # (draft-ietf-oauth-rfc7523bis §4, after the audience injection attacks of 2025).
        if claims.get("aud") != self._core.settings.issuer:
            raise ForeignTokenInvalid("", f"aud is not our issuer alone: {str(claims.get('aud'))[:200]!r}")
        return foreign.check_times(claims, self._core.at(), skew=SKEW, longest=LONGEST)

    async def _keys(self, found: Foreign, client: Client) -> Sequence[Key]:
        if not client.jwks_uri:
            return foreign.local_keys(json.loads(client.jwks or '{"keys":[]}'))
        remote = self._own if client.source == "configured" else self._strangers
        if remote is None:
            raise ForeignTokenInvalid("", "keys are not fetched here")
        return await remote.keys(client.jwks_uri, found.kid)


def _remote(core: Core, fetch: Fetch | None) -> RemoteKeys | None:
    return RemoteKeys(fetch, core.services.clock) if fetch is not None else None


def _budgeted(core: Core, fetch: Fetch | None) -> Fetch | None:
    """Strangers register addresses of key sets, and every assertion may be a reason to look there: together
    they get no more looks than registrations, so that we are no amplifier."""
    if fetch is None:
        return None
    budget = TokenBucket(core.settings.registration_global, core.services.clock)
    look = fetch

    async def within(
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        max_bytes: int,
        timeout: float,  # noqa: ASYNC109
    ) -> Answer:
        if budget.take():
            raise OutboundRefused("too many key sets were asked for; try again later")
        return await look(method, url, headers=headers, max_bytes=max_bytes, timeout=timeout)

    return within
