"""The narrow JWS: exactly our own header and signature (RFC 7515, RFC 7518 §3.4, RFC 8725)."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws as oracle
from joserfc.jwk import ECKey

from gatekit.errors import TokenInvalid
from gatekit.oauth.jws import (
    MAX_TOKEN,
    new_private_key,
    private_from_text,
    private_to_text,
    public_jwk,
    signer_key,
    thumbprint,
    verify,
)
from gatekit.platform.segments import decode_segment, encode_segment

PRIVATE = new_private_key()
KEY = signer_key(PRIVATE, "at+jwt")
KEYS = {KEY.header: KEY.public}


def test_another_implementation_reads_it() -> None:
    token = KEY.sign(b'{"a":1}')
    read = oracle.deserialize_compact(
        token, ECKey.import_key({**public_jwk(KEY.public)}), algorithms=["ES256"]
    )
    assert read.payload == b'{"a":1}'
    assert read.headers() == {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}
    assert verify(token, KEYS) == b'{"a":1}'


def test_the_kid_is_the_thumbprint() -> None:
    assert (
        ECKey.import_key({**public_jwk(KEY.public)}).thumbprint()
        == KEY.kid
        == thumbprint(public_jwk(KEY.public))
    )


def test_private_keys_survive_storage() -> None:
    again = private_from_text(private_to_text(PRIVATE))
    assert signer_key(again, "at+jwt").kid == KEY.kid
    other = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(ValueError, match="P-256"):
        private_from_text(private_to_text(other))


@pytest.mark.parametrize("segment", ["", "a", "ab=", "ab==", "a b", "a+b_", "a/b_", "ab\n", "YR", "ü"])
def test_only_the_canonical_spelling_of_a_segment(segment: str) -> None:
    with pytest.raises(ValueError):
        decode_segment(segment)


def _forge(header: dict[str, object], payload: bytes = b"{}", signature: bytes = b"\x01" * 64) -> str:
    return ".".join(encode_segment(part) for part in (json.dumps(header).encode(), payload, signature))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "at+jwt"},
        {"alg": "NoNe", "kid": KEY.kid, "typ": "at+jwt"},
        {"alg": "HS256", "kid": KEY.kid, "typ": "at+jwt"},
        {"alg": "ES256", "kid": KEY.kid, "typ": "JWT"},
        {"alg": "ES256", "kid": KEY.kid},
        {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt", "crit": ["x"], "x": 1},
        {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt", "b64": False, "crit": ["b64"]},
        {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt", "jwk": public_jwk(KEY.public)},
        {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt", "jku": "https://evil.example/jwks"},
        {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt", "x5u": "https://evil.example/x"},
        {"alg": "ES256", "kid": "../../dev/null", "typ": "at+jwt"},
        {"alg": "ES256", "kid": "' OR 1=1 --", "typ": "at+jwt"},
        {"alg": "ES256", "kid": [KEY.kid], "typ": "at+jwt"},
    ],
)
def test_any_other_header_is_refused_whatever_signed_it(header: dict[str, object]) -> None:
    stranger = signer_key(new_private_key(), "at+jwt")
    encoded = encode_segment(json.dumps(header).encode())
    for private in (PRIVATE, stranger.private):
        forged = type(KEY)(KEY.kid, private, encoded).sign(b"{}")
        with pytest.raises(TokenInvalid):
            verify(forged, KEYS)


def test_signatures_of_other_shapes() -> None:
    head, payload, signature = KEY.sign(b"{}").split(".")
    der = PRIVATE.sign(f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    raw = decode_segment(signature)
    for bad in (der, b"\0" * 64, raw[:32] + b"\0" * 32, raw[:-1], raw + b"\0", b"\xff" * 64, bytes(64)[:0]):
        with pytest.raises(TokenInvalid):
            verify(f"{head}.{payload}.{encode_segment(bad)}", KEYS)


def test_spellings_of_a_good_token() -> None:
    token = KEY.sign(b"{}")
    head, payload, signature = token.split(".")
    padded = base64.urlsafe_b64encode(decode_segment(signature)).decode()
    for bad in (
        token + ".",
        "." + token,
        f"{head}.{payload}",
        f"{head}.{payload}.",
        f"{head}..{signature}",
        f"{head}.{payload}.{padded}",
        f"{head}.{payload} .{signature}",
        f"{head}\n.{payload}.{signature}",
        token + "=" * 4,
        "x" * (MAX_TOKEN + 1),
        "",
    ):
        with pytest.raises(TokenInvalid):
            verify(bad, KEYS)
