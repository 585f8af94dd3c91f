"""XML Signature, as little of it as SAML needs (SAML Core §5.4), and nothing that it does not need.

An accepted signature is the child of what it signs, refers to that by its id, transforms it by leaving itself
out and canonicalising exclusively, and uses SHA-2 with RSA or ECDSA. Every other form is refused before any
key is tried. Keys come from the provider's metadata; what the message says about its key is not read
(checklist S3).

What is returned is a new tree, parsed from the bytes that were digested. Whoever reads only that cannot be
shown anything unsigned, however the document around it was rearranged (S1, S2). The decision, and the
libraries that were not taken, are in docs/decisions.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hmac import compare_digest
from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from gatekit.errors import SamlRefused
from gatekit.identity.saml.documents import Element, canonical, children, local, needed, parse, text
from gatekit.identity.saml.names import DS, ENVELOPED, EXCLUSIVE, XENC, tag

PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

MIN_RSA_BITS = 2048
MORE = "http://www.w3.org/2001/04/xmldsig-more#"

DIGESTS: dict[str, type[hashes.HashAlgorithm]] = {
    XENC + "sha256": hashes.SHA256,
    MORE + "sha384": hashes.SHA384,
    XENC + "sha512": hashes.SHA512,
}
RSA_METHODS: dict[str, type[hashes.HashAlgorithm]] = {
    MORE + "rsa-sha256": hashes.SHA256,
    MORE + "rsa-sha384": hashes.SHA384,
    MORE + "rsa-sha512": hashes.SHA512,
}
ECDSA_METHODS: dict[str, type[hashes.HashAlgorithm]] = {
    MORE + "ecdsa-sha256": hashes.SHA256,
    MORE + "ecdsa-sha384": hashes.SHA384,
    MORE + "ecdsa-sha512": hashes.SHA512,
}
_ENVELOPE = ("SignedInfo", "SignatureValue", "KeyInfo")


def is_signed(element: Element) -> bool:
    """Whether a signature is a child of this element."""
    return bool(children(element, "ds:Signature"))


def verify(element: Element, keys: Sequence[PublicKey], limit: int) -> Element:
    """The element as it was signed: the root of a document of its own, without the signature.

    Raise ``SamlRefused``: ``unsigned``, ``signature_form``, ``algorithm``, ``digest``, ``key``.
    """
    found = children(element, "ds:Signature")
    if not found:
        raise SamlRefused("unsigned", f"{local(element)} is not signed")
    if len(found) > 1:
        raise SamlRefused("signature_form", f"{local(element)} has several signatures")
    signature = found[0]
    signed_info = _signed_info(signature)
    reference = needed(signed_info, "ds:Reference")
    _check_reference(reference, element)
    prefixes = _transforms(reference)
    digest = _algorithm(needed(reference, "ds:DigestMethod"), DIGESTS)
    method = needed(signed_info, "ds:SignatureMethod")
    _algorithm(method, RSA_METHODS | ECDSA_METHODS)
    with _left_out(signature):
        signed = canonical(element, prefixes)
    if not compare_digest(_digest(digest, signed), _decoded(needed(reference, "ds:DigestValue"))):
        raise SamlRefused("digest", f"{local(element)} is not what was signed")
    # The order matters to whoever reads the reason, not to safety: both must hold.
    message = canonical(signed_info, _canonicalization(signed_info))
    value = _decoded(needed(signature, "ds:SignatureValue"))
    if not any(made_by(key, method.get("Algorithm"), value, message) for key in keys):
        raise SamlRefused("key", "none of the keys in the provider's metadata made this signature")
    return parse(signed, limit)


def _signed_info(signature: Element) -> Element:
    """Check the outer form: nothing in it but what is expected, once and in order."""
    names = [child.tag for child in signature]
    expected = [f"{{{DS}}}{name}" for name in _ENVELOPE]
    if names not in (expected, expected[:2]):
        raise SamlRefused("signature_form", "the signature holds something else than it may")
    info = signature[0]
    parts = [child.tag for child in info]
    if parts.count(tag("ds:Reference")) != 1:
        raise SamlRefused("signature_form", "exactly one reference may be signed")
    names = [f"{{{DS}}}{name}" for name in ("CanonicalizationMethod", "SignatureMethod", "Reference")]
    if parts != names:
        raise SamlRefused("signature_form", "the signed information holds something else than it may")
    return info


def _check_reference(reference: Element, element: Element) -> None:
    """It must be the parent, by its id; an empty URI would be the whole document (SAML Core §5.4.2)."""
    ident, uri = element.get("ID"), reference.get("URI")
    if not ident or uri != f"#{ident}":
        raise SamlRefused("signature_form", "the signature refers to something else than what holds it")
    if [child.tag for child in reference] != [
        tag("ds:Transforms"),
        tag("ds:DigestMethod"),
        tag("ds:DigestValue"),
    ]:
        raise SamlRefused("signature_form", "the reference holds something else than it may")


def _transforms(reference: Element) -> tuple[str, ...]:
    """SAML Core §5.4.4: leaving the signature out, then exclusive canonicalisation. No third."""
    transforms = list(needed(reference, "ds:Transforms"))
    if [item.tag for item in transforms] != [tag("ds:Transform")] * 2:
        raise SamlRefused("signature_form", "exactly two transforms are expected")
    first, second = transforms
    if first.get("Algorithm") != ENVELOPED or len(first):
        raise SamlRefused("signature_form", "the first transform must leave the signature out")
    return _exclusive(second)


def _canonicalization(signed_info: Element) -> tuple[str, ...]:
    return _exclusive(needed(signed_info, "ds:CanonicalizationMethod"))


def _exclusive(method: Element) -> tuple[str, ...]:
    """The prefixes that are treated inclusively."""
    if method.get("Algorithm") != EXCLUSIVE:
        raise SamlRefused("signature_form", f"not exclusive canonicalisation: {method.get('Algorithm')!r}")
    if not len(method):
        return ()
    if len(method) > 1 or method[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces" or len(method[0]):
        raise SamlRefused("signature_form", "the canonicalisation has parameters that are not known")
    return tuple((method[0].get("PrefixList") or "").split())


def _algorithm(method: Element, known: dict[str, type[hashes.HashAlgorithm]]) -> type[hashes.HashAlgorithm]:
    name = method.get("Algorithm") or ""
    found = known.get(name)
    if found is None or len(method):
        raise SamlRefused("algorithm", f"not accepted: {name[:100]!r}")
    return found


def _digest(algorithm: type[hashes.HashAlgorithm], data: bytes) -> bytes:
    digest = hashes.Hash(algorithm())
    digest.update(data)
    return digest.finalize()


def _decoded(element: Element) -> bytes:
    try:
        return b64decode("".join(text(element).split()), validate=True)
    except (binascii.Error, ValueError) as bad:
        raise SamlRefused("signature_form", f"{local(element)} is not base64") from bad


@contextmanager
def _left_out(signature: Element) -> Iterator[None]:
    """The tree without this element, and with the text after it (XML Signature §6.6.4)."""
    parent, place, tail = signature.getparent(), signature.getparent().index(signature), signature.tail
    before = parent[place - 1] if place else None
    was = before.tail if before is not None else parent.text
    parent.remove(signature)
    joined = (was or "") + (tail or "")
    try:
        if before is not None:
            before.tail = joined
        else:
            parent.text = joined
        yield
    finally:
        if before is not None:
            before.tail = was
        else:
            parent.text = was
        signature.tail = tail
        parent.insert(place, signature)


def made_by(key: PublicKey, method: str, signature: bytes, message: bytes) -> bool:
    """Whether ``key`` made this signature by this method; False also for a method of another kind of key."""
    try:
        if isinstance(key, rsa.RSAPublicKey) and (algorithm := RSA_METHODS.get(method)):
            key.verify(signature, message, padding.PKCS1v15(), algorithm())
            return True
        if isinstance(key, ec.EllipticCurvePublicKey) and (algorithm := ECDSA_METHODS.get(method)):
            key.verify(_der(signature, key), message, ec.ECDSA(algorithm()))
            return True
    except InvalidSignature:
        return False
    return False


def _der(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """XML Signature 1.1 §6.4.3: r and s side by side, each as long as the curve's order."""
    half = (key.key_size + 7) // 8
    if len(signature) != 2 * half:
        raise InvalidSignature
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    return utils.encode_dss_signature(r, s)
