"""From what a browser posted to what a provider asserted: the whole way, in the order it is walked.

Parse; exactly one assertion in the whole document, in its place; decrypt; verify every signature that is
there and at least one; and read only what ``signature.verify`` returned. ``judge.py`` then asks whether it is
meant for us, now and for this browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec import Struct

from gatekit.errors import SamlRefused
from gatekit.identity.saml.decrypt import decrypt
from gatekit.identity.saml.documents import (
    MAX_MESSAGE,
    Element,
    child,
    children,
    ids,
    needed,
    parse,
    text,
)
from gatekit.identity.saml.judge import Expected, judge_assertion, judge_response
from gatekit.identity.saml.names import DS, UNSPECIFIED, tag
from gatekit.identity.saml.signature import PublicKey, is_signed, verify
from gatekit.identity.saml.times import moment

MAX_ATTRIBUTES = 200
MAX_VALUES = 5_000
MAX_TEXT = 4_096
_KINDS = ("saml:Assertion", "saml:EncryptedAssertion")


class Name(Struct, frozen=True):
    """A NameID (SAML Core §2.2.3). Qualifiers are not part of who it is: the key holds the issuer already."""

    value: str
    format: str


class Accepted(Struct, frozen=True, kw_only=True):
    """What a provider asserted, verified and meant for us."""

    issuer: str
    assertion_id: str
    good_until: float
    """Seconds since the epoch until which its id must not count again."""
    name: Name
    attributes: Mapping[str, tuple[str, ...]]
    """By ``Name``; never by ``FriendlyName``, which anybody may give to anything."""
    session_index: str = ""
    context: str = ""
    """How the person was authenticated: ``AuthnContextClassRef``."""
    authenticated_at: float = 0.0


class Trust(Struct, frozen=True, kw_only=True):
    """With which keys a response is verified and read."""

    signing: Sequence[PublicKey]
    """Of the provider, from its metadata."""
    decrypting: Sequence[rsa.RSAPrivateKey] = ()
    """Ours."""


def read(data: bytes, trust: Trust, expected: Expected) -> Accepted:
    """Judge a posted response. Raise ``SamlRefused``, or ``SignInRefused`` if the provider says no."""
    root = parse(data)
    if root.tag != tag("samlp:Response"):
        raise SamlRefused("structure", "not a samlp:Response")
    _check_places(root)
    signed_response = is_signed(root)
    if signed_response:
        # Its own signed form takes the place of the document, for everything that follows.
        root = verify(root, trust.signing, MAX_MESSAGE)
    held, encrypted = (child(root, kind) for kind in _KINDS)
    judge_response(root, expected, signed=signed_response, empty=held is None and encrypted is None)
    assertion = _assertion(held, encrypted, ids(root), trust, signed_response=signed_response)
    return _accepted(assertion, expected)


def _check_places(root: Element) -> None:
    """Refuse everything that wrapping attacks need: a second assertion anywhere, or one that is not the
    response's own child; a signature anywhere but in the two places (checklist S1)."""
    everywhere = [node for kind in _KINDS for node in root.iter(tag(kind))]
    if len(everywhere) > 1:
        raise SamlRefused("structure", "more than one assertion in the document")
    if any(node.getparent() is not root for node in everywhere):
        raise SamlRefused("structure", "an assertion that is not the response's own child")
    if len(list(root.iter(tag("samlp:Response")))) > 1:
        raise SamlRefused("structure", "a response inside a response")
    for signature in root.iter(f"{{{DS}}}Signature"):
        holder = signature.getparent()
        if holder is not root and holder not in everywhere:
            raise SamlRefused("structure", "a signature in a place where none belongs")


def _assertion(
    held: Element | None, encrypted: Element | None, outer: set[str], trust: Trust, *, signed_response: bool
) -> Element:
    """The assertion as it was signed, from its own signature or from the response's."""
    if encrypted is not None:
        inner = decrypt(encrypted, trust.decrypting, MAX_MESSAGE)
        if inner.tag != tag(_KINDS[0]) or len([*inner.iter(tag(_KINDS[0])), *inner.iter(tag(_KINDS[1]))]) > 1:
            raise SamlRefused("structure", "what was encrypted is not one assertion")
        if ids(inner) & outer:
            raise SamlRefused("id", "an id stands inside and outside of what was encrypted")
        if not is_signed(inner):
            # The signature around it covers the ciphertext. CBC can be changed under it, and anybody can
            # encrypt for us (Keycloak CVE-2026-2092), so who wrote the text is proved by the text alone.
            raise SamlRefused("unsigned", "an encrypted assertion must be signed inside")
        return verify(inner, trust.signing, MAX_MESSAGE)
    if held is None:
        raise SamlRefused("structure", "no assertion")
    if is_signed(held):
        return verify(held, trust.signing, MAX_MESSAGE)
    if not signed_response:
        raise SamlRefused("unsigned", "neither the response nor the assertion is signed")
    return held


def _accepted(assertion: Element, expected: Expected) -> Accepted:
    good_until = judge_assertion(assertion, expected)
    statements = children(assertion, "saml:AuthnStatement")
    if not statements:
        raise SamlRefused("structure", "no AuthnStatement: nobody says that the person signed in")
    authenticated = statements[0]
    context = child(needed(authenticated, "saml:AuthnContext"), "saml:AuthnContextClassRef")
    reference = text(context).strip() if context is not None else ""
    if expected.contexts and reference not in expected.contexts:
        raise SamlRefused("context", f"signed in by {reference[:100]!r}, which is not enough")
    return Accepted(
        issuer=expected.issuer,
        assertion_id=assertion.get("ID") or "",
        good_until=good_until,
        name=_name(needed(assertion, "saml:Subject")),
        attributes=_attributes(assertion),
        session_index=(authenticated.get("SessionIndex") or "")[:MAX_TEXT],
        context=reference[:MAX_TEXT],
        authenticated_at=moment(authenticated.get("AuthnInstant") or ""),
    )


def _name(subject: Element) -> Name:
    found = child(subject, "saml:NameID")
    if found is None:
        return Name("", "")
    value = text(found)
    if value != value.strip() or len(value) > MAX_TEXT or not value.isprintable():
        raise SamlRefused("subject", "NameID has white space around it, or characters that no name has")
    return Name(value, found.get("Format") or UNSPECIFIED)


def _attributes(assertion: Element) -> Mapping[str, tuple[str, ...]]:
    """Text values only; a structured value says nothing that a mapping rule could use."""
    found: dict[str, tuple[str, ...]] = {}
    total = 0
    for statement in children(assertion, "saml:AttributeStatement"):
        for attribute in children(statement, "saml:Attribute"):
            name = attribute.get("Name") or ""
            values = [
                (value.text or "").strip()
                for value in children(attribute, "saml:AttributeValue")
                if not len(value)
            ]
            kept = tuple(value for value in values if value and len(value) <= MAX_TEXT)
            total += len(kept)
            if len(found) >= MAX_ATTRIBUTES or total > MAX_VALUES:
                raise SamlRefused("size", "too many attributes")
            found[name] = found.get(name, ()) + kept
    return found
