"""An identity provider that a test can make say anything: builds, signs and encrypts SAML messages with real keys.

Written apart from ``gatekit.identity.saml``; what it signs is checked by xmlsec1 as well (tests/attack/saml). The
real provider is SimpleSAMLphp (tests/journey/test_saml.py).
"""

# ruff: noqa: E501  (XML templates)
from __future__ import annotations

import os
import subprocess
from base64 import b64encode
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, hmac, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.asymmetric import padding as asymmetric
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID
from lxml import etree

IDP = "https://idp.example.com/saml"
SP = "https://gate.example.com/saml/corp/metadata"
ACS = "https://gate.example.com/saml/corp/acs"
NOW = 1_800_000_000.0

SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
SAMLP = "urn:oasis:names:tc:SAML:2.0:protocol"
DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
NS = {"saml": SAML, "samlp": SAMLP, "ds": DS, "xenc": XENC}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@dataclass(frozen=True)
class Keys:
    private: Any
    certificate: x509.Certificate

    @property
    def base64(self) -> str:
        return b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def private_pem(self) -> bytes:
        return bytes(
            self.private.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


@cache
def keys(name: str, kind: str = "rsa", bits: int = 2048) -> Keys:
    """The same pair for the same name in one run of the tests."""
    private: Any = (
        rsa.generate_private_key(65537, bits) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.fromtimestamp(NOW, UTC) - timedelta(days=365)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
    builder = builder.public_key(private.public_key()).serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(start).not_valid_after(start + timedelta(days=3650))
    return Keys(private, builder.sign(private, hashes.SHA256()))


def moment(offset: float) -> str:
    return datetime.fromtimestamp(NOW + offset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class Said:
    """What a response says. Every field may be changed; None leaves the thing out."""

    name_id: str = "7c0ffee1"
    name_format: str | None = PERSISTENT
    issuer: str | None = IDP
    response_issuer: str | None = IDP
    audience: str | None = SP
    destination: str | None = ACS
    recipient: str | None = ACS
    in_response_to: str | None = "_request"
    confirmation_in_response_to: str | None = "_request"
    not_before: str | None = field(default_factory=lambda: moment(-30))
    not_on_or_after: str | None = field(default_factory=lambda: moment(300))
    confirmed_until: str | None = field(default_factory=lambda: moment(300))
    confirmation_extra: str = ""
    method: str = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
    status: str = "urn:oasis:names:tc:SAML:2.0:status:Success"
    version: str = "2.0"
    response_version: str = "2.0"
    assertion_id: str = "_assertion"
    response_id: str = "_response"
    session_index: str = "_session"
    session_until: str | None = None
    context: str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    attributes: dict[str, Sequence[str]] = field(
        default_factory=lambda: {"mail": ["alice@example.com"], "groups": ["eng", "admins"]}
    )
    conditions_extra: str = ""
    authn: bool = True
    authn_instant: str = field(default_factory=lambda: moment(-10))


def attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{value}"'


def assertion(said: Said) -> Any:
    """The element, not signed."""
    issuer = f"<saml:Issuer>{said.issuer}</saml:Issuer>" if said.issuer is not None else ""
    restriction = (
        f"<saml:AudienceRestriction><saml:Audience>{said.audience}</saml:Audience></saml:AudienceRestriction>"
        if said.audience is not None
        else ""
    )
    values = "".join(
        f'<saml:Attribute Name="{name}">'
        + "".join(f"<saml:AttributeValue>{value}</saml:AttributeValue>" for value in given)
        + "</saml:Attribute>"
        for name, given in said.attributes.items()
    )
    authn = (
        f'<saml:AuthnStatement AuthnInstant="{said.authn_instant}" SessionIndex="{said.session_index}"'
        f"{attribute('SessionNotOnOrAfter', said.session_until)}><saml:AuthnContext><saml:AuthnContextClassRef>"
        f"{said.context}</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        if said.authn
        else ""
    )
    return etree.fromstring(
        f'<saml:Assertion xmlns:saml="{SAML}" ID="{said.assertion_id}" Version="{said.version}"'
        f' IssueInstant="{moment(0)}">{issuer}'
        f"<saml:Subject><saml:NameID{attribute('Format', said.name_format)}>{said.name_id}</saml:NameID>"
        f'<saml:SubjectConfirmation Method="{said.method}"><saml:SubjectConfirmationData'
        f"{attribute('InResponseTo', said.confirmation_in_response_to)}{attribute('Recipient', said.recipient)}"
        f"{attribute('NotOnOrAfter', said.confirmed_until)}{said.confirmation_extra}/></saml:SubjectConfirmation>"
        f"</saml:Subject><saml:Conditions{attribute('NotBefore', said.not_before)}"
        f"{attribute('NotOnOrAfter', said.not_on_or_after)}>{restriction}{said.conditions_extra}</saml:Conditions>"
        f"{authn}<saml:AttributeStatement>{values}</saml:AttributeStatement></saml:Assertion>"
    )


def response(said: Said, *inside: Any) -> Any:
    issuer = f"<saml:Issuer>{said.response_issuer}</saml:Issuer>" if said.response_issuer is not None else ""
    root = etree.fromstring(
        f'<samlp:Response xmlns:samlp="{SAMLP}" xmlns:saml="{SAML}" ID="{said.response_id}"'
        f' Version="{said.response_version}" IssueInstant="{moment(0)}"{attribute("Destination", said.destination)}'
        f"{attribute('InResponseTo', said.in_response_to)}>{issuer}"
        f'<samlp:Status><samlp:StatusCode Value="{said.status}"/></samlp:Status></samlp:Response>'
    )
    root.extend(inside)
    return root


def canonical(element: Any, algorithm: str = EXCLUSIVE, prefixes: Sequence[str] = ()) -> bytes:
    exclusive = algorithm.startswith(EXCLUSIVE)
    comments = algorithm.endswith("WithComments")
    return bytes(
        etree.tostring(
            element,
            method="c14n",
            exclusive=exclusive,
            with_comments=comments,
            inclusive_ns_prefixes=list(prefixes) or None,
        )
    )


@dataclass
class Signing:
    """How a signature is made; what a sound provider does, unless a test says otherwise."""

    pair: Keys | None = None
    method: str = RSA_SHA256
    digest: str = f"{XENC}sha256"
    c14n: str = EXCLUSIVE
    transforms: Sequence[str] = (ENVELOPED, EXCLUSIVE)
    transform_extra: str = ""
    uri: str | None = None
    key_info: str | None = None
    references: int = 1
    place: int | None = None
    prefixes: tuple[str, ...] = ()
    """Treated inclusively when the content is canonicalised."""


_HASHES: dict[str, Any] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def sign(element: Any, signing: Signing | None = None, into: Any = None) -> Any:
    """Sign ``element``; the signature goes after its Issuer, or into another element. Returns the signature."""
    signing = signing or Signing()
    pair = signing.pair or keys("idp")
    digest_of = _HASHES[signing.digest.rpartition("#")[2]]
    context = hashes.Hash(digest_of())
    last = signing.transforms[-1] if signing.transforms else EXCLUSIVE
    context.update(canonical(element, last, signing.prefixes))
    inclusive = f'<ec:InclusiveNamespaces xmlns:ec="{EXCLUSIVE}" PrefixList="{" ".join(signing.prefixes)}"/>'
    extra = signing.transform_extra or (inclusive if signing.prefixes else "")
    transforms = "".join(
        f'<ds:Transform Algorithm="{name}">{extra if name == last else ""}</ds:Transform>'
        for name in signing.transforms
    )
    uri = f"#{element.get('ID')}" if signing.uri is None else signing.uri
    reference = (
        f'<ds:Reference URI="{uri}"><ds:Transforms>{transforms}</ds:Transforms><ds:DigestMethod'
        f' Algorithm="{signing.digest}"/><ds:DigestValue>{b64encode(context.finalize()).decode()}'
        "</ds:DigestValue></ds:Reference>"
    )
    info = (
        f"<ds:X509Data><ds:X509Certificate>{pair.base64}</ds:X509Certificate></ds:X509Data>"
        if signing.key_info is None
        else signing.key_info
    )
    signature = etree.fromstring(
        f'<ds:Signature xmlns:ds="{DS}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{signing.c14n}"/>'
        f'<ds:SignatureMethod Algorithm="{signing.method}"/>{reference * signing.references}</ds:SignedInfo>'
        f"<ds:SignatureValue/><ds:KeyInfo>{info}</ds:KeyInfo></ds:Signature>"
    )
    holder = element if into is None else into
    place = signing.place
    if place is None:
        place = 1 if len(holder) and holder[0].tag == f"{{{SAML}}}Issuer" else 0
    holder.insert(place, signature)
    made = _value(pair.private, signing.method, canonical(signature[0], signing.c14n))
    signature[1].text = b64encode(made).decode()
    return signature


def _value(private: Any, method: str, message: bytes) -> bytes:
    kind, _, name = method.rpartition("#")[2].partition("-")
    if kind == "hmac":  # with the public key as the secret, which everybody knows
        public = private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        mac = hmac.HMAC(public, _HASHES[name]())
        mac.update(message)
        return mac.finalize()
    if kind == "ecdsa":
        r, s = utils.decode_dss_signature(private.sign(message, ec.ECDSA(_HASHES[name]())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return bytes(private.sign(message, asymmetric.PKCS1v15(), _HASHES[name]()))


def encrypted(
    element: Any,
    reader: Keys,
    method: str = "aes256-gcm",
    wrap: str = "oaep",
    tamper: Callable[[bytes], bytes] = bytes,
) -> Any:
    """``saml:EncryptedAssertion`` around an element."""
    plain = canonical(element)
    content = os.urandom(32 if "256" in method else 16)
    if method.endswith("gcm"):
        iv = os.urandom(12)
        sealed = iv + AESGCM(content).encrypt(iv, plain, None)
        name = f"http://www.w3.org/2009/xmlenc11#{method}"
    else:
        iv, padder = os.urandom(16), padding.ANSIX923(128).padder()
        encryptor = Cipher(algorithms.AES(content), modes.CBC(iv)).encryptor()
        sealed = iv + encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
        name = f"{XENC}{method}"
    sealed = tamper(sealed)
    public = reader.private.public_key()
    if wrap == "oaep":
        scheme: Any = asymmetric.OAEP(asymmetric.MGF1(hashes.SHA1()), hashes.SHA1(), None)
        wrapped, wrapping = public.encrypt(content, scheme), f"{XENC}rsa-oaep-mgf1p"
    else:
        wrapped, wrapping = public.encrypt(content, asymmetric.PKCS1v15()), f"{XENC}rsa-1_5"
    return etree.fromstring(
        f'<saml:EncryptedAssertion xmlns:saml="{SAML}"><xenc:EncryptedData xmlns:xenc="{XENC}"'
        f' Type="{XENC}Element"><xenc:EncryptionMethod Algorithm="{name}"/><ds:KeyInfo xmlns:ds="{DS}">'
        f'<xenc:EncryptedKey><xenc:EncryptionMethod Algorithm="{wrapping}"/><xenc:CipherData><xenc:CipherValue>'
        f"{b64encode(wrapped).decode()}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo>"
        f"<xenc:CipherData><xenc:CipherValue>{b64encode(sealed).decode()}</xenc:CipherValue></xenc:CipherData>"
        "</xenc:EncryptedData></saml:EncryptedAssertion>"
    )


def sound(said: Said | None = None, signed: str = "assertion", signing: Signing | None = None) -> Any:
    """A response as a sound provider sends it; ``signed``: assertion, response or both."""
    said = said or Said()
    inner = assertion(said)
    if signed in ("assertion", "both"):
        sign(inner, signing)
    root = response(said, inner)
    if signed in ("response", "both"):
        sign(root, signing)
    return root


def text_of(root: Any) -> bytes:
    return bytes(etree.tostring(root))


def copy(root: Any) -> Any:
    return deepcopy(root)


def metadata(
    certificates: Sequence[Keys],
    *,
    use: str | None = "signing",
    base: str = "https://idp.example.com",
    entity: str = IDP,
    extra: str = "",
    role_extra: str = "",
) -> bytes:
    """What such a provider publishes."""
    described = "".join(
        f'<md:KeyDescriptor{attribute("use", use)}><ds:KeyInfo xmlns:ds="{DS}"><ds:X509Data><ds:X509Certificate>'
        f"{pair.base64}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
        for pair in certificates
    )
    binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
    return (
        f'<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{entity}" ID="_m"{extra}>'
        f'<md:IDPSSODescriptor protocolSupportEnumeration="{SAMLP}"{role_extra}>{described}'
        f'<md:SingleLogoutService Binding="{binding}" Location="{base}/slo"/>'
        f'<md:SingleSignOnService Binding="{binding}" Location="{base}/sso"/></md:IDPSSODescriptor>'
        "</md:EntityDescriptor>"
    ).encode()


def oracle_accepts(document: bytes, certificate: Keys, directory: Path, kind: str) -> bool:
    """Whether xmlsec1 believes the first signature in a document; ``kind``: Assertion or Response."""
    (directory / "message.xml").write_bytes(document)
    (directory / "idp.pem").write_bytes(certificate.pem)
    namespace = SAML if kind == "Assertion" else SAMLP
    run = subprocess.run(
        [
            "xmlsec1", "--verify", "--enabled-reference-uris", "same-doc", "--enabled-key-data", "rsa,ec,x509",
            "--pubkey-cert-pem", str(directory / "idp.pem"), "--id-attr:ID", f"{namespace}:{kind}",
            "--node-xpath", f"//*[local-name()='{kind}']/*[local-name()='Signature']",
            str(directory / "message.xml"),
        ],
        capture_output=True,
        timeout=20,
        check=False,
    )  # fmt: skip
    return run.returncode == 0
