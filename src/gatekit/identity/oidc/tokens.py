"""Judging what an OpenID provider signed for us: OpenID Connect Core §3.1.3.7."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256, sha384, sha512
from hmac import compare_digest
from typing import Any

from gatekit.errors import ForeignTokenInvalid
from gatekit.model.connections import OidcConnection
from gatekit.platform.foreign import ASYMMETRIC, Foreign, audience, check_times, numeric_date, verify
from gatekit.platform.remote_keys import RemoteKeys

SKEW = 60.0
"""Seconds by which the provider's clock may differ from ours."""
OLDEST = 600.0
"""Seconds that an id_token may lie before it reaches us: it comes straight from the token endpoint."""
TENANT = "{tenantid}"
"""What Entra ID writes instead of the tenant in the issuer of its metadata for several tenants."""

_ID_TOKEN_TYPES = frozenset(("", "jwt"))
"""``typ`` of an id_token. Access tokens, logout tokens and proofs say what they are (RFC 8725 §3.11)."""
_HASHES = {"256": sha256, "384": sha384, "512": sha512}


async def verified(
    found: Foreign, connection: OidcConnection, keys: RemoteKeys, jwks_uri: str, typ: frozenset[str]
) -> Mapping[str, Any]:
    """The claims of a JWT that the provider signed for us: signature, issuer, audience.

    The key set is always the provider's own: a key that the token brings along is never looked at. Raises
    ``ForeignTokenInvalid``, ``KeysUnavailable``.
    """
    algorithms = frozenset(connection.algorithms) & ASYMMETRIC
    claims = verify(found, await keys.keys(jwks_uri, found.kid), algorithms=algorithms, typ=typ)
    check_issuer(connection, claims)
    _check_audience(connection.client_id, claims)
    return claims


async def id_token(
    found: Foreign,
    connection: OidcConnection,
    keys: RemoteKeys,
    jwks_uri: str,
    *,
    nonce: str | None,
    access_token: str,
    now: float,
) -> Mapping[str, Any]:
    """The claims of an id_token. ``nonce`` None: it answers a refresh, which has none (§12.2).

    Raises ``ForeignTokenInvalid``, ``KeysUnavailable``.
    """
    claims = await verified(found, connection, keys, jwks_uri, _ID_TOKEN_TYPES)
    if "events" in claims:  # Back-Channel Logout §2.4: then it is a logout token, whatever else it says
        raise invalid("a logout token is no id_token")
    check_times(claims, now, skew=SKEW)
    issued = numeric_date(claims, "iat")
    if issued is None or issued < now - OLDEST - SKEW:
        raise invalid("iat is missing, or long ago")
    if nonce is not None:
        said = claims.get("nonce")
        if not isinstance(said, str) or not compare_digest(said.encode(), nonce.encode()):
            raise invalid("the nonce is another one")
    _check_at_hash(found, claims, access_token)
    return claims


def check_issuer(connection: OidcConnection, claims: Mapping[str, Any]) -> None:
    """§3.1.3.7 rule 2: exactly the issuer. For several tenants of Entra ID: that of one of the named ones."""
    said = claims.get("iss")
    expected: Sequence[str] = (connection.issuer,)
    if TENANT in connection.issuer:
        expected = [connection.issuer.replace(TENANT, tenant) for tenant in connection.tenants]
    if said not in expected:
        raise invalid(f"issuer {str(said)[:200]!r} is not the one of this connection")
    if connection.kind == "entra":
        tenant = claims.get("tid")
        if tenant not in connection.tenants or f"/{tenant}/" not in f"{said}/":
            raise invalid(f"tenant {str(tenant)[:64]!r} is not named, or not the issuer's")


def _check_audience(client_id: str, claims: Mapping[str, Any]) -> None:
    """Rules 3 to 5: we are an audience, and if there are others, or somebody else asked, it is not for us."""
    named = audience(claims)
    if client_id not in named:
        raise invalid("issued for another client")
    authorized = claims.get("azp")
    if authorized is not None and authorized != client_id:
        raise invalid("another client asked for it (azp)")
    if len(named) > 1 and authorized != client_id:
        raise invalid("several audiences, and azp does not say that we asked")


def _check_at_hash(found: Foreign, claims: Mapping[str, Any], access_token: str) -> None:
    """§3.1.3.8: the access token is the one that was issued with it (against token substitution)."""
    said = claims.get("at_hash")
    digest = _HASHES.get(found.algorithm[-3:])
    if said is None or digest is None:  # it is optional in the code flow; EdDSA has no agreed hash
        return
    half = digest(access_token.encode()).digest()
    expected = urlsafe_b64encode(half[: len(half) // 2]).rstrip(b"=")
    if not isinstance(said, str) or not compare_digest(said.encode(), expected):
        raise invalid("at_hash belongs to another access token")


def invalid(detail: str) -> ForeignTokenInvalid:
    """For the log; what people read is the provider's own page of trouble."""
    return ForeignTokenInvalid("the token cannot be accepted", detail)
