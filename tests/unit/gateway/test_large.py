"""Results of many megabytes through a running gateway: nothing of them changes, the record is the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import Anyone, Rules, ServerRules
from gatekit.model.server import Server
from tests.unit.gateway.rig import Rig, child, person

SIZE = 3 * 1024 * 1024


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    server = Server(
        name="big", command=child("unruly.py"), max_line_bytes=1024 * 1024, max_result_bytes=8 * 1024 * 1024
    )
    made = Rig(tmp_path, (server,), Rules(servers=(ServerRules(server="big", allowed=(Anyone(),)),)))
    made.door.give("alice", person("alice"))
    yield made
    await made.close()


def asked(**arguments: Any) -> dict[str, Any]:
    return {"name": "big", "arguments": {"size": SIZE, **arguments}}


JSON = "application/json, text/event-stream"
STREAM = "text/event-stream"


@pytest.mark.parametrize("accept", [JSON, STREAM])
@pytest.mark.parametrize("id_last", [False, True])
async def test_in_a_session(rig: Rig, accept: str, id_last: bool) -> None:
    session = await rig.open("/s/big/mcp")
    answer = await rig.rpc(
        "/s/big/mcp", "tools/call", asked(id_last=id_last), 5, mcp_session_id=session, accept=accept
    )
    assert answer.json == {
        "jsonrpc": "2.0",
        "id": 5,
        "result": {"content": [{"type": "text", "text": "x" * SIZE}]},
    }
    (record,) = [line for line in rig.records() if line["method"] == "tools/call"]
    assert record["outcome"] == "ok"
    assert record["bytes_out"] > SIZE
    if accept == JSON:
        assert int(answer.headers["content-length"]) == len(answer.body) == record["bytes_out"]


@pytest.mark.parametrize("accept", [JSON, STREAM])
async def test_stateless(rig: Rig, accept: str) -> None:
    more = ',"structuredContent":{"a":[1,2]},"isError":true,"vendor/x":{"kept":"é"}'
    answer = await rig.stateless("/s/big/mcp", "tools/call", asked(more=more), accept=accept)
    result = answer.json["result"]
    assert result.pop("resultType") == "complete"
    assert result.pop("_meta") == {"io.modelcontextprotocol/serverInfo": {"name": "unruly", "version": "1"}}
    assert result == {
        "content": [{"type": "text", "text": "x" * SIZE}],
        "structuredContent": {"a": [1, 2]},
        "isError": True,
        "vendor/x": {"kept": "é"},
    }
    (record,) = rig.records()
    assert record["outcome"] == "tool_error"


async def test_members_that_are_there_already_stay(rig: Rig) -> None:
    answer = await rig.stateless("/s/big/mcp", "tools/call", asked(more=',"_meta":{"mine":1}'))
    assert answer.json["result"]["_meta"]["mine"] == 1
    assert answer.json["result"]["resultType"] == "complete"
    assert answer.json["result"]["content"][0]["text"] == "x" * SIZE


async def test_on_the_aggregate_endpoint(rig: Rig) -> None:
    answer = await rig.stateless("/mcp", "tools/call", {**asked(), "name": "big__big"})
    assert answer.json["result"]["content"][0]["text"] == "x" * SIZE


async def test_one_that_is_too_large_says_so(rig: Rig) -> None:
    answer = await rig.stateless("/s/big/mcp", "tools/call", asked(size=9 * 1024 * 1024))
    assert answer.json["error"]["code"] == -31004
    assert "the limit is 8388608" in answer.json["error"]["message"]
