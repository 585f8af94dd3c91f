"""A client of an older revision than its server, at the door: what is said to it, and what it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.support.scripted import Error, ScriptedLink, ScriptedPool
from tests.unit.gateway.rig import Rig, person

PATH = "/s/s/mcp"
CHOICES = {"type": "array", "items": {"enum": ["a", "b"]}}


@asynccontextmanager
async def scripted(
    folder: Path, handler: Any, version: str = "2025-11-25", instances: Any = "session"
) -> AsyncIterator[Rig]:
    pool = ScriptedPool(handler, "handshake", version, tools={}, prompts={}, resources={})
    rules = Rules(servers=(ServerRules(server="s", allowed=(ByLogin("local", "alice"),)),))
    rig = Rig(folder, (Server(name="s", command=("none",), instances=instances),), rules, pool)
    rig.door.give("alice", person("alice"))
    try:
        yield rig
    finally:
        await rig.close()


async def _settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_form_reaches_an_older_client_in_its_words_and_the_answer_comes_back(tmp_path: Path) -> None:
    def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
        if message.get("method") == "tools/call":
            asked = {"message": "?", "requestedSchema": {"type": "object", "properties": {"x": CHOICES}}}
            link.say({"id": 9, "method": "elicitation/create", "params": asked})
        return None

    async with scripted(tmp_path, server) as rig:
        session = await rig.open(PATH, version="2025-06-18", capabilities={"elicitation": {}})
        call = rig.begin(PATH, "tools/call", {"name": "t"}, mcp_session_id=session)
        await call.until("elicitation/create")
        question = call.events[0]
        assert question["params"]["requestedSchema"]["properties"]["x"]["type"] == "string"
        body = {"action": "accept", "content": {"x": "b, a"}}
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": body}
        await rig.http(PATH, json.dumps(answer).encode(), mcp_session_id=session)
        await _settled()
        said = rig.pool.link.received[-1]
        assert (said["id"], said["result"]) == (9, {"action": "accept", "content": {"x": ["b", "a"]}})
        call.disconnect()


async def test_what_the_client_does_not_offer_is_not_asked(tmp_path: Path) -> None:
    def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
        if message.get("method") == "tools/call":
            url = {"mode": "url", "message": "?", "url": "https://x.example", "elicitationId": "e"}
            link.say({"id": 1, "method": "elicitation/create", "params": url})
            tools = {"messages": [], "maxTokens": 1, "tools": []}
            link.say({"id": 2, "method": "sampling/createMessage", "params": tools})
            link.say({"id": 3, "method": "roots/list"})
        return None if "result" in message or "error" in message else {"content": []}

    async with scripted(tmp_path, server) as rig:
        session = await rig.open(PATH, capabilities={"elicitation": {}, "sampling": {}})
        done = await rig.rpc(PATH, "tools/call", {"name": "t"}, mcp_session_id=session)
        assert done.json["result"] == {"content": []}
        refused = {m["id"]: m["error"]["code"] for m in rig.pool.link.received if "error" in m}
        assert refused == {1: -32602, 2: -32602, 3: -32601}


async def test_a_question_that_is_withdrawn_is_withdrawn_under_the_id_that_the_client_knows(
    tmp_path: Path,
) -> None:
    def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
        if message.get("method") != "tools/call":
            return None
        link.say({"id": "mine", "method": "roots/list"})
        link.say({"method": "notifications/cancelled", "params": {"requestId": "mine", "reason": "r"}})
        link.say({"method": "notifications/cancelled", "params": {"requestId": "nobody's"}})
        return {"content": []}

    async with scripted(tmp_path, server) as rig:
        session = await rig.open(PATH, capabilities={"roots": {}})
        done = await rig.rpc(PATH, "tools/call", {"name": "t"}, mcp_session_id=session)
        question, withdrawn, result = done.events
        assert question["method"] == "roots/list"
        assert withdrawn["method"] == "notifications/cancelled"
        assert withdrawn["params"] == {"requestId": question["id"], "reason": "r"}
        assert result["result"] == {"content": []}


async def test_notifications_that_an_older_revision_lacks_are_not_sent(tmp_path: Path) -> None:
    def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
        if message.get("method") != "tools/call":
            return None
        token = message["params"]["_meta"]["progressToken"]
        link.say({"method": "notifications/tasks/status", "params": {"taskId": "t"}})
        link.say({"method": "notifications/vendor", "params": {"a": 1}})
        progress = {"progressToken": token, "progress": 1, "message": "half"}
        link.say({"method": "notifications/progress", "params": progress})
        return {"content": [{"type": "audio", "mimeType": "audio/wav", "data": ""}]}

    async with scripted(tmp_path, server) as rig:
        session = await rig.open(PATH, version="2024-11-05")
        params = {"name": "t", "_meta": {"progressToken": "p"}}
        done = await rig.rpc(PATH, "tools/call", params, mcp_session_id=session)
        vendor, progress, result = done.events
        assert (vendor["method"], vendor["params"]) == ("notifications/vendor", {"a": 1})
        assert progress["params"] == {"progressToken": "p", "progress": 1}
        assert result["result"]["content"][0]["type"] == "text"


@pytest.mark.parametrize("instances", ["session", "user", "shared"])
async def test_unknown_notifications_of_a_session_reach_its_server(tmp_path: Path, instances: Any) -> None:
    async with scripted(tmp_path, lambda _link, _message: None, instances=instances) as rig:
        session = await rig.open(PATH)
        for method in ("notifications/vendor", "notifications/roots/list_changed"):
            note = {"jsonrpc": "2.0", "method": method, "params": {"a": 1}}
            sent = await rig.http(PATH, json.dumps(note).encode(), mcp_session_id=session)
            assert sent.status == 202
        await _settled()
        seen = [m["method"] for m in rig.pool.link.received]
        # Roots were not offered to an instance that is not the session's own.
        own = ["notifications/roots/list_changed"] if instances == "session" else []
        assert seen == ["notifications/vendor", *own]


async def test_an_error_is_told_by_the_revision_of_the_client(tmp_path: Path) -> None:
    def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
        raise Error(-32042, "visit", {"elicitations": [{"url": "https://x.example", "mode": "url"}]})

    async with scripted(tmp_path, server) as rig:
        for version, code in (("2025-06-18", -32603), ("2025-11-25", -32042)):
            session = await rig.open(PATH, version=version, capabilities={"elicitation": {"url": {}}})
            done = await rig.rpc(PATH, "prompts/get", {"name": "p"}, mcp_session_id=session)
            assert done.json["error"]["code"] == code
