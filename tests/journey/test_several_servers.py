"""Official clients at ``/mcp`` and at a virtual server, while one of three real servers is gone."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import MCPError
from mcp.client.client import Client

from tests.support.peers import TIME_SERVER
from tests.support.running import (
    MakeGateway,
    RunningGateway,
    alive,
    descendants,
    eventually,
    three_servers,
)
from tests.support.sdk import Application, text

DESK = {
    "title": "Help desk",
    "users": ["developers"],
    "tools": {
        "say": {"server": "everything", "name": "echo", "description": "Says it again."},
        "noon_in": {
            "server": "time",
            "name": "convert_time",
            "arguments": {"source_timezone": "UTC", "time": "12:00"},
        },
    },
}
UNAVAILABLE = "gatekit/unavailable"


class Breakable:
    """The time server behind a link that can be cut, so that its process can neither live nor start."""

    def __init__(self, gateway: RunningGateway, link: Path) -> None:
        self._gateway = gateway
        self._link = link

    def cut(self) -> None:
        self._link.unlink()
        pids = {pid for pid in descendants(self._gateway.pid) if self._is_it(pid)}
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        eventually(lambda: not any(alive(pid) for pid in pids))

    def mend(self) -> None:
        self._link.symlink_to(TIME_SERVER)

    def _is_it(self, pid: int) -> bool:
        try:
            return str(self._link).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return False


@pytest.fixture
def world(make_gateway: MakeGateway, tmp_path: Path) -> tuple[RunningGateway, Breakable]:
    link = tmp_path / "time-server"
    link.symlink_to(TIME_SERVER)
    servers = three_servers(tmp_path / "files")
    servers["time"] = {"command": [str(link), "--local-timezone", "UTC"], "users": ["developers"]}
    gateway = make_gateway(servers, virtual_servers={"desk": DESK})
    return gateway, Breakable(gateway, link)


async def offered(client: Client) -> tuple[set[str], list[Any]]:
    """The tools' names, and who is said to be missing."""
    names: set[str] = set()
    cursor = None
    while True:
        page = await client.list_tools(cursor=cursor)
        names |= {tool.name for tool in page.tools}
        cursor = page.next_cursor
        if cursor is None:
            return names, (page.meta or {}).get(UNAVAILABLE, [])


async def until(client: Client, names: set[str]) -> None:
    """List until ``names`` are there: a failed start is not tried again at once."""
    for _ in range(200):
        if names <= (await offered(client))[0]:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{names} did not come back")


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_one_of_three_goes_and_comes_back(world: tuple[RunningGateway, Breakable], mode: str) -> None:
    gateway, time_server = world
    application = Application(gateway.person("alice"))
    async with application.connect(gateway.endpoint(), mode) as client:
        names, missing = await offered(client)
        assert {"everything__echo", "filesystem__read_text_file", "time__get_current_time"} <= names
        assert not missing
        assert "UTC" in text(await client.call_tool("time__get_current_time", {"timezone": "UTC"}))

        time_server.cut()
        names, missing = await offered(client)
        assert {"everything__echo", "filesystem__read_text_file"} <= names
        assert not any(name.startswith("time__") for name in names)
        assert [one["server"] for one in missing] == ["time"]
        assert "still" in text(await client.call_tool("everything__echo", {"message": "still"}))
        with pytest.raises(MCPError, match="the server 'time' cannot answer now"):
            await client.call_tool("time__get_current_time", {"timezone": "UTC"})

        time_server.mend()
        await until(client, {"time__get_current_time"})
    newest_first = [r for r in gateway.audit() if r["event"] == "server"]
    changes = [(r["action"], r["server"]) for r in reversed(newest_first)]
    assert changes == [("unavailable", "time"), ("available", "time")]


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_virtual_server_is_one_of_its_own_to_clients(
    world: tuple[RunningGateway, Breakable], mode: str
) -> None:
    gateway, time_server = world
    alice = gateway.person("alice")
    application = Application(alice)
    async with application.connect(gateway.endpoint("desk"), mode) as client:
        listed = (await client.list_tools()).tools
        assert {tool.name for tool in listed} == {"say", "noon_in"}
        (say,) = [tool for tool in listed if tool.name == "say"]
        (noon,) = [tool for tool in listed if tool.name == "noon_in"]
        assert say.description == "Says it again."
        assert set(noon.input_schema["properties"]) == {"target_timezone"}
        assert "again" in text(await client.call_tool("say", {"message": "again"}))
        assert "Asia/Tokyo" in text(await client.call_tool("noon_in", {"target_timezone": "Asia/Tokyo"}))
        with pytest.raises(MCPError, match="Unknown tool: echo"):
            await client.call_tool("echo", {"message": "not by this name"})
        time_server.cut()
        assert (await offered(client))[0] == {"say"}
    records = [r for r in gateway.audit() if r["event"] == "call" and r.get("asked") == "noon_in"]
    assert [(r["server"], r["name"], r["via"]) for r in records] == [("time", "convert_time", "/s/desk/mcp")]


def test_a_virtual_server_is_published_by_a_change_of_the_file(make_gateway: MakeGateway) -> None:
    gateway = make_gateway()
    url = gateway.endpoint("desk")
    assert fetch(url, "/s/desk/mcp") == 404
    tools = {"say": {"server": "echo", "name": "echo"}, "other": {"server": "echo", "name": "no-such-tool"}}
    gateway.extra["virtual_servers"] = {"desk": {"users": ["developers"], "tools": tools}}
    gateway.write()
    eventually(lambda: fetch(url, "/s/desk/mcp") == 200, what="not published")
    shown = gateway.gatekit("check", "--config", str(gateway.config))
    assert "say: echo/echo" in shown
    assert "1 server, 1 virtual" in shown
    alice = gateway.person("alice")
    token = gateway.token(alice, "desk")
    assert claims(token)["aud"] in (url, [url])


def fetch(url: str, path: str) -> int:
    """Status of the metadata of an endpoint (RFC 9728)."""
    origin = url.removesuffix(path)
    return httpx2.get(f"{origin}/.well-known/oauth-protected-resource{path}").status_code


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found
