"""MCP Apps: a tool's user interface may be read by whoever may use the tool; everything else passes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import ByGroup, ByLogin, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from tests.support.scripted import ScriptedLink, ScriptedPool
from tests.unit.gateway.rig import Answer, Rig, person

PATH = "/s/s/mcp"
EXTENSION = "io.modelcontextprotocol/ui"
MIME = "text/html;profile=mcp-app"
SECURITY = {"csp": {"connectDomains": ["https://x.example"]}, "permissions": {"camera": {}}, "domain": "a"}


def _tool(name: str, meta: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, "_meta": meta}


TOOLS = [
    _tool("open", {"ui": {"resourceUri": "ui://s/open.html", "visibility": ["model", "app"]}}),
    _tool("flat", {"ui/resourceUri": "ui://s/flat.html"}),
    _tool("secret", {"ui": {"resourceUri": "ui://s/secret.html"}}),
    _tool("liar", {"ui": {"resourceUri": "file:///etc/passwd"}}),
]


def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
    method, params = message.get("method"), message.get("params", {})
    if method == "tools/list":
        return {"tools": TOOLS}
    if method == "resources/read":
        page = {"uri": params["uri"], "mimeType": MIME, "text": "<html>", "_meta": {"ui": SECURITY}}
        return {"contents": [page]}
    return {"resources": []} if method == "resources/list" else {"content": []}


RULES = Rules(
    servers=(
        ServerRules(
            server="s",
            allowed=(ByLogin("local", "alice"),),
            tools=(
                ToolRule(glob="secret", allowed=(ByGroup("sre"),)),
                ToolRule(glob="*", allowed=(ByGroup("sre"),), kind="resource"),
            ),
        ),
    )
)


@pytest.fixture(params=[("handshake", "2025-11-25"), ("stateless", "2026-07-28")], ids=["old", "new"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    pool = ScriptedPool(server, *request.param, tools={}, resources={}, extensions={EXTENSION: {}})
    made = Rig(tmp_path, (Server(name="s", command=("none",)),), RULES, pool)
    made.door.give("alice", person("alice"))
    made.door.give("eve", person("eve"))
    yield made
    await made.close()


async def _read(rig: Rig, era: str, uri: str, path: str = PATH, token: str = "alice") -> Answer:
    if era == "stateless":
        return await rig.stateless(path, "resources/read", {"uri": uri}, token=token)
    session = await rig.open(path, token=token)
    return await rig.rpc(path, "resources/read", {"uri": uri}, mcp_session_id=session, token=token)


ERAS = pytest.mark.parametrize("era", ["handshake", "stateless"])


@ERAS
async def test_the_interface_of_a_tool_that_one_may_use_can_be_read(rig: Rig, era: str) -> None:
    for uri in ("ui://s/open.html", "ui://s/flat.html"):
        page = (await _read(rig, era, uri)).json["result"]["contents"][0]
        assert (page["uri"], page["mimeType"], page["_meta"]) == (uri, MIME, {"ui": SECURITY})
    records = [r for r in rig.records() if r["method"] == "resources/read"]
    assert {(r["decision"], r["outcome"]) for r in records} == {("allow", "ok")}


@ERAS
@pytest.mark.parametrize(
    "uri", ["ui://s/secret.html", "ui://s/other.html", "file:///etc/passwd", "UI://s/open.html"]
)
async def test_no_other_resource_is_opened_by_that(rig: Rig, era: str, uri: str) -> None:
    answer = await _read(rig, era, uri)
    assert "error" in answer.json
    assert rig.pool.link.requests("resources/read") == [] if rig.pool.links else True
    refused = [r for r in rig.records() if r["method"] == "resources/read"]
    assert [(r["decision"], r["outcome"]) for r in refused] == [("deny", "refused")]


async def test_a_stranger_starts_no_server_to_find_out(rig: Rig) -> None:
    answer = await _read(rig, "stateless", "ui://s/open.html", token="eve")
    assert "error" in answer.json
    assert rig.pool.links == {}


async def test_on_the_aggregate_endpoint(rig: Rig) -> None:
    uri = "gatekit:s/ui://s/open.html"
    assert (await _read(rig, "stateless", uri, "/mcp")).json["result"]["contents"][0]["uri"] == uri


async def test_what_tools_say_of_their_interface_is_kept(rig: Rig) -> None:
    session = await rig.open(PATH)
    for listed in (
        await rig.stateless(PATH, "tools/list"),
        await rig.rpc(PATH, "tools/list", mcp_session_id=session),
    ):
        metas = {tool["name"]: tool["_meta"] for tool in listed.json["result"]["tools"]}
        assert metas == {tool["name"]: tool["_meta"] for tool in TOOLS if tool["name"] != "secret"}


async def test_the_extension_is_declared_in_both_directions(rig: Rig) -> None:
    capable = {"extensions": {EXTENSION: {"mimeTypes": [MIME]}}}
    opened = await rig.rpc(
        PATH,
        "initialize",
        {"protocolVersion": "2025-11-25", "capabilities": capable, "clientInfo": {}},
    )
    assert opened.json["result"]["capabilities"]["extensions"] == {EXTENSION: {}}
    assert rig.pool.link.hello.capabilities["extensions"] == capable["extensions"]
    meta = {"io.modelcontextprotocol/clientCapabilities": capable}
    found = await rig.stateless(PATH, "server/discover", {"_meta": meta})
    assert found.json["result"]["capabilities"]["extensions"] == {EXTENSION: {}}
    called = await rig.stateless(PATH, "tools/call", {"name": "open", "_meta": meta})
    assert called.status == 200
    told = rig.pool.link.hello.capabilities
    if rig.pool.link.era == "stateless":
        told = rig.pool.link.requests("tools/call")[-1]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
    assert told["extensions"] == capable["extensions"]
