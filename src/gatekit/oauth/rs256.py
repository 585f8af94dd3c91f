"""RS256, for relying parties that know nothing else (OpenID Connect Core §15.1).

Signs what is for others to read, and reads back id_tokens that come as hints. No access token is ever signed
with it: the file that reads those (``jws.py``) knows one algorithm, as before (decision 0031).
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from msgspec import Struct

from gatekit.errors import TokenInvalid
from gatekit.oauth.jws import header_for, taken_apart, thumbprint
from gatekit.platform.segments import encode_segment

ALGORITHM = "RS256"
BITS = 2048
"""RFC 7518 §3.3: at least."""

_PADDING = padding.PKCS1v15()
_HASH = hashes.SHA256()


class RsaSigner(Struct, frozen=True):
    """A key that can sign; as ``jws.SignerKey``."""

    kid: str
    private: rsa.RSAPrivateKey
    header: str

    @property
    def public(self) -> rsa.RSAPublicKey:
        return self.private.public_key()

    def sign(self, payload: bytes) -> str:
        """The whole compact serialization."""
        signed = f"{self.header}.{encode_segment(payload)}"
        return f"{signed}.{encode_segment(self.private.sign(signed.encode('ascii'), _PADDING, _HASH))}"


def fresh() -> tuple[str, dict[str, str]]:
    """(private key as PKCS#8 in PEM, public JWK) of a new key. Takes some tenths of a second."""
    private = rsa.generate_private_key(65537, BITS)
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
    return text, public_jwk(private.public_key())


def opened(text: str, typ: str) -> RsaSigner:
    """The key in ``text``, for what has the type ``typ``. Raises ``ValueError`` for another kind of key."""
    private = serialization.load_pem_private_key(text.encode("ascii"), password=None)
    if not isinstance(private, rsa.RSAPrivateKey) or private.key_size < BITS:
        raise ValueError("not an RSA key of sane size")
    kid = thumbprint(public_jwk(private.public_key()))
    return RsaSigner(kid, private, header_for(kid, typ, ALGORITHM))


def verify(token: str, keys: Mapping[str, rsa.RSAPublicKey]) -> bytes:
    """As ``jws.verify``."""
    key, signed, payload, signature = taken_apart(token, keys)
    try:
        key.verify(signature, signed, _PADDING, _HASH)
    except InvalidSignature:
        raise TokenInvalid("the token is not one of ours", "bad signature") from None
    return payload


def public_jwk(key: rsa.RSAPublicKey) -> dict[str, str]:
    """The required members of the public JWK (RFC 7518 §6.3.1)."""
    numbers = key.public_numbers()
    return {"e": _number(numbers.e), "kty": "RSA", "n": _number(numbers.n)}


def _number(value: int) -> str:
    """Base64urlUInt: without leading zeros (RFC 7518 §2)."""
    return encode_segment(value.to_bytes((value.bit_length() + 7) // 8, "big"))
