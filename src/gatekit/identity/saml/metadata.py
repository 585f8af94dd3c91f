"""A provider's metadata: who it is, where to send people, whose signatures to believe (checklist S8)."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Struct

from gatekit.errors import SamlRefused
from gatekit.identity.saml.documents import MAX_METADATA, Element, children, needed, parse, text
from gatekit.identity.saml.names import POST, REDIRECT, SAMLP, tag
from gatekit.identity.saml.signature import MIN_RSA_BITS, PublicKey, verify
from gatekit.identity.saml.times import duration, moment

MAX_KEYS = 10
SHORTEST_CACHE, LONGEST_CACHE = 300.0, 7 * 86_400.0


class Endpoint(Struct, frozen=True):
    binding: str
    location: str
    response_location: str
    """Where answers go; the same unless the provider says otherwise."""


class Provider(Struct, frozen=True, kw_only=True):
    """What one identity provider's metadata says."""

    entity_id: str
    sign_in: tuple[Endpoint, ...]
    sign_out: tuple[Endpoint, ...] = ()
    certificates: tuple[x509.Certificate, ...]
    """For signatures. A certificate only carries the key: its dates are for people (``expiries``), because
    providers sign with expired ones for years and metadata is what is trusted (SAML Metadata Interoperability
    Profile §2.6.1)."""
    wants_signed_requests: bool = False
    valid_until: float | None = None
    """Seconds since the epoch after which none of this may be used."""
    cache: float | None = None
    """Seconds after which it should be fetched again."""

    @property
    def keys(self) -> tuple[PublicKey, ...]:
        return tuple(_key(certificate) for certificate in self.certificates)

    def expiries(self) -> tuple[float, ...]:
        """When each certificate ends, in seconds since the epoch."""
        return tuple(certificate.not_valid_after_utc.timestamp() for certificate in self.certificates)

    def endpoint(self, binding: str, *, sign_out: bool = False) -> Endpoint | None:
        offered = self.sign_out if sign_out else self.sign_in
        return next((entry for entry in offered if entry.binding == binding), None)


def read_metadata(
    data: bytes, now: float, entity_id: str = "", signers: Sequence[PublicKey] = ()
) -> Provider:
    """What ``data`` says about ``entity_id``, or about the only identity provider in it.

    ``signers``: if there are any, one of them must have signed the document, and only what was signed is
    read. Raise ``SamlRefused``, with reason ``metadata`` for what is no use as metadata.
    """
    root = parse(data, MAX_METADATA)
    if signers:
        root = verify(root, signers, MAX_METADATA)
    entity = _entity(root, entity_id)
    described = [
        role
        for role in children(entity, "md:IDPSSODescriptor")
        if SAMLP in (role.get("protocolSupportEnumeration") or "").split()
    ]
    if len(described) != 1:
        raise SamlRefused("metadata", "describes no SAML 2.0 identity provider, or more than one role of it")
    role = described[0]
    ends = [end for element in (root, entity, role) if (end := element.get("validUntil"))]
    valid_until = min(map(moment, ends), default=None)
    if valid_until is not None and valid_until <= now:
        raise SamlRefused("metadata", "the metadata has expired (validUntil)")
    return Provider(
        entity_id=entity.get("entityID") or "",
        sign_in=_endpoints(role, "md:SingleSignOnService"),
        sign_out=_endpoints(role, "md:SingleLogoutService", required=False),
        certificates=_certificates(role),
        wants_signed_requests=role.get("WantAuthnRequestsSigned") in ("true", "1"),
        valid_until=valid_until,
        cache=_cache(root, entity, role),
    )


def _entity(root: Element, entity_id: str) -> Element:
    if root.tag not in (tag("md:EntityDescriptor"), tag("md:EntitiesDescriptor")):
        raise SamlRefused("metadata", "not SAML metadata")
    found = [
        entity
        for entity in root.iter(tag("md:EntityDescriptor"))
        if (entity.get("entityID") == entity_id if entity_id else children(entity, "md:IDPSSODescriptor"))
    ]
    if len(found) != 1:
        wanted = f"{entity_id!r} stands" if entity_id else "an identity provider stands"
        raise SamlRefused("metadata", f"{wanted} in it {len(found)} times; write entity_id")
    name = found[0].get("entityID") or ""
    if not name or name != name.strip() or len(name) > 1024:
        raise SamlRefused("metadata", "the provider has no entityID that can be used")
    return found[0]


def _endpoints(role: Element, name: str, *, required: bool = True) -> tuple[Endpoint, ...]:
    found = []
    for element in children(role, name):
        binding, location = element.get("Binding") or "", element.get("Location") or ""
        back = element.get("ResponseLocation") or location
        if binding not in (REDIRECT, POST):
            continue
        for url in (location, back):
            if not _is_place(url):
                raise SamlRefused("metadata", f"not a place to send a browser: {url[:200]!r}")
        found.append(Endpoint(binding, location, back))
    if required and not found:
        raise SamlRefused("metadata", "no SingleSignOnService by HTTP-Redirect or HTTP-POST")
    return tuple(found)


def _is_place(url: str) -> bool:
    """A browser is sent there: never to a script, never with a second host in the address (checklist I1)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and not parts.fragment
    return plain and parts.scheme in ("https", "http") and bool(parts.hostname) and "@" not in parts.netloc


def _certificates(role: Element) -> tuple[x509.Certificate, ...]:
    found: dict[bytes, x509.Certificate] = {}
    for descriptor in children(role, "md:KeyDescriptor"):
        # SAML Metadata §2.4.1.1: without ``use`` a key is for both. Keycloak CVE-2026-16443 took it for
        # neither, and then checked nothing.
        if descriptor.get("use", "signing") != "signing":
            continue
        for data in children(needed(descriptor, "ds:KeyInfo"), "ds:X509Data"):
            for element in children(data, "ds:X509Certificate"):
                certificate = certificate_of(text(element))
                found[certificate.public_bytes(Encoding.DER)] = certificate
    if not 1 <= len(found) <= MAX_KEYS:
        raise SamlRefused(
            "metadata", f"{len(found)} signing certificates; between 1 and {MAX_KEYS} are needed"
        )
    return tuple(found.values())


def certificate_of(base64: str) -> x509.Certificate:
    """A certificate from its base64. Raise ``SamlRefused`` if it cannot be read or its key is too weak."""
    try:
        certificate = x509.load_der_x509_certificate(b64decode("".join(base64.split()), validate=True))
    except (ValueError, binascii.Error) as bad:
        raise SamlRefused("metadata", "a certificate cannot be read") from bad
    _key(certificate)
    return certificate


def pinned(pem: str) -> tuple[PublicKey, ...]:
    """The key of a certificate in PEM, none for an empty text. Raise ``SamlRefused``."""
    if not pem:
        return ()
    try:
        return (_key(x509.load_pem_x509_certificate(pem.encode())),)
    except ValueError as bad:
        raise SamlRefused("metadata", "metadata_certificate cannot be read") from bad


def _key(certificate: x509.Certificate) -> PublicKey:
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as bad:
        raise SamlRefused("metadata", "a certificate's key cannot be read") from bad
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= MIN_RSA_BITS:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and key.key_size >= 256:
        return key
    raise SamlRefused("metadata", f"a signing key is neither RSA of {MIN_RSA_BITS} bits nor ECDSA of 256")


def _cache(*elements: Element) -> float | None:
    said = [element.get("cacheDuration") for element in elements]
    found = [seconds for value in said if value and (seconds := duration(value)) is not None]
    return min(max(min(found), SHORTEST_CACHE), LONGEST_CACHE) if found else None
