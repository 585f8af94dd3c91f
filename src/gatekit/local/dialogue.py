"""What the pump remembers of the handshake era: the session at the other end, and how to open it again.

A session may be lost without the local client knowing (the other end restarted, or let it expire); the client
holds one pipe and believes that nothing happened. So what opened and shaped the session is kept, and replayed
when the other end answers 404 (Streamable HTTP, Session Management: the client MUST start a new one).
"""

from __future__ import annotations

from typing import Any

from gatekit.model.call import RequestId
from gatekit.protocol import jsonrpc
from gatekit.protocol.jsonrpc import Request

JSON = "application/json"
BOTH = "application/json, text/event-stream"
_LISTS = ("tools", "prompts", "resources")


class Dialogue:
    """One handshake-era conversation. Begins with the client's ``initialize``."""

    def __init__(self) -> None:
        self.session = ""
        self.version = ""
        self.opened = False
        """Whether ``initialize`` was answered with a result."""
        self.lost = False
        """Whether the other end has forgotten the session, and there is no new one yet."""
        self.greeted = False
        """Whether the client said ``notifications/initialized``."""
        self.generation = 0
        """Counts sessions: who met a lost one may find that another request has renewed it already."""
        self.offered: dict[str, Any] = {}
        self._initialize: dict[str, Any] = {}
        self._shaping: dict[str, tuple[str, dict[str, Any]]] = {}

    def headers(self) -> dict[str, str]:
        """For a request inside the session."""
        headers = {"content-type": JSON, "accept": BOTH}
        if self.session:
            headers["mcp-session-id"] = self.session
        if self.version:
            headers["mcp-protocol-version"] = self.version
        return headers

    def asked(self, request: Request) -> None:
        """The client says ``initialize``."""
        self._initialize = request.params
        self.session = self.version = ""
        self.opened = self.lost = False
        self._shaping.clear()

    def open(self, session: str, result: dict[str, Any]) -> None:
        """``initialize`` was answered."""
        version, offered = result.get("protocolVersion"), result.get("capabilities")
        self.session = session
        self.version = version if isinstance(version, str) else ""
        self.offered = offered if isinstance(offered, dict) else {}
        self.opened, self.lost = True, False
        self.generation += 1

    def done(self, request: Request) -> None:
        """A request was answered with a result: remember it if it shapes what the session sends."""
        if request.method == "logging/setLevel":
            self._shaping["level"] = (request.method, request.params)
        elif request.method == "resources/subscribe":
            self._shaping[f"uri {request.params.get('uri')}"] = (request.method, request.params)
        elif request.method == "resources/unsubscribe":
            self._shaping.pop(f"uri {request.params.get('uri')}", None)

    def opening(self, request_id: RequestId) -> bytes:
        """``initialize`` once more, under an id of our own."""
        return jsonrpc.encode_request(request_id, "initialize", self._initialize)

    def shaping(self, request_ids: list[RequestId]) -> list[bytes]:
        """The requests that make a new session like the old one; one id is taken for each."""
        replayed = zip(request_ids, self._shaping.values(), strict=False)
        return [jsonrpc.encode_request(each, method, params) for each, (method, params) in replayed]

    @property
    def shapes(self) -> int:
        return len(self._shaping)

    def changed(self) -> list[bytes]:
        """What to tell the client after a session was renewed: any list may be another one now."""
        return [
            jsonrpc.encode_notification(f"notifications/{kind}/list_changed", {})
            for kind in _LISTS
            if isinstance(self.offered.get(kind), dict) and self.offered[kind].get("listChanged")
        ]
