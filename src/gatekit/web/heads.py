"""A head that was there before.

A client that keeps its connection says the same head with every request, except for the length of the body.
Parsing it again costs more than all that the data plane asks about it. So the head of the last request is
kept, and where the next one has the same bytes its parts are known.

Nothing is parsed here that the parser has not parsed before: what it makes of a head depends on the bytes of
the head alone, and the one part that may differ, the digits of ``Content-Length``, says nothing but how long
the body is. It has to be all there is: a packet that is more or less than one whole request goes to the
parser, and so does every head that differs in a single byte. The connection sees to it that the parser is
between two messages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

Pairs = Sequence[tuple[bytes, bytes]]

_LENGTH = b"content-length"
_LINE = re.compile(rb"\r\ncontent-length: ?([0-9]{1,6})(?=\r\n)", re.IGNORECASE)
_DIGITS = 6
_LONGEST = 4096
"""Bytes of a head that is kept: a connection holds it for as long as it lives."""
_MOST = 65536
"""Bytes of a packet: above that reading is paused, which is the parser's callback's business."""


class Head(Struct, frozen=True, gc=False):
    """The head of one POST, split at the digits of its ``Content-Length``."""

    before: bytes
    after: bytes
    """From the end of the digits to the empty line."""
    server: str
    host: bytes
    rest: tuple[tuple[bytes, bytes], ...]
    """Its headers but for the length; names in lower case."""

    def another(self, data: bytes) -> tuple[Pairs, bytes] | None:
        """(headers, body) of a request that is the same but for its length; None: not for sure."""
        if not data.startswith(self.before):
            return None
        start = len(self.before)
        end = data.find(b"\r", start, start + _DIGITS + 1)
        digits = data[start:end]
        if end < 0 or not digits.isdigit() or (digits[0] == 0x30 and len(digits) > 1):
            return None
        if not data.startswith(self.after, end):
            return None
        body = end + len(self.after)
        if len(data) - body != int(digits) or len(data) > _MOST:
            return None
        return (*self.rest, (_LENGTH, digits)), data[body:]


def remember(data: bytes, server: str, headers: Pairs) -> Head | None:
    """The head of a packet that is one whole request, parsed as ``headers`` (no name twice); None if it
    cannot be told apart as simply as ``Head.another`` does it."""
    end = data.find(b"\r\n\r\n") + 4
    if not 4 <= end <= _LONGEST:
        return None
    lines = list(_LINE.finditer(data, 0, end))
    table = dict(headers)
    length = table.pop(_LENGTH, b"")
    if len(lines) != 1 or lines[0][1] != length or len(data) - end != int(length):
        return None
    first, last = lines[0].span(1)
    return Head(data[:first], data[last:end], server, table.get(b"host", b""), tuple(table.items()))
