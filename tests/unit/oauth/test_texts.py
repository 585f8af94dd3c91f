"""What strangers write, made fit to be shown and parsed strictly."""

from __future__ import annotations

import pytest

from gatekit.errors import InvalidRequest
from gatekit.oauth.client_metadata import clean_text
from gatekit.oauth.http import decode_form
from gatekit.oauth.settings import OAuthSettings


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Claude Code (files)", "Claude Code (files)"),
        ("  two   spaces \n", "two spaces"),
        ("a\x00b\x1bc", "abc"),
        ("evil\u202etxt.exe", "eviltxt.exe"),
        ("zero\u200bwidth", "zerowidth"),
        ("Überprüfung 検証 ✓", "Überprüfung 検証 ✓"),
        ("\ud800", ""),
    ],
)
def test_names(text: str, clean: str) -> None:
    assert clean_text(text, 100) == clean


def test_long_names_are_cut() -> None:
    assert clean_text("x" * 500, 10) == "x" * 9 + "…"
    assert len(clean_text("\u200b" * 10_000_000 + "x", 10)) <= 10


def test_forms() -> None:
    form = decode_form(b"a=1&b=&resource=x&resource=y&c=%C3%BC+d")
    assert form.get("a") == "1"
    assert form.get("b") is None
    assert form.get("missing") is None
    assert form.get("c") == "ü d"
    assert form.all("resource") == ("x", "y")
    assert form.repeated() is None
    assert decode_form(b"a=1&a=").repeated() == "a"


@pytest.mark.parametrize("data", [b"\xff", b"a=%ff", b"&".join(b"a=1" for _ in range(300))])
def test_broken_forms(data: bytes) -> None:
    with pytest.raises(InvalidRequest):
        decode_form(data)


@pytest.mark.parametrize(
    "issuer",
    ["https://gate.example/", "https://gate.example/x", "gate.example", "ftp://gate.example", "https://", ""],
)
def test_the_issuer_is_a_bare_origin(issuer: str) -> None:
    with pytest.raises(ValueError, match="bare origin"):
        OAuthSettings(issuer=issuer)
