"""What an HTTP answer of a remote server means, before any protocol is read from it.

Every text here is for two readers: ``public`` for whoever made the call, ``detail`` for the operator, who
is told what to do.
"""

from __future__ import annotations

import re
from collections import deque

from gatekit.errors import (
    BadAnswer,
    LineTooLong,
    LinkBusy,
    LinkClosed,
    LinkError,
    OutboundBroken,
    OutboundRefused,
    OutboundTooLarge,
    OutboundUnreachable,
    RemoteRefused,
)
from gatekit.model.call import Fault
from gatekit.protocol import jsonrpc, sse
from gatekit.upstream.network import Stream
from gatekit.upstream.reply import fault_of

MAX_ERROR_BYTES = 256 * 1024
"""How much of an answer is read that is no success."""
JSON = "application/json"
EVENTS = "text/event-stream"
_VISIBLE = re.compile(r"[\x20-\x7e]{1,4096}")


def media_type(stream: Stream) -> str:
    return stream.headers.get("content-type", "").partition(";")[0].strip().lower()


def link_error(error: OutboundRefused) -> LinkError:
    """What a failed exchange means for the call that it was made for."""
    detail = str(error)
    if isinstance(error, OutboundUnreachable):
        return LinkClosed("the remote server cannot be reached", detail)
    if isinstance(error, OutboundBroken):
        return LinkClosed("the connection to the remote server broke before it answered", detail)
    if isinstance(error, OutboundTooLarge):
        return LineTooLong("the answer is larger than the limit", f"{detail} (max_result)")
    return RemoteRefused("the remote server cannot be used", detail)


async def fault_in(stream: Stream) -> Fault | None:
    """The JSON-RPC error in the body of an answer that is no success, if there is one."""
    if media_type(stream) != JSON:
        return None
    try:
        line = jsonrpc.decode_line(await stream.read(MAX_ERROR_BYTES))
    except OutboundRefused:
        return None
    return fault_of(line.error) if line is not None and line.error else None


def refusal(stream: Stream) -> LinkError:
    """An answer that is neither a success nor a JSON-RPC error."""
    status = stream.status
    said = f"HTTP {status}"
    if 300 <= status < 400:
        place = stream.headers.get("location", "nowhere")
        text = f"{said}: it redirects to {place[:500]!r}; if that is meant, write it as the url"
        return RemoteRefused("the remote server has moved", text)
    if status in (401, 403):
        text = f"{said}: it does not accept the gateway; check the headers configured for it"
        if asked := stream.headers.get("www-authenticate"):
            text += f" (it asks for {asked[:300]!r})"
        return RemoteRefused("the remote server does not accept the gateway's credentials", text)
    if status == 429:
        after = stream.headers.get("retry-after", "a while")
        return LinkBusy("the remote server is asked too often", f"{said}, to be asked again after {after}")
    if status >= 500:
        return RemoteRefused(f"the remote server is out of order ({said})", said)
    return BadAnswer(
        f"the remote server answered {said}", f"{said}, {media_type(stream) or 'no content type'}"
    )


class Cursor:
    """How far an event stream was read, over all its connections."""

    def __init__(self) -> None:
        self.last_id = ""
        self.retry: float | None = None
        """Seconds to wait before the stream is opened again, as the server wishes."""
        self.seen = 0
        """Events so far."""

    def note(self, event_id: str | None) -> None:
        """An id that cannot stand in a header is none."""
        if event_id and _VISIBLE.fullmatch(event_id):
            self.last_id = event_id


class Events:
    """Reads the events of one stream that have something in them."""

    def __init__(self, stream: Stream, cap: int, cursor: Cursor) -> None:
        """``cap``: bytes of one event."""
        self._stream = stream
        self._parser = sse.Parser(cap)
        self._cursor = cursor
        self._found: deque[sse.Event] = deque()

    async def next(self) -> sse.Event | None:
        """None at the end. Raise ``OutboundBroken`` or ``OutboundTooLarge``."""
        cursor, parser = self._cursor, self._parser
        while True:
            while self._found:
                event = self._found.popleft()
                cursor.seen += 1
                cursor.note(event.id)
                if event.data:
                    return event
            # An id without data counts as well: it is how a stream begins that may be resumed (SEP-1699).
            cursor.note(parser.last_id)
            if parser.retry is not None:
                cursor.retry = parser.retry / 1000
            chunk = await self._stream.more()
            if not chunk:
                return None
            try:
                self._found.extend(parser.feed(chunk))
            except sse.TooLong as error:
                raise OutboundTooLarge(str(error)) from error
