"""The lobby: where requests wait that are not calls, so that calls do not have to.

Calls of people who are signed in take the short way (``front.py``). All the rest, anybody can send, as often
and over as many connections as they like: so the rest goes in one by one, one in each turn of the event loop,
and the addresses take turns. Whatever strangers do at once, a call waits for one step of their work in each
turn, and somebody at another address for one request of theirs.

What would be refused by a budget that is spent need not go in at all, and hears of it late and one by one:
who sends the next request after the answer to the last slows down by that, and many who heard the answer at
the same moment would come again at the same moment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from gatekit.gateway.ports import Headers
from gatekit.identity.backoff import network_of
from gatekit.web.middleware import SECURITY_HEADERS

MAX_WAITING = 1024
"""Requests in the queue, of everybody; one is some 6 KB."""
MAX_WAITING_OF_ONE = MAX_WAITING // 2
"""Of one place: an address may be that of a proxy nobody has told us about, with many people behind it."""

LINGER_SECONDS = 1.0
"""How late a refusal is at least."""
LINGER_APART = 0.005
"""Seconds between two of them."""
LINGER_MOST = 5.0
"""Seconds that one is late at most. With the distance it bounds how many wait at once: 1,000."""

TurnedAway = Callable[[str], int]
"""Place → seconds until a request from there may be tried again, 0 if it has to be looked at."""


def _peer(peer: str, _headers: Headers) -> str:
    return peer


class Lobby:
    """One in a process.

    ``client``: (network peer, headers) → address of the client, as ``TrustedProxies.client``.
    ``turned_away``: path of a POST → who need not come in."""

    def __init__(
        self,
        client: Callable[[str, Headers], str] = _peer,
        turned_away: Mapping[bytes, TurnedAway] | None = None,
        departures: Departures | None = None,
    ) -> None:
        self._client = client
        self._turned_away = turned_away or {}
        self.turnstile = Turnstile()
        self.departures = departures or Departures()

    def place(self, peer: str, headers: Headers) -> str:
        """Whose turn and whose budget a request takes (``network_of``)."""
        return network_of(self._client(peer, headers))

    def refuses(self, method: bytes, path: bytes, peer: str, headers: Headers) -> int:
        """Seconds after which the request may be tried again, 0 if it is let in."""
        judge = self._turned_away.get(path)
        if judge is None or method != b"POST":
            return 0
        return judge(self.place(peer, headers))


class Turnstile:
    """Starts what it is given: at once if nothing waits and nothing was started in this turn of the event
    loop; otherwise one in each turn, round the places."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[Callable[[], None]]] = {}
        self._waiting = 0
        self._used = False

    def enter(self, place: str, start: Callable[[], None]) -> bool:
        """False: too many wait, and ``start`` is not going to be called."""
        if not self._used:
            self._used = True
            asyncio.get_running_loop().call_soon(self._turn)
            start()
            return True
        queue = self._queues.get(place)
        if self._waiting >= MAX_WAITING or (queue is not None and len(queue) >= MAX_WAITING_OF_ONE):
            return False
        if queue is None:
            queue = self._queues[place] = deque()
        queue.append(start)
        self._waiting += 1
        return True

    def _turn(self) -> None:
        if not self._queues:
            self._used = False
            return
        asyncio.get_running_loop().call_soon(self._turn)
        place = next(iter(self._queues))  # dicts keep order: whoever had a turn goes to the end
        queue = self._queues.pop(place)
        start = queue.popleft()
        self._waiting -= 1
        if queue:
            self._queues[place] = queue
        start()


class Departures:
    """When refusals leave: ``least`` to ``most`` seconds from now, ``apart`` from each other."""

    def __init__(
        self, least: float = LINGER_SECONDS, apart: float = LINGER_APART, most: float = LINGER_MOST
    ) -> None:
        self._least = least
        self._apart = apart
        self._most = most
        self._last = 0.0

    def seconds(self) -> float | None:
        """How long the next one waits; None: as many wait as may, so it had better leave at once."""
        now = asyncio.get_running_loop().time()
        at = max(now + self._least, self._last + self._apart)
        if at > now + self._most:
            return None
        self._last = at
        return at - now


WAIT = b'{"error":"temporarily_unavailable","error_description":"too many requests, try again later"}'
"""RFC 7591 has no error for it; the name is that of RFC 6749 §4.1.2.1."""


def wait_headers(seconds: int, headers: Headers) -> Headers:
    """What goes with ``WAIT``. ``headers``: those of the request."""
    found = (
        (b"content-type", b"application/json"),
        (b"cache-control", b"no-store"),
        (b"retry-after", b"%d" % seconds),
        *SECURITY_HEADERS,
    )
    # As everywhere at this endpoint: a script of any page may read it, an opaque origin is nobody (D10).
    if next((value for name, value in headers if name == b"origin"), b"null") == b"null":
        return found
    exposed = (b"access-control-expose-headers", b"Retry-After")
    return (*found, (b"access-control-allow-origin", b"*"), exposed)


BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncache-control: no-store\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (len(WAIT), WAIT)
)
"""What a request hears for which there is no room in the queue; RFC 9110 §15.6.4."""
