"""Stateless clients in front of a handshake-era server that asks in the middle of its calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.protocol.era import bridge
from tests.unit.gateway.asking import ASKER, EVERYTHING, Asked, accept, asking_rig, content
from tests.unit.gateway.rig import Rig

EARLY = "/s/early/mcp"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with asking_rig(tmp_path) as made:
        yield made


async def ran(rig: Rig, tool: str) -> int:
    """How often the tool was run on alice's instance."""
    counted = content(await Asked(rig, "ran").leg())
    return int(counted.get(tool, 0))


async def test_one_question(rig: Rig) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    assert asked["resultType"] == "input_required"
    assert set(asked) == {"resultType", "inputRequests", "requestState", "_meta"}
    assert list(asked["inputRequests"].values()) == [
        {
            "method": "elicitation/create",
            "params": {
                "message": "question 1",
                "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
        }
    ]
    result = await client.answered(asked, accept(name="Ada"))
    assert content(result) == [accept(name="Ada")]
    assert await ran(rig, "steps") == 1


async def test_many_rounds_run_the_tool_once(rig: Rig) -> None:
    client = Asked(rig, "steps", count=5)
    now = await client.leg()
    states = set()
    for number in range(5):
        assert next(iter(now["inputRequests"].values()))["params"]["message"] == f"question {number + 1}"
        states.add(now["requestState"])
        now = await client.answered(now, accept(name=str(number)))
    assert content(now) == [accept(name=str(number)) for number in range(5)]
    assert len(states) == 5
    assert await ran(rig, "steps") == 1
    assert len(rig.gateway.rounds.parking) == 0


async def test_two_questions_at_once_are_one_round(rig: Rig) -> None:
    client = Asked(rig, "twice")
    asked = await client.leg_with(2)
    assert len(asked["inputRequests"]) == 2
    assert content(await client.answered(asked, accept(name="1"), {"action": "decline"})) == [
        accept(name="1"),
        {"action": "decline"},
    ]


async def test_missing_answers_are_asked_for_again(rig: Rig) -> None:
    client = Asked(rig, "twice")
    asked = await client.leg_with(2)
    first, second = asked["inputRequests"]
    again = await client.retry(asked, {second: accept(name="2"), "nobody-asked": {"x": 1}})
    assert list(again["inputRequests"]) == [first]
    assert again["requestState"] != asked["requestState"]
    assert content(await client.answered(again, accept(name="1"))) == [accept(name="1"), accept(name="2")]


async def test_elicitation_sampling_and_roots_together(rig: Rig) -> None:
    client = Asked(rig, "mix")
    asked = await client.leg_with(3)
    assert [each["method"] for each in asked["inputRequests"].values()] == [
        "elicitation/create",
        "sampling/createMessage",
        "roots/list",
    ]
    said = {"role": "assistant", "content": {"type": "text", "text": "hi"}, "model": "m"}
    roots = {"roots": [{"uri": "file:///a"}]}
    assert content(await client.answered(asked, accept(), said, roots)) == [accept(), said, roots]


async def test_prompts_and_resources_ask_too(rig: Rig) -> None:
    client = Asked(rig, "")
    client.method, client.params = "prompts/get", {"name": "p"}
    result = await client.answered(await client.leg(), accept(name="p"))
    assert "accept" in result["messages"][0]["content"]["text"]
    client.method, client.params = "resources/read", {"uri": "file:///x"}
    result = await client.answered(await client.leg(), accept(name="r"))
    assert "accept" in result["contents"][0]["text"]
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")


async def test_url_mode_loses_the_older_eras_id(rig: Rig) -> None:
    client = Asked(rig, "link")
    asked = await client.leg()
    assert next(iter(asked["inputRequests"].values()))["params"] == {
        "mode": "url",
        "url": "https://example.com/x",
        "message": "go",
    }
    assert content(await client.answered(asked, {"action": "accept"})) == {"action": "accept"}


@pytest.mark.parametrize(
    ("tool", "capabilities", "code"),
    [
        ("steps", {"sampling": {}}, -32601),
        ("link", {"elicitation": {}}, -32602),
        ("link", {"elicitation": {"form": {}}}, -32602),
        ("steps", {"elicitation": {"url": {}}}, -32602),
        ("tasks", EVERYTHING, -32601),
    ],
)
async def test_what_the_client_does_not_offer_is_refused_here(
    rig: Rig, tool: str, capabilities: dict[str, Any], code: int
) -> None:
    client = Asked(rig, tool)
    client.capabilities = capabilities
    said = content(await client.leg())
    assert (said[0] if isinstance(said, list) else said)["code"] == code


async def test_a_client_that_declares_nothing_is_never_asked(rig: Rig) -> None:
    client = Asked(rig, "steps")
    client.capabilities = {}
    assert content(await client.leg())[0]["code"] == -32601


async def test_the_server_is_told_what_the_client_declared(rig: Rig) -> None:
    client = Asked(rig, "told")
    client.capabilities = {"elicitation": {}, "roots": {"listChanged": True}, "vendor": {}}
    assert content(await client.leg()) == {"elicitation": {}, "roots": {}}
    client.capabilities = {"elicitation": {}}
    assert content(await client.leg()) == {"elicitation": {}}
    listed = await rig.stateless(ASKER, "tools/list")
    assert [tool["name"] for tool in listed.json["result"]["tools"]] == ["steps"]
    meta: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}
    listed = await rig.stateless(ASKER, "tools/list", {"_meta": meta})
    assert [tool["name"] for tool in listed.json["result"]["tools"]] == ["steps", "twice"]


async def test_clients_share_an_instance_if_they_can_do_the_same(rig: Rig) -> None:
    """In whatever order they say it, and whatever else they say."""
    client = Asked(rig, "told")
    for capabilities, instances in (
        ({"elicitation": {}, "roots": {}}, 1),
        ({"roots": {}, "elicitation": {}}, 1),
        ({"elicitation": {}, "roots": {}, "vendor": {"much": "x" * 5000}}, 1),
        ({"elicitation": {"form": {}}, "roots": {}}, 2),
        ({"elicitation": {}, "roots": {}}, 2),
    ):
        client.capabilities = capabilities
        await client.leg()
        assert rig.pool.stats()["ready"] == instances, capabilities


async def test_of_many_kinds_of_clients_the_latest_are_remembered(rig: Rig) -> None:
    catalog = rig.gateway._exchange._catalog
    marks = {catalog._mark({"elicitation": {}, "vendor": number}) for number in range(300)}
    assert marks == {bridge.fingerprint({"elicitation": {}})}
    assert len(catalog._marks) <= 256


async def test_questions_outside_a_call_are_answered_here(rig: Rig) -> None:
    meta = {"io.modelcontextprotocol/clientCapabilities": EVERYTHING}
    await rig.stateless(EARLY, "tools/list", {"_meta": meta})
    async with asyncio.timeout(5):
        while content(await Asked(rig, "seen", EARLY).leg()) is None:
            await asyncio.sleep(0.05)
    assert content(await Asked(rig, "seen", EARLY).leg()) == {"roots": []}


async def test_a_question_that_meets_the_first_call_goes_to_its_client(rig: Rig) -> None:
    client = Asked(rig, "quick", EARLY)
    roots = {"roots": [{"uri": "file:///home"}]}
    now = await client.leg()
    if now["resultType"] == "input_required":
        assert [each["method"] for each in now["inputRequests"].values()] == ["roots/list"]
        now = await client.answered(now, roots)
    assert content(now)
    async with asyncio.timeout(5):  # the call may have ended first, but the server never waits in vain
        while content(await Asked(rig, "seen", EARLY).leg()) is None:
            await asyncio.sleep(0.05)
    assert content(await Asked(rig, "seen", EARLY).leg()) in (roots, {"roots": []})


async def test_visit_first_then_the_call_is_made_anew(rig: Rig) -> None:
    client = Asked(rig, "visit")
    asked = await client.leg()
    assert next(iter(asked["inputRequests"].values())) == {
        "method": "elicitation/create",
        "params": {"mode": "url", "url": "https://example.com/y", "message": "Sign in"},
    }
    again = await client.answered(asked, {"action": "accept"})
    assert again["resultType"] == "input_required"
    await Asked(rig, "visited").leg()
    assert content(await client.answered(again, {"action": "accept"}))["visit"] == 3


async def test_visit_declined(rig: Rig) -> None:
    client = Asked(rig, "visit")
    error = await client.answered(await client.leg(), {"action": "decline"})
    assert error["code"] == -31010
    assert await ran(rig, "visit") == 1


async def test_visit_in_words_for_clients_that_cannot(rig: Rig) -> None:
    client = Asked(rig, "visit")
    client.capabilities = {"elicitation": {"form": {}}}
    result = await client.leg()
    assert result["isError"]
    assert "https://example.com/y" in result["content"][0]["text"]


async def test_progress_and_logs_go_to_the_leg_that_waits(rig: Rig) -> None:
    client = Asked(rig, "steps", count=3)
    client.meta = {"progressToken": "first", "io.modelcontextprotocol/logLevel": "info"}
    asked = await client.leg()
    assert client.last is not None
    assert [notice["method"] for notice in client.last.events[:-1]] == [
        "notifications/progress",
        "notifications/message",
    ]
    assert client.last.events[0]["params"]["progressToken"] == "first"
    client.meta = {"progressToken": 2}
    asked = await client.answered(asked, accept())
    notices = client.last.events[:-1]
    assert [(n["params"]["progressToken"], n["params"]["progress"]) for n in notices] == [(2, 2)]
    client.meta = {}
    await client.answered(asked, accept())
    assert client.last.headers["content-type"] == "application/json"


async def test_every_leg_is_on_record(rig: Rig) -> None:
    client = Asked(rig, "steps", count=2)
    asked = await client.leg()
    asked = await client.answered(asked, accept())
    await client.answered(asked, {"action": "cancel"})
    legs = [r for r in rig.records() if r.get("name") == "steps"]
    assert [(leg["outcome"], leg["rounds"]) for leg in legs] == [
        ("input_required", 1),
        ("input_required", 2),
        ("ok", 2),
    ]
    first = legs[0]["request_id"]
    assert "parent" not in legs[0]
    assert [leg["parent"] for leg in legs[1:]] == [first, first]
    assert [leg.get("reason") for leg in legs] == [
        None,
        "elicitation/create accept",
        "elicitation/create cancel",
    ]
    assert len({leg["args_digest"] for leg in legs}) == 1
    assert asked["requestState"] not in str(rig.records())


async def test_disconnect_between_rounds_is_no_cancellation(rig: Rig) -> None:
    client = Asked(rig, "steps")
    first = client.begin()
    await first.end()
    first.disconnect()
    await asyncio.sleep(1.2)  # two sweeps
    asked = first.json["result"]
    assert content(await client.answered(asked, accept(name="still here"))) == [accept(name="still here")]


async def test_disconnect_in_a_resumed_leg_is_one(rig: Rig) -> None:
    client = Asked(rig, "linger")
    asked = await client.leg()
    answers = {key: accept() for key in asked["inputRequests"]}
    resumed = client.begin(requestState=asked["requestState"], inputResponses=answers)
    async with asyncio.timeout(5):
        while rig.gateway.rounds.parking.parked():
            await asyncio.sleep(0.01)
    resumed.disconnect()
    await resumed.end(5)
    assert await ran(rig, "cancelled") == 1
    assert [r["outcome"] for r in rig.records() if r.get("name") == "linger"] == [
        "input_required",
        "cancelled",
    ]
    replayed = await client.retry(asked, answers)
    assert replayed["code"] == -32602


async def test_a_question_taken_back_is_not_asked_again(rig: Rig) -> None:
    client = Asked(rig, "withdraw")
    asked = await client.leg()
    async with asyncio.timeout(5):
        while next(call for _, call in rig.gateway.rounds.parking.parked()).questions:
            await asyncio.sleep(0.02)
    result = await client.retry(asked, dict.fromkeys(asked["inputRequests"], accept()))
    assert result["content"][0]["text"] == "taken back"


async def test_server_that_dies_while_its_call_is_parked(rig: Rig) -> None:
    client = Asked(rig, "crash")
    asked = await client.leg()
    await asyncio.sleep(0.8)
    error = await client.answered(asked, accept())
    assert error["code"] == -31001
    assert len(rig.gateway.rounds.parking) == 0
    again = await Asked(rig, "steps").leg()
    assert again["resultType"] == "input_required"


async def test_two_parked_calls_of_one_person_do_not_mix(rig: Rig) -> None:
    one, two = Asked(rig, "steps", count=2), Asked(rig, "steps", count=2)
    first, second = await one.leg(), await two.leg()
    first = await one.answered(first, accept(name="one"))
    second = await two.answered(second, accept(name="two"))
    assert content(await one.answered(first, accept(name="1"))) == [accept(name="one"), accept(name="1")]
    assert content(await two.answered(second, accept(name="2"))) == [accept(name="two"), accept(name="2")]


async def test_a_parked_call_holds_up_no_other_and_its_instance_is_used_again(rig: Rig) -> None:
    parked = Asked(rig, "steps")
    asked = await parked.leg()
    pids = {content(await Asked(rig, "quick").leg()) for _ in range(3)}
    assert len(pids) == 1
    await parked.answered(asked, accept())
    assert rig.pool.stats()["ready"] == 2


async def test_more_parked_calls_than_instances_are_refused_as_busy(rig: Rig) -> None:
    parked = [Asked(rig, "steps", path="/s/few/mcp") for _ in range(2)]
    for client in parked:
        await client.leg()
    error = await Asked(rig, "steps", path="/s/few/mcp").leg()
    assert error["code"] == -31002


async def test_aggregate_endpoint(rig: Rig) -> None:
    client = Asked(rig, "asker__steps", path="/mcp")
    asked = await client.leg()
    assert content(await client.answered(asked, accept(name="all"))) == [accept(name="all")]
