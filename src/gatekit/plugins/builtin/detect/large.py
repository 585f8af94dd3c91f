"""Texts in JSON of many megabytes, found without decoding the whole, and small steps throughout: this runs
in a thread beside the event loop, and one long step in C would keep that from the interpreter.

The JSON text is walked from one string literal to the next. A literal is decoded in slices; slices are
looked at with the end of the one before, so that nothing hides at a border.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from msgspec import Struct

from gatekit.plugins.builtin.detect.values import beside

SLICE = 64 * 1024
"""Bytes of a literal that are decoded in one step."""
OVERLAP = 16 * 1024
"""Characters of a slice that are looked at again with the next: longer than any credential."""
BATCH = 48 * 1024
"""Characters of short literals that are looked at together."""

Look = Callable[[str], tuple[tuple[int, int, str], ...]]
"""Text → (start, end, what to put there) of everything to take out."""


class _Literal(Struct, frozen=True):
    start: int
    """Of the first byte inside the quotes."""
    end: int
    """Of the closing quote."""
    name: str
    """Of the member whose value it is."""


def without(
    data: bytes, look: Look, suspicious: Callable[[str], bool]
) -> tuple[tuple[bytes, ...], int] | None:
    """The JSON text with everything that ``look`` finds replaced, in pieces, and how much that was; None if
    there is nothing. ``suspicious``: whether a text needs to be looked at. Raises ``ValueError`` for what is
    no JSON."""
    parts: list[bytes] = []
    done = count = 0
    for literal, text in _suspects(data, suspicious):
        spans = _spans(literal, text, look)
        if not spans:
            continue
        count += len(spans)
        parts.append(data[done : literal.start])
        parts.extend(_encoded(text, spans))
        done = literal.end
    if not count:
        return None
    parts.append(data[done:])
    return tuple(parts), count


def _suspects(data: bytes, suspicious: Callable[[str], bool]) -> Iterator[tuple[_Literal, str]]:
    """Literals that a look at many of them together could not clear."""
    batch: list[tuple[_Literal, str]] = []
    size = 0
    for literal in literals(data):
        if literal.end - literal.start > BATCH:
            if not _clear(data, literal, suspicious):
                yield literal, _decoded(data, literal.start, literal.end)
            continue
        text = _decoded(data, literal.start, literal.end)
        batch.append((literal, text))
        size += len(text)
        if size > BATCH:
            yield from _uncleared(batch, suspicious)
            batch, size = [], 0
    yield from _uncleared(batch, suspicious)


def _uncleared(
    batch: list[tuple[_Literal, str]], suspicious: Callable[[str], bool]
) -> list[tuple[_Literal, str]]:
    together = "\n".join([beside(literal.name, text) for literal, text in batch])
    return batch if suspicious(together) else []


def literals(data: bytes) -> Iterator[_Literal]:
    """Every string of a JSON text, in order."""
    at, size = 0, len(data)
    name = ""
    while (start := data.find(b'"', at)) >= 0:
        start += 1
        end = _closing(data, start)
        at = end + 1
        after = at
        while after < size and data[after] in b" \t\r\n":
            after += 1
        if data[after : after + 1] == b":":
            yield _Literal(start, end, "")
            name = _decoded(data, start, end) if end - start < 200 else ""
        else:
            yield _Literal(start, end, name)
            if data[after : after + 1] != b",":
                name = ""  # its array or object ends


def _closing(data: bytes, start: int) -> int:
    at = start
    while True:
        end = data.find(b'"', at)
        if end < 0:
            raise ValueError("a string without an end")
        slashes = end - 1
        while slashes >= start and data[slashes] == 0x5C:
            slashes -= 1
        if (end - slashes) % 2:
            return end
        at = end + 1


def _clear(data: bytes, literal: _Literal, suspicious: Callable[[str], bool]) -> bool:
    """Whether there is nothing in a long literal. It is never put together: to copy ten megabytes is one
    step in C."""
    before = ""
    for piece in _slices(data, literal.start, literal.end):
        window = before + piece
        if suspicious(window):
            return False
        before = window[-OVERLAP:]
    return True


def _decoded(data: bytes, start: int, end: int) -> str:
    return "".join(_slices(data, start, end))


def _slices(data: bytes, start: int, end: int) -> Iterator[str]:
    while start < end:
        cut = _cut(data, start, min(start + SLICE, end), end)
        yield _slice(data[start:cut])
        start = cut


def _slice(raw: bytes) -> str:
    if b"\\" not in raw:
        return raw.decode("utf-8", "replace")
    try:
        decoded = json.loads(b'"' + raw + b'"', strict=False)
    except ValueError as error:
        raise ValueError("a string that is none") from error
    return str(decoded)


def _cut(data: bytes, start: int, cut: int, end: int) -> int:
    """A place at or before ``cut`` that is not inside a character or an escape."""
    if cut >= end:
        return end
    while cut > start + 1 and data[cut] & 0xC0 == 0x80:
        cut -= 1
    mark = data.rfind(b"\\", max(start, cut - 5), cut)
    if mark < 0:
        return cut
    slashes = mark
    while slashes > start and data[slashes - 1] == 0x5C:
        slashes -= 1
    if (mark - slashes) % 2:
        return cut  # an escaped backslash
    length = 6 if data[mark + 1] == 0x75 else 2
    return mark if mark + length > cut and mark > start else cut


def _spans(literal: _Literal, text: str, look: Look) -> list[tuple[int, int, str]]:
    """What to take out of one literal, by characters of its text."""
    lead = len(beside(literal.name, "")) - 1 if literal.name else 0
    if len(text) <= SLICE:
        found = look(beside(literal.name, text))
        return _merged([(start - lead, end - lead, new) for start, end, new in found], len(text))
    found_all: list[tuple[int, int, str]] = []
    at = 0
    while at < len(text):
        window = text[at : at + SLICE]
        found_all.extend((at + start, at + end, new) for start, end, new in look(window))
        at += SLICE - OVERLAP
    return _merged(found_all, len(text))


def _merged(spans: list[tuple[int, int, str]], size: int) -> list[tuple[int, int, str]]:
    """In order, overlaps made one, nothing outside of the text."""
    merged: list[tuple[int, int, str]] = []
    for start, end, new in sorted(spans):
        start, end = max(0, start), min(end, size)
        if start >= end:
            continue
        if merged and start < merged[-1][1]:
            first, last, word = merged[-1]
            merged[-1] = (first, max(last, end), word)
        else:
            merged.append((start, end, new))
    return merged


def _encoded(text: str, spans: list[tuple[int, int, str]]) -> Iterator[bytes]:
    """The inside of a JSON string literal."""
    at = 0
    for start, end, new in spans:
        yield from _escaped(text[at:start])
        yield from _escaped(new)
        at = end
    yield from _escaped(text[at:])


def _escaped(text: str) -> Iterator[bytes]:
    for at in range(0, len(text), SLICE):
        yield json.dumps(text[at : at + SLICE], ensure_ascii=True)[1:-1].encode()
