"""Streams that outlive a connection (Streamable HTTP, "Resumability and Redelivery").

Every event of a handshake-era stream carries an id, ``<stream>-<number>``, unique in its session and naming
its stream. What was sent is kept for a while; a client whose connection broke asks for the rest with
``Last-Event-ID``, and gets the rest of *that* stream: kept events first, then what still comes. A call goes
on meanwhile, so its answer waits here if nobody is there to read it.

What is kept is bounded for one session and for all; what falls out is the oldest, and of all sessions the one
that was silent longest. Nothing is kept of an answer that is plain JSON, which is most of them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Awaitable
from typing import Protocol

from gatekit.model.call import Pieces, RequestId
from gatekit.protocol import sse

RETRY_MS = 1000
"""When to reconnect after a stream broke; sent with the priming event (MCP 2025-11-25)."""
_MAX_EVENTS = 1000
"""Events kept for one session, however small."""
_MAX_TRACKS = 256
"""Streams of one session that are known to have been."""
_NOTHING: deque[tuple[Track, int, bytes]] = deque(maxlen=0)
"""The log of all sessions that said nothing yet: one of their own would cost each 600 bytes."""


class Outlet(Protocol):
    """The connection that a stream goes out on (``gateway.reply.Reply``)."""

    def raw(self, chunk: bytes, must: bool = False) -> bool: ...

    def drop(self, reason: str) -> None: ...

    def abandon(self) -> None: ...

    def end(self) -> Awaitable[None]: ...


class Track:
    """One stream: what was said on it, and the connection it goes out on now."""

    __slots__ = ("_replay", "ended", "number", "outlet", "request_id", "said", "standalone")

    def __init__(self, replay: Replay, number: int, request_id: RequestId | None, outlet: Outlet) -> None:
        self._replay = replay
        self.number = number
        self.request_id = request_id
        """The request whose answer ends it; None if there is no one such request."""
        self.standalone = False
        """Whether it is for what belongs to no call."""
        self.outlet: Outlet | None = outlet
        self.said = 0
        """Number of the newest event."""
        self.ended = False

    def signal(self, message: bytes, must: bool = False) -> bool:
        """Say one JSON-RPC message. False: nobody hears it here."""
        outlet = self.outlet
        if outlet is None and self.standalone:
            return False  # of several such streams another one may be open
        chunk = self._say(message)
        if outlet is not None and not outlet.raw(chunk, must):
            # Rather an end that the client can resume from than a gap that it cannot see.
            outlet.drop("the client reads too slowly")
        return True

    async def finish(self, message: bytes | Pieces | None = None) -> None:
        """Say the last message, if that is not said yet. It waits for the client if that is away."""
        self.ended = True
        outlet = self.outlet
        if isinstance(message, Pieces) and self._replay.keeps(len(message)):
            message = bytes(message)
        if isinstance(message, Pieces):
            self.said += 1
            if outlet is not None:
                for chunk in sse.pieces(message, id=f"{self.number}-{self.said}"):
                    outlet.raw(chunk, must=True)
        elif message is not None:
            chunk = self._say(message)
            if outlet is not None:
                outlet.raw(chunk, must=True)
        if outlet is not None:
            await outlet.end()

    def resume(self, after: int, outlet: Outlet) -> bool:
        """Go on over ``outlet``, first with what was kept behind event ``after``. True: that was the end."""
        former, self.outlet = self.outlet, outlet
        if former is not None and former is not outlet:
            former.abandon()
        chunks = self._replay.kept(self, after)
        for chunk in chunks:
            outlet.raw(chunk, must=True)
        return self.ended

    def leave(self, outlet: Outlet) -> None:
        """The connection is gone."""
        if self.outlet is outlet:
            self.outlet = None

    def _say(self, message: bytes) -> bytes:
        self.said += 1
        chunk = sse.event(message, id=f"{self.number}-{self.said}")
        self._replay.keep(self, chunk)
        return chunk


class Replay:
    """What one session may have to hear again. Only the session's own principal ever gets here."""

    __slots__ = ("_bytes", "_closed", "_log", "_numbers", "_store", "_tracks", "primes")

    def __init__(self, store: ReplayStore, primes: bool) -> None:
        """``primes``: whether the client takes an event without data (since MCP 2025-11-25)."""
        self._store = store
        self.primes = primes
        self._numbers = 0
        self._bytes = 0
        self._closed = False
        self._log: deque[tuple[Track, int, bytes]] = _NOTHING
        self._tracks: dict[int, Track] = {}

    def open(self, outlet: Outlet, request_id: RequestId | None) -> tuple[Track, bytes]:
        """A new stream, and the event to open it with (maybe none)."""
        self._numbers += 1
        track = self._tracks[self._numbers] = Track(self, self._numbers, request_id, outlet)
        if len(self._tracks) > _MAX_TRACKS:
            self._forget_one()
        priming = sse.event(b"", id=f"{track.number}-0", retry=RETRY_MS) if self.primes else b""
        return track, priming

    def find(self, event_id: str) -> tuple[Track, int] | None:
        """The stream of an event id and the event's number; None for one that is not (any more) known."""
        stream, dash, number = event_id.partition("-")
        if not (dash and len(event_id) < 32 and stream.isdecimal() and number.isdecimal()):
            return None
        track = self._tracks.get(int(stream))
        return None if track is None else (track, int(number))

    def keeps(self, size: int) -> bool:
        """Whether an event of so many bytes may be kept at all."""
        return size <= self._store.per_session

    def keep(self, track: Track, chunk: bytes) -> None:
        store = self._store
        if self._closed or len(chunk) > store.per_session:
            return  # a client that asks for an answer that is not kept is told so
        if self._log is _NOTHING:
            self._log = deque()
        self._log.append((track, track.said, chunk))
        self._bytes += len(chunk)
        store.grown(self, len(chunk))
        while self._bytes > store.per_session or len(self._log) > _MAX_EVENTS:
            self.shed()

    def kept(self, track: Track, after: int) -> list[bytes]:
        """The events of one stream behind number ``after``."""
        return [chunk for owner, number, chunk in self._log if owner is track and number > after]

    def has_end(self, track: Track) -> bool:
        """Whether the last event of an ended stream is still here."""
        return any(owner is track and number == track.said for owner, number, _ in self._log)

    def shed(self) -> bool:
        """Forget the oldest event; False if there is none."""
        if not self._log:
            return False
        size = len(self._log.popleft()[2])
        self._bytes -= size
        self._store.shrunk(size)
        return True

    def close(self) -> None:
        """The session is over."""
        self._closed = True
        while self.shed():
            pass
        self._tracks.clear()
        self._store.gone(self)

    def _forget_one(self) -> None:
        """Streams that have ended make room first; one that runs may be resumed at any time."""
        old = next((number for number, track in self._tracks.items() if track.ended), None)
        if old is None:
            old = next((n for n, track in self._tracks.items() if track.outlet is None), None)
        if old is not None:
            del self._tracks[old]


class ReplayStore:
    """The budget of all sessions together."""

    def __init__(self, per_session: int, in_all: int) -> None:
        """Both in bytes."""
        self.per_session = per_session
        self.size = 0
        self._in_all = in_all
        self._heard: OrderedDict[Replay, None] = OrderedDict()
        """Sessions with something kept, the one that was silent longest first."""

    def grown(self, replay: Replay, size: int) -> None:
        self.size += size
        self._heard[replay] = None
        self._heard.move_to_end(replay)
        while self.size > self._in_all and self._heard:
            if not next(iter(self._heard)).shed():
                self._heard.popitem(last=False)

    def shrunk(self, size: int) -> None:
        self.size -= size

    def gone(self, replay: Replay) -> None:
        self._heard.pop(replay, None)
