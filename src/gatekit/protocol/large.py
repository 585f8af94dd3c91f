"""Very large results, followed while they arrive and never handled in one go.

To look at sixty-four megabytes at once takes the event loop from everybody for a third of a second, and to
put them together costs their size again. So a large response is looked at piece by piece: where its result
begins and ends, which id it answers, and the few members of the result that the gateway has to know. Of what
lies deeper only the structure is checked (strings, brackets, UTF-8), which is what keeps a result from
passing for more than one member of the message. Whatever has an unusual shape is taken the ordinary way.
"""

import codecs
import re
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Struct

from gatekit.model.call import Large, Pieces

_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"\s*'
_ID = rb'"id"\s*:\s*(\d{1,18})\s*'
# The members of a response as the Python SDK writes them, and as the TypeScript SDK does: result first.
_HEAD = re.compile(
    rb"\s*\{\s*(?:"
    + _VERSION
    + rb",\s*)?(?:"
    + _ID
    + rb",\s*)?(?:"
    + _VERSION
    + rb',\s*)?"result"\s*:\s*(?=\{)'
)
_TAIL = re.compile(rb"\s*(?:,\s*" + _VERSION + rb")?(?:,\s*" + _ID + rb")?(?:,\s*" + _VERSION + rb")?\}\s*")
_MAX_ENDS = 1024
"""Bytes before the result, and after it."""
_MAX_STRING = 1024
"""Longest string among the result's own members that is looked at."""
_MAX_OUTLINE = 64 * 1024
_BLOCK = 64 * 1024

_NEXT = re.compile(rb'["\[\]{}]')
_REST_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_QUOTE, _BACKSLASH = ord('"'), ord("\\")


class Found(Struct, frozen=True):
    """A response: which call it answers, and with what."""

    id: int
    result: Large


class Scan:
    """Follows one line. ``feed`` it every piece in turn, the first one long enough to hold the head."""

    def __init__(self) -> None:
        self._failed = False
        self._position = 0
        self._id: bytes | None = None
        self._start = self._end = -1
        self._tail = b""
        self._depth = 0
        """Inside the result: 1 among its own members."""
        self._in_string = self._escaped = False
        self._outline: list[bytes] = []
        """The result with ``0`` for whatever its members hold inside."""
        self._outline_size = 0
        self._string: list[bytes] = []
        self._string_size = 0
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    def feed(self, piece: bytes) -> None:
        if self._failed:
            return
        if not piece.isascii() or self._utf8.getstate()[0]:
            try:
                self._utf8.decode(piece)
            except UnicodeDecodeError:
                self._failed = True
                return
        if self._end >= 0:
            self._after(piece)
        else:
            begin = 0
            if self._start < 0:
                head = _HEAD.match(piece, 0, _MAX_ENDS)
                if head is None:
                    self._failed = True
                    return
                self._id, self._start = head[1], head.end()
                begin = head.end()
            self._walk(piece, begin)
        self._position += len(piece)

    def end(self, pieces: list[bytes]) -> Found | None:
        """The line is complete; ``pieces`` is all that was fed. None: take it the ordinary way."""
        tail = _TAIL.fullmatch(self._tail) if self._end >= 0 and not self._failed else None
        if tail is None or (self._id is None) == (tail[1] is None) or self._utf8.getstate()[0]:
            return None
        try:
            members: Any = msgspec.json.decode(b"".join(self._outline))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        kind = members.get("resultType")
        result = Large(
            pieces=Pieces(_cut(pieces, self._start, self._end)),
            members=frozenset(members),
            is_error=members.get("isError") is True,
            kind=kind if isinstance(kind, str) else "",
        )
        return Found(int(self._id or tail[1]), result)

    # -- inside the result -----------------------------------------------------------------------------

    def _walk(self, piece: bytes, begin: int) -> None:
        for at in range(begin, len(piece), _BLOCK):
            block = piece[at : at + _BLOCK]
            if self._inner(block):
                continue
            stop = self._members(block)
            if self._failed:
                return
            if stop >= 0:
                self._end = self._position + at + stop
                self._after(piece[at + stop :])
                return

    def _after(self, piece: bytes) -> None:
        self._tail += piece[: _MAX_ENDS + 1]
        self._failed = len(self._tail) > _MAX_ENDS

    def _inner(self, block: bytes) -> bool:
        """Whether ``block`` lies below the result's own members altogether; then it is done with."""
        if self._depth < 2:
            return False
        text, in_string, escaped = _outside_strings(block, self._in_string, self._escaped)
        levels = list(accumulate(map(_STEP.__getitem__, text.translate(None, _OTHERS))))
        if levels and self._depth + min(levels) < 2:
            return False
        self._depth += levels[-1] if levels else 0
        self._in_string, self._escaped = in_string, escaped
        return True

    def _members(self, block: bytes) -> int:
        """Walk through a block that touches the result's own members; where the result ends, or -1."""
        at = 0
        while at < len(block) and not self._failed:
            if self._in_string:
                at = self._through_string(block, at)
                continue
            found = _NEXT.search(block, at)
            if self._depth == 1:
                self._note(block[at : found.start() if found else len(block)])
            if found is None:
                return -1
            at = found.end()
            if block[at - 1] == _QUOTE:
                self._in_string = True
            elif self._bracket(block[at - 1]):
                return at
        return -1

    def _bracket(self, char: int) -> bool:
        """True if it closes the result."""
        self._depth += _STEP[char]
        if self._depth == 0:
            self._note(b"}")
            self._failed = char != ord("}")
            return True
        if self._depth == 1 and _STEP[char] > 0:
            self._note(b"{")
        elif self._depth == 2 and _STEP[char] > 0:
            self._note(b"0")
        return False

    def _through_string(self, block: bytes, at: int) -> int:
        """Go on to the end of a string or of the block."""
        stop = at + 1 if self._escaped else at
        self._escaped = False
        found = _REST_OF_STRING.match(block, stop)
        stop = found.end() if found else stop
        if stop < len(block) and block[stop] == _BACKSLASH:  # the last byte; what it escapes comes next
            stop += 1
            self._escaped = True
        if self._depth == 1:
            self._string_size += stop - at
            if self._string_size <= _MAX_STRING:
                self._string.append(block[at:stop])
        if stop < len(block):
            self._in_string = False
            if self._depth == 1:
                self._note(b'"%b"' % b"".join(self._string) if self._string_size <= _MAX_STRING else b'""')
                self._string.clear()
                self._string_size = 0
            stop += 1
        return stop

    def _note(self, text: bytes) -> None:
        self._outline.append(text)
        self._outline_size += len(text)
        if self._outline_size > _MAX_OUTLINE or len(self._outline) > _MAX_OUTLINE:
            self._failed = True


def _outside_strings(block: bytes, in_string: bool, escaped: bool) -> tuple[bytes, bool, bool]:
    """The text that is in no string, and the state at its end."""
    if escaped:
        block, escaped = block[1:], False
    if b"\\" in block:
        block = block.replace(b"\\\\", b"").replace(b'\\"', b"")
        escaped = block.endswith(b"\\")
    parts = block.split(b'"')
    outside = b"".join(parts[1::2] if in_string else parts[::2])
    return outside, in_string ^ (len(parts) % 2 == 0), escaped


def _cut(pieces: list[bytes], start: int, end: int) -> tuple[bytes, ...]:
    """Bytes ``start`` to ``end`` of all pieces, without line ends, which would break a stream of events."""
    found: list[bytes] = []
    at = 0
    for piece in pieces:
        inner = piece[max(0, start - at) : max(0, end - at)]
        if inner:
            found.append(inner.replace(b"\r", b" ") if b"\r" in inner else inner)
        at += len(piece)
    return tuple(found)
