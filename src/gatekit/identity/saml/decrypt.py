"""XML Encryption of assertions: AES under a key that RSA-OAEP wraps (checklist S7).

PKCS #1 v1.5 is not there at all (Bleichenbacher). CBC is still what many providers send. It proves nothing
about who wrote the text, so whoever calls this demands a signature inside; and because a padding that is told
from a wrong signature decrypts messages (Jager and Somorovsky, 2011), every failure here is one error with
one text, and a failure of what is inside is indistinguishable from it for the sender: all of them are the
same page.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gatekit.errors import SamlRefused
from gatekit.identity.saml.documents import Element, child, children, needed, parse, text
from gatekit.identity.saml.names import DS, XENC, XENC11, tag

GCM = {f"{XENC11}aes{bits}-gcm": bits // 8 for bits in (128, 192, 256)}
CBC = {f"{XENC}aes{bits}-cbc": bits // 8 for bits in (128, 192, 256)}
OAEP_SHA1 = XENC + "rsa-oaep-mgf1p"
OAEP = XENC11 + "rsa-oaep"
BLOCK = 16
MAX_KEYS = 8
"""Wrapped keys of one assertion, one for each of our certificates; each costs a private operation."""

# SHA-1 in OAEP only: there it need not resist collisions, and the specification's default is what is sent.
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    DS + "sha1": hashes.SHA1,
    XENC + "sha256": hashes.SHA256,
    XENC + "sha512": hashes.SHA512,
}
_MGF: dict[str, type[hashes.HashAlgorithm]] = {
    XENC11 + "mgf1sha1": hashes.SHA1,
    XENC11 + "mgf1sha256": hashes.SHA256,
    XENC11 + "mgf1sha512": hashes.SHA512,
}


def decrypt(encrypted: Element, keys: Sequence[rsa.RSAPrivateKey], limit: int) -> Element:
    """The root of what ``saml:EncryptedAssertion`` holds, parsed as strictly as anything else.

    Raise ``SamlRefused``: ``algorithm`` for a method that is not accepted, which is no secret, and
    ``decryption`` for everything else.
    """
    data = needed(encrypted, "xenc:EncryptedData")
    method = (needed(data, "xenc:EncryptionMethod").get("Algorithm")) or ""
    size = GCM.get(method) or CBC.get(method)
    if size is None:
        raise SamlRefused("algorithm", f"content encrypted with {method[:100]!r}")
    wrapped = _wrapped(encrypted, data)
    schemes = [(_scheme(item), _cipher_value(item)) for item in wrapped]
    sealed = _cipher_value(data)
    try:
        return parse(_opened(sealed, method, _content_key(schemes, keys, size)), limit)
    except (ValueError, InvalidTag, SamlRefused):
        raise _failed() from None


def _failed() -> SamlRefused:
    return SamlRefused("decryption", "the assertion cannot be decrypted with our keys")


def _wrapped(encrypted: Element, data: Element) -> list[Element]:
    """EncryptedKey inside the data's KeyInfo or beside it (SAML Core §2.3.4, §6.2)."""
    info = child(data, "ds:KeyInfo")
    inside = children(info, "xenc:EncryptedKey") if info is not None else []
    found = [*inside, *children(encrypted, "xenc:EncryptedKey")]
    if not 1 <= len(found) <= MAX_KEYS:
        raise SamlRefused("structure", f"{len(found)} wrapped keys")
    return found


def _scheme(key: Element) -> padding.OAEP:
    method = needed(key, "xenc:EncryptionMethod")
    name = method.get("Algorithm") or ""
    if name not in (OAEP_SHA1, OAEP) or method.find(tag("xenc:OAEPparams")) is not None:
        raise SamlRefused("algorithm", f"key wrapped with {name[:100]!r}")
    digest = _named(method, "ds:DigestMethod", _HASHES)
    mask = _named(method, "xenc11:MGF", _MGF) if name == OAEP else hashes.SHA1()  # noqa: S303
    return padding.OAEP(mgf=padding.MGF1(mask), algorithm=digest, label=None)


def _named(method: Element, name: str, known: dict[str, type[hashes.HashAlgorithm]]) -> hashes.HashAlgorithm:
    found = child(method, name)
    if found is None:
        return hashes.SHA1()  # noqa: S303  (XML Encryption §5.5.2: the default)
    algorithm = known.get(found.get("Algorithm") or "")
    if algorithm is None:
        raise SamlRefused("algorithm", f"key wrapped with {str(found.get('Algorithm'))[:100]!r}")
    return algorithm()


def _cipher_value(element: Element) -> bytes:
    value = text(needed(needed(element, "xenc:CipherData"), "xenc:CipherValue"))
    try:
        return b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError) as bad:
        raise SamlRefused("structure", "CipherValue is not base64") from bad


def _content_key(
    wrapped: Sequence[tuple[padding.OAEP, bytes]], keys: Sequence[rsa.RSAPrivateKey], size: int
) -> bytes:
    for scheme, value in wrapped:
        for key in keys:
            try:
                found = key.decrypt(value, scheme)
            except ValueError:
                continue
            if len(found) == size:
                return found
    raise ValueError


def _opened(sealed: bytes, method: str, key: bytes) -> bytes:
    if method in GCM:  # XML Encryption 1.1 §5.2.4: 96 bits of IV, then text and tag
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], None)
    if len(sealed) < 2 * BLOCK or len(sealed) % BLOCK:
        raise ValueError
    decryptor = Cipher(algorithms.AES(key), modes.CBC(sealed[:BLOCK])).decryptor()
    padded = decryptor.update(sealed[BLOCK:]) + decryptor.finalize()
    if not 1 <= padded[-1] <= BLOCK:  # §5.2.1: only the last byte says how many
        raise ValueError
    return padded[: -padded[-1]]
