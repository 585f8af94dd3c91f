"""A running gateway is told to stop while a call of two seconds is in flight, in both eras."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import httpx2

from tests.support.peers import ROOT
from tests.support.raw import ACCEPT
from tests.support.running import MakeGateway, descendants, end_all, eventually

TALKER = {
    "command": [sys.executable, str(ROOT / "tests" / "children" / "talker.py")],
    "users": ["developers"],
}
NAP = {"name": "nap", "arguments": {"seconds": 2}}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
ROUTED = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "nap"}


def message(method: str, params: object, request_id: int = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


async def open_session(http: httpx2.AsyncClient, url: str) -> str:
    opening = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    answer = await http.post(url, json=message("initialize", opening))
    return answer.headers["Mcp-Session-Id"]


async def test_calls_finish_while_new_ones_are_told_to_try_again(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"talker": TALKER})
    token = gateway.token(gateway.person("alice"), "talker")
    url = gateway.endpoint("talker")
    headers = {**ACCEPT, "Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        session = await open_session(http, url)
        old = asyncio.ensure_future(
            http.post(url, json=message("tools/call", NAP), headers={"Mcp-Session-Id": session})
        )
        new = asyncio.ensure_future(
            http.post(url, json=message("tools/call", {**NAP, "_meta": ENVELOPE}), headers=ROUTED)
        )
        eventually_ = time.monotonic() + 10
        while len(descendants(gateway.pid)) < 3:  # the launcher and both instances
            assert time.monotonic() < eventually_
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        children = descendants(gateway.pid)
        os.kill(gateway.pid, signal.SIGTERM)
        refused = await http.post(url, json=message("tools/list", {}), headers={"Mcp-Session-Id": session})
        while refused.status_code == 200:
            refused = await http.post(
                url, json=message("tools/list", {}), headers={"Mcp-Session-Id": session}
            )
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert refused.json()["error"]["code"] == -31013
        ready = await http.get(f"{gateway.url}/readyz")
        assert (ready.status_code, "draining" in ready.json()["failing"]) == (503, True)
        for answer in await asyncio.gather(old, new):
            assert answer.status_code == 200
            assert "rested" in answer.text
    assert gateway.process is not None
    assert await asyncio.to_thread(gateway.process.wait, 15) == 0
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), 5, "children were left")
    outcomes = [r["outcome"] for r in gateway.audit() if r.get("name") == "nap"]
    assert outcomes == ["ok", "ok"]


async def test_a_second_signal_ends_it_at_once(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"talker": TALKER})
    token = gateway.token(gateway.person("alice"), "talker")
    url = gateway.endpoint("talker")
    headers = {**ACCEPT, "Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        session = await open_session(http, url)
        slow = asyncio.ensure_future(
            http.post(url, json=message("tools/call", {"name": "slow"}), headers={"Mcp-Session-Id": session})
        )
        await asyncio.sleep(0.3)
        children = descendants(gateway.pid)
        began = time.monotonic()
        os.kill(gateway.pid, signal.SIGTERM)
        ready = await http.get(f"{gateway.url}/readyz")
        while ready.status_code == 200:
            await asyncio.sleep(0.1)
            ready = await http.get(f"{gateway.url}/readyz")
        os.kill(gateway.pid, signal.SIGTERM)
        assert gateway.process is not None
        assert await asyncio.to_thread(gateway.process.wait, 7) == 0
        assert time.monotonic() - began < 7  # proxy.drain_timeout is 8
        await asyncio.gather(slow, return_exceptions=True)
    end_all(children)
