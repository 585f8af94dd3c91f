"""One reading for texts that look alike: compatibility forms, look-alike letters, what nobody sees.

``fold`` is for judging a text as a whole. ``unhidden`` takes out only what is invisible and keeps count of
the places, so that what is found can be cut out of the text as it was.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

import re2

_SPANS = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180E)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F)),
    *((0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF9, 0xFFFB), (0xE0000, 0xE0FFF)),
)
"""Characters that are not seen (Default_Ignorable_Code_Point of Unicode, and neighbours that fonts leave
out)."""
INVISIBLE = "[" + "".join(f"\\x{{{first:x}}}-\\x{{{last:x}}}" for first, last in _SPANS) + "]"
COMPATIBLE = (
    r"[\x{2070}-\x{209c}\x{2100}-\x{214f}\x{2460}-\x{24ff}\x{fb00}-\x{fb06}\x{ff01}-\x{ff5e}"
    r"\x{1d400}-\x{1d7ff}\x{1f100}-\x{1f1ff}]"
)
"""Letters, digits and signs that are ASCII in another dress."""
_SMALL = r"[\x{b2}\x{b3}\x{b9}\x{ba}\x{17f}\x{2b0}-\x{2b8}\x{2e0}-\x{2e4}\x{1d2c}-\x{1d6a}]"
"""More of them, too common in ordinary text to ask for a second reading by themselves."""
FOREIGN = r"[\x{370}-\x{52f}\x{250}-\x{2af}\x{131}\x{2113}\x{2223}\x{a4d0}-\x{a4ff}]"
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁһӏқԛԝАВЕКМНОРСТУХІЈЅ" + "αορνικτυεηχωΑΒΕΖΗΙΚΜΝΟΡΤΥΧ" + "ɑɡıℓ∣ꓐꓑꓔ",
    "aeopcyxijsdhlkqwABEKMHOPCTYXIJS" + "aopviktuenxwABEZHIKMNOPTYX" + "agillBPT",
)
"""Cyrillic, Greek and others that are drawn like Latin letters (UTS #39 lists them all; these are words'
worth)."""
_BEYOND = re.compile("[^\\x00-\\xac]")
_FOREIGN_RUN = re.compile("[^\\x00-\\x7f]+")
_ASCII = bytes(range(128))
_TAGS = re.compile("[\\U000e0020-\\U000e007e]+")
_LEET = str.maketrans("013457@$", "oieastas")


class Hidden:
    """What is hidden in a text, by kind."""

    __slots__ = ("bidi", "tags", "zero_width")

    def __init__(self, text: str) -> None:
        unseen = b"".join(_regexp(INVISIBLE).findall(text.encode("utf-8", "surrogatepass"))).decode()
        self.tags = sum("\U000e0020" <= char <= "\U000e007f" for char in unseen)
        """Tag characters: a whole invisible alphabet."""
        self.bidi = sum(char in "\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2069" for char in unseen)
        """Characters that show a text in another order than it has."""
        self.zero_width = sum(
            char in "\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\u00ad\u180e" for char in unseen
        )
        """Of no width at all. Joiners (U+200C, U+200D) are not counted: scripts and emoji need them."""

    @property
    def suspicious(self) -> bool:
        """More than typesetting needs. A flag of a region is six tag characters behind a black flag."""
        return self.tags > 8 or self.bidi > 4 or self.zero_width > 3


DISGUISES = "|".join((INVISIBLE, COMPATIBLE, FOREIGN))
"""Pattern of everything that ``fold`` and ``unhidden`` are about: a text without it is what it looks like."""


@cache
def _regexp(pattern: str) -> Any:
    return re2.compile(pattern.encode())


def _occurs(pattern: str, data: bytes) -> bool:
    return _regexp(pattern).search(data) is not None


def tagged(text: str) -> str:
    """What its tag characters say (U+E0020 to U+E007E are a shadow of ASCII)."""
    if not _occurs("[\\x{e0020}-\\x{e007e}]", text.encode("utf-8", "surrogatepass")):
        return ""
    return "".join(chr(ord(char) - 0xE0000) for char in "".join(_TAGS.findall(text)))


def fold(text: str) -> str:
    """Compatibility forms resolved, look-alikes in Latin, nothing invisible."""
    if text.isascii():
        return text
    data = text.encode("utf-8", "surrogatepass")
    if _occurs(INVISIBLE, data):
        text = _regexp(INVISIBLE).sub(b"", data).decode("utf-8", "replace")
    if not _settled(data):
        text = _normalized(text)
    if _occurs(FOREIGN, data):
        text = text.translate(_LOOKALIKES)
    return text


def _settled(data: bytes) -> bool:
    """Whether NFKC surely changes nothing: each sign that is not ASCII is its own form, and none of them is
    a mark or a letter of a syllable, which the sign before it could take in."""
    beyond = set(data.translate(None, _ASCII).decode("utf-8", "replace"))
    return all(
        (char < "\u0300" or unicodedata.category(char)[0] in "PS") and unicodedata.is_normalized("NFKC", char)
        for char in beyond
    )


def _normalized(text: str) -> str:
    """NFKC, made only where there is something that is not ASCII: ASCII is a form of its own, and of what
    follows a run only the run itself can change (UAX #15 §1.2: no composition ends in ASCII)."""
    parts: list[str] = []
    at = 0
    for match in _FOREIGN_RUN.finditer(text):
        start = max(match.start() - 1, at)  # a mark joins the letter before it
        parts += (text[at:start], unicodedata.normalize("NFKC", text[start : match.end()]))
        at = match.end()
    return "".join((*parts, text[at:]))


def unleet(folded: str) -> str:
    """With digits read as the letters they stand for."""
    return folded.translate(_LEET)


def unhidden(text: str) -> tuple[str, list[int]] | None:
    """The text without what is invisible and with compatibility forms of ASCII resolved, and the place of
    each of its characters in ``text`` (one more for the end); None if that changes nothing."""
    data = text.encode("utf-8", "surrogatepass")
    if not _occurs(INVISIBLE, data) and not _occurs(COMPATIBLE, data):
        return None
    kept: list[str] = []
    places: list[int] = []
    at = 0
    for match in _BEYOND.finditer(text):
        place = match.start()
        kept += (text[at:place], _plain(match[0]))
        places.extend(range(at, place + bool(kept[-1])))
        at = place + 1
    kept.append(text[at:])
    places.extend(range(at, len(text)))
    places.append(len(text))
    return "".join(kept), places


@cache
def _hidden_chars() -> frozenset[str]:
    return frozenset(chr(code) for first, last in _SPANS for code in range(first, last + 1))


def shown(data: bytes) -> bytes | None:
    """What ``unhidden`` makes of a text (UTF-8), without the places, in the time of a search."""
    hidden = _regexp(f"{INVISIBLE}|{COMPATIBLE}|{_SMALL}")
    parts: list[bytes] = []
    at = 0
    for match in hidden.finditer(data):
        start, end = match.span()
        parts += (data[at:start], _plain(data[start:end].decode()).encode())
        at = end
    return b"".join((*parts, data[at:])) if parts else None


def _plain(char: str) -> str:
    """Empty for what is invisible; the ASCII character that it is a form of; else itself."""
    if char in _hidden_chars():
        return ""
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain.isascii() else char
