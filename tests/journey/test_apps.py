"""An MCP App made with the official libraries: its page opens for who may use its tool, in both eras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import ByGroup, ByLogin, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from tests.support.peers import CLIENTS, NODE, PEERS
from tests.unit.gateway.rig import Rig, person

PATH = "/s/clock/mcp"
PAGE = "ui://clock/view.html"
UI = {"csp": {"connectDomains": ["https://time.example"]}, "prefersBorder": True}


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_real_app(tmp_path: Path, era: str) -> None:
    server = Server(name="clock", command=(str(NODE), str(CLIENTS / "app_server.mjs"), str(PEERS)))
    pages = ToolRule(glob="*", allowed=(ByGroup("nobody"),), kind="resource")
    entry = ServerRules(server="clock", allowed=(ByLogin("local", "alice"),), tools=(pages,))
    rig = Rig(tmp_path, (server,), Rules(servers=(entry,)))
    rig.door.give("alice", person("alice"))
    session = await rig.open(PATH) if era == "handshake" else ""

    async def ask(method: str, **params: Any) -> Any:
        if session:
            return (await rig.rpc(PATH, method, params, mcp_session_id=session)).json
        return (await rig.stateless(PATH, method, params)).json

    try:
        (tool,) = (await ask("tools/list"))["result"]["tools"]
        assert tool["_meta"] == {"ui": {"resourceUri": PAGE}, "ui/resourceUri": PAGE}
        (page,) = (await ask("resources/read", uri=PAGE))["result"]["contents"]
        assert (page["mimeType"], page["_meta"]) == ("text/html;profile=mcp-app", {"ui": UI})
        assert "error" in await ask("resources/read", uri="ui://clock/other.html")
        assert (await ask("tools/call", name="clock"))["result"]["content"][0]["text"] == "noon"
        assert {r["upstream_era"] for r in rig.records() if r["method"] == "tools/list"} == {
            "2025-11-25" if session else "2026-07-28"
        }
    finally:
        await rig.close()
