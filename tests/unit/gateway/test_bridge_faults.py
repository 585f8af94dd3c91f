"""The bridge when things go wrong: servers that die, clients that leave, people who lose access."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.gateway.parking import OpenCall
from gatekit.model.rules import Rules, ServerRules
from gatekit.model.server import Server
from gatekit.upstream.stdio import StdioLink
from tests.unit.gateway.answering import connect, text
from tests.unit.gateway.asking import ASKER, PEOPLE, Asked, accept, asking_rig, content
from tests.unit.gateway.rig import CHILDREN, Rig, person

EARLY, MODERN = "/s/early/mcp", "/s/modern/mcp"
ELICITATION = "elicitation/create"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with asking_rig(tmp_path) as made:
        yield made


def kept(*kinds: type) -> int:
    gc.collect()
    return sum(isinstance(each, kinds) for each in gc.get_objects())


async def test_a_thousand_parked_calls_expire(tmp_path: Path) -> None:
    many = 1000
    server = Server(
        name="asker",
        command=("/bin/sh", str(CHILDREN / "asker.sh")),
        max_instances=many,
        max_instances_per_user=many,
        idle_timeout=0.2,
    )
    rules = Rules(servers=(ServerRules(server="asker", allowed=PEOPLE),))
    rig = Rig(tmp_path, (server,), rules, parked_per_principal=many, parked=many)
    rig.door.give("alice", person("alice"))
    try:
        for _ in range(many // 50):
            legs = await asyncio.gather(*(Asked(rig, "x").leg() for _ in range(50)))
            assert {leg.get("resultType") for leg in legs} == {"input_required"}
        assert len(rig.gateway.rounds.parking) == kept(OpenCall) == many
        later = asyncio.get_running_loop().time() + 10_000
        rig.gateway.rounds.sweep(later)  # one sweep ends them all
        assert len(rig.gateway.rounds.parking) == 0
        async with asyncio.timeout(60):
            while rig.pool.stats()["ready"] or rig.pool.stats()["ending"] or len(rig.gateway.feeds):
                await asyncio.sleep(0.05)
        rig.gateway._slots.sweep()
        assert len(rig.gateway._slots) == 0
        assert kept(OpenCall, StdioLink) == 0
        ended = [r["reason"] for r in rig.records() if r["outcome"] == "cancelled"]
        assert ended == ["no answer in time"] * many
        assert (await Asked(rig, "x").leg())["resultType"] == "input_required"
    finally:
        await rig.close()


@pytest.mark.parametrize("where", [ASKER, MODERN])
async def test_server_crash_while_a_session_is_asked(rig: Rig, where: str) -> None:
    client = await connect(rig, where, {ELICITATION: [accept()]})
    running = client.begin("tools/call", {"name": "crash", "arguments": {}})
    await running.until(ELICITATION)
    if where == MODERN:  # it waits for no answer: what dies is the process of the next round
        await client.post({"id": running.events[0]["id"], "result": accept()})
    await running.end(10)
    assert running.json["error"]["code"] == -31001
    if where == ASKER:
        asked = running.events[0]["id"]
        assert running.events[1]["method"] == "notifications/cancelled"
        assert running.events[1]["params"]["requestId"] == asked
        assert await client.post({"id": asked, "result": accept()}) == 202  # too late, and harmless
    assert text(await client.call("steps")) == [accept()]


async def test_relayed_state_expires_like_any_other(tmp_path: Path) -> None:
    async with asking_rig(tmp_path, input_patience=0.3) as rig:
        client = Asked(rig, "steps", MODERN)
        asked = await client.leg()
        await asyncio.sleep(0.4)
        assert (await client.answered(asked, accept()))["code"] == -32602
        assert rig.records()[-1]["reason"] == "requestState expired"


async def test_off_boarding_ends_what_waits_in_both_eras(rig: Rig) -> None:
    parked = Asked(rig, "steps")
    await parked.leg()
    running = []
    for where in (ASKER, MODERN):
        client = await connect(rig, where)
        call = client.begin("tools/call", {"name": "steps", "arguments": {}})
        await call.until(ELICITATION)
        running.append(call)
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    for call in running:
        await call.end(5)
        assert call.json["error"]["code"] == -31009
    assert len(rig.gateway.rounds.parking) == 0
    assert len(rig.gateway.sessions) == 0
    ended = [(r["outcome"], r.get("error_code", 0)) for r in rig.records() if r.get("name") == "steps"][1:]
    assert sorted(ended) == [("cancelled", 0), ("error", -31009), ("error", -31009)]


async def test_two_calls_at_once_in_one_older_process(rig: Rig) -> None:
    """Nothing tells whose question it is, but it is one client, and each answer goes to its question."""
    client = await connect(rig, ASKER)
    calls = [client.begin("tools/call", {"name": "steps", "arguments": {"count": 2}}) for _ in range(2)]
    answered: dict[str, int] = {}
    async with asyncio.timeout(15):
        while not all(call.done for call in calls):
            for call in calls:
                for event in call.events if "event-stream" in call.headers.get("content-type", "") else ():
                    if event.get("method") == ELICITATION and event["id"] not in answered:
                        answered[event["id"]] = len(answered)
                        await client.post({"id": event["id"], "result": accept(n=answered[event["id"]])})
            await asyncio.sleep(0.01)
    said = [answer["content"]["n"] for call in calls for answer in text(call.json["result"])]
    assert sorted(said) == [0, 1, 2, 3]


async def test_a_question_that_no_stream_can_carry_is_answered_here(tmp_path: Path) -> None:
    async with asking_rig(tmp_path, input_patience=0.5) as rig:
        client = await connect(rig, EARLY)  # it is asked for its roots before it has opened any stream
        async with asyncio.timeout(10):
            while (said := text(await client.call("seen"))) is None:
                await asyncio.sleep(0.1)
        assert said["code"] == -32603


async def test_a_question_that_came_too_early_is_put_on_the_first_stream(rig: Rig) -> None:
    client = await connect(rig, EARLY)
    (session,) = rig.gateway.sessions
    async with asyncio.timeout(5):
        while not session.backlog:
            await asyncio.sleep(0.02)
    stream = rig.start(EARLY, method="GET", mcp_session_id=client.session)
    await stream.until("roots/list")
    roots = {"roots": [{"uri": "file:///home"}]}
    assert await client.post({"id": stream.events[0]["id"], "result": roots}) == 202
    async with asyncio.timeout(10):
        while text(await client.call("seen")) != roots:
            await asyncio.sleep(0.05)
    stream.disconnect()
    await stream.end()


async def test_a_parked_call_outlives_the_timeout_of_calls(tmp_path: Path) -> None:
    """A person may take longer than a server may: the parking deadline rules."""
    async with asking_rig(tmp_path) as rig:
        client = Asked(rig, "steps", "/s/hasty/mcp")
        session = await connect(rig, "/s/hasty/mcp")
        asked = await client.leg()
        running = session.begin("tools/call", {"name": "steps", "arguments": {}})
        await running.until(ELICITATION)
        await asyncio.sleep(2.5)  # more than two sweeps after the timeout
        assert content(await client.answered(asked, accept(name="late"))) == [accept(name="late")]
        asked_id = next(event["id"] for event in running.events if event["method"] == ELICITATION)
        await session.post({"id": asked_id, "result": accept(name="late")})
        await running.end()
        assert text(running.json["result"]) == [accept(name="late")]


async def test_retries_that_race_are_one(rig: Rig) -> None:
    client = Asked(rig, "steps", MODERN)
    asked = await client.leg()
    answers = {"q": accept(name="x")}
    legs = [client.begin(requestState=asked["requestState"], inputResponses=answers) for _ in range(5)]
    ends: list[Any] = [json.loads((await leg.end()).body) for leg in legs]
    assert sorted("result" in end for end in ends) == [False] * 4 + [True]
    assert {end["error"]["code"] for end in ends if "error" in end} == {-32602}
