"""What a client says of itself (RFC 7591 §2), read the same way whether it registers or publishes it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.errors import ForeignTokenInvalid, InvalidClientMetadata
from gatekit.model.oauth import DEVICE_CODE, Client
from gatekit.platform import foreign

GRANT_TYPES = ("authorization_code", "refresh_token", DEVICE_CODE)
SIGNING_ALGORITHMS = (
    *("ES256", "ES384", "ES512", "EdDSA"),
    *("PS256", "PS384", "PS512", "RS256", "RS384", "RS512"),
)
"""What an assertion may be signed with: with a private key, never with something that we know as well."""
MAX_NAME = 100
MAX_TEXT = 2048

_USUAL = ("authorization_code", "refresh_token")
_TEXTS = ("software_id", "software_version")
REQUIRE_PUSHED = "require_pushed_authorization_requests"
"""RFC 9126 §6."""
REQUIRE_BOUND = "dpop_bound_access_tokens"
"""RFC 9449 §5.2."""
_DEMANDS = (REQUIRE_PUSHED, REQUIRE_BOUND)
_URLS = ("client_uri", "logo_uri", "tos_uri", "policy_uri")


def clean_text(text: str, limit: int) -> str:
    """A stranger's text, made fit to be shown: no controls, no direction overrides, one line, short (B5)."""
    kept = "".join(" " if char.isspace() else char for char in text[: limit * 4])
    kept = "".join(char for char in kept if unicodedata.category(char)[0] != "C")
    kept = " ".join(kept.split())
    return kept if len(kept) <= limit else kept[: limit - 1] + "…"


def texts(metadata: Mapping[str, Any], name: str) -> str:
    value = metadata.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidClientMetadata(f"{name} must be a string")
    return value


def strings(metadata: Mapping[str, Any], name: str) -> list[str] | None:
    value = metadata.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InvalidClientMetadata(f"{name} must be an array of strings")
    return value


def grant_types(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """What we have of what was asked for; others are left out (RFC 7591 §2 lets us), the answer says so."""
    asked = strings(metadata, "grant_types")
    responses = strings(metadata, "response_types")
    if DEVICE_CODE in (asked or ()) and "authorization_code" not in (asked or ()):
        return tuple(grant for grant in GRANT_TYPES if grant in (asked or ()))
    if "authorization_code" not in (asked or GRANT_TYPES) or "code" not in (responses or ("code",)):
        raise InvalidClientMetadata(
            "only the authorization code grant (response type code) and the device grant are offered"
        )
    if not asked:
        # RFC 7591 §2 says authorization_code alone. A desktop client that forgot to ask would make its user
        # sign in every hour, so it gets refresh tokens too.
        return _USUAL
    return tuple(grant for grant in GRANT_TYPES if grant in asked)


def demands(client: Client, name: str) -> bool:
    """Whether ``client`` asked to be held to the stricter way that ``name`` stands for."""
    return name in client.metadata and json.loads(client.metadata).get(name) is True


class PublishedKeys(Struct, frozen=True):
    """What ``private_key_jwt`` is verified with; empty for clients of other methods."""

    jwks: str = ""
    jwks_uri: str = ""
    algorithm: str = ""

    def members(self) -> dict[str, Any]:
        """As they are registered (RFC 7591 §2)."""
        found: dict[str, Any] = {"jwks": json.loads(self.jwks)} if self.jwks else {}
        if self.jwks_uri:
            found["jwks_uri"] = self.jwks_uri
        if self.algorithm:
            found["token_endpoint_auth_signing_alg"] = self.algorithm
        return found


def published_keys(metadata: Mapping[str, Any]) -> PublishedKeys:
    """RFC 7591 §2, strictly: one of ``jwks`` and ``jwks_uri``, public keys that can verify (checklist K2)."""
    jwks, uri = metadata.get("jwks"), texts(metadata, "jwks_uri")
    algorithm = texts(metadata, "token_endpoint_auth_signing_alg")
    if (jwks is None) == (not uri):
        raise InvalidClientMetadata("private_key_jwt needs one of jwks and jwks_uri, and only one")
    if algorithm and algorithm not in SIGNING_ALGORITHMS:
        offered = ", ".join(SIGNING_ALGORITHMS)
        raise InvalidClientMetadata(f"token_endpoint_auth_signing_alg must be one of {offered}")
    if uri:
        if not _web_url(uri) or not uri.startswith("https://") or "#" in uri:
            raise InvalidClientMetadata("jwks_uri must be an https URL")
        return PublishedKeys(jwks_uri=uri, algorithm=algorithm)
    try:
        keys = foreign.local_keys(jwks, strict=True)
    except ForeignTokenInvalid as bad:
        raise InvalidClientMetadata(f"jwks: {bad.description}") from bad
    if algorithm and not any(key.fits(algorithm) for key in keys):
        raise InvalidClientMetadata("no key in jwks fits token_endpoint_auth_signing_alg")
    return PublishedKeys(json.dumps(jwks, sort_keys=True, separators=(",", ":")), "", algorithm)


def extras(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Optional members that we keep and echo. URLs only if a browser could follow them safely."""
    kept: dict[str, Any] = {}
    for name in _DEMANDS:
        if not isinstance(metadata.get(name, False), bool):
            raise InvalidClientMetadata(f"{name} must be true or false")
        if metadata.get(name):
            kept[name] = True
    for name in _TEXTS:
        if value := clean_text(texts(metadata, name), 200):
            kept[name] = value
    for name in _URLS:
        value = texts(metadata, name)
        if value and _web_url(value):
            kept[name] = value
    return kept


def _web_url(value: str) -> bool:
    if len(value) > MAX_TEXT or not value.isascii() or not value.isprintable() or " " in value:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
