"""Clients and OAuth libraries of others, from a clean home, through the login, to an answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from gatekit.demo.browser import Person
from tests.support.node import environment, run, run_json
from tests.support.peers import NODE, NODE_MODULES
from tests.support.running import ECHO, RunningGateway, started
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


async def test_mcp_remote_repeats_the_scope_that_was_granted(tmp_path: Path) -> None:
    """It asked for everything and may read. Its refresh names a scope, that of our answer."""
    running = RunningGateway(tmp_path / "gateway", {"echo": {"command": list(ECHO), "users": ["developers"]}})
    auth = {"enabled": True, "provider": "local", "allowed_users": ["group:developers"]}
    # Tokens that have little time left are refreshed before each request.
    running.proxy = {"auth": {**auth, "tokens": {"access_ttl": "1m"}}}
    with started(running):
        somebody = running.person("alice")
        home = tmp_path / "home"
        home.mkdir()
        bridge = StdioServerParameters(
            command=str(NODE),
            args=[
                str(NODE_MODULES / "mcp-remote" / "dist" / "proxy.js"),
                running.endpoint("echo"),
                *("--transport", "http-only", "--allow-http"),
            ],
            env={
                **environment(home, somebody),
                "MCP_REMOTE_CONFIG_DIR": str(home / "mcp-remote"),
                "GATEKIT_READ_ONLY": "1",
                "GATEKIT_LOGINS": str(home / "logins"),
            },
        )
        async with Client(bridge, mode="legacy") as client:
            assert (await client.list_tools()).tools
            assert (await client.list_tools()).tools
        assert len((home / "logins").read_text(encoding="utf-8").splitlines()) == 1
        (kept,) = (home / "mcp-remote").rglob("*tokens.json")
        assert json.loads(kept.read_text(encoding="utf-8"))["scope"] == "mcp:read"
        actions = {each["action"] for each in running.audit("--event", "token")}
        assert {"issued", "refreshed"} <= actions <= {"issued", "refreshed", "grace"}


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
