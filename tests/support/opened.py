"""Everything that one person can have open at once, and a door that ends it.

Of a journey: through whichever door somebody is turned out, nothing stays open but somebody else's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.support.peers import ROOT
from tests.support.raw import ACCEPT, RawSession
from tests.support.running import RunningGateway, eventually

ASKER = (sys.executable, str(ROOT / "tests" / "children" / "asker.py"))
STATELESS = "2026-07-28"
WITHIN = 10.0
"""Generous: how fast it is stands in docs/performance.md, measured by ``benchmarks.leaving``."""


@dataclass
class Open:
    """What one person has open, and with which credential."""

    name: str
    token: str
    client_id: str = ""
    refresh: str = ""
    streams: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    parked: dict[str, Any] = field(default_factory=dict)


def _meta() -> dict[str, Any]:
    prefix = "io.modelcontextprotocol"
    return {
        f"{prefix}/protocolVersion": STATELESS,
        f"{prefix}/clientInfo": {"name": "raw", "version": "1"},
        f"{prefix}/clientCapabilities": {"elicitation": {"form": {}}},
    }


async def _until_end(
    http: httpx2.AsyncClient, method: str, url: str, began: asyncio.Event, **more: Any
) -> str:
    """Everything that came on a stream, once it has ended. ``began``: its first bytes are here."""
    heard = ""
    async with http.stream(method, url, **more) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        began.set()
        async for text in answer.aiter_text():
            heard += text
    return heard


async def stateless(
    http: httpx2.AsyncClient, url: str, token: str, method: str, params: dict[str, Any]
) -> httpx2.Response:
    return await http.post(url, **_request(token, method, params))


def _request(token: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    headers = {
        **ACCEPT,
        "Authorization": f"Bearer {token}",
        "MCP-Protocol-Version": STATELESS,
        "Mcp-Method": method,
    }
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": _meta()}}
    return {"headers": headers, "content": json.dumps(body)}


@asynccontextmanager
async def opened(gateway: RunningGateway, mine: Open) -> AsyncIterator[httpx2.AsyncClient]:
    """A stream of a session, a subscription, a call that runs, and one that is parked."""
    url = gateway.endpoint("asker")
    async with httpx2.AsyncClient(timeout=60) as http:
        session = RawSession(http, url, mine.token)
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "raw", "version": "1"},
        }
        answer = await session.post({"id": 0, "method": "initialize", "params": hello})
        session.headers |= {
            "MCP-Protocol-Version": "2025-11-25",
            "Mcp-Session-Id": answer.headers["Mcp-Session-Id"],
        }
        await session.post({"method": "notifications/initialized"})
        call = {"name": "steps", "arguments": {"count": 1}}
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call})
        listen = {"notifications": {"toolsListChanged": True}}
        wanted: dict[str, tuple[str, dict[str, Any]]] = {
            "session": ("GET", {"headers": {**session.headers, "Accept": "text/event-stream"}}),
            "subscription": ("POST", _request(mine.token, "subscriptions/listen", listen)),
            "running": ("POST", {"headers": session.headers, "content": body}),
        }
        for name, (method, more) in wanted.items():
            began = asyncio.Event()
            mine.streams[name] = asyncio.create_task(_until_end(http, method, url, began, **more))
            await asyncio.wait_for(began.wait(), WITHIN)
        parked = await stateless(http, url, mine.token, "tools/call", call)
        mine.parked = parked.json()["result"]
        assert mine.parked["resultType"] == "input_required", parked.text
        yield http
        for task in mine.streams.values():
            task.cancel()
        await asyncio.gather(*mine.streams.values(), return_exceptions=True)


def processes(gateway: RunningGateway, name: str) -> set[int]:
    events = gateway.audit("--event", "process", "--user", name)
    return {each["pid"] for each in events if each["action"] == "started" and alive(each["pid"])}


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def by_key(gateway: RunningGateway, name: str) -> Open:
    gateway.person(name)
    made = json.loads(gateway.gatekit("keys", "create", name, "--name", "leaving", "--json"))
    return Open(name, made["token"], made["id"])


Door = Callable[[RunningGateway, Open], None]
Way = Callable[[RunningGateway, str], Open]


async def closes(gateway: RunningGateway, door: Door, way: Way, name: str) -> None:
    mine = await asyncio.to_thread(way, gateway, name)
    # Somebody new each time: what the last one had open may still be counted for a while.
    others = await asyncio.to_thread(by_key, gateway, f"bystander-{name}")
    async with opened(gateway, mine) as http, opened(gateway, others):
        pids = await asyncio.to_thread(processes, gateway, name)
        assert pids
        await asyncio.to_thread(door, gateway, mine)
        done, late = await asyncio.wait(mine.streams.values(), timeout=WITHIN)
        assert not late, [stream for stream, task in mine.streams.items() if task in late]
        assert all(task.exception() is None for task in done)
        await asyncio.to_thread(eventually, lambda: not any(map(alive, pids)), WITHIN)
        retry = {
            "name": "steps",
            "arguments": {"count": 1},
            "requestState": mine.parked["requestState"],
            "inputResponses": {
                key: {"action": "accept", "content": {"name": "Ada"}} for key in mine.parked["inputRequests"]
            },
        }
        refused = await stateless(http, gateway.endpoint("asker"), mine.token, "tools/call", retry)
        assert refused.status_code in (401, 403), refused.text
        if mine.refresh:
            form = {"grant_type": "refresh_token", "refresh_token": mine.refresh, "client_id": mine.client_id}
            again = await http.post(f"{gateway.url}/token", data=form)
            assert again.json().get("error") == "invalid_grant", again.text
        assert not [stream for stream, task in others.streams.items() if task.done()]
