"""MCP over HTTP by hand, where a test must choose ids, sessions and timing itself."""

from __future__ import annotations

import json
from typing import Any

import httpx2

HANDSHAKE = "2025-11-25"
ACCEPT = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


class RawSession:
    """One handshake-era session; every request's id is the caller's choice."""

    def __init__(self, http: httpx2.AsyncClient, url: str, token: str) -> None:
        self.http = http
        self.url = url
        self.headers = {**ACCEPT, "Authorization": f"Bearer {token}"}

    async def initialize(self) -> dict[str, Any]:
        params = {
            "protocolVersion": HANDSHAKE,
            "capabilities": {},
            "clientInfo": {"name": "raw", "version": "1"},
        }
        answer = await self.post({"id": 0, "method": "initialize", "params": params})
        assert answer.status_code == 200, answer.text
        assert "result" in message(answer), answer.text
        self.headers["MCP-Protocol-Version"] = HANDSHAKE
        self.headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
        accepted = await self.post({"method": "notifications/initialized"})
        assert accepted.status_code == 202, accepted.text
        return message(answer)

    @property
    def session(self) -> str:
        return self.headers["Mcp-Session-Id"]

    async def post(self, body: dict[str, Any]) -> httpx2.Response:
        return await self.http.post(
            self.url, content=json.dumps({"jsonrpc": "2.0", **body}), headers=self.headers
        )

    async def call(self, request_id: int | str, tool: str, arguments: dict[str, Any]) -> httpx2.Response:
        params = {"name": tool, "arguments": arguments}
        return await self.post({"id": request_id, "method": "tools/call", "params": params})


def message(answer: httpx2.Response) -> dict[str, Any]:
    """The JSON-RPC answer out of a JSON body or an event stream (the last message with an id)."""
    if "text/event-stream" not in answer.headers["content-type"]:
        found = answer.json()
    else:
        data = [
            line[5:] for line in answer.text.splitlines() if line.startswith("data:") and line[5:].strip()
        ]
        found = next(each for each in map(json.loads, reversed(data)) if "id" in each)
    assert isinstance(found, dict)
    return found


def said(answer: httpx2.Response) -> str:
    """The text of a tool result."""
    assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
    body = message(answer)
    assert "result" in body, body
    return str(body["result"]["content"][0]["text"])
