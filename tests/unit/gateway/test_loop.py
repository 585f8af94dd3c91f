"""Handshake-era clients in front of a stateless server that needs input: they are simply asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.gateway.answering import ALL, connect, text
from tests.unit.gateway.asking import accept, asking_rig
from tests.unit.gateway.rig import Rig

MODERN = "/s/modern/mcp"
ELICITATION, SAMPLING, ROOTS = "elicitation/create", "sampling/createMessage", "roots/list"
SAID = {"role": "assistant", "content": {"type": "text", "text": "hi"}, "model": "m"}
FOLDERS = {"roots": [{"uri": "file:///home"}]}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with asking_rig(tmp_path) as made:
        yield made


async def test_one_round(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept(name="Ada")]})
    result = await client.call("steps")
    assert text(result) == [accept(name="Ada")]
    assert set(result) == {"content"}  # nothing of the other era's keys
    assert [(each["method"], each["params"]) for each in client.asked] == [
        (
            ELICITATION,
            {
                "message": "question 1",
                "requestedSchema": {"type": "object", "properties": {"name": {"type": "string"}}},
            },
        )
    ]


async def test_rounds_are_one_call_for_the_client_and_on_record(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept(name=str(n)) for n in range(4)]})
    assert text(await client.call("steps", count=4)) == [accept(name=str(n)) for n in range(4)]
    assert len({each["id"] for each in client.asked}) == 4
    (record,) = [r for r in rig.records() if r.get("name") == "steps"]
    assert (record["outcome"], record["rounds"], record["upstream_era"]) == ("ok", 4, "2026-07-28")
    assert record["reason"] == ", ".join(["elicitation/create accept"] * 4)
    assert text(await client.call("ran"))["steps"] == 5  # requests: the server forgot nothing, and strictly


async def test_what_was_answered_is_on_record_where_the_server_asks_by_itself(rig: Rig) -> None:
    answers = [accept(name="1"), {"action": "decline"}, {"code": -1, "message": "no"}]
    client = await connect(rig, "/s/asker/mcp", {ELICITATION: answers})
    await client.call("steps", count=3)
    (record,) = [r for r in rig.records() if r.get("name") == "steps"]
    assert (record["outcome"], record["rounds"]) == ("ok", 3)
    assert record["reason"] == ", ".join(f"{ELICITATION} {word}" for word in ("accept", "decline", "error"))


async def test_questions_of_one_round_are_asked_at_once(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept(name="1")], SAMPLING: [SAID], ROOTS: [FOLDERS]})
    assert text(await client.call("mix")) == {"a": accept(name="1"), "b": SAID, "c": FOLDERS}
    assert [each["method"] for each in client.asked] == [ELICITATION, SAMPLING, ROOTS]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_no_travels(rig: Rig, action: str) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [{"action": action}]})
    assert text(await client.call("steps")) == [{"action": action}]


async def test_an_error_instead_of_an_answer(rig: Rig) -> None:
    error = {"code": -1, "message": "the person said no"}
    client = await connect(rig, MODERN, {ELICITATION: [error], SAMPLING: [error], ROOTS: [FOLDERS]})
    assert text(await client.call("steps")) == [{"action": "cancel"}]
    refused = await client.call("mix")
    assert refused == {
        "code": -31012,
        "message": "sampling/createMessage was not answered: the person said no",
    }


async def test_an_answer_that_is_none_ends_the_call(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [{"action": "perhaps"}]})
    assert (await client.call("steps"))["code"] == -32602


async def test_prompts_and_resources_ask_too(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept(name="x")]})
    prompt = await client.request("prompts/get", {"name": "ask"})
    assert "accept" in prompt["messages"][0]["content"]["text"]
    read = await client.request("resources/read", {"uri": "file:///ask"})
    assert "accept" in read["contents"][0]["text"]
    assert set(read) == {"contents"}


async def test_waiting_rounds_need_no_client(rig: Rig) -> None:
    client = await connect(rig, MODERN, capabilities={})
    assert text(await client.call("busy", count=3)) == 4
    assert client.asked == []


async def test_a_server_that_never_has_enough_is_stopped(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept()]})
    assert (await client.call("endless"))["code"] == -31011
    assert len(client.asked) == 10


async def test_url_mode_gets_an_id_and_is_told_when_it_is_over(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [{"action": "accept"}]})
    result = await client.call("link")
    (asked,) = client.asked
    wanted = {"mode": "url", "url": "https://example.com/x", "message": "go"}
    assert {k: v for k, v in asked["params"].items() if k != "elicitationId"} == wanted
    assert [each.get("method") for each in client.events] == [
        ELICITATION,
        "notifications/elicitation/complete",
        None,
    ]
    assert client.events[1]["params"] == {"elicitationId": asked["params"]["elicitationId"]}
    assert text(result) == {"q": {"action": "accept"}}


@pytest.mark.parametrize(
    ("version", "capabilities", "told"),
    [
        ("2025-11-25", ALL, ALL),
        ("2025-11-25", {"elicitation": {}}, {"elicitation": {"form": {}}}),
        ("2025-11-25", {"roots": {"listChanged": True}, "tasks": {}}, {"roots": {}}),
        ("2025-06-18", {"elicitation": {}, "sampling": {}}, {"elicitation": {"form": {}}, "sampling": {}}),
        ("2025-06-18", {"elicitation": {"url": {}}}, {"elicitation": {"form": {}}}),
        ("2025-03-26", {"elicitation": {}, "sampling": {"tools": {}}}, {"sampling": {}}),
        ("2024-11-05", {}, {}),
    ],
)
async def test_the_server_is_told_what_this_client_can_be_asked(
    rig: Rig, version: str, capabilities: dict[str, Any], told: dict[str, Any]
) -> None:
    client = await connect(rig, MODERN, capabilities=capabilities, version=version)
    assert (await client.told())["clientCapabilities"] == told


async def test_a_missing_capability_is_a_clear_error(rig: Rig) -> None:
    client = await connect(rig, MODERN, capabilities={"elicitation": {}})
    assert await client.call("link") == {
        "code": -32603,
        "message": "the server needs what this client does not offer: elicitation.url",
    }
    assert client.asked == []


async def test_a_server_that_asks_for_what_was_not_offered(rig: Rig) -> None:
    client = await connect(rig, MODERN, capabilities={"elicitation": {}})
    assert (await client.call("rude", method=SAMPLING))["code"] == -31008
    link = {"mode": "url", "url": "https://example.com/z", "message": "Sign in"}
    said = await client.call("rude", method=ELICITATION, params=link)
    assert said == {
        "content": [{"type": "text", "text": "Sign in: https://example.com/z"}],
        "isError": True,
    }
    assert (await client.call("rude", method="vendor/thing"))["code"] == -31001
    assert client.asked == []


async def test_the_log_level_of_the_session_goes_with_each_call(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept()]})
    assert "logLevel" not in await client.told()
    assert await client.request("logging/setLevel", {"level": "info"}) == {}
    assert (await client.told())["logLevel"] == "info"
    await client.call("steps")
    assert client.events[0]["params"] == {"level": "info", "data": "step 1"}
    assert (await client.request("logging/setLevel", {"level": "loud"}))["code"] == -32602
    assert (await client.told())["logLevel"] == "info"
    other = await connect(rig, MODERN)
    assert "logLevel" not in await other.told()


async def test_progress_rises_over_all_rounds(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept()]})
    await client.call("steps", {"progressToken": "mine"}, count=2)
    progress = [e["params"] for e in client.events if e.get("method") == "notifications/progress"]
    assert progress == [{"progressToken": "mine", "progress": n} for n in (1, 2)]


async def test_cancelled_in_the_middle_of_a_round(rig: Rig) -> None:
    client = await connect(rig, MODERN)
    running = client.begin("tools/call", {"name": "steps", "arguments": {}})
    await running.until(ELICITATION)
    asked = running.events[0]["id"]
    assert await client.notify("notifications/cancelled", {"requestId": "c1"}) == 202
    await running.end(5)
    assert running.events[1]["params"] == {"requestId": asked, "reason": "the call has ended"}
    assert [r["outcome"] for r in rig.records() if r.get("name") == "steps"] == ["cancelled"]
    assert text(await client.call("ran"))["steps"] == 1  # no second request
    assert await client.post({"id": asked, "result": accept()}) == 202


async def test_disconnect_in_a_round_is_no_cancellation(rig: Rig) -> None:
    client = await connect(rig, MODERN)
    running = client.begin("tools/call", {"name": "steps", "arguments": {}})
    await running.until(ELICITATION)
    running.disconnect()
    await asyncio.sleep(1.2)  # two sweeps
    assert await client.post({"id": running.events[0]["id"], "result": accept(name="back")}) == 202
    await running.end(5)
    assert [r["outcome"] for r in rig.records() if r.get("name") == "steps"] == ["ok"]


async def test_session_that_ends_in_a_round(rig: Rig) -> None:
    client = await connect(rig, MODERN)
    running = client.begin("tools/call", {"name": "steps", "arguments": {}})
    await running.until(ELICITATION)
    assert (await rig.http(MODERN, method="DELETE", mcp_session_id=client.session)).status == 204
    await running.end(5)
    assert [r["outcome"] for r in rig.records() if r.get("name") == "steps"] == ["cancelled"]


async def test_no_answer_in_time_is_a_cancel(tmp_path: Path) -> None:
    async with asking_rig(tmp_path, input_patience=0.5) as rig:
        client = await connect(rig, MODERN)
        running = client.begin("tools/call", {"name": "steps", "arguments": {}})
        await running.end(10)
        assert running.events[1]["params"]["reason"] == "no answer in time"
        assert text(running.json["result"]) == [{"action": "cancel"}]


async def test_server_that_dies_of_an_answer(rig: Rig) -> None:
    client = await connect(rig, MODERN, {ELICITATION: [accept()]})
    assert (await client.call("crash"))["code"] == -31001
    assert text(await client.call("steps")) == [accept()]


async def test_foreign_answer_does_not_reach_a_round(rig: Rig) -> None:
    """I7: Foreign answer does not reach a round."""
    alice, bob = await connect(rig, MODERN), await connect(rig, MODERN, token="bob")
    running = alice.begin("tools/call", {"name": "steps", "arguments": {}})
    await running.until(ELICITATION)
    asked = running.events[0]["id"]
    await bob.post({"id": asked, "result": accept(name="stolen")})
    await alice.post({"id": asked, "result": accept(name="mine")})
    await running.end(5)
    assert text(running.json["result"]) == [accept(name="mine")]


async def test_two_calls_at_once_do_not_mix(rig: Rig) -> None:
    """I7: Two calls at once do not mix."""
    client = await connect(rig, MODERN)
    first = client.begin("tools/call", {"name": "steps", "arguments": {}})
    second = client.begin("tools/call", {"name": "steps", "arguments": {"count": 1}})
    await first.until(ELICITATION)
    await second.until(ELICITATION)
    await client.post({"id": second.events[0]["id"], "result": accept(name="2")})
    await client.post({"id": first.events[0]["id"], "result": accept(name="1")})
    assert text((await first.end()).json["result"]) == [accept(name="1")]
    assert text((await second.end()).json["result"]) == [accept(name="2")]


async def test_aggregate_endpoint(rig: Rig) -> None:
    # Another server behind it may ask for the roots when it starts, whenever that is.
    client = await connect(rig, "/mcp", {ELICITATION: [accept(name="all")], ROOTS: [{"roots": []}]})
    assert text(await client.call("modern__steps")) == [accept(name="all")]


async def test_older_notifications_never_reach_a_stateless_server(rig: Rig) -> None:
    client = await connect(rig, MODERN)
    await client.told()
    for method in ("notifications/roots/list_changed", "notifications/initialized"):
        assert await client.notify(method, {}) == 202
    await client.notify("notifications/nothing-less", {})
    assert text(await client.call("ran")) == {"ran": 1, "told": 1, "vendor": 1}
