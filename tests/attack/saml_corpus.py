"""Forged SAML responses, each with the one reason for which it must be refused (checklist S1 to S8).

All are made from a genuine answer of the provider's own key, because that is what an attacker has: an account of
their own at the same provider.
"""

# ruff: noqa: E501  (XML templates)
from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lxml import etree

from tests.support.saml import (
    ACS,
    DS,
    ENVELOPED,
    EXCLUSIVE,
    SAML,
    SAMLP,
    XENC,
    Said,
    Signing,
    assertion,
    copy,
    encrypted,
    keys,
    moment,
    response,
    sign,
    sound,
    text_of,
)

VICTIM = Said(name_id="admin", assertion_id="_evil", attributes={"mail": ["admin@example.com"]})
LATE, SOON = moment(-61), moment(61)


class Forged(NamedTuple):
    name: str
    reason: str
    make: Callable[[], bytes]


def _evil(ident: str = "_evil") -> Any:
    return assertion(Said(**{**VICTIM.__dict__, "assertion_id": ident}))


def _parts(signed: str = "assertion") -> tuple[Any, Any, Any]:
    """A genuine response, its assertion, and the assertion's signature."""
    root = sound(signed=signed)
    inner = root.find(f"{{{SAML}}}Assertion")
    return root, inner, inner.find(f"{{{DS}}}Signature")


# -- S1: wrapping, as in "On Breaking SAML" (Somorovsky and others, 2012) --------------------------------------


def xsw1() -> bytes:
    """A forged response that holds the signature, with the genuine response inside the signature."""
    genuine = sound(signed="response")
    forged = copy(genuine)
    forged.set("ID", "_forged")
    forged.find(f"{{{SAML}}}Assertion").set("ID", "_evil")
    forged.find(f".//{{{SAML}}}NameID").text = "admin"
    genuine.remove(genuine.find(f"{{{DS}}}Signature"))
    forged.find(f"{{{DS}}}Signature").append(genuine)
    return text_of(forged)


def xsw2() -> bytes:
    """The same, detached: the genuine response stands before the signature."""
    genuine = sound(signed="response")
    forged = copy(genuine)
    forged.set("ID", "_forged")
    forged.find(f"{{{SAML}}}Assertion").set("ID", "_evil")
    forged.find(f".//{{{SAML}}}NameID").text = "admin"
    genuine.remove(genuine.find(f"{{{DS}}}Signature"))
    forged.insert(0, genuine)
    return text_of(forged)


def xsw3() -> bytes:
    """The forged assertion before the genuine one."""
    root, inner, _ = _parts()
    inner.addprevious(_evil())
    return text_of(root)


def xsw4() -> bytes:
    """The forged assertion around the genuine one."""
    root, inner, _ = _parts()
    evil = _evil()
    root.replace(inner, evil)
    evil.append(inner)
    return text_of(root)


def xsw5() -> bytes:
    """The signature in the forged assertion, the genuine one copied to the end without it."""
    root, inner, _signature = _parts()
    genuine = copy(inner)
    genuine.remove(genuine.find(f"{{{DS}}}Signature"))
    inner.set("ID", "_evil")
    inner.find(f".//{{{SAML}}}NameID").text = "admin"
    root.append(genuine)
    return text_of(root)


def xsw6() -> bytes:
    """The genuine assertion inside the signature of the forged one."""
    root, inner, signature = _parts()
    genuine = copy(inner)
    genuine.remove(genuine.find(f"{{{DS}}}Signature"))
    inner.set("ID", "_evil")
    inner.find(f".//{{{SAML}}}NameID").text = "admin"
    signature.append(genuine)
    return text_of(root)


def xsw7() -> bytes:
    """The forged assertion in Extensions."""
    root, _inner, _ = _parts()
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    extensions.append(_evil())
    root.insert(1, extensions)
    return text_of(root)


def xsw8() -> bytes:
    """The genuine assertion in an Object of the forged one's signature."""
    root, inner, signature = _parts()
    genuine = copy(inner)
    genuine.remove(genuine.find(f"{{{DS}}}Signature"))
    inner.set("ID", "_evil")
    inner.find(f".//{{{SAML}}}NameID").text = "admin"
    etree.SubElement(signature, f"{{{DS}}}Object").append(genuine)
    return text_of(root)


def same_id() -> bytes:
    """Two assertions of one id: which one does the reference mean?"""
    root, _inner, _ = _parts()
    root.append(_evil("_assertion"))
    return text_of(root)


def same_id_elsewhere() -> bytes:
    """An element of another kind with the assertion's id."""
    root, _inner, _ = _parts()
    etree.SubElement(root, f"{{{SAMLP}}}Extensions").set("Id", "_assertion")
    return text_of(root)


def xml_id() -> bytes:
    root, _inner, _ = _parts()
    extensions = etree.SubElement(root, f"{{{SAMLP}}}Extensions")
    extensions.set("{http://www.w3.org/XML/1998/namespace}id", "_assertion")
    return text_of(root)


def sibling_unsigned() -> bytes:
    """An unsigned sibling that also claims to be an assertion."""
    root, _, _ = _parts()
    root.append(_evil())
    return text_of(root)


def moved_deeper() -> bytes:
    """The genuine assertion, whole, under an element of the attacker's."""
    root, inner, _ = _parts()
    etree.SubElement(root, f"{{{SAMLP}}}Extensions").append(inner)
    return text_of(root)


def response_in_response() -> bytes:
    root = response(Said(response_id="_outer"))
    root.append(response(Said()))
    root.append(_parts()[1])
    return text_of(root)


def signature_for_another_element() -> bytes:
    """The signature in the assertion refers to the response."""
    inner = assertion(VICTIM)
    root = response(Said(), inner)
    sign(root, into=inner)
    return text_of(root)


def detached_signature() -> bytes:
    """A genuine signature beside the assertion instead of in it."""
    root, inner, signature = _parts()
    inner.remove(signature)
    root.insert(1, signature)
    return text_of(root)


# -- S3: signatures that prove nothing -------------------------------------------------------------------------


def changed() -> bytes:
    root, inner, _ = _parts()
    inner.find(f".//{{{SAML}}}NameID").text = "admin"
    return text_of(root)


def changed_response() -> bytes:
    """The response's signature broken, the assertion's sound: every signature that is there must hold."""
    root = sound(signed="both")
    root.set("Destination", ACS + "#")
    return text_of(root)


def unsigned() -> bytes:
    return text_of(response(Said(), assertion(VICTIM)))


def _made(**how: Any) -> Callable[[], bytes]:
    return lambda: text_of(sound(signing=Signing(**how)))


def key_from_key_info() -> bytes:
    """Signed with the attacker's own key, whose certificate comes along."""
    return text_of(sound(VICTIM, signing=Signing(pair=keys("attacker"))))


def idp_certificate_named() -> bytes:
    """Signed by the attacker, with the provider's certificate in KeyInfo."""
    info = f"<ds:X509Data><ds:X509Certificate>{keys('idp').base64}</ds:X509Certificate></ds:X509Data>"
    return text_of(sound(VICTIM, signing=Signing(pair=keys("attacker"), key_info=info)))


def no_references() -> bytes:
    return text_of(sound(signing=Signing(references=0)))


def empty_signature() -> bytes:
    root, _, signature = _parts()
    signature.find(f"{{{DS}}}SignatureValue").text = ""
    return text_of(root)


def two_signatures() -> bytes:
    root, _inner, signature = _parts()
    signature.addnext(copy(signature))
    return text_of(root)


def signed_info_twice() -> bytes:
    root, _, signature = _parts()
    signature.insert(0, copy(signature[0]))
    return text_of(root)


def signature_object() -> bytes:
    root, _, signature = _parts()
    etree.SubElement(signature, f"{{{DS}}}Object")
    return text_of(root)


# -- S4: texts that two readers read differently ---------------------------------------------------------------


def _text(before: bytes, after: bytes) -> Callable[[], bytes]:
    """Written into a genuine, signed answer about ``admin@x.evil``."""
    return lambda: text_of(sound(Said(name_id="admin@x.evil"))).replace(before, after)


def entity() -> bytes:
    document = text_of(sound()).replace(b"7c0ffee1<", b"&who;<")
    return b'<!DOCTYPE r [<!ENTITY who "admin">]>' + document


def external_entity() -> bytes:
    document = text_of(sound()).replace(b"7c0ffee1<", b"&who;<")
    return b'<!DOCTYPE r [<!ENTITY who SYSTEM "file:///etc/hostname">]>' + document


def billion_laughs() -> bytes:
    laughs = b'<!ENTITY l0 "ha">' + b"".join(
        b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10)
    )
    return b"<!DOCTYPE r [" + laughs + b"]>" + text_of(sound()).replace(b"7c0ffee1<", b"&l9;<")


def utf16() -> bytes:
    """A document type that a search for bytes does not find."""
    return ('<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r>' + text_of(sound()).decode()).encode(
        "utf-16"
    )


def utf7() -> bytes:
    return b'<?xml version="1.0" encoding="UTF-7"?>' + text_of(sound())


def deep() -> bytes:
    return text_of(sound()).replace(b"<samlp:Status>", b"<a>" * 60 + b"</a>" * 60 + b"<samlp:Status>")


# -- S7: encryption --------------------------------------------------------------------------------------------


def _encrypted(said: Said = VICTIM, signed: bool = False, outer: bool = False, **how: Any) -> bytes:
    inner = assertion(said)
    if signed:
        sign(inner)
    root = response(Said(), encrypted(inner, keys("sp"), **how))
    if outer:
        sign(root)
    return text_of(root)


def encrypted_beside_signed() -> bytes:
    """Keycloak CVE-2026-2092: an encrypted assertion put beside what the provider signed."""
    root = sound(signed="assertion")
    root.append(encrypted(assertion(VICTIM), keys("sp")))
    return text_of(root)


def encrypted_into_signed_response() -> bytes:
    root = sound(signed="response")
    root.append(encrypted(assertion(VICTIM), keys("sp")))
    return text_of(root)


def encrypted_two() -> bytes:
    """What is encrypted holds a second assertion inside."""
    inner = assertion(VICTIM)
    inner.append(sound().find(f"{{{SAML}}}Assertion"))
    return text_of(response(Said(), encrypted(inner, keys("sp"))))


def flipped(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


def flipped_early(sealed: bytes) -> bytes:
    """In CBC the first block changes at will, and the padding stays right."""
    return bytes([sealed[0] ^ 1]) + sealed[1:]


def _said(**changes: Any) -> Callable[[], bytes]:
    return lambda: text_of(sound(Said(**changes), signed="both"))


RSA_SHA1 = f"{DS}rsa-sha1"
XSLT = "http://www.w3.org/TR/1999/REC-xslt-19991116"
XPATH = "http://www.w3.org/TR/1999/REC-xpath-19991116"
INCLUSIVE = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
BASE64 = f"{DS}base64"

WRAPPED = [
    Forged("xsw1", "structure", xsw1),
    Forged("xsw2", "structure", xsw2),
    Forged("xsw3", "structure", xsw3),
    Forged("xsw4", "structure", xsw4),
    Forged("xsw5", "structure", xsw5),
    Forged("xsw6", "structure", xsw6),
    Forged("xsw7", "structure", xsw7),
    Forged("xsw8", "structure", xsw8),
    Forged("one id for two assertions", "id", same_id),
    Forged("the assertion's id elsewhere", "id", same_id_elsewhere),
    Forged("the assertion's id as xml:id", "id", xml_id),
    Forged("an unsigned sibling", "structure", sibling_unsigned),
    Forged("the genuine one moved deeper", "structure", moved_deeper),
    Forged("a response in a response", "structure", response_in_response),
    Forged("a reference to another element", "signature_form", signature_for_another_element),
    Forged("a signature beside what it signs", "signature_form", detached_signature),
]

UNPROVED = [
    Forged("not signed", "unsigned", unsigned),
    Forged("changed after signing", "digest", changed),
    Forged("one of two signatures broken", "digest", changed_response),
    Forged("the key that comes along", "key", key_from_key_info),
    Forged("the attacker's key, the provider's certificate", "key", idp_certificate_named),
    Forged("an empty signature", "key", empty_signature),
    Forged("HMAC with the public key", "algorithm", _made(method=f"{DS}hmac-sha256")),
    Forged("RSA with SHA-1", "algorithm", _made(method=RSA_SHA1)),
    Forged("a digest of SHA-1", "algorithm", _made(digest=f"{DS}sha1")),
    Forged("an empty reference", "signature_form", _made(uri="")),
    Forged("a reference to nothing of ours", "signature_form", _made(uri="#elsewhere")),
    Forged("a reference to a file", "signature_form", _made(uri="file:///etc/hostname")),
    Forged("an XPointer", "signature_form", _made(uri="#xpointer(id('_assertion'))")),
    Forged("XSLT", "signature_form", _made(transforms=(ENVELOPED, XSLT, EXCLUSIVE))),
    Forged("XPath instead of enveloped", "signature_form", _made(transforms=(XPATH, EXCLUSIVE))),
    Forged("a third transform", "signature_form", _made(transforms=(ENVELOPED, EXCLUSIVE, EXCLUSIVE))),
    Forged("base64 as a transform", "signature_form", _made(transforms=(BASE64, EXCLUSIVE))),
    Forged("only one transform", "signature_form", _made(transforms=(ENVELOPED,))),
    Forged("canonicalised with comments", "signature_form", _made(c14n=f"{EXCLUSIVE}WithComments")),
    Forged("content canonicalised with comments", "signature_form",
           _made(transforms=(ENVELOPED, f"{EXCLUSIVE}WithComments"))),
    Forged("canonicalised inclusively", "signature_form", _made(c14n=INCLUSIVE)),
    Forged("two references", "signature_form", _made(references=2)),
    Forged("no reference", "signature_form", no_references),
    Forged("two signatures", "signature_form", two_signatures),
    Forged("two SignedInfo", "signature_form", signed_info_twice),
    Forged("an Object", "signature_form", signature_object),
]  # fmt: skip

MISREAD = [
    Forged("a comment in the name", "comment", _text(b"admin@x.evil", b"admin@x<!---->.evil")),
    Forged("an instruction in the name", "comment", _text(b"admin@x.evil", b"admin@x<?x?>.evil")),
    Forged("a comment before the root", "comment", lambda: b"<!-- -->" + text_of(sound())),
    Forged("an element in the name", "digest", _text(b"admin@x.evil", b"admin@x<b/>.evil")),
    Forged("an entity", "doctype", entity),
    Forged("an external entity", "doctype", external_entity),
    Forged("a billion laughs", "doctype", billion_laughs),
    Forged("a document type alone", "doctype", lambda: b"<!DOCTYPE r>" + text_of(sound())),
    Forged("UTF-16", "xml", utf16),
    Forged("UTF-7", "xml", utf7),
    Forged("not well-formed", "xml", lambda: text_of(sound())[:-5]),
    Forged("nothing", "xml", lambda: b""),
    Forged("too large", "size", lambda: text_of(sound()) + b" " * 300_000),
    Forged("too deep", "size", deep),
    Forged("too many", "size",
           lambda: text_of(sound()).replace(b"<samlp:Status>", b"<a/>" * 20_001 + b"<samlp:Status>")),
    Forged("white space around the name", "subject", _said(name_id=" admin")),
    Forged("a line break in the name", "subject", _said(name_id="admin&#10;x")),
]  # fmt: skip

MEANT_FOR_OTHERS = [
    Forged("another destination", "destination", _said(destination=ACS + "/")),
    Forged("no destination on a signed response", "destination", _said(destination=None)),
    Forged("another recipient", "recipient", _said(recipient="https://other.example.com/acs")),
    Forged("no recipient", "recipient", _said(recipient=None)),
    Forged("another audience", "audience", _said(audience="https://other.example.com")),
    Forged("an audience that begins like ours", "audience", _said(audience="https://gate.example.com/saml/corp")),
    Forged("no audience", "audience", _said(audience=None)),
    Forged("a second audience restriction", "audience", _said(conditions_extra=(
        "<saml:AudienceRestriction><saml:Audience>https://other.example.com</saml:Audience>"
        "</saml:AudienceRestriction>"))),
    Forged("another issuer", "issuer", _said(issuer="https://other.example.com")),
    Forged("no issuer", "issuer", _said(issuer=None)),
    Forged("another issuer of the response", "issuer", _said(response_issuer="https://other.example.com")),
    Forged("a condition that nobody knows", "structure",
           _said(conditions_extra='<x:Only xmlns:x="urn:x"/>')),
    Forged("not yet good", "time", _said(not_before=SOON)),
    Forged("not good any more", "time", _said(not_on_or_after=LATE)),
    Forged("confirmed too long ago", "time", _said(confirmed_until=LATE)),
    Forged("confirmed for ever", "time", _said(confirmed_until=moment(90_000))),
    Forged("confirmed without an end", "confirmation", _said(confirmed_until=None)),
    Forged("confirmed from a moment on", "confirmation",
           _said(confirmation_extra=f' NotBefore="{moment(-5)}"')),
    Forged("holder of key", "confirmation", _said(method="urn:oasis:names:tc:SAML:2.0:cm:holder-of-key")),
    Forged("the session has ended", "time", _said(session_until=LATE)),
    Forged("signed in tomorrow", "time", _said(authn_instant=moment(86_400))),
    Forged("a moment that is none", "structure", _said(not_before="2027-13-01T00:00:00Z")),
    Forged("a moment in local time", "structure", _said(not_before="2027-01-01T00:00:00")),
    Forged("an assertion beside a failure", "status",
           _said(status="urn:oasis:names:tc:SAML:2.0:status:Requester")),
    Forged("version 1.1", "version", _said(version="1.1")),
    Forged("a response of version 3", "version", _said(response_version="3.0")),
    Forged("nobody signed in", "structure", _said(authn=False)),
]  # fmt: skip

ANOTHER_BROWSER = [
    Forged(
        "another request", "request", _said(in_response_to="_theirs", confirmation_in_response_to="_theirs")
    ),
    Forged("another request, inside only", "request", _said(confirmation_in_response_to="_theirs")),
    Forged("another request, outside only", "request", _said(in_response_to="_theirs")),
    Forged("no request", "unsolicited", _said(in_response_to=None, confirmation_in_response_to=None)),
    Forged("no request inside", "unsolicited", _said(confirmation_in_response_to=None)),
]

ENCRYPTED = [
    Forged("encrypted, not signed", "unsigned", lambda: _encrypted()),
    Forged("encrypted with CBC, not signed", "unsigned", lambda: _encrypted(method="aes256-cbc")),
    Forged("encrypted, signed around only", "unsigned", lambda: _encrypted(outer=True)),
    Forged("encrypted beside a signed one", "structure", encrypted_beside_signed),
    Forged("encrypted into a signed response", "structure", encrypted_into_signed_response),
    Forged("encrypted, two of them", "structure", encrypted_two),
    Forged("the response's id inside", "id",
           lambda: _encrypted(Said(assertion_id="_response"), signed=True)),
    Forged("changed under GCM", "decryption", lambda: _encrypted(signed=True, tamper=flipped)),
    Forged("wrong padding under CBC", "decryption",
           lambda: _encrypted(signed=True, method="aes128-cbc", tamper=lambda s: s[:-16] + bytes(16))),
    Forged("wrong text under CBC", "decryption",
           lambda: _encrypted(signed=True, method="aes128-cbc", tamper=flipped_early)),
    Forged("cut under CBC", "decryption",
           lambda: _encrypted(signed=True, method="aes128-cbc", tamper=lambda s: s[:40])),
    Forged("wrapped with PKCS #1 v1.5", "algorithm", lambda: _encrypted(signed=True, wrap="pkcs1")),
    Forged("for another reader", "decryption",
           lambda: text_of(response(Said(), encrypted(sound().find(f"{{{SAML}}}Assertion"), keys("attacker"))))),
    Forged("triple DES", "algorithm", lambda: _encrypted(signed=True).replace(
        b"http://www.w3.org/2009/xmlenc11#aes256-gcm", f"{XENC}tripledes-cbc".encode())),
]  # fmt: skip

FORGED = [*WRAPPED, *UNPROVED, *MISREAD, *MEANT_FOR_OTHERS, *ANOTHER_BROWSER, *ENCRYPTED]
