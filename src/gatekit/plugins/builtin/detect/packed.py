"""What is packed in a text: base64, percent-encoding, character references, escapes.

A finding in a package covers all of the package: nobody can cut a piece out of the middle of base64. The
work is linear: each package is opened once, what is in it is shorter than it, and packages in packages end at
``DEPTH``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatekit.plugins.builtin.detect.folding import shown, unhidden
from gatekit.plugins.builtin.detect.packages import present
from gatekit.plugins.builtin.detect.scanner import Finding, Scanner

DEPTH = 3
"""Packages in packages that are opened."""
LEAST = 8
"""Characters that something packed has at least to be looked at."""


def suspicious(scanners: Sequence[Scanner], text: str) -> list[Scanner]:
    """Those that find something in ``text``, in what is hidden in it or in what is packed in it.

    ``scan`` says what and where, and may say that it is nothing: here packages are looked at together.
    """
    left = list(scanners)
    _clear(left, text, DEPTH, set())
    return [each for each in scanners if each not in left]


def _clear(left: list[Scanner], text: str, depth: int, opened: set[str]) -> None:
    """Takes from ``left`` those that find something. All packages of a kind are looked at as one text."""
    data = text.encode("utf-8", "surrogatepass")
    left[:] = [each for each in left if not each.finds(data)]
    if left and not text.isascii() and (seen := shown(data)) is not None:
        left[:] = [each for each in left if not each.finds(seen)]
    if not left or not depth:
        return
    for package in present(data):
        inner = package.opened(text, data)
        if len(inner) >= LEAST and inner not in opened:
            opened.add(inner)  # two ways to the same text are looked at once
            _clear(left, inner, depth - 1, opened)


def scan(scanner: Scanner, text: str, depth: int = DEPTH) -> tuple[Finding, ...]:
    """Everything that ``scanner`` finds in ``text``, in what is hidden in it and in what is packed in it."""
    data = text.encode("utf-8", "surrogatepass")
    found = scanner.scan(text)
    if not text.isascii() and scanner.disguised(data) and (plain := unhidden(text)) is not None:
        seen, places = plain
        found = _merged(
            tuple(
                Finding(each.rule, each.title, places[each.start], places[each.end - 1] + 1, each.weight)
                for each in scanner.scan(seen)
            ),
            found,
        )
    packed = tuple(_packed(scanner, text, data, depth)) if depth else ()
    return _merged(found, packed) if packed else found


def _packed(scanner: Scanner, text: str, data: bytes, depth: int) -> Iterator[Finding]:
    plain = len(data) == len(text)
    for package in present(data):
        for match in package.regexp.finditer(data):
            start, end = match.span()
            inner = package.open(data[start:end].decode("utf-8", "replace"))
            if len(inner) < LEAST or inner == text:
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
