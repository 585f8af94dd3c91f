"""Compact JWS, narrowed to what we issue ourselves: one algorithm, one header per key.

A header is never interpreted. A token is ours only if its first segment is, byte for byte, the header that
we write for a key we hold. So ``alg: none``, HMAC with the public key, embedded ``jwk``, ``jku``, ``crit``,
duplicate members or another ``typ`` have nothing to talk to (checklist T1, T2; RFC 8725 §3.1, §3.11).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from msgspec import Struct

from gatekit.errors import TokenInvalid
from gatekit.platform.segments import decode_segment, encode_segment

ALGORITHM = "ES256"
MAX_TOKEN = 8192
"""Characters. Our own tokens have about 700; more is only work for us."""

_ECDSA = ec.ECDSA(hashes.SHA256())
Key = TypeVar("Key")


class SignerKey(Struct, frozen=True):
    """A key that can sign."""

    kid: str
    private: ec.EllipticCurvePrivateKey
    header: str
    """The encoded first segment of everything it signs."""

    @property
    def public(self) -> ec.EllipticCurvePublicKey:
        return self.private.public_key()

    def sign(self, payload: bytes) -> str:
        """The whole compact serialization."""
        signed = f"{self.header}.{encode_segment(payload)}"
        r, s = decode_dss_signature(self.private.sign(signed.encode("ascii"), _ECDSA))
        # RFC 7518 §3.4: R and S as 32 bytes each, not DER.
        return f"{signed}.{encode_segment(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def signer_key(private: ec.EllipticCurvePrivateKey, typ: str) -> SignerKey:
    """Name a key by its RFC 7638 thumbprint and fix the header of what it will sign."""
    kid = thumbprint(public_jwk(private.public_key()))
    return SignerKey(kid, private, header_for(kid, typ))


def header_for(kid: str, typ: str, algorithm: str = ALGORITHM) -> str:
    """The only header we ever write for ``kid``."""
    return encode_segment(f'{{"alg":"{algorithm}","kid":"{kid}","typ":"{typ}"}}'.encode())


def header_of(token: str) -> str:
    """The first segment; raise ``TokenInvalid`` unless there are three in a token of sane size."""
    if len(token) > MAX_TOKEN or token.count(".") != 2:
        raise TokenInvalid("the access token is not one of ours", "not a compact JWS of sane size")
    return token.partition(".")[0]


def taken_apart(token: str, keys: Mapping[str, Key]) -> tuple[Key, bytes, bytes, bytes]:
    """(key of ``keys``, by encoded header; what is signed; payload; signature), nothing of it verified.

    Raises ``TokenInvalid``.
    """
    key = keys.get(header_of(token))
    if key is None:
        raise TokenInvalid("the access token is not one of ours", "no key has this header")
    signed, _, signature = token.rpartition(".")
    try:
        raw = decode_segment(signature)
        payload = decode_segment(signed.partition(".")[2])
    except ValueError as bad:
        raise TokenInvalid("the access token is not one of ours", str(bad)) from bad
    return key, signed.encode("ascii"), payload, raw


def verify(token: str, keys: Mapping[str, ec.EllipticCurvePublicKey]) -> bytes:
    """Return the payload of ``token`` if a key of ``keys`` (by encoded header) signed it, else raise
    ``TokenInvalid``."""
    key, signed, payload, raw = taken_apart(token, keys)
    if len(raw) != 64:
        raise TokenInvalid("the access token is not one of ours", "signature is not 64 bytes")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if not r or not s:
        # CVE-2022-21449 ("psychic signatures"): the library refuses this as well; cheap to say twice.
        raise TokenInvalid("the access token is not one of ours", "zero in signature")
    try:
        key.verify(encode_dss_signature(r, s), signed, _ECDSA)
    except InvalidSignature:
        raise TokenInvalid("the access token is not one of ours", "bad signature") from None
    return payload


def fresh() -> tuple[str, dict[str, str]]:
    """(private key as text, public JWK) of a new key."""
    private = new_private_key()
    return private_to_text(private), public_jwk(private.public_key())


def opened(text: str, typ: str) -> SignerKey:
    """The key in ``text``, for what has the type ``typ``. Raises ``ValueError`` for another kind of key."""
    return signer_key(private_from_text(text), typ)


def new_private_key() -> ec.EllipticCurvePrivateKey:
    """A fresh P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def private_to_text(key: ec.EllipticCurvePrivateKey) -> str:
    """PKCS#8, PEM. A secret: seal it before it goes anywhere."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def private_from_text(text: str) -> ec.EllipticCurvePrivateKey:
    """Inverse of ``private_to_text``; raise ``ValueError`` for another kind of key."""
    key = serialization.load_pem_private_key(text.encode("ascii"), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not a P-256 key")
    return key


def public_jwk(key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """The required members of the public JWK (RFC 7518 §6.2.1)."""
    numbers = key.public_numbers()
    return {
        "crv": "P-256",
        "kty": "EC",
        "x": encode_segment(numbers.x.to_bytes(32, "big")),
        "y": encode_segment(numbers.y.to_bytes(32, "big")),
    }


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638, of a JWK that holds only its required members."""
    canonical = json.dumps(jwk, sort_keys=True, separators=(",", ":"))
    return encode_segment(hashlib.sha256(canonical.encode()).digest())
