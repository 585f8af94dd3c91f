"""Requests to an authorization server: registration, token, revocation; answers checked, errors in words."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from gatekit.errors import ChannelError, OutboundRefused
from gatekit.local.account.discover import Answer, Fetch, Issuer
from gatekit.local.account.keep import Kept

EARLY = 30.0
"""Seconds before its end at which a token is renewed; a short-lived one after three quarters of its life."""
CLIENT_NAME = "Gatekit bridge"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_METHODS = ("none", "client_secret_basic", "client_secret_post")


class Denied(ChannelError):
    """The authorization server said no. ``error`` is its code (RFC 6749 §5.2)."""

    def __init__(self, error: str, text: str) -> None:
        self.error = error
        super().__init__(text)


async def register(fetch: Fetch, issuer: Issuer, kept: Kept, redirect_uri: str) -> None:
    """Become a client (RFC 7591) and note it in ``kept``. Raises ``ChannelError``."""
    if not issuer.registration_endpoint:
        raise ChannelError(
            f"{issuer.issuer} lets nobody register: have a client registered there for {redirect_uri} "
            "and name it with --client-id"
        )
    grants = ["authorization_code", "refresh_token"]
    if issuer.device_authorization_endpoint and DEVICE_GRANT in issuer.grant_types_supported:
        grants.append(DEVICE_GRANT)
    wanted = {
        "client_name": CLIENT_NAME,
        "redirect_uris": [redirect_uri],
        "grant_types": grants,
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }
    answer = await _post(fetch, issuer.registration_endpoint, {}, json=wanted)
    document = _object(answer)
    client_id = document.get("client_id")
    if answer.status not in (200, 201) or not isinstance(client_id, str):
        raise _denied(document, f"{issuer.issuer} does not register us")
    secret, method = document.get("client_secret"), document.get("token_endpoint_auth_method", "none")
    kept.issuer, kept.client_id, kept.redirect_uri = issuer.issuer, client_id, redirect_uri
    kept.client_secret = secret if isinstance(secret, str) else ""
    kept.auth_method = method if method in _METHODS else "client_secret_basic"
    if not kept.client_secret:
        kept.auth_method = "none"


async def token(fetch: Fetch, kept: Kept, form: Mapping[str, str], now: float) -> None:
    """Ask for tokens (RFC 6749 §4.1.3, §6; RFC 8628 §3.4; RFC 8707) and note them in ``kept``.

    Raises ``Denied``; ``ChannelError`` if there was no usable answer.
    """
    headers, fields = _as_client(kept, {**form, "resource": kept.resource})
    answer = await _post(fetch, kept.token_endpoint, headers, form=fields)
    document = _object(answer)
    access = document.get("access_token")
    if answer.status != 200 or not isinstance(access, str) or not access:
        raise _denied(document, f"{kept.issuer} gives no token (HTTP {answer.status})")
    kind = document.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise ChannelError(f"{kept.issuer} gives a token of a kind that is not known here: {kind!r}")
    refresh, lifetime, scope = (document.get(key) for key in ("refresh_token", "expires_in", "scope"))
    kept.access_token = access
    if isinstance(refresh, str) and refresh:
        kept.refresh_token = refresh
    seconds = lifetime if isinstance(lifetime, int | float) else 0
    kept.renew_at = now + seconds - min(EARLY, seconds / 4) if seconds > 0 else 0.0
    if isinstance(scope, str):
        kept.scope = scope


async def revoke(fetch: Fetch, kept: Kept) -> bool:
    """Tell the authorization server that the sign-in ends (RFC 7009). False if it did not hear of it."""
    secret = kept.refresh_token or kept.access_token
    if not kept.revocation_endpoint or not secret:
        return False
    headers, fields = _as_client(kept, {"token": secret})
    try:
        return (await _post(fetch, kept.revocation_endpoint, headers, form=fields)).status == 200
    except ChannelError:
        return False


def _as_client(kept: Kept, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    fields = {key: value for key, value in form.items() if value}
    if kept.auth_method == "client_secret_basic":
        pair = f"{quote(kept.client_id, safe='')}:{quote(kept.client_secret, safe='')}"  # RFC 6749 §2.3.1
        return {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, fields
    fields["client_id"] = kept.client_id
    if kept.auth_method == "client_secret_post":
        fields["client_secret"] = kept.client_secret
    return {}, fields


async def _post(fetch: Fetch, url: str, headers: Mapping[str, str], **content: Any) -> Answer:
    try:
        return await fetch("POST", url, headers={"accept": "application/json", **headers}, **content)
    except OutboundRefused as error:
        raise ChannelError(f"the authorization server cannot be asked: {error}") from error


async def device(fetch: Fetch, issuer: Issuer, kept: Kept, scope: str) -> dict[str, Any]:
    """Begin a device sign-in (RFC 8628 §3.1); the answer has its members. Raises ``ChannelError``."""
    headers, fields = _as_client(kept, {"scope": scope, "resource": kept.resource})
    answer = await _post(fetch, issuer.device_authorization_endpoint, headers, form=fields)
    document = _object(answer)
    required = ("device_code", "user_code", "verification_uri")
    if answer.status != 200 or not all(isinstance(document.get(key), str) for key in required):
        raise _denied(document, f"{issuer.issuer} begins no device sign-in (HTTP {answer.status})")
    return document


def _object(answer: Answer) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _denied(document: dict[str, Any], words: str) -> Denied:
    error, description = document.get("error"), document.get("error_description")
    said = ": ".join(each for each in (error, description) if isinstance(each, str) and each)
    return Denied(error if isinstance(error, str) else "", f"{words}: {said}" if said else words)
