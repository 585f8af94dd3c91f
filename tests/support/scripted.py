"""A real Link without a process: what the gateway would write to a child comes to a function of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from gatekit.model.call import EraName
from gatekit.model.server import Server
from gatekit.protocol.era import stateless
from gatekit.upstream.link import Hello, UpstreamKey
from gatekit.upstream.stdio import StdioLink

Handler = Callable[["ScriptedLink", dict[str, Any]], Any]
"""Gets each message; what it gives back for a request (a result, or an ``Error``) is sent as the answer."""


class Error(Exception):
    """An error answer."""

    def __init__(self, code: int, message: str = "no", data: Any = None) -> None:
        self.body: dict[str, Any] = {"code": code, "message": message}
        if data is not None:
            self.body["data"] = data
        super().__init__(message)


class _Child:
    pid = 0


class ScriptedLink(StdioLink):
    """Everything of a ``StdioLink`` but the pipes."""

    def __init__(self, server: Server, handler: Handler, era: EraName, version: str, hello: Hello) -> None:
        super().__init__(server, _Child(), 0.0)  # type: ignore[arg-type]
        self.hello = hello
        self.received: list[dict[str, Any]] = []
        """Everything that came, in order."""
        self.era = era
        self.version = version
        if era == "stateless":
            self.meta = stateless.request_meta(version, {"name": "gatekit"}, hello.capabilities, None)
        self.server_info = {"name": "scripted", "version": "1"}
        self._handler = handler
        self._loop = asyncio.get_running_loop()
        self.pipes.write = self._on_written

    def _on_written(self, data: bytes, alone: bool = False) -> None:
        for line in data.splitlines():
            message = json.loads(line)
            self.received.append(message)
            self._loop.call_soon(self._handle, message)

    def _handle(self, message: dict[str, Any]) -> None:
        answer = {"id": message.get("id")}
        try:
            answer["result"] = self._handler(self, message)
        except Error as error:
            answer["error"] = error.body
        if message.get("method") and "id" in message and answer.get("result", 0) is not None:
            self.say(answer)

    def say(self, message: dict[str, Any]) -> None:
        """Send a message as the server would."""
        self._on_data(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def requests(self, method: str) -> list[dict[str, Any]]:
        return [m.get("params", {}) for m in self.received if m.get("method") == method]


class ScriptedPool:
    """Implements ``gateway.ports.LinkPool``."""

    def __init__(self, handler: Handler, era: EraName, version: str, **capabilities: Any) -> None:
        self.links: dict[UpstreamKey, ScriptedLink] = {}
        self._handler = handler
        self._era = era
        self._version = version
        self._capabilities = capabilities

    @property
    def link(self) -> ScriptedLink:
        """The one that was made last."""
        return list(self.links.values())[-1]

    def get(self, key: UpstreamKey) -> ScriptedLink | None:
        return self.links.get(key)

    async def acquire(self, key: UpstreamKey, server: Server, hello: Hello) -> ScriptedLink:
        if key not in self.links:
            made = ScriptedLink(server, self._handler, self._era, self._version, hello)
            made.capabilities = self._capabilities
            self.links[key] = made
        return self.links[key]

    async def stop(self, key: UpstreamKey, reason: str) -> None:
        link = self.links.pop(key, None)
        if link is not None:
            link.close()

    def rename(self, key: UpstreamKey, new: UpstreamKey) -> None:
        if key in self.links and new not in self.links:
            self.links[new] = self.links.pop(key)

    def hold(self, key: UpstreamKey) -> None:
        """Nothing stops by itself."""

    def unhold(self, key: UpstreamKey) -> None:
        """Nothing stops by itself."""

    async def close(self) -> None:
        for key in list(self.links):
            await self.stop(key, "closed")
