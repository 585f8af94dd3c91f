"""``gatekit stdio`` and ``gatekit bridge`` as a local client starts them: a child on two pipes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

GATEKIT = (sys.executable, "-m", "gatekit")
PATIENCE = 60.0


def open_house(folder: Path, servers: Mapping[str, Mapping[str, Any]]) -> Path:
    """A configuration for a person alone: no sign-in, every server for whoever starts it, however slowly."""
    return write(folder, servers, {"enabled": False}, aggregate={"patience": "25s"})


def write(
    folder: Path, servers: Mapping[str, Mapping[str, Any]], auth: Mapping[str, Any], **more: Any
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "gatekit.yaml"
    document = {"data_dir": "data", "proxy": {"auth": auth}, "servers": servers, **more}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@asynccontextmanager
async def connected(
    *arguments: str, mode: Any = "auto", env: Mapping[str, str] | None = None, **options: Any
) -> AsyncIterator[Client]:
    """The official client over ``gatekit ARGUMENTS``."""
    command, *words = (*GATEKIT, *arguments)
    parameters = StdioServerParameters(command=command, args=words, env={**environment(), **(env or {})})
    async with Client(stdio_client(parameters), mode=mode, **options) as client:
        yield client


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("GATEKIT_")}


class Child:
    """A child driven line by line, for what a well-behaved client would not do."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, *arguments: str, env: Mapping[str, str] | None = None) -> Child:
        process = await asyncio.create_subprocess_exec(
            *GATEKIT,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**environment(), **(env or {})},
            limit=1 << 26,
        )
        return cls(process)

    async def send(self, *messages: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        await self.process.stdin.drain()

    async def read(self) -> dict[str, Any]:
        """The next message; fails on anything that is none."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        assert line, (await self.ended())[1]
        message = json.loads(line)
        assert isinstance(message, dict)
        assert message["jsonrpc"] == "2.0"
        self.seen.append(message)
        return message

    async def until(self, **wanted: Any) -> dict[str, Any]:
        """The next message that has these members."""
        while True:
            message = await self.read()
            if all(message.get(key) == value for key, value in wanted.items()):
                return message

    async def ask(
        self, request_id: int, method: str, params: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        await self.send({"id": request_id, "method": method, "params": params or {}})
        return await self.until(id=request_id)

    async def shake_hands(self, capabilities: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A handshake in the latest revision that has one."""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": capabilities or {},
            "clientInfo": {"name": "by hand", "version": "1"},
        }
        answer = await self.ask(0, "initialize", params)
        await self.send({"method": "notifications/initialized"})
        return answer

    def hang_up(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def ended(self, within: float = PATIENCE) -> tuple[int, str]:
        """Exit code and standard error, once the process is gone."""
        assert self.process.stderr is not None
        async with asyncio.timeout(within):
            said = await self.process.stderr.read()
            return await self.process.wait(), said.decode()

    async def stop(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.process.communicate()


async def changes_in_both_eras(child: Child) -> None:
    """Both kinds of client on one pipe, with ``tests/children/library.py`` at the other end: each hears of
    changed lists and resources in its own way."""
    grow = {"name": "grow", "arguments": {"what": "tools"}}
    await child.shake_hands()
    await child.send({"id": 1, "method": "tools/call", "params": grow})
    heard = await child.until(method="notifications/tools/list_changed")
    assert "_meta" not in heard.get("params", {})
    await child.ask(2, "resources/subscribe", {"uri": "file:///a"})
    await child.send(
        {"id": 3, "method": "tools/call", "params": {"name": "touch", "arguments": {"uri": "file:///a"}}}
    )
    heard = await child.until(method="notifications/resources/updated")
    assert heard["params"]["uri"] == "file:///a"
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["file:///b"]}
    for request_id in ("listen-1", "listen-2"):
        params = {"_meta": meta, "notifications": wanted}
        await child.send({"id": request_id, "method": "subscriptions/listen", "params": params})
        said = await child.until(method="notifications/subscriptions/acknowledged")
        assert said["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == request_id
    touch = {"name": "shout", "arguments": {"uri": "file:///b"}, "_meta": meta}
    await child.send({"id": 4, "method": "tools/call", "params": touch})
    subscribers: set[str] = set()
    while len(subscribers) < 2:
        heard = await child.until(method="notifications/resources/updated")
        subscribers.add(heard["params"].get("_meta", {}).get("io.modelcontextprotocol/subscriptionId"))
    assert subscribers == {"listen-1", "listen-2"}
