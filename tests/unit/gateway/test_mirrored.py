"""``Mcp-Param-*``: the gateway checks them on behalf of a server that knows nothing of HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.gateway import toolbook
from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.model.server import Server
from tests.support.scripted import Error, ScriptedLink, ScriptedPool
from tests.unit.gateway.rig import Answer, Rig, person

PATH = "/s/s/mcp"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


def _tool(name: str, **properties: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object", "properties": properties}}


REGION = {"type": "string", "x-mcp-header": "Region"}
TOOLS = [
    _tool("plain", region={"type": "string"}),
    _tool("sql", region=REGION, limit={"type": "integer", "x-mcp-header": "Limit"}),
    _tool("wrong", region={"type": "number", "x-mcp-header": "R"}, **{"x-mcp-header": {"type": "string"}}),
]


class Tools:
    """A server whose list the test may change."""

    def __init__(self) -> None:
        self.listed = list(TOOLS)
        self.fails = False

    def __call__(self, link: ScriptedLink, message: dict[str, Any]) -> Any:
        if message.get("method") == "tools/list":
            if self.fails:
                raise Error(-32603)
            cursor = message["params"].get("cursor")
            return {"tools": self.listed[1:]} if cursor else {"tools": self.listed[:1], "nextCursor": "2"}
        return {"content": [{"type": "text", "text": "ran"}]}


def _made(folder: Path, tools: Tools, era: Any, version: str) -> Rig:
    pool = ScriptedPool(tools, era, version, tools={})
    rules = Rules(servers=(ServerRules(server="s", allowed=(ByLogin("local", "alice"),)),))
    rig = Rig(folder, (Server(name="s", command=("none",)),), rules, pool)
    rig.door.give("alice", person("alice"))
    return rig


@pytest.fixture(params=[("handshake", "2025-11-25"), ("stateless", "2026-07-28")], ids=["old", "new"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    made = _made(tmp_path, Tools(), *request.param)
    yield made
    await made.close()


async def _call(
    rig: Rig, tool: str, arguments: Any, path: str = PATH, capable: bool = False, **headers: str
) -> Answer:
    params: dict[str, Any] = {"name": tool, "arguments": arguments}
    if capable:
        params["_meta"] = {CAPABILITIES: {"elicitation": {}}}
    return await rig.stateless(path, "tools/call", params, **headers)


def _ran(answer: Answer) -> bool:
    assert answer.status in (200, 400), answer.body
    if answer.status == 400:
        assert answer.json["error"]["code"] == -32020
        return False
    return bool(answer.json["result"]["content"][0]["text"] == "ran")


@pytest.mark.parametrize("capable", [False, True])
async def test_headers_and_arguments_must_agree(rig: Rig, capable: bool) -> None:
    """I19: Headers and arguments must agree."""
    args = {"region": "eu", "limit": 42}
    assert _ran(await _call(rig, "sql", args, capable=capable, mcp_param_region="eu", mcp_param_limit="42.0"))
    assert not _ran(await _call(rig, "sql", args, capable=capable, mcp_param_region="eu"))
    assert not _ran(
        await _call(rig, "sql", args, capable=capable, mcp_param_region="us", mcp_param_limit="42")
    )
    assert not _ran(await _call(rig, "sql", {}, capable=capable, mcp_param_region="eu"))
    assert _ran(await _call(rig, "sql", {"region": None}, capable=capable))
    links = rig.pool.links.values()
    ran = [each["name"] for link in links for each in link.requests("tools/call")]
    assert ran == ["sql", "sql"], "a refused call must not reach the server"
    refused = [r for r in rig.records() if r["outcome"] == "error"]
    assert [r["error_code"] for r in refused] == [-32020] * 3


async def test_headers_that_no_tool_asks_for_are_ignored(rig: Rig) -> None:
    assert _ran(await _call(rig, "plain", {"region": "eu"}, mcp_param_region="us", mcp_param_x="y"))
    assert _ran(await _call(rig, "wrong", {"region": 1}, mcp_param_r="2"))
    assert _ran(await _call(rig, "unlisted", {}, mcp_param_region="us"))


async def test_the_list_is_read_once(rig: Rig) -> None:
    for _ in range(5):
        await _call(rig, "plain", {})
    assert len(rig.pool.link.requests("tools/list")) == 2  # its two pages


async def test_the_aggregate_endpoint_checks_them_too(rig: Rig) -> None:
    assert not _ran(await _call(rig, "s__sql", {"region": "eu"}, path="/mcp"))
    assert _ran(await _call(rig, "s__sql", {"region": "eu"}, path="/mcp", mcp_param_region="eu"))


async def test_a_handshake_client_sends_none(tmp_path: Path) -> None:
    rig = _made(tmp_path, Tools(), "handshake", "2025-11-25")
    session = await rig.open(PATH)
    params = {"name": "sql", "arguments": {"region": "eu"}}
    answer = await rig.rpc(PATH, "tools/call", params, mcp_session_id=session)
    assert answer.json["result"]["content"][0]["text"] == "ran"
    assert rig.pool.link.requests("tools/list") == []
    await rig.close()


async def test_an_announced_change_is_seen_at_once(tmp_path: Path) -> None:
    tools = Tools()
    rig = _made(tmp_path, tools, "handshake", "2025-11-25")
    assert _ran(await _call(rig, "plain", {"region": "eu"}))
    tools.listed[0] = _tool("plain", region=REGION)
    rig.pool.link.say({"method": "notifications/tools/list_changed"})
    assert not _ran(await _call(rig, "plain", {"region": "eu"}))
    await rig.close()


async def test_a_change_that_was_not_announced_costs_no_client_its_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbook, "AGAIN", 0.0)
    tools = Tools()
    rig = _made(tmp_path, tools, "stateless", "2026-07-28")
    assert not _ran(await _call(rig, "sql", {"region": "eu"}))
    tools.listed[1] = _tool("sql", region={"type": "string"})
    assert _ran(await _call(rig, "sql", {"region": "eu"}))
    await rig.close()


async def test_a_list_that_cannot_be_read_refuses_nobody(tmp_path: Path) -> None:
    tools = Tools()
    tools.fails = True
    rig = _made(tmp_path, tools, "handshake", "2025-11-25")
    assert _ran(await _call(rig, "sql", {"region": "eu"}))
    await rig.close()


async def test_a_server_that_never_lists_holds_up_one_call_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toolbook, "PATIENCE", 0.05)
    asked = []

    class Silent(Tools):
        def __call__(self, link: ScriptedLink, message: dict[str, Any]) -> Any:
            asked.append(message.get("method"))
            return None if message.get("method") == "tools/list" else super().__call__(link, message)

    rig = _made(tmp_path, Silent(), "handshake", "2025-11-25")
    for _ in range(3):
        assert _ran(await _call(rig, "sql", {"region": "eu"}))
    assert asked.count("tools/list") == 1
    await rig.close()


async def test_unusable_annotations_are_not_shown(rig: Rig) -> None:
    shown: dict[str, Any] = {}
    for params in ({}, {"cursor": "2"}):
        listed = await rig.stateless(PATH, "tools/list", params)
        shown |= {tool["name"]: tool["inputSchema"] for tool in listed.json["result"]["tools"]}
    assert shown["sql"] == TOOLS[1]["inputSchema"]
    # An argument that is merely called like the annotation stays.
    assert shown["wrong"]["properties"] == {"region": {"type": "number"}, "x-mcp-header": {"type": "string"}}


async def test_a_browser_may_send_them(rig: Rig) -> None:
    asked = "authorization, mcp-param-region"
    answer = await rig.http(
        PATH,
        method="OPTIONS",
        origin="http://localhost:1",
        access_control_request_method="POST",
        access_control_request_headers=asked,
    )
    assert answer.headers["access-control-allow-headers"] == asked
