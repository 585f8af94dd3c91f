"""Server-Sent Events: an encoder, and an incremental parser for what HTTP upstreams send.

Source: WHATWG HTML Living Standard §9.2 "Server-sent events".
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from gatekit.model.call import Pieces

DEFAULT_MAX_BYTES = 16 * 1024 * 1024 + 65536


class Event(Struct, frozen=True):
    """One dispatched event. ``id`` is the last event id in force (None: never set), ``retry`` in ms."""

    data: bytes
    event: str = "message"
    id: str | None = None
    retry: int | None = None


class TooLong(ValueError):
    """One event is longer than the parser was told to accept."""


def event(data: bytes, *, id: str | None = None, event: str | None = None, retry: int | None = None) -> bytes:
    """Encode one event, blank line included. Every line of ``data`` becomes a ``data:`` line of its own.

    ``id`` and ``event`` must be free of CR, LF and (``id``) NUL, or ValueError is raised: a value that
    carries a line end would forge a field.
    """
    head = b""
    if event is not None:
        head = b"event: " + _field(event) + b"\n"
    if id is not None:
        head += b"id: " + _field(id) + b"\n"
    if retry is not None:
        head += b"retry: %d\n" % retry
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    return b"".join((head, b"data: ", data, b"\n\n"))


def retry(milliseconds: int) -> bytes:
    """Encode only when to reconnect; clients dispatch no event for it."""
    return b"retry: %d\n\n" % milliseconds


def pieces(data: Pieces, *, id: str | None = None) -> Iterator[bytes]:
    """One event, piece by piece. ``data`` holds no line ends."""
    yield b"data: " if id is None else b"id: %b\ndata: " % _field(id)
    yield from data.parts
    yield b"\n\n"


def comment(text: str = "") -> bytes:
    """Encode a comment, which every client ignores: the keep-alive."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f": {line}\n" for line in lines).encode() + b"\n"


def _field(value: str) -> bytes:
    if "\n" in value or "\r" in value or "\0" in value:
        raise ValueError("line end or NUL inside an SSE field")
    return value.encode()


class Parser:
    """Cuts a byte stream into events, however it is chunked.

    Knows CR, LF and CRLF line ends, a leading byte-order mark, comments, several ``data`` lines, ``id`` and
    ``retry``. An event that the stream's end cuts off is never dispatched. ``max_bytes`` bounds one event;
    beyond it ``feed`` raises TooLong and the parser must be thrown away.
    """

    def __init__(self, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.last_id: str | None = None
        self.retry: int | None = None
        self._max = max_bytes
        self._tail: list[bytes] = []
        """Pieces of the unfinished line; a list, so that a long line is not copied at every chunk."""
        self._held = 0
        self._data: list[bytes] = []
        self._type = ""
        self._after_cr = False
        self._begun = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Take the next bytes of the stream and return the events that they completed."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(b"\r")
        lines = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._keep(len(lines[0]))
        self._tail.append(lines[0])
        events: list[Event] = []
        for following in lines[1:]:
            line = b"".join(self._tail)
            self._keep(len(following))
            self._tail = [following]
            self._take(line, events)
        return events

    def _keep(self, size: int) -> None:
        self._held += size
        if self._held > self._max:
            raise TooLong(f"event of more than {self._max} bytes")

    def _take(self, line: bytes, events: list[Event]) -> None:
        if not self._begun:
            self._begun = True
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            self._dispatch(events)
            return
        if line.startswith(b"data:"):
            # Most lines, and the only ones that may be large: cut out with one copy, not with two.
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            return
        self._held -= len(line)
        if name == b"event":
            self._type = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self.last_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit() and len(value) < 12:
            self.retry = int(value)

    def _dispatch(self, events: list[Event]) -> None:
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            events.append(Event(data, self._type or "message", self.last_id, self.retry))
            self._held = len(self._tail[0])
        self._data = []
        self._type = ""
