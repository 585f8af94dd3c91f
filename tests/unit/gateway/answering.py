"""A handshake-era client that is asked things in the middle of its calls, and answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.unit.gateway.rig import Answer, Rig

ALL: dict[str, Any] = {"elicitation": {"form": {}, "url": {}}, "sampling": {}, "roots": {}}


class Client:
    """One session; ``said`` maps a method to the answers that it gives, the last one for ever."""

    def __init__(self, rig: Rig, path: str, session: str, said: dict[str, list[Any]], token: str) -> None:
        self.rig = rig
        self.path = path
        self.session = session
        self.said = said
        self.token = token
        self.asked: list[dict[str, Any]] = []
        self.ids = 0

    def begin(self, method: str, params: dict[str, Any]) -> Answer:
        self.ids += 1
        return self.rig.begin(
            self.path,
            method,
            params,
            request_id=f"c{self.ids}",
            token=self.token,
            mcp_session_id=self.session,
        )

    async def post(self, message: dict[str, Any]) -> int:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        answer = await self.rig.http(self.path, body, token=self.token, mcp_session_id=self.session)
        return answer.status

    async def notify(self, method: str, params: dict[str, Any]) -> int:
        return await self.post({"method": method, "params": params})

    async def request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """A request to its end, answering what comes in between; its result or error."""
        running = self.begin(method, params)
        done = 0
        async with asyncio.timeout(20):
            while not running.done:
                if running.headers.get("content-type") == "text/event-stream":
                    done = await self.answer(running, done)
                await running.news()
        message = running.json
        assert message["id"] == f"c{self.ids}"
        self.events = running.events if running.headers["content-type"] == "text/event-stream" else [message]
        return dict(message.get("result", message.get("error")))

    async def answer(self, running: Answer, done: int) -> int:
        """Answer the questions among the events after the first ``done``; the new count."""
        events = running.events
        for event in events[done:]:
            if "method" in event and "id" in event:
                self.asked.append(event)
                answers = self.said.get(event["method"])
                if answers is None:
                    continue  # not a word
                said = answers.pop(0) if len(answers) > 1 else answers[0]
                key = "error" if "code" in said else "result"
                assert await self.post({"id": event["id"], key: said}) == 202
        return len(events)

    async def call(self, tool: str, meta: dict[str, Any] | None = None, **arguments: Any) -> dict[str, Any]:
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        return await self.request("tools/call", {**params, "_meta": meta} if meta else params)

    async def told(self) -> dict[str, Any]:
        """``_meta`` of a request, as a server with a tool ``told`` saw it."""
        return dict(text(await self.call("told")))


async def connect(
    rig: Rig,
    path: str,
    said: dict[str, list[Any]] | None = None,
    capabilities: dict[str, Any] | None = None,
    version: str = "2025-11-25",
    token: str = "alice",
) -> Client:
    offered = ALL if capabilities is None else capabilities
    session = await rig.open(path, token=token, capabilities=offered, version=version)
    return Client(rig, path, session, said or {}, token)


def text(result: dict[str, Any]) -> Any:
    """The JSON in a tool result's text."""
    assert "content" in result, result
    return json.loads(result["content"][0]["text"])
