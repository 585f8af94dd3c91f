"""SAML messages and metadata under noise: refused with an error of ours, or about the same person."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gatekit.errors import SamlRefused, SignInRefused
from gatekit.identity.saml.judge import Expected
from gatekit.identity.saml.metadata import read_metadata
from gatekit.identity.saml.request import inflated
from gatekit.identity.saml.response import Trust, read
from tests.fuzz.inputs import FUZZ
from tests.support.saml import (
    ACS,
    IDP,
    NOW,
    SP,
    Said,
    assertion,
    encrypted,
    keys,
    metadata,
    response,
    sign,
    sound,
    text_of,
)

EXPECTED = Expected(issuer=IDP, audience=SP, acs=ACS, now=NOW, request="_request")
WORDS = st.sampled_from(
    [b"", b"<!--x-->", b"<?x?>", b"<a/>", b'"', b"<", b"&#0;", b"&amp;", b' xmlns:q="rel"', b"\xff", b"1"]
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), WORDS), min_size=1, max_size=4)


def documents() -> list[bytes]:
    inner = assertion(Said())
    sign(inner)
    sealed = text_of(response(Said(), encrypted(inner, keys("sp"), "aes128-cbc")))
    return [text_of(sound(signed="both")), text_of(sound(signed="response")), sealed]


DOCUMENTS = documents()
METADATA = metadata([keys("idp")])


def edited(document: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    found = bytearray(document)
    for place, length, word in edits:
        start = int(place * len(found))
        found[start : start + length] = word
    return bytes(found)


@FUZZ
@given(st.sampled_from(DOCUMENTS), EDITS)
def test_S2_a_damaged_answer_is_about_nobody_else(
    document: bytes, edits: list[tuple[float, int, bytes]]
) -> None:
    """S2, S4: Whatever is changed, either it is refused or the same person is read."""
    trust = Trust(signing=[keys("idp").private.public_key()], decrypting=[keys("sp").private])
    try:
        found = read(edited(document, edits), trust, EXPECTED)
    except (SamlRefused, SignInRefused):
        return
    assert found.name.value == "7c0ffee1"
    assert found.attributes == {"mail": ("alice@example.com",), "groups": ("eng", "admins")}


@FUZZ
@given(EDITS)
def test_damaged_metadata(edits: list[tuple[float, int, bytes]]) -> None:
    try:
        found = read_metadata(edited(METADATA, edits), NOW)
    except SamlRefused:
        return
    assert found.keys


@FUZZ
@given(st.text(max_size=200))
def test_what_is_no_deflated_message(packed: str) -> None:
    try:
        inflated(packed)
    except SamlRefused:
        return
