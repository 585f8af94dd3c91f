"""MCP 2025-03-26, Base Protocol "Batching" and Streamable HTTP "Sending Messages to the Server"."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gatekit.gateway import batch
from gatekit.model.rules import Rules, ServerRules
from tests.unit.gateway.conftest import BOB, SERVERS
from tests.unit.gateway.rig import Answer, Rig

TALKER = "/s/talker/mcp"
VERSION = "2025-03-26"


def request(request_id: int | str, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def note(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


async def post(rig: Rig, session: str, *messages: Any, **options: Any) -> Answer:
    return await rig.http(TALKER, json.dumps(messages).encode(), mcp_session_id=session, **options)


async def test_batches_must_be_received(rig: Rig) -> None:
    """ "MCP implementations … MUST support receiving JSON-RPC batches"."""
    session = await rig.open(TALKER, version=VERSION)
    answer = await post(
        rig,
        session,
        request(1, "ping"),
        request("two", "tools/call", name="remember", arguments={"value": "x"}),
        note("notifications/initialized"),
    )
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert {entry["id"] for entry in answer.json} == {1, "two"}
    assert all("result" in entry for entry in answer.json)


@pytest.mark.parametrize("version", ["2024-11-05", VERSION])
async def test_both_revisions_that_know_batches_may_send_them(rig: Rig, version: str) -> None:
    session = await rig.open(TALKER, version=version)
    assert (await post(rig, session, request(1, "ping"))).json == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


async def test_an_event_stream_must_carry_one_response_per_request(rig: Rig) -> None:
    """ "The SSE stream SHOULD eventually include one JSON-RPC response per each JSON-RPC request"."""
    session = await rig.open(TALKER, version=VERSION)
    answer = await post(
        rig,
        session,
        request(1, "tools/call", name="progress", _meta={"progressToken": "p"}),
        request(2, "ping"),
        accept="text/event-stream",
    )
    assert answer.headers["content-type"] == "text/event-stream"
    assert sorted(e["id"] for e in answer.events if "id" in e) == [1, 2]
    assert [e["params"]["progress"] for e in answer.events if "method" in e] == [1, 2, 3]


@pytest.mark.parametrize(
    "messages",
    [[note("notifications/initialized"), note("notifications/roots/list_changed")], [note("vendor/thing")]],
)
async def test_notifications_alone_must_be_answered_with_202(rig: Rig, messages: list[Any]) -> None:
    session = await rig.open(TALKER, version=VERSION)
    answer = await post(rig, session, *messages)
    assert (answer.status, answer.body) == (202, b"")


async def test_responses_alone_must_be_answered_with_202_and_reach_the_server(rig: Rig) -> None:
    session = await rig.open(TALKER, version=VERSION, capabilities={"elicitation": {}})
    running = rig.begin(TALKER, "tools/call", {"name": "ask"}, mcp_session_id=session)
    await running.until("elicitation/create")
    asked = running.events[-1]["id"]
    answer = await post(rig, session, {"jsonrpc": "2.0", "id": asked, "result": {"answer": 42}})
    assert (answer.status, answer.body) == (202, b"")
    await running.end()
    assert json.loads(running.events[-1]["result"]["content"][0]["text"]) == {"answer": 42}


async def test_initialize_must_not_be_part_of_a_batch(rig: Rig) -> None:
    """2025-03-26, Lifecycle: "The initialize request MUST NOT be part of a JSON-RPC batch"."""
    session = await rig.open(TALKER, version=VERSION)
    answer = await post(rig, session, request(1, "ping"), request(2, "initialize", protocolVersion=VERSION))
    assert answer.status == 400
    assert "initialize" in answer.json["error"]["message"]


async def test_requests_and_responses_do_not_share_a_batch(rig: Rig) -> None:
    session = await rig.open(TALKER, version=VERSION)
    answer = await post(rig, session, request(1, "ping"), {"jsonrpc": "2.0", "id": "gk-1", "result": {}})
    assert (answer.status, answer.json["error"]["code"]) == (400, -32600)


@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25"])
async def test_later_revisions_have_no_batches(rig: Rig, version: str) -> None:
    session = await rig.open(TALKER, version=version)
    for headers in ({}, {"mcp_protocol_version": version}):
        answer = await post(rig, session, request(1, "ping"), **headers)
        assert answer.status == 400
        assert f"MCP {version} has no JSON-RPC batches" in answer.json["error"]["message"]


async def test_the_stateless_revision_has_no_batches(rig: Rig) -> None:
    """I16: The stateless revision has no batches."""
    answer = await rig.http(
        TALKER, b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', mcp_protocol_version="2026-07-28"
    )
    assert answer.status == 400
    assert "MCP 2026-07-28 has no JSON-RPC batches" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[]", "empty batch"),
        (b"[1]", "array of objects"),
        (b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"ping"}]', "twice"),
        (
            b"[" + b",".join(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % n for n in range(101)) + b"]",
            "100",
        ),
    ],
)
async def test_what_is_no_batch_is_refused_as_a_whole(rig: Rig, body: bytes, says: str) -> None:
    session = await rig.open(TALKER, version=VERSION)
    answer = await rig.http(TALKER, body, mcp_session_id=session)
    assert answer.status == 400
    assert says in answer.json["error"]["message"]


async def test_each_element_is_judged_and_recorded_by_itself(rig: Rig) -> None:
    """I16: Each element is judged and recorded by itself."""
    session = await rig.open(TALKER, version=VERSION)
    answer = await post(
        rig,
        session,
        request(1, "tools/call", name="hidden"),
        request(2, "tools/call", name="remember", arguments={"value": "kept"}),
        request(3, "vendor/thing"),
    )
    assert answer.status == 200
    entries = {entry["id"]: entry for entry in answer.json}
    assert entries[1]["error"] == {"code": -32602, "message": "Unknown tool: hidden"}
    assert "result" in entries[2]
    assert entries[3]["error"]["code"] == -32601
    records = [r for r in rig.records() if r["method"] != "initialize"]
    assert {(r["method"], r.get("name", ""), r["outcome"]) for r in records} == {
        ("tools/call", "hidden", "refused"),
        ("tools/call", "remember", "ok"),
        ("vendor/thing", "", "error"),
    }
    ids = {r["request_id"] for r in records}
    assert len(ids) == 3
    assert {i.rpartition(".")[0] for i in ids} == {answer.headers["x-request-id"]}


async def test_an_id_that_is_in_flight_is_an_error_entry(rig: Rig) -> None:
    session = await rig.open(TALKER, version=VERSION, capabilities={"elicitation": {}})
    running = rig.begin(TALKER, "tools/call", {"name": "ask"}, request_id=7, mcp_session_id=session)
    await running.until("elicitation/create")
    answer = await post(rig, session, request(7, "tools/list"), request(8, "ping"))
    assert {e["id"]: "error" in e for e in answer.json} == {7: True, 8: False}
    note_ = {"requestId": 7}
    await rig.rpc(TALKER, "notifications/cancelled", note_, request_id=None, mcp_session_id=session)
    await running.end()


async def test_a_batch_of_somebody_elses_session_is_404(rig: Rig) -> None:
    session = await rig.open(TALKER, version=VERSION)
    assert (await post(rig, session, request(1, "ping"), token="bob")).status == 404


async def test_many_elements_run_a_few_at_a_time(rig: Rig) -> None:
    session = await rig.open(TALKER, version=VERSION)
    calls = [request(n, "tools/call", name="remember", arguments={"value": str(n)}) for n in range(60)]
    answer = await post(rig, session, *calls)
    assert sorted(entry["id"] for entry in answer.json) == list(range(60))


async def test_all_elements_of_one_who_lost_the_server_are_denied(rig: Rig) -> None:
    """I16: All elements of one who lost the server are denied."""
    session = await rig.open(TALKER, version=VERSION)
    rig.gateway.apply(rig.tables(SERVERS, Rules(servers=(ServerRules(server="talker", allowed=(BOB,)),))))
    answer = await post(rig, session, request(1, "tools/list"), request(2, "tools/call", name="remember"))
    assert answer.status == 200
    assert all(entry["error"]["code"] == -31006 for entry in answer.json)
    assert (await post(rig, session, note("notifications/initialized"))).status == 403


async def test_large_answers_leave_one_by_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "_HELD_BYTES", 100)
    session = await rig.open(TALKER, version=VERSION)
    calls = [request(n, "tools/call", name="remember", arguments={"value": str(n)}) for n in range(20)]
    answer = await post(rig, session, *calls)
    assert answer.headers["content-type"] == "text/event-stream"
    assert sorted(entry["id"] for entry in answer.events) == list(range(20))


async def test_large_answers_are_refused_to_who_takes_no_stream(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "_HELD_BYTES", 100)
    session = await rig.open(TALKER, version=VERSION)
    calls = [request(n, "tools/call", name="remember") for n in range(5)]
    answer = await post(rig, session, *calls, accept="application/json")
    assert sorted(entry["id"] for entry in answer.json) == list(range(5))
    assert {entry["error"]["code"] for entry in answer.json if "error" in entry} == {-31004}
