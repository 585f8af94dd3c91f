"""Clients and OAuth libraries of others, from a clean home, through the login, to an answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from gatekit.demo.browser import Person
from tests.support.node import environment, run, run_json
from tests.support.peers import NODE, NODE_MODULES
from tests.support.running import RunningGateway
from tests.support.sdk import text


async def test_mcp_remote(gateway: RunningGateway, alice: Person, tmp_path: Path) -> None:
    """The bridge that stdio-only clients use; it opens a browser and listens for the redirect."""
    script = NODE_MODULES / "mcp-remote" / "dist" / "proxy.js"
    url = gateway.endpoint("everything")
    bridge = StdioServerParameters(
        command=str(NODE),
        args=[str(script), url, "--transport", "http-only", "--allow-http"],
        env={**environment(tmp_path, alice), "MCP_REMOTE_CONFIG_DIR": str(tmp_path / "mcp-remote")},
    )
    async with Client(bridge, mode="legacy") as client:
        assert "echo" in [each.name for each in (await client.list_tools()).tools]
        assert "through a bridge" in text(await client.call_tool("echo", {"message": "through a bridge"}))


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_inspector(gateway: RunningGateway, alice: Person, tmp_path: Path, era: str) -> None:
    command = [
        "--cli",
        "--transport",
        "http",
        "--method",
        "tools/call",
        "--tool-name",
        "echo",
        "--tool-args-json",
    ]
    said = run(
        [
            str(NODE_MODULES / ".bin" / "mcp-inspector"),
            *command,
            '{"message": "inspected"}',
            *("--server-url", gateway.endpoint("everything")),
            *("--protocol-era", era),
        ],
        tmp_path,
        alice,
        MCP_AUTO_OPEN_ENABLED="true",
        MCP_INSPECTOR_SECRET_STORE="file",
    )
    assert "inspected" in said


@pytest.mark.parametrize("library", ["oauth4webapi", "openid-client"])
def test_oauth_libraries(gateway: RunningGateway, alice: Person, tmp_path: Path, library: str) -> None:
    said = run_json("oauth_libraries.mjs", [gateway.endpoint("everything"), library], tmp_path, alice)
    assert said == {"initialize": 200, "refreshed": 200, "rotated": True, "revoked": 401}
