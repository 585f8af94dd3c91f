"""How one definition differs from another, word by word, for people.

Whoever wrote the definitions may want the comparison to take long, so every step is bounded: beyond a bound,
what differs is shown as a whole, the old above the new.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal

from msgspec import Struct

from gatekit.model.pins import MAX_COMPARED, readable

Sign = Literal["same", "removed", "added", "gap"]

CONTEXT = 2
"""Lines that are shown around what changed."""
_MAX_WORDS = 400
"""Of a line, that are compared."""
_MAX_WORK = 600_000
"""Pairs of words that are compared in all, as a bound on the time."""
_ESCAPE = re.compile(r"\\u\{([0-9a-f]{1,6})\}")
_WORD = re.compile(r"(?:\\u\{[0-9a-f]{1,6}\})+|\w+|\s+|[^\w\s]")
_TAGS = range(0xE0020, 0xE007F)
"""Characters without a shape that spell ASCII."""


class Piece(Struct, frozen=True):
    """A part of a line."""

    text: str
    changed: bool = False
    hidden: bool = False
    """``text`` is the name of what cannot be seen."""


class Line(Struct, frozen=True):
    sign: Sign
    pieces: tuple[Piece, ...] = ()
    """Empty of a ``gap``: lines that did not change, and are left out."""


def whole(definition: str) -> Sequence[Line]:
    """All of a definition, where there is nothing to compare it with."""
    return [Line("same", _pieces(text, False)) for text in readable(definition)]


def compared(before: str, after: str) -> Sequence[Line]:
    """What changed, with the lines around it; empty if nothing is to be seen of it."""
    old, new = readable(before), readable(after)
    work = _MAX_WORK
    lines: list[Line] = []
    for tag, low, high, start, end in _steps(old, new):
        if tag == "equal":
            lines += _around(old[low:high], first=low == 0, last=high == len(old))
            continue
        removed, added = old[low:high], new[start:end]
        pairs = zip(removed, added, strict=True) if len(removed) == len(added) else ()
        split = [(_WORD.findall(one), _WORD.findall(other)) for one, other in pairs]
        work -= sum(min(len(one), _MAX_WORDS) * min(len(other), _MAX_WORDS) for one, other in split)
        if split and work > 0:
            marked = [_marked(one, other) for one, other in split]
            lines += [Line("removed", one) for one, _ in marked]
            lines += [Line("added", other) for _, other in marked]
        else:
            lines += [Line("removed", _pieces(text, True)) for text in removed]
            lines += [Line("added", _pieces(text, True)) for text in added]
    return lines if any(line.sign in ("removed", "added") for line in lines) else []


def _steps(old: list[str], new: list[str]) -> Sequence[tuple[str, int, int, int, int]]:
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    low, high, end = head, len(old) - tail, len(new) - tail
    steps = [("equal", 0, head, 0, head)] if head else []
    if max(high - low, end - low) > MAX_COMPARED:
        steps.append(("replace", low, high, low, end))
    else:
        inner = SequenceMatcher(None, old[low:high], new[low:end]).get_opcodes()
        steps += [(tag, a + low, b + low, c + low, d + low) for tag, a, b, c, d in inner]
    return [*steps, *([("equal", high, len(old), end, len(new))] if tail else [])]


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many at the beginning are the same."""
    at = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        at += 1
    return at


def _around(lines: list[str], *, first: bool, last: bool) -> Iterator[Line]:
    head, tail = (0 if first else CONTEXT), (0 if last else CONTEXT)
    if len(lines) <= head + tail + 1:
        yield from (Line("same", _pieces(text, False)) for text in lines)
        return
    yield from (Line("same", _pieces(text, False)) for text in lines[:head])
    yield Line("gap")
    yield from (Line("same", _pieces(text, False)) for text in lines[len(lines) - tail :])


def _marked(old: list[str], new: list[str]) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    low, high, end = head, len(old) - tail, len(new) - tail
    gone, came = [False] * len(old), [False] * len(new)
    steps: Sequence[tuple[str, int, int, int, int]]
    if max(high - low, end - low) > _MAX_WORDS:
        steps = [("replace", 0, high - low, 0, end - low)]
    else:
        steps = SequenceMatcher(None, old[low:high], new[low:end]).get_opcodes()
    for tag, a, b, c, d in steps:
        if tag != "equal":
            gone[low + a : low + b] = [True] * (b - a)
            came[low + c : low + d] = [True] * (d - c)
    return _joined(old, gone), _joined(new, came)


def _joined(words: list[str], changed: list[bool]) -> tuple[Piece, ...]:
    """Words that lie beside each other and share their fate as one text."""
    pieces: list[Piece] = []
    at = 0
    while at < len(words):
        end = at + 1
        while end < len(words) and changed[end] == changed[at]:
            end += 1
        pieces += _pieces("".join(words[at:end]), changed[at])
        at = end
    return tuple(pieces)


def _pieces(text: str, changed: bool) -> tuple[Piece, ...]:
    """``text`` with a name in the place of each escape."""
    pieces: list[Piece] = []
    at = 0
    for found in re.finditer(r"(?:\\u\{[0-9a-f]{1,6}\})+", text):
        if found.start() > at:
            pieces.append(Piece(text[at : found.start()], changed))
        pieces += [Piece(name, changed, True) for name in _names(found[0])]
        at = found.end()
    if at < len(text):
        pieces.append(Piece(text[at:], changed))
    return tuple(pieces)


def _names(escapes: str) -> Iterator[str]:
    """What a run of escapes stands for. A hidden sentence is one name, so that it can be read."""
    spelled = ""
    for digits in _ESCAPE.findall(escapes):
        code = int(digits, 16)
        if code in _TAGS:
            spelled += chr(code - 0xE0000)
            continue
        if spelled:
            yield f"TAG CHARACTERS: {spelled}"
            spelled = ""
        known = unicodedata.name(chr(code), "") if code <= 0x10FFFF else ""
        yield known or f"U+{code:04X}"
    if spelled:
        yield f"TAG CHARACTERS: {spelled}"
