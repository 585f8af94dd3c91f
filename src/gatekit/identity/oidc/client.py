"""Proving to an OpenID provider that we are its client (OpenID Connect Core §9, RFC 7523 §2.2)."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from gatekit.errors import ProviderFailed
from gatekit.model.connections import ClientAuth, OidcConnection
from gatekit.model.ports import Clock, Entropy
from gatekit.platform.segments import encode_segment

if TYPE_CHECKING:
    from joserfc.jwk import Key as NativeKey

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 60
"""Seconds that an assertion of ours is good for."""


def method(connection: OidcConnection, metadata: Mapping[str, Any]) -> ClientAuth:
    """As configured, or what fits the configured secret and the provider."""
    if connection.auth_method is not None:
        return connection.auth_method
    if connection.private_key:
        return "private_key_jwt"
    if not connection.client_secret:
        return "none"
    # Discovery §3: without a word, client_secret_basic is what every provider can do.
    known = metadata.get("token_endpoint_auth_methods_supported")
    only_post = isinstance(known, list) and "client_secret_basic" not in known
    return "client_secret_post" if only_post else "client_secret_basic"


def authenticated(
    connection: OidcConnection,
    chosen: ClientAuth,
    form: Mapping[str, str],
    token_endpoint: str,
    clock: Clock,
    entropy: Entropy,
) -> tuple[dict[str, str], dict[str, str]]:
    """(headers, form) of a request to the token endpoint. Raises ``ProviderFailed`` for an unusable key."""
    headers = {"accept": "application/json"}
    sent = {**form, "client_id": connection.client_id}
    if chosen == "client_secret_basic":
        # RFC 6749 §2.3.1: both parts form-encoded first. With the header the body names no client: some
        # providers take that for two methods at once.
        del sent["client_id"]
        pair = f"{quote_plus(connection.client_id)}:{quote_plus(connection.client_secret)}"
        headers["authorization"] = f"Basic {b64encode(pair.encode()).decode('ascii')}"
    elif chosen == "client_secret_post":
        sent["client_secret"] = connection.client_secret
    elif chosen == "private_key_jwt":
        sent["client_assertion_type"] = ASSERTION_TYPE
        sent["client_assertion"] = assertion(connection, token_endpoint, clock, entropy)
    return headers, sent


def assertion(connection: OidcConnection, audience: str, clock: Clock, entropy: Entropy) -> str:
    """§9: ``private_key_jwt``. Raises ``ProviderFailed``."""
    # 80 ms that only those pay who use it.
    from joserfc.jws import JWSRegistry  # noqa: PLC0415

    try:
        algorithm, key = signing_key(connection.private_key)
    except ValueError as bad:
        raise ProviderFailed(
            "This gateway is not set up correctly. Tell whoever runs it.",
            f"{connection.name}: private_key: {bad}",
        ) from bad
    now = int(clock.now())
    header = {"alg": algorithm, "typ": "JWT", **({"kid": connection.key_id} if connection.key_id else {})}
    claims = {
        "iss": connection.client_id,
        "sub": connection.client_id,
        "aud": audience,
        "jti": entropy.token("", 16),
        "iat": now,
        "exp": now + LIFETIME,
    }
    signed = ".".join(encode_segment(json.dumps(part).encode()) for part in (header, claims))
    signature = JWSRegistry.algorithms[algorithm].sign(signed.encode("ascii"), key)
    return f"{signed}.{encode_segment(signature)}"


def signing_key(pem: str) -> tuple[str, NativeKey]:
    """(algorithm, key) of a PEM. Raises ``ValueError`` with what is wrong with it."""
    from joserfc.errors import JoseError  # noqa: PLC0415  (as above)
    from joserfc.jwk import ECKey, OKPKey, RSAKey  # noqa: PLC0415

    readers: Mapping[str, Callable[[str], NativeKey]] = {
        "RS256": RSAKey.import_key,
        "ES256": ECKey.import_key,
        "EdDSA": OKPKey.import_key,
    }
    for algorithm, read in readers.items():
        try:
            key = read(pem)
        except (JoseError, ValueError, TypeError):
            continue
        if not key.is_private:
            raise ValueError("it is a public key")
        if algorithm == "ES256" and key.as_dict().get("crv") != "P-256":
            raise ValueError("an EC key must be on P-256")
        return "Ed25519" if algorithm == "EdDSA" else algorithm, key
    raise ValueError("it is no PEM of an RSA, EC or Ed25519 key")
