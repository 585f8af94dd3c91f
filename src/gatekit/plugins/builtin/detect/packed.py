"""What is packed in a text: base64, percent-encoding, character references, escapes.

A finding in a package covers all of the package: nobody can cut a piece out of the middle of base64. The
work is linear: each package is opened once, what is in it is shorter than it, and packages in packages end at
``DEPTH``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gatekit.plugins.builtin.detect.folding import unhidden
from gatekit.plugins.builtin.detect.packages import Package
from gatekit.plugins.builtin.detect.scanner import Finding, Scanner

DEPTH = 3
"""Packages in packages that are opened."""


def scan(scanner: Scanner, text: str, depth: int = DEPTH) -> tuple[Finding, ...]:
    """Everything that ``scanner`` finds in ``text``, in what is hidden in it and in what is packed in it."""
    look = scanner.look(text)
    found = look.findings
    if look.disguised and (plain := unhidden(text)) is not None:
        seen, places = plain
        found = _merged(
            tuple(
                Finding(each.rule, each.title, places[each.start], places[each.end - 1] + 1, each.weight)
                for each in scanner.scan(seen)
            ),
            found,
        )
    if depth and look.packages:
        packed = tuple(_packed(scanner, text, look.packages, depth))
        if packed:
            return _merged(found, packed)
    return found


def _packed(scanner: Scanner, text: str, packages: Sequence[Package], depth: int) -> Iterator[Finding]:
    data = text.encode("utf-8", "surrogatepass")
    plain = len(data) == len(text)
    for package in packages:
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
