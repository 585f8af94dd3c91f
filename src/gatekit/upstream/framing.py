"""Cutting a byte stream into lines, with a cap, and without ever looking at a byte twice.

A line above the cap is skipped to its end; of it only the first and last bytes are kept, because they
usually tell whose answer it was (``claimed_id``): the Python SDK writes ``id`` first, the TypeScript SDK
last.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

KEPT = 512
"""Bytes kept from each end of a line that is skipped."""

_JSONRPC = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*(\d{1,18})'
_HEAD_ID = re.compile(rb"\s*\{\s*(?:" + _JSONRPC + rb"\s*,\s*)?" + _ID + rb"\s*[,}]")
# Exactly one brace closes the line, so the members before it belong to the message itself.
_TAIL_ID = re.compile(_ID + rb"\s*(?:,\s*" + _JSONRPC + rb"\s*)?\}\s*\Z")
_METHOD = re.compile(rb"\s*\{(?:\s*(?:" + _JSONRPC + rb"|" + _ID + rb')\s*,){0,2}\s*"method"\s*:')


LARGE = 1024 * 1024
"""From this size on a line is followed while it comes (``Follower``) and not put together at its end."""


class Follower(Protocol):
    """Looks at a long line piece by piece (``protocol.large.Scan``)."""

    def feed(self, piece: bytes) -> None: ...


class Lines:
    """Feed it what arrives; it calls back once for each complete line (without its line feed)."""

    def __init__(
        self,
        cap: int,
        on_line: Callable[[bytes], None],
        on_oversized: Callable[[bytes, bytes, int], None],
        follow: Callable[[], Follower] | None = None,
        on_large: Callable[[Follower, list[bytes]], bool] = lambda _follower, _pieces: False,
    ) -> None:
        """``on_oversized`` gets first bytes, last bytes and size of a line above ``cap`` bytes.

        ``follow`` makes a follower for a long line, and ``on_large`` gets it with the pieces when the line is
        complete; where it returns False the line goes to ``on_line`` like any other.
        """
        self._follow = follow
        self._on_large = on_large
        self._follower: Follower | None = None
        self._cap = cap
        self._on_line = on_line
        self._on_oversized = on_oversized
        self._parts: list[bytes] = []
        self._size = 0
        self._head = b""
        self._tail = b""
        self._skipping = False

    @property
    def pending(self) -> int:
        """Bytes of the line that has begun and not ended yet."""
        return self._size

    def let_go(self) -> None:
        """Nothing comes any more: forget whom to call back, who holds us in turn."""
        self._on_line = self._on_oversized = _nobody
        self._on_large = lambda _follower, _pieces: True

    def feed(self, data: bytes) -> None:
        if self._size:
            end = data.find(b"\n")
            if end < 0:
                self._more(data)
                return
            self._more(data[:end])
            self._end()
            data = data[end + 1 :]
        lines = data.split(b"\n")
        rest = lines.pop()
        if len(data) > self._cap:
            self._checked(lines)
        else:
            for line in lines:
                self._on_line(line)
        if rest:
            self._more(rest)

    def _checked(self, lines: list[bytes]) -> None:
        for line in lines:
            if line:
                self._more(line)
                self._end()

    def _more(self, data: bytes) -> None:
        self._size += len(data)
        if self._skipping:
            self._tail = (self._tail + data[-KEPT:])[-KEPT:]
            return
        self._parts.append(data)
        if self._follower is not None:
            self._follower.feed(data)
        elif self._size >= LARGE and self._follow is not None:
            self._parts = [b"".join(self._parts)]
            self._follower = self._follow()
            self._follower.feed(self._parts[0])
        if self._size > self._cap:
            self._skipping = True
            self._follower = None
            self._head = b"".join(part[:KEPT] for part in self._parts[:KEPT])[:KEPT]
            self._tail = b"".join(part[-KEPT:] for part in self._parts[-KEPT:])[-KEPT:]
            self._parts.clear()

    def _end(self) -> None:
        size, self._size = self._size, 0
        if self._skipping:
            self._skipping = False
            self._on_oversized(self._head, self._tail, size)
            return
        parts, self._parts = self._parts, []
        follower, self._follower = self._follower, None
        if follower is None or not self._on_large(follower, parts):
            self._on_line(b"".join(parts))


def claimed_id(head: bytes, tail: bytes) -> int | None:
    """The top-level ``id`` of a message of which only the ends are known; None if they do not show one."""
    found = _HEAD_ID.match(head) or _TAIL_ID.search(tail)
    return int(found[1]) if found else None


def is_call(head: bytes) -> bool:
    """Whether the first bytes show a request or notification rather than a response."""
    return _METHOD.match(head) is not None


def _nobody(*_: object) -> None:
    """Who is called back after the end."""
