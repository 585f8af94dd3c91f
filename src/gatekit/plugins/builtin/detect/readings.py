"""The ways in which a text can be read, for judging it as a whole: as it stands, folded, unpacked, with the
letters that digits stand for, with its letters drawn together, without the marks between them.

A reading is made only where something in the text asks for it, so that ordinary text is read once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import re2

from gatekit.plugins.builtin.detect import folding, packages
from gatekit.plugins.builtin.detect.scanner import Scanner

DEPTH = 3
"""Packages in packages that are opened."""
READ = 8
"""How many times as long as a text its readings may be, all together."""
LARGEST_PACKAGE = 16 * 1024
"""What may be read besides: short texts have more ways."""
HIDDEN = "hidden_text"
"""Signal of text that nobody sees; no rule of a pack."""

_LEET_FORM = rb"\b[A-Za-z]*[013457@$][A-Za-z013457@$]*[a-z][013457@$]?[a-z]*\s+[A-Za-z]*[013457@$][a-z]"
"""Two words after each other with digits among their letters."""
_SPACED_FORM = rb"(?:\b[A-Za-z][ ._\-*|]{1,2}){9,}[A-Za-z]\b"
_MARKED_FORM = rb"[a-z](?:\*\*|~~|<[^<>]*>|&shy;|`)[a-z]|[a-z]_[a-z]{1,2}_[a-z]"
_ANY = re2.compile(rb"|".join((_LEET_FORM, _SPACED_FORM, _MARKED_FORM)))
"""A text without any of them, which is nearly every one, is not looked at again."""
_LEET = re2.compile(_LEET_FORM)
_SPACED = re2.compile(_SPACED_FORM)
_GAP = re.compile(rb"([A-Za-z])[ ._\-*|]([ ._\-*|]?)")
_MARKED = re2.compile(_MARKED_FORM)
_MARKS = re.compile(rb"\*\*|__?|~~|<[^<>]{0,40}>|&shy;|`")
"""Not of RE2, whose replacing costs Python for every place. Nothing in it goes back further than 40 bytes."""


def signals(scanner: Scanner, text: str, depth: int = DEPTH) -> set[str]:
    """Ids of all rules that find something in any reading of ``text``. No text is read twice, and all
    readings together are at most some times as long as it: packages in packages could be made to be many."""
    return _Reader(scanner, READ * len(text) + LARGEST_PACKAGE).read(text, depth)


class _Reader:
    """Reads one text in its ways."""

    __slots__ = ("_known", "_left", "_scanner")

    def __init__(self, scanner: Scanner, most: int) -> None:
        self._scanner = scanner
        self._left = most
        self._known: set[str] = set()

    def read(self, text: str, depth: int) -> set[str]:
        data = text.encode("utf-8", "surrogatepass")
        found = self._seen(text, data)
        for reading in _readings(text, data):
            found |= self._seen(reading, reading.encode("utf-8", "surrogatepass"))
        if not text.isascii() and self._scanner.disguised(data) and folding.Hidden(text).suspicious:
            found.add(HIDDEN)
        if depth:
            for package in packages.present(data):
                inner = package.open(text) if package.sign else package.opened(text, data)
                if len(inner) >= 8 and inner not in self._known and self._left > 0:
                    found |= self.read(inner, depth - 1)
        return found

    def _seen(self, text: str, data: bytes) -> set[str]:
        if text in self._known or self._left <= 0:
            return set()
        self._known.add(text)
        self._left -= len(data)
        return self._scanner.seen(data)


def _readings(text: str, data: bytes) -> Iterator[str]:
    if not text.isascii():
        tagged = folding.tagged(text)
        if len(tagged) > 8:
            yield tagged
        turned = "\u202e" in text
        folded = folding.fold(text)
        if folded != text:
            yield folded
            text, data = folded, folded.encode("utf-8", "surrogatepass")
        if turned:
            yield text[::-1]
    if _ANY.search(data) is None:
        return
    if _LEET.search(data) is not None:
        yield folding.unleet(text)
    if _SPACED.search(data) is not None:
        yield _drawn_together(data)
    if _several(_MARKED, data, 3):
        yield _MARKS.sub(b"", data).decode("utf-8", "replace")


def _several(regexp: Any, data: bytes, least: int) -> bool:
    return sum(1 for _ in itertools.islice(regexp.finditer(data), least)) == least


def _drawn_together(data: bytes) -> str:
    """One gap between letters taken away; of a wider one, a space is left."""
    return str(_SPACED.sub(_closed, data), "utf-8", "replace")


def _closed(match: Any) -> bytes:
    return bytes(_GAP.sub(lambda gap: gap.group(1) + (b" " if gap.group(2) else b""), match.group()))
