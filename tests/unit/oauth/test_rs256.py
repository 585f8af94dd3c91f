"""RS256: signed as others read it, and read as narrowly as what we sign otherwise."""

from __future__ import annotations

import hmac
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jws as other
from joserfc.jwk import RSAKey

from gatekit.errors import TokenInvalid
from gatekit.oauth import jws, rs256
from gatekit.platform.segments import decode_segment, encode_segment

TEXT, JWK = rs256.fresh()
KEY = rs256.opened(TEXT, "JWT")
KEYS = {KEY.header: KEY.public}
PAYLOAD = b'{"sub":"1"}'


def test_another_library_reads_it() -> None:
    token = KEY.sign(PAYLOAD)
    assert json.loads(decode_segment(KEY.header)) == {"alg": "RS256", "kid": KEY.kid, "typ": "JWT"}
    theirs = RSAKey.import_key({**JWK})
    assert theirs.thumbprint() == KEY.kid
    assert other.deserialize_compact(token, theirs, algorithms=["RS256"]).payload == PAYLOAD
    assert rs256.verify(token, KEYS) == PAYLOAD
    assert JWK.keys() == {"e", "kty", "n"}


def test_what_somebody_else_signed_is_refused() -> None:
    stranger = rs256.opened(rs256.fresh()[0], "JWT")
    with pytest.raises(TokenInvalid):
        rs256.verify(stranger.sign(PAYLOAD), KEYS)
    head, payload, _ = KEY.sign(PAYLOAD).split(".")
    _, _, theirs = stranger.sign(PAYLOAD).split(".")
    changed = encode_segment(b'{"sub":"2"}')
    for forged in (
        f"{head}.{payload}.{theirs}",
        f"{head}.{changed}.{KEY.sign(PAYLOAD).rpartition('.')[2]}",
        f"{head}.{payload}.",
        f"{head}.{payload}.{encode_segment(bytes(256))}",
        f"{head}.{payload}.{encode_segment(bytes(64))}",
    ):
        with pytest.raises(TokenInvalid):
            rs256.verify(forged, KEYS)


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    """T1, T2: Another algorithm means another header, and we know but one for each key."""
    public = KEY.public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for algorithm in ("HS256", "none"):
        head = {"alg": algorithm, "kid": KEY.kid, "typ": "JWT"}
        signed = f"{encode_segment(json.dumps(head).encode())}.{encode_segment(PAYLOAD)}"
        mac = hmac.digest(public, signed.encode(), "sha256") if algorithm == "HS256" else b""
        token = f"{signed}.{encode_segment(mac)}"
        with pytest.raises(TokenInvalid):
            rs256.verify(token, KEYS)


def test_other_kinds_of_keys_are_not_opened() -> None:
    weak = rsa.generate_private_key(65537, 1024).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for text in (jws.fresh()[0], weak.decode()):
        with pytest.raises(ValueError, match="not an RSA key of sane size"):
            rs256.opened(text, "JWT")
    with pytest.raises(ValueError, match="not a P-256 key"):
        jws.opened(TEXT, "at+jwt")
