"""What is packed in a text: base64, percent-encoding, character references, escapes.

A finding in a package covers all of the package: nobody can cut a piece out of the middle of base64. The
work is linear: each package is opened once, what is in it is shorter than it, and packages in packages end at
``DEPTH``.
"""

from __future__ import annotations

import binascii
import html
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import re2
from msgspec import Struct

from gatekit.plugins.builtin.detect.folding import unhidden
from gatekit.plugins.builtin.detect.scanner import Finding, Scanner

DEPTH = 3
"""Packages in packages that are opened."""


class _Package(Struct, frozen=True):
    name: str
    mark: bytes
    """Occurs in every package of the kind; looked for before anything else is."""
    regexp: Any
    open: Callable[[str], str]


def _base64(text: str) -> str:
    if text.islower() or text.isupper() or text.isdigit():
        return ""  # names, hashes and numbers; base64 of any text mixes cases
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    compact = compact[: len(compact) - (len(compact) % 4 == 1)]
    try:
        data = binascii.a2b_base64(compact + "=" * (-len(compact) % 4))
    except ValueError:
        return ""
    try:
        opened = data.decode("utf-16-le" if data[1:2] == b"\0" else "utf-8")
    except UnicodeDecodeError:
        return ""
    # Ordinary names decode too, to noise; noise has control characters in it.
    return opened if "".join(opened.split()).replace(" ", "").isprintable() else ""


def _hex(text: str) -> str:
    try:
        opened = bytes.fromhex(text).decode()
    except ValueError:
        return ""
    return opened if opened.isprintable() else ""


def _escaped(text: str) -> str:
    """Backslash escapes as JSON, Python and shells write them (RFC 8259 §7)."""
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape", "replace")


def _package(name: str, mark: bytes, pattern: str, opener: Callable[[str], str]) -> _Package:
    return _Package(name, mark, re2.compile(pattern.encode()), opener)


_PACKAGES = (
    _package("percent-encoding", b"%", r"[^\s\"'<>]*%[0-9A-Fa-f]{2}[^\s\"'<>]*", unquote),
    _package(
        "character references",
        b"&",
        r"[^\s<>]*&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[a-zA-Z]{2,8});[^\s<>]*",
        html.unescape,
    ),
    _package("escapes", b"\\", r"[^\s]*\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|[ntr\"/])[^\s]*", _escaped),
    _package("hex", b"", r"\b(?:[0-9A-Fa-f]{2}){20,}\b", _hex),
    _package("base64", b"", r"[A-Za-z0-9+/_\-]{20,}(?:\r?\n[A-Za-z0-9+/_\-]{20,})*={0,2}", _base64),
)


def scan(scanner: Scanner, text: str, depth: int = DEPTH) -> tuple[Finding, ...]:
    """Everything that ``scanner`` finds in ``text``, in what is hidden in it and in what is packed in it."""
    found = scanner.scan(text)
    if (plain := unhidden(text)) is not None:
        seen, places = plain
        found = _merged(
            tuple(
                Finding(each.rule, each.title, places[each.start], places[each.end - 1] + 1, each.weight)
                for each in scanner.scan(seen)
            ),
            found,
        )
    if depth and len(text) >= 16:
        packed = tuple(_packed(scanner, text, depth))
        if packed:
            return _merged(found, packed)
    return found


def _packed(scanner: Scanner, text: str, depth: int) -> Iterator[Finding]:
    data = text.encode("utf-8", "surrogatepass")
    plain = len(data) == len(text)
    for package in _PACKAGES:
        if package.mark not in data:
            continue
        at = 0
        while (match := package.regexp.search(data, at)) is not None:
            start, end = match.span()
            at = max(end, start + 1)
            inner = package.open(data[start:end].decode("utf-8", "replace"))
            if len(inner) < 8 or inner == text:
                continue
            inside = scan(scanner, inner, depth - 1)
            if inside:
                yield _around(inside[0], data, start, end, plain, package.name)


def _around(inside: Finding, data: bytes, start: int, end: int, plain: bool, name: str) -> Finding:
    if not plain:
        start, size = (
            len(data[:start].decode("utf-8", "surrogatepass")),
            len(data[start:end].decode("utf-8", "replace")),
        )
        end = start + size
    return Finding(inside.rule, inside.title, start, end, inside.weight, name)


def _merged(found: tuple[Finding, ...], packed: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """By place; of two that overlap, the plain one first, and then what starts first."""
    kept: list[Finding] = []
    for finding in (*found, *sorted(packed, key=lambda each: each.start)):
        if all(finding.end <= other.start or finding.start >= other.end for other in kept):
            kept.append(finding)
    return tuple(sorted(kept, key=lambda each: each.start))
