"""Leaving, against time: what is on its way while access ends does not slip past the look at what is open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence

import pytest

from gatekit.model.access import Access, Asked
from tests.unit.gateway.rig import Answer, Rig

STATELESS = {"mcp_protocol_version": "2026-07-28", "mcp_method": "tools/call", "mcp_name": "remember"}
TALKER = "/s/talker/mcp"
CLIENT = {"name": "test", "version": "1"}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": CLIENT}
PLAIN = b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"remember","arguments":{}}}'


def carried_out(rig: Rig) -> list[str]:
    return [r["name"] for r in rig.records() if r["method"] == "tools/call" and r["decision"] == "allow"]


async def test_a_body_that_comes_slowly(rig: Rig) -> None:
    """T11: the token was good when the head of the request came."""
    session, held = await rig.open(TALKER), asyncio.Event()
    late = rig.start(TALKER, PLAIN, held=held, mcp_session_id=session)
    fresh = rig.start(TALKER, _call("remember"), held=held, **STATELESS)
    await asyncio.sleep(0.05)
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    held.set()
    assert (await late.end()).status == 401
    assert (await fresh.end()).status == 401
    assert carried_out(rig) == []


async def test_a_body_that_comes_slowly_of_who_stays(rig: Rig) -> None:
    session, held = await rig.open(TALKER), asyncio.Event()
    late = rig.start(TALKER, PLAIN, held=held, mcp_session_id=session)
    await asyncio.sleep(0.05)
    await rig.gateway.recheck()
    held.set()
    assert (await late.end()).status == 200


async def test_a_check_that_takes_long(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """T11: rows that were read before the change say what was true then."""
    judged, held = asyncio.Event(), asyncio.Event()
    access = rig.door.tokens[b"Bearer alice"]

    async def check(authorization: Sequence[bytes], asked: Asked | None = None) -> Access:
        judged.set()
        await held.wait()
        return access

    monkeypatch.setattr(rig.door, "cached", lambda _: None)
    monkeypatch.setattr(rig.door, "check", check)
    begins: tuple[Callable[[], Answer], ...] = (
        lambda: rig.begin(TALKER, "initialize", INITIALIZE),
        lambda: rig.start(TALKER, method="GET", mcp_session_id="x"),
    )
    for begin in begins:
        judged.clear()
        held.clear()
        rig.inactive.discard("alice")
        begun = begin()
        await asyncio.wait_for(judged.wait(), 10)
        rig.inactive.add("alice")
        await rig.gateway.recheck()
        held.set()
        answer = await begun.end()
        assert answer.status == 401
    assert len(rig.gateway.sessions) == 0


async def test_the_rest_of_a_batch(rig: Rig) -> None:
    """T11: elements that wait for their turn are not carried out any more."""
    session = await rig.open(TALKER, version="2025-03-26")
    many = [
        {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "slow", "arguments": {}}}
        for n in range(20)
    ]
    begun = rig.start(TALKER, json.dumps(many).encode(), mcp_session_id=session)
    await rig.calling()
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    await begun.end()
    assert 0 < len(carried_out(rig)) <= 8


async def test_a_session_that_opens_while_others_are_looked_at(rig: Rig) -> None:
    """T11: it was a call when the sessions were looked at, and a session when the calls were."""
    await rig.open("/s/own/mcp", token="bob")
    opening = rig.begin(TALKER, "initialize", INITIALIZE)
    await asyncio.sleep(0)
    rig.inactive |= {"alice", "bob"}

    async def opened() -> None:
        await opening.end()

    rig.looking = opened
    await rig.gateway.recheck()
    assert len(rig.gateway.sessions) == 0


async def test_a_subscription_that_is_being_set_up(rig: Rig) -> None:
    """T11: an instance that takes long to start is time enough to leave."""
    wanted = {"notifications": {"toolsListChanged": True}}
    stream = rig.begin_stateless("/s/common/mcp", "subscriptions/listen", wanted)
    await asyncio.sleep(0.02)
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    assert (await stream.end(20)).status == 401, stream.body


async def test_a_call_that_waits_for_its_instance(rig: Rig) -> None:
    """T11: started for somebody who is gone by then."""
    begun = rig.stateless("/s/own/mcp", "tools/call", {"name": "remember", "arguments": {}})
    task = asyncio.ensure_future(begun)
    await asyncio.sleep(0.02)
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    answer = await task
    assert answer.json["error"]["message"].startswith("your access has ended")
    async with asyncio.timeout(10):
        while rig.pool.principals():
            await asyncio.sleep(0.02)


def _call(name: str) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": name, "arguments": {"value": "x"}, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()
