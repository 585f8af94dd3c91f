"""Logout tokens of an OpenID provider (OpenID Connect Back-Channel Logout 1.0 §2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatekit.errors import KeysUnavailable, ProviderFailed
from gatekit.identity.oidc import tokens
from gatekit.identity.ports import Ended, Replays
from gatekit.model.connections import OidcConnection
from gatekit.platform.discovery import Discovery
from gatekit.platform.foreign import check_times, numeric_date, parse, text
from gatekit.platform.remote_keys import RemoteKeys

EVENT = "http://schemas.openid.net/event/backchannel-logout"
_TYPES = frozenset(("logout+jwt", "jwt", ""))
"""§2.4 recommends the first; older providers write what they write for id_tokens. ``events`` tells."""
OLDEST = 600.0
"""Seconds after which a logout token is not accepted any more, and so how long its ``jti`` is kept."""


async def ended(
    token: str,
    connection: OidcConnection,
    discovery: Discovery,
    keys: RemoteKeys,
    replays: Replays,
    now: float,
) -> Ended:
    """What a logout token says has ended. Raises ``ForeignTokenInvalid``, ``ProviderFailed`` (the keys cannot
    be had now), ``StoreError``."""
    try:
        jwks_uri = await discovery.endpoint("jwks_uri")
        claims = await tokens.verified(parse(token), connection, keys, jwks_uri, _TYPES)
    except KeysUnavailable as failed:
        raise ProviderFailed("keys", f"{connection.name}: {failed.detail or failed}") from failed
    _check_event(claims)
    if numeric_date(claims, "iat") is None:
        raise tokens.invalid("iat is missing")
    # Some providers leave exp out, which became required late: then iat alone bounds it.
    checked = claims if "exp" in claims else {**claims, "exp": now + 1}
    check_times(checked, now, skew=tokens.SKEW, longest=OLDEST)
    subject, session = _named(claims, "sub"), _named(claims, "sid")
    if not subject and not session:
        raise tokens.invalid("neither sub nor sid")
    # Last, so that nobody uses up the name of a token that is not accepted anyway.
    name = f"{claims['iss']}\0{text(claims, 'jti')}"
    if not await replays.first("logout-token", name, int(now + OLDEST + tokens.SKEW) + 1, int(now)):
        raise tokens.invalid("the logout token was used before")
    return Ended(sessions=(session,) if session else (), issuer=str(claims["iss"]), subject=subject)


def _check_event(claims: Mapping[str, Any]) -> None:
    events = claims.get("events")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict):
        raise tokens.invalid("it does not speak of a back-channel logout")
    if "nonce" in claims:  # §2.4: MUST NOT, so that an id_token is never taken for one
        raise tokens.invalid("a nonce does not belong into a logout token")


def _named(claims: Mapping[str, Any], name: str) -> str:
    return text(claims, name) if name in claims else ""
