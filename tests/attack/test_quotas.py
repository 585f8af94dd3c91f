"""Ways around a quota, tried at once and through every door; and what a quota must not give away."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import Allowance, ByLogin, Quota, Rule, Rules, ServerRules
from gatekit.model.server import Server
from gatekit.model.virtual import Exposed, Virtual
from tests.support.scripted import ScriptedPool
from tests.support.tasking import CAPABILITIES, EXTENSION, Core, Extension, Tasking
from tests.unit.gateway.rig import Rig, child, person

TALKER = "/s/talker/mcp"
SERVERS = (Server(name="talker", command=child("talker.py"), instances="shared"),)
PEOPLE = (ByLogin("local", "alice"), ByLogin("local", "bob"))
DESK = Virtual(name="desk", exposed=(Exposed(kind="tool", name="who", server="talker", original="whoami"),))
CALL = {"name": "whoami", "arguments": {}}


def rules(**allowed: Any) -> Rules:
    about = Rule(name="few", effect="deny", servers=("talker", "s"), place="quotas")
    listed = [ServerRules(server=name, allowed=PEOPLE) for name in ("talker", "s")]
    return Rules(
        servers=(*listed, ServerRules(server="desk", allowed=PEOPLE, place="virtual_servers")),
        quotas=(Quota(rule=about, **allowed),),
    )


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, SERVERS, rules(calls=Allowance(5, 3600)), virtual=[DESK], legacy_sse=True)
    made.door.give("alice", person("alice"))
    made.door.give("alice2", person("alice"), client="cli_2")
    yield made
    await made.close()


def batch(*calls: dict[str, Any], method: str = "tools/call") -> bytes:
    return json.dumps(
        [{"jsonrpc": "2.0", "id": n, "method": method, "params": call} for n, call in enumerate(calls)]
    ).encode()


def good(messages: list[Any]) -> int:
    return sum("result" in message for message in messages)


async def test_no_door_has_an_allowance_of_its_own(rig: Rig) -> None:
    """Q1: All doors at once: the server, a virtual one, the aggregate, sessions, batches, two clients."""
    old, other, older = [
        await rig.open(path, version=version)
        for path, version in ((TALKER, "2025-11-25"), ("/mcp", "2025-06-18"), (TALKER, "2025-03-26"))
    ]
    await rig.stateless("/mcp", "tools/list")
    answers = await asyncio.gather(
        *(rig.stateless(TALKER, "tools/call", CALL) for _ in range(4)),
        *(rig.stateless(TALKER, "tools/call", CALL, token="alice2") for _ in range(4)),
        *(rig.stateless("/s/desk/mcp", "tools/call", {**CALL, "name": "who"}) for _ in range(4)),
        *(rig.stateless("/mcp", "tools/call", {**CALL, "name": "talker__whoami"}) for _ in range(4)),
        *(rig.rpc(TALKER, "tools/call", CALL, n, mcp_session_id=old) for n in range(4)),
        *(
            rig.rpc("/mcp", "tools/call", {**CALL, "name": "talker__whoami"}, n, mcp_session_id=other)
            for n in range(4)
        ),
        rig.http(TALKER, batch(*[CALL] * 12), mcp_session_id=older),
    )
    messages: list[Any] = []
    for answer in answers:
        messages += answer.json if isinstance(answer.json, list) else [answer.json]
    assert len(messages) == 36
    assert good(messages) == 5
    assert {m["error"]["code"] for m in messages if "error" in m} == {-31016}
    allowed = [r for r in rig.records() if r["method"] == "tools/call" and r["decision"] == "allow"]
    assert len(allowed) == 5, "what was refused was not forwarded"


async def test_a_long_request_does_not_hide_in_a_batch_of_short_ones(tmp_path: Path) -> None:
    """Q1: A request's length is its own, not its share of the batch."""
    rig = Rig(tmp_path, SERVERS, rules(bytes_in=Allowance(10_000, 3600)))
    rig.door.give("alice", person("alice"))
    try:
        session = await rig.open(TALKER, version="2025-03-26")
        padding = [{"jsonrpc": "2.0", "id": f"p{n}", "method": "ping"} for n in range(50)]
        long = {"name": "whoami", "arguments": {"x": "y" * 9000}}
        for wanted in (1, 0):
            message = {"jsonrpc": "2.0", "id": "long", "method": "tools/call", "params": long}
            body = json.dumps([*padding, message]).encode()
            answer = await rig.http(TALKER, body, mcp_session_id=session)
            assert good([one for one in answer.json if one["id"] == "long"]) == wanted
    finally:
        await rig.close()


@pytest.mark.parametrize("server", [Core, Extension])
async def test_a_task_runs_until_it_has_ended(tmp_path: Path, server: type[Tasking]) -> None:
    """Q1: Work that goes on after its answer keeps its place among what runs."""
    old = server is Core
    made = server()
    era, version = ("handshake", "2025-11-25") if old else ("stateless", "2026-07-28")
    pool = ScriptedPool(made, era, version, **made.capabilities)  # type: ignore[arg-type, attr-defined]
    rig = Rig(tmp_path, (Server(name="s", command=("none",)),), rules(at_once=2), pool)
    rig.door.give("alice", person("alice"))
    try:
        session = await rig.open("/s/s/mcp") if old else ""
        numbers = iter(range(100))

        async def ask(method: str, **params: Any) -> Any:
            if old:
                return await rig.rpc("/s/s/mcp", method, params, next(numbers), mcp_session_id=session)
            params["_meta"] = {CAPABILITIES: {"extensions": {EXTENSION: {}}}}
            named = {"mcp_name": params["taskId"]} if "taskId" in params else {}
            return await rig.stateless("/s/s/mcp", method, params, next(numbers), **named)

        async def start() -> Any:
            return (await ask("tools/call", name="long", **({"task": {}} if old else {}))).json

        answers = await asyncio.gather(*(start() for _ in range(6)))
        assert good(answers) == 2
        for _ in range(3):
            assert "error" in await start()
            state = (await ask("tasks/get", taskId="task-1")).json["result"]
        assert state["status"] == "completed"
        assert "result" in await start()
        assert "error" in await start()
        await ask("tasks/cancel", taskId="task-2")
        await ask("tasks/get", taskId="task-2")
        assert "result" in await start()
    finally:
        await rig.close()


async def test_nobody_uses_up_what_is_anothers(rig: Rig) -> None:
    """Q2: What one person has used is nobody else's loss, and nobody is told of it."""
    rig.door.give("bob", person("bob"))
    await asyncio.gather(*(rig.stateless(TALKER, "tools/call", CALL) for _ in range(9)))
    answer = await rig.stateless(TALKER, "tools/call", CALL, token="bob")
    assert answer.status == 200


async def test_a_quota_tells_nothing_of_what_one_may_not_use(rig: Rig) -> None:
    """Q2: Whoever may not use a server hears the same before and after somebody used it up."""
    rig.door.give("eve", person("eve"))
    before = await rig.stateless(TALKER, "tools/call", CALL, token="eve")
    await asyncio.gather(*(rig.stateless(TALKER, "tools/call", CALL) for _ in range(9)))
    after = await rig.stateless(TALKER, "tools/call", CALL, token="eve")
    assert (before.status, before.body) == (after.status, after.body)
    assert "retry-after" not in after.headers


async def test_a_hundred_calls_in_line_delay_nobody_else(tmp_path: Path) -> None:
    """Q2: At a server with few places others wait for what runs, not for what one person has in line."""
    few = Server(name="talker", command=child("talker.py"), instances="shared", max_calls=2)
    rig = Rig(tmp_path, (few,), rules(calls=Allowance(1000, 3600)))
    for name in ("alice", "bob"):
        rig.door.give(name, person(name))
    nap = {"name": "nap", "arguments": {"seconds": 0.01}}
    try:
        await rig.open(TALKER)
        many = [rig.begin_stateless(TALKER, "tools/call", nap) for _ in range(100)]
        async with asyncio.timeout(10):
            while rig.gateway._exchange.turns.waiting("talker") < 90:
                await asyncio.sleep(0.002)
        before = sum(answer.done for answer in many)
        answer = await rig.stateless(TALKER, "tools/call", CALL, token="bob")
        assert (answer.status, "result" in answer.json) == (200, True)
        meanwhile = sum(answer.done for answer in many) - before
        assert meanwhile <= 10, "a few, whichever ran, and not all that had come before"
        assert all([(await one.end(30)).status == 200 for one in many])
    finally:
        await rig.close()


async def test_who_goes_away_in_line_leaves_no_hole(tmp_path: Path) -> None:
    """Q2: Calls that are given up while they wait or run give their places back, all of them."""
    few = Server(name="talker", command=child("talker.py"), instances="shared", max_calls=2)
    rig = Rig(tmp_path, (few,), rules(at_once=30))
    rig.door.give("alice", person("alice"))
    try:
        for _ in range(3):
            many = [rig.begin_stateless(TALKER, "tools/call", {"name": "slow"}) for _ in range(20)]
            await rig.calling()
            for answer in many:
                answer.disconnect()
            await asyncio.gather(*(answer.end() for answer in many))
        assert (await rig.stateless(TALKER, "tools/call", CALL)).status == 200
        exchange = rig.gateway._exchange
        assert (exchange.turns._lines, exchange.ledger._running) == ({}, {})
    finally:
        await rig.close()
