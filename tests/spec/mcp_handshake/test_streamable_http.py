"""MCP 2025-06-18 and 2025-11-25, Streamable HTTP: one test per MUST that is decided at this door."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gatekit.model.server import Server
from tests.unit.gateway.conftest import RULES, SERVERS
from tests.unit.gateway.rig import Rig, child, person

TALKER = "/s/talker/mcp"


@pytest.mark.parametrize("version", ["1999-12-31", "latest", "2025-11-26"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_invalid_version_header_must_be_400(rig: Rig, version: str, method: str) -> None:
    """Protocol Version Header: "an invalid or unsupported MCP-Protocol-Version … MUST respond with 400"."""
    session = await rig.open(TALKER)
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}' if method == "POST" else b""
    answer = await rig.http(TALKER, body, method=method, mcp_session_id=session, mcp_protocol_version=version)
    assert answer.status == 400
    assert (await rig.rpc(TALKER, "ping", mcp_session_id=session)).status == 200


@pytest.mark.parametrize("header", ["", "2025-11-25", "2025-06-18"])
async def test_without_a_version_header_the_sessions_own_counts(rig: Rig, header: str) -> None:
    """Protocol Version Header: absent, and the server can tell the version otherwise."""
    session = await rig.open(TALKER, version="2025-06-18")
    answer = await rig.rpc(TALKER, "ping", mcp_session_id=session, mcp_protocol_version=header)
    assert answer.status == 200


async def test_a_session_id_must_be_visible_ascii_and_differ_each_time(rig: Rig) -> None:
    ids = {await rig.open(TALKER) for _ in range(3)}
    assert len(ids) == 3
    assert all(0x21 <= ord(char) <= 0x7E for session in ids for char in session)


@pytest.mark.parametrize("method", ["tools/list", "ping", "notifications/initialized"])
async def test_a_request_without_a_session_should_be_400(rig: Rig, method: str) -> None:
    request_id = None if method.startswith("notifications/") else 1
    assert (await rig.rpc(TALKER, method, request_id=request_id)).status == 400


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_ended_session_must_be_404(rig: Rig, method: str) -> None:
    session = await rig.open(TALKER)
    assert (await rig.http(TALKER, method="DELETE", mcp_session_id=session)).status == 204
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}' if method == "POST" else b""
    assert (await rig.http(TALKER, body, method=method, mcp_session_id=session)).status == 404


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_without_a_session_these_are_405(rig: Rig, method: str) -> None:
    """A client that probes reads from the 405 that there is no such stream to be had."""
    answer = await rig.http(TALKER, method=method)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


async def test_a_stream_must_be_asked_for_as_one(rig: Rig) -> None:
    session = await rig.open(TALKER)
    answer = await rig.http(TALKER, method="GET", mcp_session_id=session, accept="application/json")
    assert answer.status == 406


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","method":"notifications/initialized"}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"unknown"}}',
        b'{"jsonrpc":"2.0","id":"gk-99","result":{}}',
    ],
)
async def test_what_needs_no_answer_must_get_202_and_no_body(rig: Rig, body: bytes) -> None:
    session = await rig.open(TALKER)
    answer = await rig.http(TALKER, body, mcp_session_id=session)
    assert (answer.status, answer.body) == (202, b"")


async def test_an_invalid_origin_must_be_403(rig: Rig) -> None:
    """I3: An invalid origin must be 403."""
    session = await rig.open(TALKER)
    for method in ("GET", "POST", "DELETE"):
        answer = await rig.http(
            TALKER, b"{}", method=method, mcp_session_id=session, origin="https://evil.example"
        )
        assert answer.status == 403


async def test_a_response_must_not_come_on_the_stream_for_no_call(rig: Rig) -> None:
    """Listening for Messages: "MUST NOT send a JSON-RPC response on the stream unless resuming"."""
    session = await rig.open(TALKER)
    stream = rig.start(TALKER, method="GET", mcp_session_id=session)
    for number in range(3):
        await rig.rpc(TALKER, "tools/call", {"name": "progress"}, number, mcp_session_id=session)
    await rig.rpc(TALKER, "tools/call", {"name": "grow"}, 9, mcp_session_id=session)
    await stream.until("list_changed")
    stream.disconnect()
    await stream.end()
    assert not any("result" in event or "error" in event for event in stream.events)


async def test_a_cancelled_call_is_cancelled_upstream_and_its_request_ends(rig: Rig) -> None:
    session = await rig.open(TALKER)
    running = rig.begin(TALKER, "tools/call", {"name": "slow"}, 7, mcp_session_id=session)
    async with asyncio.timeout(5):
        while not any(7 in s.calls for s in rig.gateway.sessions):
            await asyncio.sleep(0.01)
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    assert (await rig.http(TALKER, json.dumps(note).encode(), mcp_session_id=session)).status == 202
    await running.end(5)
    assert running.json["error"]["code"] == -31007


async def test_another_sessions_call_must_not_be_cancelled(rig: Rig) -> None:
    """I7: Another session's call must not be cancelled."""
    mine, theirs = await rig.open(TALKER), await rig.open(TALKER)
    running = rig.begin(
        TALKER, "tools/call", {"name": "nap", "arguments": {"seconds": 0.5}}, 7, mcp_session_id=mine
    )
    async with asyncio.timeout(5):
        while not any(7 in s.calls for s in rig.gateway.sessions):
            await asyncio.sleep(0.01)
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    assert (await rig.http(TALKER, json.dumps(note).encode(), mcp_session_id=theirs)).status == 202
    await running.end()
    assert "rested" in running.body.decode()


@pytest.mark.parametrize("accept", ["application/json, text/event-stream", "text/event-stream"])
async def test_a_slow_start_does_not_lose_the_session_id(tmp_path: Path, accept: str) -> None:
    """The id is in a header, and a keep-alive may have to be sent before the server has started."""
    late = ("/bin/sh", "-c", f"sleep 1.2; exec {' '.join(child('talker.py'))}")
    servers = (Server(name="talker", command=late),)
    rig = Rig(tmp_path, servers, RULES, keepalive=0.2)
    rig.door.give("alice", person("alice"))
    try:
        opening = {"protocolVersion": "2025-11-25", "capabilities": {}}
        answer = await rig.rpc(TALKER, "initialize", opening, accept=accept)
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.events[-1]["result"]["serverInfo"]["name"] == "talker"
        session = answer.headers["mcp-session-id"]
        assert (await rig.rpc(TALKER, "ping", mcp_session_id=session)).status == 200
    finally:
        await rig.close()


async def test_a_silent_stream_gets_comments_so_that_proxies_keep_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, SERVERS, RULES, keepalive=0.3)
    rig.door.give("alice", person("alice"))
    try:
        session = await rig.open(TALKER)
        stream = rig.start(TALKER, method="GET", mcp_session_id=session)
        running = rig.begin(
            TALKER, "tools/call", {"name": "nap", "arguments": {"seconds": 2}}, mcp_session_id=session
        )
        await asyncio.gather(stream.until(": keep-alive"), running.until(": keep-alive"))
        await running.end()
        stream.disconnect()
        await stream.end()
    finally:
        await rig.close()
