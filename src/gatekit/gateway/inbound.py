"""One HTTP request as the data plane sees it: headers in a table, and what must hold before the body is
read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from gatekit.errors import GatekitError
from gatekit.model.access import Access, Asked

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Refused(GatekitError):
    """The request is turned away at the HTTP level; ``public`` is the body's message."""

    def __init__(self, status: int, public: str) -> None:
        self.status = status
        self.public = public
        super().__init__(public)


class Inbound:
    """Method, headers and body of one request to an MCP endpoint."""

    __slots__ = (
        "_pairs",
        "_read",
        "access",
        "method",
        "mirrored",
        "peer",
        "request_id",
        "server",
        "since",
        "table",
    )

    def __init__(
        self,
        method: str,
        server: str,
        pairs: Sequence[tuple[bytes, bytes]],
        read: Callable[[int], Awaitable[bytes]],
        peer: str,
        request_id: str,
        mirrored: bool = True,
    ) -> None:
        self.method = method
        self.server = server
        """Name of the Server; ``""`` is the aggregate endpoint."""
        self.table = dict(pairs)
        self.peer = peer
        self.request_id = request_id
        self.mirrored = mirrored
        """Whether a stateless request must repeat parts of its body in headers (all of HTTP)."""
        self.access: Access | None = None
        self.since = 0
        """The epoch in which it was judged."""
        self._pairs = pairs
        self._read = read

    def part(self, number: int) -> Inbound:
        """The same request as the origin of element ``number`` of its batch: recorded under its own id."""
        one = Inbound(self.method, self.server, (), self._read, self.peer, f"{self.request_id}.{number}")
        one.access = self.access
        return one

    def header(self, name: bytes) -> str:
        """The value of a header, ``""`` if absent; for repeated ones the last."""
        return self.table.get(name, b"").decode("latin-1")

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a header, in order."""
        if len(self.table) == len(self._pairs):
            value = self.table.get(name)
            return [] if value is None else [value]
        return [v for n, v in self._pairs if n == name]

    def asked(self, legacy: bool = False) -> Asked:
        """The request as a proof of possession must name it; ``legacy``: it came to the HTTP+SSE URL."""
        last = "sse" if legacy else "mcp"
        path = f"/s/{self.server}/{last}" if self.server else f"/{last}"
        return Asked(self.method, path, self.values(b"dpop"))

    @property
    def authorization(self) -> bytes:
        """The one Authorization header; empty if there is none, or more than one."""
        if len(self.table) == len(self._pairs):
            return self.table.get(b"authorization", b"")
        values = self.values(b"authorization")
        return values[0] if len(values) == 1 else b""

    def get(self, name: bytes) -> Sequence[bytes] | None:
        """Every value of a header, in order; None if it is absent (``protocol.headers.Headers``)."""
        if len(self.table) == len(self._pairs):
            value = self.table.get(name)
            return None if value is None else (value,)
        return [v for n, v in self._pairs if n == name] or None

    async def body(self, limit: int) -> bytes:
        """The whole body; raises ``Refused`` (413) as soon as it is longer than ``limit`` bytes."""
        declared = self.table.get(b"content-length", b"")
        if len(declared) > 6 and int(declared) > limit:  # the web server has checked that it is a number
            raise Refused(413, f"the body may have at most {limit} bytes")
        return await self._read(limit)


def check_origin(origin: str, allowed: frozenset[str]) -> None:
    """DNS-rebinding protection (MCP, Streamable HTTP: Origin MUST be validated, 403 if invalid)."""
    if not origin or origin in allowed:
        return
    try:
        parts = urlsplit(origin)
        host = parts.hostname or ""
    except ValueError:
        raise Refused(403, "Origin not allowed") from None
    if parts.scheme in ("http", "https") and host in _LOOPBACK:
        return
    raise Refused(403, "Origin not allowed")


def check_content_type(value: str) -> None:
    """Exactly ``application/json``, at most with ``charset=utf-8`` (oauth.md incident 18: odd encodings)."""
    media, _, parameters = value.partition(";")
    if media.strip().lower() != "application/json":
        raise Refused(415, "Content-Type must be application/json")
    parameter = parameters.strip().lower()
    if parameter and parameter.replace('"', "") not in ("charset=utf-8", "charset=utf8"):
        raise Refused(415, "Content-Type must be application/json in UTF-8")


def accepts(header: bytes | None) -> tuple[bool, bool]:
    """(JSON is acceptable, an event stream is acceptable). An absent header accepts both."""
    if not header:
        return True, True
    value = header.decode("latin-1")
    kinds = {part.partition(";")[0].strip().lower() for part in value.split(",")}
    anything = "*/*" in kinds
    json_ok = anything or "application/json" in kinds or "application/*" in kinds
    sse_ok = anything or "text/event-stream" in kinds or "text/*" in kinds
    return json_ok, sse_ok
