"""What is packed or hidden in a text is found too, and the whole package counts."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from gatekit.plugins.builtin.detect import folding, packed, rules
from gatekit.plugins.builtin.detect.scanner import Scanner

AWS = "AKIAQRSTUVWXYZ234567"
LOOKING = Scanner([rules.built_in("secrets")])


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


PACKINGS: dict[str, Callable[[str], str]] = {
    "base64": lambda text: b64(f"the key is {text}, keep it"),
    "base64url": lambda text: (
        base64.urlsafe_b64encode(f"ü the key is {text}?>~".encode()).decode().rstrip("=")
    ),
    "base64 in lines": lambda text: base64.encodebytes(
        f"{'words ' * 30}{text}{' more' * 20}".encode()
    ).decode(),
    "base64 of UTF-16": lambda text: base64.b64encode(f"key {text} here".encode("utf-16-le")).decode(),
    "base64 of base64": lambda text: b64(b64(f"key {text}")),
    "percent": lambda text: "".join(f"%{ord(char):02X}" for char in text),
    "percent of base64": lambda text: quote(b64(f"?>? {text} ?>?"), safe=""),
    "references": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "hexadecimal references": lambda text: "".join(f"&#x{ord(char):x};" for char in text),
    "escapes": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "hexadecimal escapes": lambda text: "".join(f"\\x{ord(char):02x}" for char in text),
    "hexadecimal": lambda text: text.encode().hex(),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"key": f'"{text}"'})),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_package_is_opened_and_counts_whole(packing: str) -> None:
    package = PACKINGS[packing](AWS)
    text = f"before {package} after"
    (finding,) = packed.scan(LOOKING, text)
    assert finding.rule == "aws_access_key_id"
    cut = text[: finding.start] + text[finding.end :]
    assert cut.startswith("before")
    assert cut.rstrip().endswith("after")
    assert packed.scan(LOOKING, cut) == ()


@pytest.mark.parametrize("hidden", ["\u200b", "\u2060", "\ufeff", "\u00ad", "\U000e0041"])
def test_what_nobody_sees_does_not_hide_it(hidden: str) -> None:
    text = f"key {AWS[:7]}{hidden}{AWS[7:]} end"
    (finding,) = packed.scan(LOOKING, text)
    assert text[finding.start : finding.end] == f"{AWS[:7]}{hidden}{AWS[7:]}"


def test_wide_letters_do_not_hide_it() -> None:
    wide = "".join(chr(ord(char) + 0xFEE0) for char in AWS)
    text = f"schön {wide} end"
    (finding,) = packed.scan(LOOKING, text)
    assert text[finding.start : finding.end] == wide


def test_packages_behind_text_that_is_not_ascii_are_in_place() -> None:
    package = b64(f"key {AWS}")
    text = f"äöü → {package} ß"
    (finding,) = packed.scan(LOOKING, text)
    assert text[finding.start : finding.end] == package


@pytest.mark.parametrize(
    "text",
    [
        "the_name_of_a_rather_long_function",
        "d41d8cd98f00b204e9800998ecf8427e" * 2,
        "%d%% of %s",
        "Ünï→ ☃ \ud800 x" * 20,
        "",
    ],
)
def test_ordinary_text_is_none(text: str) -> None:
    assert packed.scan(LOOKING, text) == ()


def test_packages_in_packages_end() -> None:
    package = AWS
    for _ in range(packed.DEPTH + 3):
        package = b64(f"again {package}")
    assert packed.scan(LOOKING, package) == ()  # said in docs/guards.md: three levels are opened


@pytest.mark.parametrize("packing", PACKINGS)
def test_packages_looked_at_together_are_as_suspicious(packing: str) -> None:
    """The first look opens all packages of a kind at once; the second one by one."""
    package = PACKINGS[packing](AWS)
    filler = "see `x_y` \\n &amp; 100%25 " * 20
    assert packed.suspicious((LOOKING,), f"{filler}{package} and so on") == [LOOKING]
    assert packed.suspicious((LOOKING,), f"{filler} and so on") == []


def test_what_is_shown_is_what_is_unhidden() -> None:
    """Two ways to the same reading: with places for cutting, without them for a first look."""
    text = "g\u200bhp_\ufe0f \uff47\uff48\uff50 \u2460 \u00ad\U0001d41a\u2113 m² ˢ é ß \u3164 \U000e0041 end"
    plain = folding.unhidden(text)
    assert plain is not None
    assert folding.shown(text.encode()) == plain[0].encode()
    assert folding.shown("plain — “text” é".encode()) is None
