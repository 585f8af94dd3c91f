"""Servers that nobody here wrote, unmodified."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from gatekit.model.call import EraName, Notice, Question, Result, Signal
from gatekit.model.server import Server
from gatekit.upstream.link import Hello
from tests.journey.upstream.kit import (
    HANDSHAKE,
    PEERS,
    Kit,
    alive,
    body,
    hello,
    key,
    said,
    stdio,
    tool,
    until,
)


def node(package: str, script: str, *args: str) -> Server:
    own = PEERS / "node" / "bin" / "node"
    binary = str(own) if own.exists() else shutil.which("node")
    assert binary, "Node is missing: run scripts/install-peers"
    path = PEERS / "node_modules" / "@modelcontextprotocol" / package / script
    assert path.exists(), f"{package} is missing: run scripts/install-peers"
    return Server(name=package, command=(binary, str(path), *args))


def everything() -> Server:
    return node("server-everything", "dist/index.js", "stdio")


def time_server() -> Server:
    path = PEERS / "pyservers" / "bin" / "mcp-server-time"
    assert path.exists(), "mcp-server-time is missing: run scripts/install-peers"
    return Server(name="time", command=(str(path), "--local-timezone", "UTC"))


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_everything_in_both_eras(kit: Kit, era: EraName) -> None:
    link = await kit.pool.acquire(key(), everything(), hello(era))
    tools = body(await link.call("tools/list", {}))["tools"]
    assert {"echo", "get-sum"} <= {each["name"] for each in tools}
    assert said(await link.call("tools/call", tool("echo", message="hi"))) == "Echo: hi"
    assert link.server_info["name"]
    notices: list[Notice] = []
    long = tool("trigger-long-running-operation", duration=0.4, steps=4)
    end = await link.call("tools/call", {**long, "_meta": {"progressToken": "p"}}, notices.append)
    assert "completed" in said(end)
    assert [notice.params["progress"] for notice in notices] == [1, 2, 3, 4]
    assert {notice.params["progressToken"] for notice in notices} == {"p"}


async def test_everything_asks_back_right_after_the_handshake(kit: Kit) -> None:
    can = Hello(era="handshake", version="2025-11-25", capabilities={"roots": {"listChanged": True}})
    link = await kit.pool.acquire(key(), everything(), can)
    # It asks for the roots before anybody could listen; the question waits for us.
    await asyncio.sleep(0.3)
    signals: list[Signal] = []
    link.listen(signals.append)
    await until(lambda: any(isinstance(signal, Question) for signal in signals))
    question = next(signal for signal in signals if isinstance(signal, Question))
    assert question.method == "roots/list"
    question.answer(Result({"roots": [{"uri": "file:///tmp", "name": "tmp"}]}))
    text = said(await link.call("tools/call", tool("get-roots-list")))
    assert "file:///tmp" in text


async def test_filesystem_reads_a_big_file(kit: Kit, tmp_path: Path) -> None:
    (tmp_path / "big.txt").write_text("ü" * 1_000_000, encoding="utf-8")
    server = node("server-filesystem", "dist/index.js", str(tmp_path))
    link = await kit.pool.acquire(key(), server, HANDSHAKE)
    end = await link.call("tools/call", tool("read_text_file", path=str(tmp_path / "big.txt")))
    assert said(end) == "ü" * 1_000_000
    outside = body(await link.call("tools/call", tool("read_text_file", path="/etc/passwd")))
    assert outside["isError"]


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_time_in_both_eras(kit: Kit, era: EraName) -> None:
    link = await kit.pool.acquire(key(), time_server(), hello(era))
    end = await link.call("tools/call", tool("get_current_time", timezone="UTC"))
    assert '"timezone": "UTC"' in said(end)
    pid = stdio(link).child.pid
    await kit.pool.stop(key(), "for the test")
    await until(lambda: not alive(pid))
