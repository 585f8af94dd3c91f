"""DPoP proofs as a client makes them (RFC 9449 §4), and as one should not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from gatekit.platform.clock import SystemEntropy
from gatekit.platform.segments import encode_segment

Private = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


class Holder:
    """Somebody with a key pair."""

    def __init__(self, algorithm: str = "ES256") -> None:
        self.algorithm = algorithm
        self.private: Private
        if algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            self.private = rsa.generate_private_key(65537, 2048)
        self.jwk = _public(self.private)

    @property
    def jkt(self) -> str:
        """RFC 7638."""
        canonical = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return encode_segment(hashlib.sha256(canonical.encode()).digest())

    def proof(
        self,
        method: str,
        url: str,
        now: float,
        token: str = "",
        *,
        header: Mapping[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """A proof; whatever is given in ``header`` and ``claims`` replaces a member, None leaves it out."""
        said = {"jti": SystemEntropy().token("", 12), "htm": method, "htu": url, "iat": int(now)}
        if token:
            said["ath"] = encode_segment(hashlib.sha256(token.encode()).digest())
        head = {"typ": "dpop+jwt", "alg": self.algorithm, "jwk": self.jwk}
        return self.sign(_without_none({**head, **(header or {})}), _without_none({**said, **claims}))

    def sign(self, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
        """Any header over any claims, signed with this key."""
        signed = f"{_segment(header)}.{_segment(claims)}"
        return f"{signed}.{encode_segment(self._signature(signed.encode()))}"

    def _signature(self, data: bytes) -> bytes:
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        if self.algorithm == "PS256":
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
            return self.private.sign(data, pss, hashes.SHA256())
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    @property
    def secret_jwk(self) -> dict[str, str]:
        """What nobody must ever send."""
        assert isinstance(self.private, ec.EllipticCurvePrivateKey)
        return {**self.jwk, "d": _number(self.private.private_numbers().private_value, 32)}


def _public(private: Private) -> dict[str, str]:
    if isinstance(private, ec.EllipticCurvePrivateKey):
        point = private.public_key().public_numbers()
        return {"crv": "P-256", "kty": "EC", "x": _number(point.x, 32), "y": _number(point.y, 32)}
    if isinstance(private, ed25519.Ed25519PrivateKey):
        raw = private.public_key().public_bytes_raw()
        return {"crv": "Ed25519", "kty": "OKP", "x": encode_segment(raw)}
    numbers = private.public_key().public_numbers()
    return {"e": _number(numbers.e, 3), "kty": "RSA", "n": _number(numbers.n, 256)}


def _number(value: int, size: int) -> str:
    return encode_segment(value.to_bytes(size, "big"))


def _segment(content: Mapping[str, Any]) -> str:
    return encode_segment(json.dumps(content).encode())


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
