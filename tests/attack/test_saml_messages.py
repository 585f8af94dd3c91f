"""SAML messages that somebody forged, against the reader that ``/callback`` asks (checklist §3.7, unit)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lxml import etree
from msgspec.structs import replace

from gatekit.errors import SamlRefused, SignInRefused
from gatekit.identity.saml.judge import Expected
from gatekit.identity.saml.response import Accepted, Trust, read
from tests.attack import saml_corpus as corpus
from tests.attack.saml_corpus import Forged
from tests.support.saml import (
    ACS,
    IDP,
    NOW,
    SAML,
    SP,
    Said,
    Signing,
    assertion,
    encrypted,
    keys,
    oracle_accepts,
    response,
    sign,
    sound,
    text_of,
)

EXPECTED = Expected(issuer=IDP, audience=SP, acs=ACS, now=NOW, request="_request")
UNASKED = replace(EXPECTED, request=None)


def trust() -> Trust:
    return Trust(signing=[keys("idp").private.public_key()], decrypting=[keys("sp").private])


def judged(document: bytes, expected: Expected = EXPECTED) -> Accepted:
    return read(document, trust(), expected)


def each(forged: list[Forged]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return pytest.mark.parametrize("one", forged, ids=[one.name for one in forged])


def refused(one: Forged) -> None:
    with pytest.raises(SamlRefused) as caught:
        judged(one.make())
    assert caught.value.reason == one.reason, caught.value.detail
    assert caught.value.public == SamlRefused.PUBLIC, "the person is told nothing that helps a forger"


@each(corpus.WRAPPED)
def test_S1_S2_wrapping(one: Forged) -> None:
    """S1, S2, I25: However the signed part is moved, what is read is what was signed, or nothing is."""
    refused(one)


@each(corpus.UNPROVED)
def test_S3_signatures_that_prove_nothing(one: Forged) -> None:
    """S3, I25: One form of signature, SHA-2, keys of the metadata; every signature there must hold."""
    refused(one)


@each(corpus.MISREAD)
def test_S4_texts_that_two_readers_read_differently(one: Forged) -> None:
    """S4, I25: No document type, no comment, one encoding, and bounds on everything."""
    refused(one)


@each(corpus.MEANT_FOR_OTHERS)
def test_S5_meant_for_others(one: Forged) -> None:
    """S5: Signed by the right provider, and still not for us, not now, or about nobody."""
    refused(one)


@each(corpus.ANOTHER_BROWSER)
def test_S6_another_browsers_answer(one: Forged) -> None:
    """S6: It must answer the request that this browser carried."""
    refused(one)


@each(corpus.ENCRYPTED)
def test_S7_encryption_proves_nothing(one: Forged) -> None:
    """S7: Anybody can encrypt for us: the text inside must be signed, and failures are alike."""
    refused(one)


def test_S6_an_answer_to_somebody_elses_request_is_not_unsolicited() -> None:
    """S6: Where a provider may begin by itself, another browser's answer is refused all the same."""
    with pytest.raises(SamlRefused) as caught:
        judged(text_of(sound()), UNASKED)
    assert caught.value.reason == "unsolicited"
    alone = Said(in_response_to=None, confirmation_in_response_to=None)
    assert judged(text_of(sound(alone)), UNASKED).name.value == alone.name_id


def test_S7_failures_of_decryption_are_one_error() -> None:
    """S7: Padding, length, tag and key are told apart by nobody, not even in the log."""
    texts = set()
    for one in corpus.ENCRYPTED:
        if one.reason == "decryption":
            with pytest.raises(SamlRefused) as caught:
                judged(one.make())
            texts.add(caught.value.detail)
    assert len(texts) == 1


def test_a_refusal_of_the_provider_is_no_forgery() -> None:
    said = Said(status="urn:oasis:names:tc:SAML:2.0:status:Responder")
    with pytest.raises(SignInRefused, match="Responder"):
        judged(text_of(response(said)))


def test_no_assertion_at_all() -> None:
    with pytest.raises(SamlRefused) as caught:
        judged(text_of(response(Said())))
    assert caught.value.reason == "structure"


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_sound_answers_are_accepted(signed: str) -> None:
    found = judged(text_of(sound(signed=signed)))
    assert found.name.value == "7c0ffee1"
    assert found.attributes == {"mail": ("alice@example.com",), "groups": ("eng", "admins")}
    assert (found.session_index, found.good_until) == ("_session", NOW + 360)


@pytest.mark.parametrize("method", ["aes128-gcm", "aes256-gcm", "aes128-cbc", "aes256-cbc"])
@pytest.mark.parametrize("outer", [False, True])
def test_encrypted_answers_are_accepted(method: str, outer: bool) -> None:
    inner = assertion(Said())
    sign(inner)
    root = response(Said(), encrypted(inner, keys("sp"), method))
    if outer:
        sign(root)
    assert judged(text_of(root)).name.value == "7c0ffee1"


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
@pytest.mark.parametrize("method", ["rsa-sha256", "rsa-sha384", "rsa-sha512", "ecdsa-sha256"])
def test_methods_of_sha_2_are_accepted(method: str, digest: str) -> None:
    pair = keys("curve", "ec") if method.startswith("ecdsa") else keys("idp")
    signing = Signing(
        pair=pair,
        method=f"http://www.w3.org/2001/04/xmldsig-more#{method}",
        digest=f"http://www.w3.org/2001/04/xmlenc#{digest}",
    )
    found = read(text_of(sound(signing=signing)), Trust(signing=[pair.private.public_key()]), EXPECTED)
    assert found.name.value == "7c0ffee1"


def test_either_of_two_keys_is_believed() -> None:
    """S8: While a provider changes its certificate, its metadata names both."""
    both = Trust(signing=[keys("idp").private.public_key(), keys("next").private.public_key()])
    for name in ("idp", "next"):
        assert read(text_of(sound(signing=Signing(pair=keys(name)))), both, EXPECTED).name.value


def test_a_minute_of_skew_is_allowed() -> None:
    said = Said(not_before="2027-01-15T08:00:59Z", not_on_or_after="2027-01-15T07:59:01Z")
    assert judged(text_of(sound(said)))  # NOW is 2027-01-15T08:00:00Z


@pytest.mark.parametrize("prefixes", [("xs",), ("xs", "xsi", "nobody")])
def test_prefixes_that_are_treated_inclusively(prefixes: tuple[str, ...], tmp_path: Path) -> None:
    """As Okta and others sign: prefixes declared around the assertion, used in the text of attributes."""
    inner = assertion(Said())
    value = inner.find(f".//{{{SAML}}}AttributeValue")
    value.set("{http://www.w3.org/2001/XMLSchema-instance}type", "xs:string")
    plain = text_of(response(Said(), inner)).replace(
        b" ID=", b' xmlns:xs="http://www.w3.org/2001/XMLSchema" ID=', 1
    )
    root = etree.fromstring(plain)
    sign(root.find(f"{{{SAML}}}Assertion"), Signing(prefixes=prefixes))
    document = text_of(root)
    assert oracle_accepts(document, keys("idp"), tmp_path, "Assertion")
    assert judged(document).name.value == "7c0ffee1"
    with pytest.raises(SamlRefused):
        judged(document.replace(b'2001/XMLSchema"', b'2001/Other"'))


def test_text_beside_the_signature_stays() -> None:
    """Leaving the signature out keeps the white space around it (XML Signature §6.6.4)."""
    inner = assertion(Said())
    inner[0].tail = "\n  "
    signature = sign(inner)
    assert signature.tail is None
    inner[0].tail, signature.tail = "\n", "  "
    assert judged(text_of(response(Said(), inner)))


# -- the oracle --------------------------------------------------------------------------------------------


SIGNATURES = [*corpus.WRAPPED, *corpus.UNPROVED, *corpus.MISREAD]


@each(SIGNATURES)
def test_what_xmlsec1_rejects_we_reject(one: Forged, tmp_path: Path) -> None:
    """S3: Differential: there is no signature that we believe and xmlsec1 does not."""
    document = one.make()
    believed = False
    try:
        judged(document)
        believed = True
    except SamlRefused:
        pass
    assert not believed or oracle_accepts(document, keys("idp"), tmp_path, "Assertion")


@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_what_we_accept_xmlsec1_accepts(signed: str, tmp_path: Path) -> None:
    document = text_of(sound(signed=signed))
    judged(document)
    for kind in ("Assertion", "Response"):
        if signed in (kind.lower(), "both"):
            assert oracle_accepts(document, keys("idp"), tmp_path, kind)
            broken = document.replace(b"alice@", b"admin@")
            assert not oracle_accepts(broken, keys("idp"), tmp_path, kind)
            with pytest.raises(SamlRefused):
                judged(broken)


def test_the_genuine_part_in_the_corpus_is_genuine() -> None:
    """What the forgeries are made from is accepted where it stands alone: they fail for what was changed."""
    assert judged(text_of(sound(corpus.VICTIM))).name.value == "admin"
    assert corpus.xsw3().count(f'ID="{Said().assertion_id}"'.encode()) == 1
    assert SAML.encode() in corpus.xsw1()
