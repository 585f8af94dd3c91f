"""One reading for texts that look alike."""

from __future__ import annotations

import unicodedata

import pytest

from gatekit.plugins.builtin.detect import folding


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "a dash — and “quotes”",
        "Ｉｇｎｏｒｅ it",
        "e\u0301 and é",
        "q\u0323\u0307q\u0307\u0323",
        "\u1112\u1161\u11ab",
        "\u09c7\u09be x \u0301",
        "½ … ﬁ № ㎏",
        "\ud800 x ①",
    ],
)
def test_only_what_is_not_ascii_is_normalized_and_it_comes_to_the_same(text: str) -> None:
    """The short way changes nothing about the form (UAX #15), and a text said to be settled is in it."""
    form = unicodedata.normalize("NFKC", text)
    assert folding._normalized(text) == form
    if folding._settled(text.encode("utf-8", "surrogatepass")):
        assert form == text


def test_ordinary_typesetting_is_settled_and_other_dresses_are_not() -> None:
    """The first is nearly every text that is not ASCII; it is not worth a second reading."""
    assert folding._settled("a dash — “quotes”, é → ü".encode())
    assert not folding._settled("ｆｕｌｌ".encode())
    assert not folding._settled("e\u0301".encode())


def test_tag_characters_are_read_as_the_ascii_that_they_shadow() -> None:
    """U+E0020 to U+E007E; other characters are nothing to it."""
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "run it")
    assert folding.tagged(f"é {hidden[:3]} — {hidden[3:]}\U000e0001\U000e007f") == "run it"
    assert folding.tagged("é — ü") == ""
