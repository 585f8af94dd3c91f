"""Handshake-era clients over real children: sessions, calls, signals, refusals, records."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.unit.gateway.rig import Rig

TALKER = "/s/talker/mcp"


async def call(
    rig: Rig, session: str, tool: str, token: str = "alice", path: str = TALKER, **arguments: str
) -> dict:  # type: ignore[type-arg]
    answer = await rig.rpc(
        path, "tools/call", {"name": tool, "arguments": arguments}, token=token, mcp_session_id=session
    )
    return answer.json  # type: ignore[no-any-return]


async def test_initialize_opens_a_session(rig: Rig) -> None:
    answer = await rig.rpc(TALKER, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}})
    assert answer.json["result"]["protocolVersion"] == "2025-06-18"
    assert answer.json["result"]["serverInfo"]["name"] == "talker"
    assert answer.json["result"]["instructions"] == "talk"
    assert len(answer.headers["mcp-session-id"]) >= 32
    assert [r["action"] for r in rig.records("session")] == ["opened"]


async def test_unknown_version_gets_our_latest(rig: Rig) -> None:
    answer = await rig.rpc(TALKER, "initialize", {"protocolVersion": "2026-07-28", "capabilities": {}})
    assert answer.json["result"]["protocolVersion"] == "2025-11-25"


async def test_session_is_needed_and_is_somebodys(rig: Rig) -> None:
    """I5: Session is needed and is somebody's."""
    session = await rig.open(TALKER)
    assert (await rig.rpc(TALKER, "tools/list")).status == 400
    assert (await rig.rpc(TALKER, "tools/list", mcp_session_id="x" * 32)).status == 404
    assert (await rig.rpc(TALKER, "tools/list", mcp_session_id=session)).status == 200
    foreign = await rig.rpc(TALKER, "tools/list", mcp_session_id=session, token="bob")
    assert foreign.status == 404
    assert (await rig.rpc(TALKER, "tools/list", mcp_session_id=session, token="alice2")).status == 404
    assert (await rig.rpc("/s/private/mcp", "tools/list", mcp_session_id=session)).status == 404
    assert {r["reason"] for r in rig.records("refused") if r["status"] == 404} == {
        "unknown session",
        "session of another principal",
        "session of another client",
        "session of another server",
    }


async def test_every_call_is_on_record_before_it_is_answered(rig: Rig) -> None:
    session = await rig.open(TALKER)
    await call(rig, session, "remember", value="x")
    await call(rig, session, "fail")
    records = [r for r in rig.records() if r["method"] == "tools/call"]
    assert [(r["principal"], r["client"], r["server"], r["name"], r["outcome"]) for r in records] == [
        ("alice", "client cli_1", "talker", "remember", "ok"),
        ("alice", "client cli_1", "talker", "fail", "tool_error"),
    ]
    assert records[0]["args_digest"].startswith("sha256:")
    assert records[0]["rule"] == "servers.talker.allowed_users"
    assert records[0]["duration_ms"] > 0
    assert "x" not in json.dumps(records[0].get("args", ""))


async def test_refused_tool_does_not_exist_for_the_caller(rig: Rig) -> None:
    session = await rig.open(TALKER)
    answer = await call(rig, session, "hidden")
    missing = await call(rig, session, "nonexistent-but-allowed")
    assert answer["error"] == {"code": -32602, "message": "Unknown tool: hidden"}
    assert "result" in missing
    listed = await rig.rpc(TALKER, "tools/list", {"cursor": "2"}, mcp_session_id=session)
    assert "hidden" not in {t["name"] for t in listed.json["result"]["tools"]}
    record = next(r for r in rig.records() if r.get("name") == "hidden")
    assert (record["decision"], record["outcome"], record["rule"]) == (
        "deny",
        "refused",
        'servers.talker.tools["hidden"]',
    )


async def test_server_that_one_may_not_use(rig: Rig) -> None:
    answer = await rig.rpc("/s/private/mcp", "initialize", {"protocolVersion": "2025-11-25"}, token="bob")
    assert answer.status == 403
    assert "mcp-session-id" not in answer.headers
    assert [(r["principal"], r["decision"], r["server"]) for r in rig.records()] == [
        ("bob", "deny", "private")
    ]


async def test_progress_arrives_on_the_calls_own_stream(rig: Rig) -> None:
    session = await rig.open(TALKER)
    params = {"name": "progress", "_meta": {"progressToken": "mine"}}
    answer = await rig.rpc(TALKER, "tools/call", params, request_id="a", mcp_session_id=session)
    assert answer.headers["content-type"] == "text/event-stream"
    *notices, last = answer.events
    assert [(n["params"]["progressToken"], n["params"]["progress"]) for n in notices] == [
        ("mine", 1),
        ("mine", 2),
        ("mine", 3),
    ]
    assert (last["id"], last["result"]["content"][0]["text"]) == ("a", "done")


@pytest.mark.parametrize(
    ("tool", "method", "capability"),
    [
        ("ask", "elicitation/create", "elicitation"),
        ("sample", "sampling/createMessage", "sampling"),
        ("roots", "roots/list", "roots"),
    ],
)
async def test_server_asks_in_the_middle_of_a_call(rig: Rig, tool: str, method: str, capability: str) -> None:
    session = await rig.open(TALKER, capabilities={capability: {}})
    running = rig.begin(TALKER, "tools/call", {"name": tool}, mcp_session_id=session)
    await running.until(method)
    question = running.events[-1]
    reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"answer": 42}}
    taken = await rig.http(TALKER, json.dumps(reply).encode(), mcp_session_id=session)
    assert taken.status == 202
    await running.end()
    assert json.loads(running.events[-1]["result"]["content"][0]["text"]) == {"answer": 42}


async def test_a_client_that_offers_nothing_is_not_asked(rig: Rig) -> None:
    session = await rig.open(TALKER)
    answer = await call(rig, session, "ask")
    assert json.loads(answer["result"]["content"][0]["text"])["code"] == -32601


async def test_foreign_answer_does_not_reach_a_question(rig: Rig) -> None:
    """I7: Foreign answer does not reach a question."""
    session = await rig.open(TALKER, capabilities={"elicitation": {}})
    theirs = await rig.open(TALKER, token="bob", capabilities={"elicitation": {}})
    running = rig.begin(TALKER, "tools/call", {"name": "ask"}, mcp_session_id=session)
    await running.until("elicitation/create")
    asked = running.events[-1]["id"]
    reply = json.dumps({"jsonrpc": "2.0", "id": asked, "result": {"answer": "stolen"}}).encode()
    assert (await rig.http(TALKER, reply, token="bob", mcp_session_id=session)).status == 404
    assert (await rig.http(TALKER, reply, token="bob", mcp_session_id=theirs)).status == 202
    assert not running.done
    good = json.dumps({"jsonrpc": "2.0", "id": asked, "result": {"answer": "mine"}}).encode()
    await rig.http(TALKER, good, mcp_session_id=session)
    await running.end()
    assert "mine" in running.body.decode()


async def test_cancel_reaches_the_server_and_is_recorded(rig: Rig) -> None:
    session = await rig.open(TALKER)
    running = rig.begin(TALKER, "tools/call", {"name": "slow"}, request_id=7, mcp_session_id=session)
    await rig.calling()
    note = {"requestId": 7, "reason": "tired"}
    cancelled = await rig.rpc(
        TALKER, "notifications/cancelled", note, request_id=None, mcp_session_id=session
    )
    assert cancelled.status == 202
    await running.end(5)
    async with asyncio.timeout(5):
        while "cancelled" not in json.dumps(await call(rig, session, "remember")):
            await asyncio.sleep(0.05)
    assert next(r for r in rig.records() if r.get("name") == "slow")["outcome"] == "cancelled"


async def test_disconnect_is_not_a_cancellation_in_this_era(rig: Rig) -> None:
    session = await rig.open(TALKER, capabilities={"elicitation": {}})
    running = rig.begin(TALKER, "tools/call", {"name": "ask"}, mcp_session_id=session)
    await running.until("elicitation/create")
    running.disconnect()
    await asyncio.sleep(0.8)
    assert not any(r.get("name") == "ask" for r in rig.records())
    reply = {"jsonrpc": "2.0", "id": running.events[-1]["id"], "result": {}}
    await rig.http(TALKER, json.dumps(reply).encode(), mcp_session_id=session)
    await running.end()
    assert next(r for r in rig.records() if r.get("name") == "ask")["outcome"] == "ok"


async def test_list_change_arrives_on_the_get_stream(rig: Rig) -> None:
    session = await rig.open(TALKER)
    stream = rig.start(TALKER, method="GET", mcp_session_id=session)
    await call(rig, session, "grow")
    await stream.until("notifications/tools/list_changed")
    stream.disconnect()
    await stream.end()


async def test_list_change_waits_for_a_stream(rig: Rig) -> None:
    session = await rig.open(TALKER)
    await call(rig, session, "grow")
    stream = rig.start(TALKER, method="GET", mcp_session_id=session)
    await stream.until("notifications/tools/list_changed")
    stream.disconnect()
    await stream.end()


async def test_delete_ends_session_and_process(rig: Rig) -> None:
    session = await rig.open(TALKER)
    assert (await rig.http(TALKER, method="DELETE", mcp_session_id=session)).status == 204
    async with asyncio.timeout(5):
        while len(rig.records("session")) < 2:
            await asyncio.sleep(0.01)
    ended = rig.records("session")[-1]
    assert (ended["action"], ended["session"], ended["reason"]) == ("closed", session, "ended by the client")
    assert (await rig.rpc(TALKER, "tools/list", mcp_session_id=session)).status == 404


async def test_sessions_have_processes_of_their_own(rig: Rig) -> None:
    one, two = await rig.open(TALKER), await rig.open(TALKER)
    await call(rig, one, "remember", value="secret of one")
    assert (await call(rig, two, "remember"))["result"]["content"][0]["text"] == ""


async def test_user_instance_is_shared_by_ones_sessions_only(rig: Rig) -> None:
    path = "/s/own/mcp"
    one, two = await rig.open(path), await rig.open(path, token="alice2")
    await call(rig, one, "remember", path=path, value="mine")
    second = await call(rig, two, "remember", path=path, token="alice2")
    assert second["result"]["content"][0]["text"] == "mine"
    theirs = await rig.open(path, token="bob")
    third = await call(rig, theirs, "remember", path=path, token="bob")
    assert third["result"]["content"][0]["text"] == ""


async def test_shared_instance_offers_nothing_that_needs_a_session(rig: Rig) -> None:
    answer = await rig.rpc("/s/common/mcp", "initialize", {"protocolVersion": "2025-11-25"})
    assert "logging" not in answer.json["result"]["capabilities"]


async def test_ping_is_answered_here(rig: Rig) -> None:
    session = await rig.open(TALKER)
    answer = await rig.rpc(TALKER, "ping", mcp_session_id=session)
    assert answer.json == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_id_in_flight_twice_is_refused(rig: Rig) -> None:
    session = await rig.open(TALKER)
    running = rig.begin(TALKER, "tools/call", {"name": "slow"}, request_id=1, mcp_session_id=session)
    await asyncio.sleep(0.2)
    again = await rig.rpc(TALKER, "tools/call", {"name": "remember"}, request_id=1, mcp_session_id=session)
    assert again.status == 400
    await rig.rpc(
        TALKER, "notifications/cancelled", {"requestId": 1}, request_id=None, mcp_session_id=session
    )
    await running.end()


async def test_server_that_does_not_exist_says_so(rig: Rig) -> None:
    answer = await rig.rpc("/s/broken/mcp", "initialize", {"protocolVersion": "2025-11-25"})
    assert answer.json["error"]["code"] == -31001
    record = rig.records()[-1]
    assert (record["outcome"], record["decision"]) == ("error", "allow")
    assert record["reason"]


async def test_child_sees_a_clean_environment(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """T10: Child sees a clean environment."""
    monkeypatch.setenv("GATEKIT_SECRET_THING", "x")
    session = await rig.open(TALKER)
    seen = json.loads((await call(rig, session, "whoami"))["result"]["content"][0]["text"])["env"]
    assert not {name for name in seen if name.startswith("GATEKIT_SECRET")}


async def test_unknown_method_passes_through(rig: Rig) -> None:
    session = await rig.open(TALKER)
    answer = await rig.rpc(TALKER, "vendor/thing", {"x": 1}, mcp_session_id=session)
    assert answer.json["error"]["message"] == "Method not found: vendor/thing"


async def test_batches_are_refused_plainly(rig: Rig) -> None:
    """I16: Batches are refused plainly."""
    session = await rig.open(TALKER)
    body = b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]'
    answer = await rig.http(TALKER, body, mcp_session_id=session)
    assert answer.status == 400
    assert "batch" in answer.json["error"]["message"]


async def test_access_that_ends_closes_session_and_stream(rig: Rig) -> None:
    """T11: Access that ends closes session and stream."""
    session = await rig.open(TALKER)
    stream = rig.start(TALKER, method="GET", mcp_session_id=session)
    await asyncio.sleep(0.1)
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    await stream.end(2)
    assert (await rig.rpc(TALKER, "tools/list", mcp_session_id=session)).status == 404


async def test_calls_are_refused_while_they_cannot_be_recorded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await rig.open(TALKER)
    monkeypatch.setattr(rig.trail, "_trouble", "no room")
    refused = await call(rig, session, "remember", value="done anyway")
    assert refused["error"]["code"] == -31005
    monkeypatch.setattr(rig.trail, "_trouble", "")
    assert (await call(rig, session, "remember"))["result"]["content"][0]["text"] == ""
