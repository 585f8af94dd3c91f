"""Tasks of a real server (``server-everything``, a tool that runs as a task only), seen by clients of all
kinds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.support.peers import NODE, npm_server
from tests.unit.gateway.rig import Answer, Rig, person

PATH = "/s/everything/mcp"
TOOL = "simulate-research-query"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    server = Server(name="everything", command=(str(NODE), str(npm_server("everything")), "stdio"))
    rules = Rules(servers=(ServerRules(server="everything", allowed=(ByLogin("local", "alice"),)),))
    made = Rig(tmp_path, (server,), rules)
    made.door.give("alice", person("alice"))
    yield made
    await made.close()


def _text(answer: Answer) -> str:
    return str(answer.json["result"]["content"][0]["text"])


async def _with_tasks(rig: Rig) -> None:
    """A client of 2025-11-25 starts a task, looks after it and fetches what came of it."""
    session = await rig.open(PATH)
    params = {"name": TOOL, "arguments": {"topic": "bees"}, "task": {"ttl": 60000}}
    made = await rig.rpc(PATH, "tools/call", params, mcp_session_id=session)
    about = {"taskId": made.json["result"]["task"]["taskId"]}
    state = {"status": "working"}
    while state["status"] == "working":
        await asyncio.sleep(0.2)
        state = (await rig.rpc(PATH, "tasks/get", about, mcp_session_id=session)).json["result"]
    assert state["status"] == "completed"
    listed = await rig.rpc(PATH, "tasks/list", mcp_session_id=session)
    assert [each["taskId"] for each in listed.json["result"]["tasks"]] == [about["taskId"]]
    done = await rig.rpc(PATH, "tasks/result", about, mcp_session_id=session)
    assert "Research Report: bees" in _text(done)
    assert done.json["result"]["_meta"]["io.modelcontextprotocol/related-task"] == about


async def _older(rig: Rig) -> None:
    """A client that knows no tasks just calls the tool."""
    session = await rig.open(PATH, version="2025-06-18")
    params = {"name": TOOL, "arguments": {"topic": "wasps"}}
    done = await rig.rpc(PATH, "tools/call", params, mcp_session_id=session)
    assert "Research Report: wasps" in _text(done)


async def _stateless(rig: Rig) -> None:
    """So does one of the stateless era; it is asked in the middle of the task that it does not know of."""
    meta: dict[str, Any] = {CAPABILITIES: {"elicitation": {"form": {}}}}
    params: dict[str, Any] = {
        "name": TOOL,
        "arguments": {"topic": "python", "ambiguous": True},
        "_meta": meta,
    }
    asked = (await (rig.begin_stateless(PATH, "tools/call", params)).end(30)).json["result"]
    ((key, question),) = asked["inputRequests"].items()
    choice = question["params"]["requestedSchema"]["properties"]["interpretation"]["oneOf"][0]["const"]
    answers = {key: {"action": "accept", "content": {"interpretation": choice}}}
    again = {**params, "inputResponses": answers, "requestState": asked["requestState"]}
    done = await rig.begin_stateless(PATH, "tools/call", again, 2).end(30)
    assert choice in _text(done), json.dumps(done.json)


async def test_a_real_server_that_works_in_tasks(rig: Rig) -> None:
    await asyncio.gather(_with_tasks(rig), _older(rig), _stateless(rig))
