"""The front: uvicorn's HTTP/1.1 protocol with a short way to the MCP endpoints.

Everything goes through ASGI, except what happens ten thousand times a second: a plain request to an MCP
endpoint is handed to the data plane as headers and body, and its answer leaves in one write. That halves what
HTTP costs for a call. Parsing, pipelining, flow control, graceful shutdown and every request that is in any
way unusual (HEAD and OPTIONS, repeated headers, ``Expect``, HTTP/1.0, an escaped path, a foreign Host) stay
uvicorn's and the ASGI application's, so that there is one place that judges them.

A head that came before, byte for byte but for its length, is not parsed again (``heads``).

``docs/performance.md`` has the figures. The parent classes are uvicorn's own and not a public interface: the
version is pinned to a minor release, and ``tests/unit/web/test_front.py`` holds what we rely on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, ClassVar, Protocol, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from gatekit.gateway.endpoint import endpoint_of
from gatekit.gateway.inbound import Refused
from gatekit.gateway.ports import Headers, Wire
from gatekit.web.bounds import BODY_SECONDS, HEAD_SECONDS, NO_HEAD, Bounded
from gatekit.web.cycle import Flow, ShortCycle
from gatekit.web.heads import Head, Pairs, remember
from gatekit.web.lobby import BUSY, WAIT, Lobby, wait_headers
from gatekit.web.strangers import Strangers

Read = Callable[[int], Awaitable[bytes]]
Enter = Callable[[], Awaitable[None]]

_MAX_ENDPOINTS = 1024
"""Paths are made up by strangers; beyond this many they are taken apart each time."""

_NOTHING_WAITS: deque[Any] = deque(maxlen=0)
"""Pipelined requests of all connections that have none: a deque of their own would cost each 600 bytes."""
_MAX_UNREAD = 64 * 1024
"""Bytes of a body that is read only to be able to refuse it."""
_METHODS = {b"POST": "POST", b"GET": "GET", b"DELETE": "DELETE"}


class Serve(Protocol):
    """The data plane's entry: ``gateway.endpoint.Endpoint.serve``."""

    def __call__(
        self, method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
    ) -> Awaitable[None]: ...


class Allows(Protocol):
    """Whether a Host header's value is ours: ``HostGuard.allows``."""

    def __call__(self, host: bytes, /) -> bool: ...


def front(
    serve: Serve,
    allows: Allows,
    lobby: Lobby | None = None,
    strangers: Strangers | None = None,
    *,
    head_seconds: float = HEAD_SECONDS,
    body_seconds: float = BODY_SECONDS,
) -> type[asyncio.Protocol]:
    """For ``uvicorn.Config(http=…)``. ``lobby``: where what is no call waits. ``strangers``: how
    many connections there may be on which nobody is known."""
    # Class attributes, because an instance with more than thirty pays two kilobytes for its dictionary.
    ours = {
        "serve": staticmethod(serve),
        "allows": staticmethod(allows),
        "lobby": lobby or Lobby(),
        "strangers": Strangers() if strangers is None else strangers,  # empty is false
        "endpoints": {},
        "head_seconds": head_seconds,
        "body_seconds": body_seconds,
    }
    return type("OurFront", (Front,), ours)


class Front(Bounded):
    """One connection. An idle stream holds one, so it is kept small."""

    # Not in the dictionary, which with more than thirty attributes is no longer shared and takes a kilobyte.
    __slots__ = ("between", "came", "seen")

    endpoints: ClassVar[dict[bytes, str]]
    """Paths seen → server name."""
    serve: ClassVar[Serve]
    allows: ClassVar[Allows]
    lobby: ClassVar[Lobby]
    strangers: ClassVar[Strangers]

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.pipeline = _NOTHING_WAITS
        self.between = True
        """Whether the parser is at the beginning of a message: all that came before has been read."""
        self.came: tuple[str, Pairs] | None = None
        """Server and headers of the POST that the parser has just read."""
        self.seen: Head | None = None
        """The head of the last request, if another one like it can be read without the parser."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)
        if self.strangers.came(self, self._peer()):
            self.flow.known = partial(self.strangers.gone, self)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.strangers.gone(self)
        super().connection_lost(exc)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way. Part of a head or of a body is nothing: to drip them costs nobody."""
        cycle = self.cycle
        return not self.pipeline and (cycle is None or cycle.response_complete or cycle.more_body)

    def let_go(self) -> None:
        self.transport.close()

    # -- where a request goes --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        seen, fresh = self.seen, self.between
        if seen is not None and fresh and self.cycle.response_complete:
            found = seen.another(data)
            if found is not None and self.allows(seen.host):
                self._again(seen, *found)
                return
        super().data_received(data)
        if self.came is not None:
            (server, headers), self.came = self.came, None
            self.seen = remember(data, server, headers) if fresh and self.between else None

    def _again(self, seen: Head, headers: Pairs, body: bytes) -> None:
        """A request of which only length and body are new."""
        self._unset_keepalive_if_required()
        cycle = self.cycle = ShortCycle(self, keep_alive=True)
        cycle.body, cycle.more_body = body, False
        self._start(cycle, self.serve("POST", seen.server, headers, self._peer(), cycle, cycle.read))

    def _peer(self) -> str:
        return self.client[0] if self.client else ""

    def on_message_begin(self) -> None:
        self.between = False
        self.url = b""
        self.headers = []

    def on_headers_complete(self) -> None:
        waiting = self.cycle is not None and not self.cycle.response_complete
        if waiting and self.pipeline is _NOTHING_WAITS:
            self.pipeline = deque()
        if not self._is_plain():
            server, seconds = None, 0
        else:
            server = self._server()
            seconds = self._wait_of() if server is None else 0
        if server is None and not seconds:
            self._long_way()
            self.headers, self.seen = NO_HEAD, None
            return
        self._short_way(server, seconds, waiting)
        self.headers = NO_HEAD

    def _short_way(self, server: str | None, seconds: int, waiting: bool) -> None:
        keep_alive = self.parser.should_keep_alive()
        cycle = self.cycle = ShortCycle(self, keep_alive)
        enter: Enter
        self.seen = None
        if server is None:
            enter = partial(self._turn_away, cycle, seconds, self.headers)
        else:
            method = _METHODS[self.parser.get_method()]
            if method == "POST" and keep_alive:
                self.came = server, self.headers
            enter = partial(self.serve, method, server, self.headers, self._peer(), cycle, cycle.read)
        if waiting:  # pipelined: taken up when the one before it is answered
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, enter))
        else:
            self._start(cycle, enter())

    def _is_plain(self) -> bool:
        """Whether there is nothing unusual about the head."""
        parser, table = self.parser, dict(self.headers)
        if b"transfer-encoding" in table:
            self.chunked = True
        if parser.get_method() not in _METHODS or parser.should_upgrade() or b"expect" in table:
            return False
        if len(table) != len(self.headers) or parser.get_http_version() != "1.1":
            return False
        return self.allows(table.get(b"host", b""))

    def _server(self) -> str | None:
        """Name of the Server that is called (``""``: the aggregate endpoint); None: it is no call."""
        known = self.endpoints.get(self.url)
        if known is None and self.url.isascii() and b"%" not in self.url:
            known = endpoint_of(self.url.decode("ascii"))
            if known is not None and len(self.endpoints) < _MAX_ENDPOINTS:
                self.endpoints[self.url] = known
        return known

    # -- what is no call ---------------------------------------------------------------------------------

    def _wait_of(self) -> int:
        return self.lobby.refuses(self.parser.get_method(), self.url, self._peer(), self.headers)

    async def _turn_away(self, cycle: ShortCycle, seconds: int, headers: Headers) -> None:
        """A request that is refused before anybody looked at it: 429, late."""
        try:
            await cycle.read(_MAX_UNREAD)
        except Refused:
            cycle.keep_alive = False
        wait = self.lobby.departures.seconds()
        if wait is None:
            cycle.keep_alive = False
        else:
            await asyncio.sleep(wait)
        await cycle.respond(429, wait_headers(seconds, headers), WAIT)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        place = self.lobby.place(self._peer(), list(cycle.scope["headers"]))
        if not self.lobby.turnstile.enter(place, partial(self._let_in, cycle, app)):
            cycle.response_started = cycle.response_complete = True
            self.transport.write(BUSY)
            self.transport.close()

    def _let_in(self, cycle: RequestResponseCycle, app: Any) -> None:
        if not cycle.disconnected:  # nobody waits for it any more
            super()._start_asgi_task(cycle, app)

    def _long_way(self) -> None:
        url, headers = self.url, self.headers
        super().on_message_begin()
        self.url = url
        for name, value in headers:
            super().on_header(name, value)
        super().on_headers_complete()

    def _start(self, cycle: ShortCycle, work: Awaitable[None]) -> None:
        cycle.task = self.loop.create_task(cycle.run(work, self.tasks))
        self.tasks.add(cycle.task)

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if self.chunked:
            self.body_received(len(body))
        if type(cycle) is not ShortCycle:
            super().on_body(body)
        elif not cycle.response_complete:
            cycle.body = cycle.body + body if cycle.body else body
            if len(cycle.body) > HIGH_WATER_LIMIT:
                self.flow.pause_reading()
            cycle.message_event.set()

    def on_message_complete(self) -> None:
        cycle, self.between = self.cycle, True
        if self.chunked:
            self.message_complete()
        if type(cycle) is not ShortCycle:
            super().on_message_complete()
        elif not cycle.response_complete:
            cycle.more_body = False
            cycle.message_event.set()

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            if isinstance(cycle, ShortCycle):
                self._start(cycle, cast(Enter, app)())
            else:
                self._start_asgi_task(cycle, app)
            return
        self.rest()
