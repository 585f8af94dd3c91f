"""MCP 2025-11-25, Streamable HTTP: "Resumability and Redelivery", "Listening for Messages", SEP-1699."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.gateway.conftest import RULES, SERVERS
from tests.unit.gateway.rig import Answer, Rig, person

TALKER = "/s/talker/mcp"
LATEST = "2025-11-25"


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Rig]:
    """Keeps next to nothing, and closes streams after a moment."""
    made = Rig(tmp_path, SERVERS, RULES, replay_bytes=200, stream_life=1.5, keepalive=0.4)
    made.door.give("alice", person("alice"))
    yield made
    await made.close()


def ids(answer: Answer) -> list[str]:
    return re.findall(r"^id: (.*)$", answer.body.decode(), re.MULTILINE)


def call(rig: Rig, session: str, tool: str, request_id: int = 1, **arguments: object) -> Answer:
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
    return rig.begin(TALKER, "tools/call", params, request_id, mcp_session_id=session)


def get(rig: Rig, session: str, last: str = "", token: str = "alice") -> Answer:
    return rig.start(TALKER, method="GET", token=token, mcp_session_id=session, last_event_id=last)


async def answered(rig: Rig, session: str, question: Answer) -> None:
    said = {"jsonrpc": "2.0", "id": question.events[-1]["id"], "result": {"action": "decline"}}
    assert (await rig.http(TALKER, json.dumps(said).encode(), mcp_session_id=session)).status == 202


@pytest.fixture
async def asked(rig: Rig) -> tuple[str, Answer]:
    """A session, and a call in it that waits for an answer of the client."""
    session = await rig.open(TALKER, capabilities={"elicitation": {}})
    running = call(rig, session, "ask")
    await running.until("elicitation/create")
    return session, running


async def test_event_ids_must_be_unique_in_the_session_and_name_their_stream(rig: Rig) -> None:
    session = await rig.open(TALKER)
    first, second = call(rig, session, "progress", 1), call(rig, session, "progress", 2)
    await asyncio.gather(first.end(), second.end())
    assert not set(ids(first)) & set(ids(second))
    for answer in (first, second):
        assert len({event_id.split("-")[0] for event_id in ids(answer)}) == 1
        assert len(ids(answer)) == len(set(ids(answer))) == 5  # priming, three notices, the result


async def test_a_stream_should_begin_with_an_id_and_an_empty_event(rig: Rig) -> None:
    """2025-11-25: "an SSE event consisting of an event ID and an empty data field"."""
    session = await rig.open(TALKER)
    answer = await call(rig, session, "progress").end()
    first = answer.body.decode().split("\n\n")[0].split("\n")
    assert sorted(first) == ["data: ", "id: 1-0", "retry: 1000"]


@pytest.mark.parametrize("version", ["2025-03-26", "2025-06-18"])
async def test_older_clients_get_ids_but_no_empty_event(rig: Rig, version: str) -> None:
    session = await rig.open(TALKER, version=version)
    answer = await call(rig, session, "progress").end()
    assert ids(answer) == ["1-1", "1-2", "1-3", "1-4"]
    assert "retry:" not in answer.body.decode()


async def test_a_plain_answer_keeps_nothing(rig: Rig) -> None:
    session = await rig.open(TALKER)
    answer = await rig.rpc(TALKER, "tools/call", {"name": "remember"}, mcp_session_id=session)
    assert answer.headers["content-type"] == "application/json"
    assert (await get(rig, session, "1-0").end()).status == 400


async def test_a_disconnect_should_not_be_a_cancellation_and_the_answer_waits(
    rig: Rig, asked: tuple[str, Answer]
) -> None:
    session, running = asked
    running.disconnect()
    await answered(rig, session, running)
    await running.end()
    resumed = await get(rig, session, ids(running)[0]).end()
    assert (resumed.status, resumed.headers["content-type"]) == (200, "text/event-stream")
    assert [event.get("method", event.get("id")) for event in resumed.events] == ["elicitation/create", 1]
    assert next(r for r in rig.records() if r.get("name") == "ask")["outcome"] == "ok"


async def test_a_stream_that_still_runs_goes_on_over_the_new_connection(
    rig: Rig, asked: tuple[str, Answer]
) -> None:
    session, running = asked
    resumed = get(rig, session, ids(running)[-1])
    async with asyncio.timeout(5):
        while not resumed.status:
            await asyncio.sleep(0.01)
    await answered(rig, session, running)
    await asyncio.gather(resumed.end(), running.end())
    assert [event["id"] for event in resumed.events] == [1]
    assert all(event.get("id") != 1 for event in running.events)


async def test_messages_of_other_streams_must_not_be_replayed(rig: Rig) -> None:
    session = await rig.open(TALKER)
    first, second = call(rig, session, "progress", 1), call(rig, session, "progress", 2)
    await asyncio.gather(first.end(), second.end())
    resumed = await get(rig, session, ids(first)[0]).end()
    assert ids(resumed) == ids(first)[1:]
    assert resumed.events[-1]["id"] == 1


async def test_another_persons_stream_is_out_of_reach(rig: Rig, asked: tuple[str, Answer]) -> None:
    """I5: Another person's stream is out of reach."""
    session, running = asked
    assert (await get(rig, session, ids(running)[0], token="bob").end()).status == 404
    assert (await get(rig, session, ids(running)[0], token="alice2").end()).status == 404
    own = await rig.open(TALKER, token="bob")
    assert (await get(rig, own, ids(running)[0], token="bob").end()).status == 400
    await answered(rig, session, running)
    await running.end()


@pytest.mark.parametrize("last", ["99-1", "x", "1", "-", "1-x", "1-1-1", "9" * 40])
async def test_an_id_that_names_no_stream_is_400(rig: Rig, last: str) -> None:
    session = await rig.open(TALKER)
    answer = await get(rig, session, last).end()
    assert answer.status == 400
    assert "Last-Event-ID" in answer.json["error"]["message"]


async def test_nothing_is_kept_once_the_session_has_ended(rig: Rig) -> None:
    session = await rig.open(TALKER)
    await call(rig, session, "progress").end()
    store = rig.gateway.replays
    assert store is not None
    assert store.size > 0
    await rig.http(TALKER, method="DELETE", mcp_session_id=session)
    assert store.size == 0
    assert (await get(rig, session, "1-0").end()).status == 404


async def test_the_stream_for_no_call_is_resumed_with_what_was_missed(rig: Rig) -> None:
    session = await rig.open(TALKER)
    stream = get(rig, session)
    await call(rig, session, "grow").end()
    await stream.until("list_changed")
    last = ids(stream)[0]
    stream.disconnect()
    await stream.end()
    await call(rig, session, "grow").end()
    resumed = get(rig, session, last)
    async with asyncio.timeout(5):
        while resumed.body.decode().count("list_changed") < 2:
            await asyncio.sleep(0.01)
    await call(rig, session, "grow").end()
    async with asyncio.timeout(5):
        while resumed.body.decode().count("list_changed") < 3:
            await asyncio.sleep(0.01)
    assert {event_id.split("-")[0] for event_id in ids(resumed)} == {last.split("-")[0]}
    resumed.disconnect()
    await resumed.end()


async def test_a_message_must_go_to_exactly_one_of_several_streams(rig: Rig) -> None:
    session = await rig.open(TALKER)
    one, two = get(rig, session), get(rig, session)
    async with asyncio.timeout(5):
        while not (one.status and two.status):
            await asyncio.sleep(0.01)
    await call(rig, session, "grow").end()
    await two.until("list_changed")
    assert "list_changed" not in one.body.decode()
    two.disconnect()
    await two.end()
    await call(rig, session, "grow").end()
    await one.until("list_changed")
    one.disconnect()
    await one.end()


async def test_a_long_call_can_be_resumed_before_it_has_said_anything(rig: Rig) -> None:
    session = await rig.open(TALKER)
    running = call(rig, session, "nap", seconds=2)
    await running.until("id: 1-0")
    running.disconnect()
    resumed = await get(rig, session, "1-0").end()
    assert resumed.events[-1]["result"]["content"][0]["text"] == "rested"
    await running.end()


async def test_an_answer_that_was_too_large_to_keep_is_an_error_and_no_silence(small: Rig) -> None:
    session = await small.open(TALKER, capabilities={"elicitation": {}})
    running = call(small, session, "remember", value="x" * 1000)
    await running.end()
    running = small.begin(
        TALKER, "tools/call", {"name": "whoami"}, 7, mcp_session_id=session, accept="text/event-stream"
    )
    await running.end()
    running = small.begin(
        TALKER, "tools/call", {"name": "remember"}, 8, mcp_session_id=session, accept="text/event-stream"
    )
    await running.end()
    resumed = await get(small, session, ids(running)[0]).end()
    assert resumed.events == [
        {
            "jsonrpc": "2.0",
            "id": 8,
            "error": {
                "code": -31004,
                "message": "the answer is not kept any more: it was too large, or too long ago",
            },
        }
    ]


async def test_a_server_may_close_a_stream_and_the_client_polls(small: Rig) -> None:
    """SEP-1699: after the priming event the server MAY close the connection at any time."""
    session = await small.open(TALKER)
    running = call(small, session, "nap", seconds=3.5)
    async with asyncio.timeout(10):
        while not running.done:
            await asyncio.sleep(0.02)
    assert not running.events
    assert "retry: 1000" in running.body.decode()
    resumed = get(small, session, ids(running)[-1])
    await resumed.end()
    if not resumed.events:  # closed once more
        resumed = await get(small, session, ids(running)[-1]).end()
    assert resumed.events[-1]["result"]["content"][0]["text"] == "rested"
    await running.end()


async def test_the_record_says_that_the_client_had_left(rig: Rig) -> None:
    session = await rig.open(TALKER)
    running = call(rig, session, "nap", seconds=1.5)
    running.disconnect()
    await running.end()
    record = next(r for r in rig.records() if r.get("name") == "nap")
    assert (record["outcome"], record["reason"]) == (
        "ok",
        "the client's connection had ended before the answer",
    )
