"""All places are taken: what the client hears, in both eras, and what the audit says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.model.rules import Anyone, Rules, ServerRules
from gatekit.model.server import Server
from tests.unit.gateway.rig import Rig, child, person

LIMIT = "1 instances of the server are running, which is the limit"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    server = Server(name="small", command=child("unruly.py"), max_instances=1, max_wait=0.1)
    made = Rig(tmp_path, (server,), Rules(servers=(ServerRules(server="small", allowed=(Anyone(),)),)))
    made.door.give("alice", person("alice"))
    made.door.give("bob", person("bob"))
    yield made
    await made.close()


async def test_a_stateless_client_is_told_when_to_come_back(rig: Rig) -> None:
    await rig.open("/s/small/mcp", token="alice")
    answer = await rig.stateless("/s/small/mcp", "tools/list", token="bob")
    assert answer.json["error"] == {"code": -31002, "message": LIMIT, "data": {"retryAfterSeconds": 1}}
    assert answer.headers["retry-after"] == "1"
    (record,) = [line for line in rig.records() if line["principal"] == "bob"]
    assert (record["outcome"], record["error_code"], record["reason"]) == ("error", -31002, LIMIT)


async def test_a_session_that_finds_no_place_is_not_opened(rig: Rig) -> None:
    session = await rig.open("/s/small/mcp", token="alice")
    opening = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    }
    answer = await rig.rpc("/s/small/mcp", "initialize", opening, token="bob")
    assert answer.json["error"]["code"] == -31002
    assert answer.headers["retry-after"] == "1"
    assert "mcp-session-id" not in answer.headers
    # Who is inside notices nothing, and who leaves makes room.
    call = {"name": "echo", "arguments": {"text": "still here"}}
    inside = await rig.rpc("/s/small/mcp", "tools/call", call, token="alice", mcp_session_id=session)
    assert "still here" in inside.body.decode()
    await rig.http("/s/small/mcp", method="DELETE", token="alice", mcp_session_id=session)
    for _ in range(50):
        answer = await rig.rpc("/s/small/mcp", "initialize", opening, token="bob")
        if answer.status == 200 and "result" in answer.json:
            break
    assert "mcp-session-id" in answer.headers
