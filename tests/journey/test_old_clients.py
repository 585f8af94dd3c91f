"""Official SDKs over HTTP+SSE (MCP 2024-11-05) through a running gateway."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx2
import pytest
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client

from gatekit.demo.wire import Login
from tests.support.node import run_json
from tests.support.peers import ROOT
from tests.support.running import MakeGateway, RunningGateway

TALKER = {
    "command": [sys.executable, str(ROOT / "tests" / "children" / "talker.py")],
    "users": ["developers"],
}


@pytest.fixture
def old(make_gateway: MakeGateway, tmp_path: Path) -> RunningGateway:
    gateway = make_gateway({"talker": TALKER})
    gateway.stop()
    gateway.proxy = {"legacy_sse": True}
    gateway.write()
    gateway.start()
    return gateway


def address(gateway: RunningGateway) -> str:
    return f"{gateway.url}/s/talker/sse"


async def test_python(old: RunningGateway) -> None:
    token = old.token(old.person("alice"), "talker")
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        sse_client(address(old), headers=headers) as (read, write),
        ClientSession(read, write) as session,
    ):
        opened = await session.initialize()
        assert opened.server_info.name == "talker"
        tools = await session.list_tools()
        assert "ask" in {tool.name for tool in tools.tools}
        result = await session.call_tool("remember", {"value": "x"})
        assert not result.is_error
    assert [r["outcome"] for r in old.audit() if r.get("name") == "remember"] == ["ok"]


def test_typescript(old: RunningGateway, tmp_path: Path) -> None:
    person = old.person("alice")
    found = run_json("ts_sse.mjs", [address(old), old.token(person, "talker")], tmp_path / "home", person)
    assert "ask" in found["tools"]
    assert found["text"] == "done"


async def test_the_metadata_names_the_url_and_leads_to_a_token(old: RunningGateway) -> None:
    async with httpx2.AsyncClient(timeout=20) as http:
        refused = await http.get(address(old), headers={"Accept": "text/event-stream"})
        assert refused.status_code == 401
        where = refused.headers["WWW-Authenticate"].split('resource_metadata="')[1].split('"')[0]
        document = json.loads((await http.get(where)).text)
    assert document["resource"] == address(old)
    login = Login(address(old))
    login.discover()
    login.register("an old application")
    login.redeem(login.authorize(old.person("alice")))
    headers = {"Authorization": f"Bearer {login.token['access_token']}"}
    async with (
        sse_client(address(old), headers=headers) as (read, write),
        ClientSession(read, write) as session,
    ):
        assert (await session.initialize()).server_info.name == "talker"


async def test_it_is_off_unless_asked_for(make_gateway: MakeGateway) -> None:
    gateway = make_gateway({"talker": TALKER})
    async with httpx2.AsyncClient(timeout=20) as http:
        assert (await http.get(address(gateway))).status_code == 404
        document = f"{gateway.url}/.well-known/oauth-protected-resource/s/talker/sse"
        assert (await http.get(document)).status_code == 404
