"""Real remote servers behind a running gateway, used by the official client in both eras, login included."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest

from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from tests.emulators.remote import RemoteServer, handshake, stateless
from tests.emulators.serving import serving_in_a_thread
from tests.support.peers import NODE, SDK_SOURCE, npm_server
from tests.support.running import MakeGateway, RunningGateway, eventually, started
from tests.support.sdk import Application, text
from tests.support.stdio import connected, open_house

PYTHON_SERVER = SDK_SOURCE / "examples" / "servers" / "everything-server"


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URLs of official servers: Python (both eras), TypeScript over Streamable HTTP and over HTTP+SSE."""
    folder = tmp_path_factory.mktemp("far")
    python, node, old = (free_port(0) for _ in range(3))
    everything = str(npm_server("everything"))
    serve = [sys.executable, "-m", "mcp_everything_server.server", "--port", str(python)]
    commands: list[tuple[int, list[str], dict[str, str]]] = [
        (python, serve, {"PYTHONPATH": str(PYTHON_SERVER)}),
        (node, [str(NODE), everything, "streamableHttp"], {"PORT": str(node)}),
        (old, [str(NODE), everything, "sse"], {"PORT": str(old)}),
    ]
    running: list[subprocess.Popen[bytes]] = []
    with (folder / "log").open("wb") as log:
        try:
            for _, command, extra in commands:
                environment = {"PATH": "/usr/bin:/bin", **extra}
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            eventually(lambda: all(listens(port) for port, _, _ in commands), 60, "a server did not start")
            yield {
                "python": f"http://127.0.0.1:{python}/mcp",
                "node": f"http://127.0.0.1:{node}/mcp",
                "old": f"http://127.0.0.1:{old}/sse",
            }
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(10)


@pytest.fixture(scope="module")
def gateway(far: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    servers = {name: {"url": url, "users": ["developers"]} for name, url in far.items()}
    made = RunningGateway(tmp_path_factory.mktemp("gateway"), servers)
    with started(made):
        yield made


@pytest.fixture(scope="module")
def alice(gateway: RunningGateway) -> Person:
    return gateway.person("alice")


MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])


@MODES
@pytest.mark.parametrize(
    ("server", "tool", "arguments", "expected", "era"),
    [
        ("python", "test_simple_text", {}, "simple text", ""),
        ("node", "get-sum", {"a": 2, "b": 40}, "42", "2025-11-25"),
        ("old", "echo", {"message": "old but here"}, "old but here", "2025-11-25"),
    ],
)
async def test_tools(
    gateway: RunningGateway,
    alice: Person,
    mode: str,
    server: str,
    tool: str,
    arguments: dict[str, Any],
    expected: str,
    era: str,
) -> None:
    async with Application(alice).connect(gateway.endpoint(server), mode) as client:
        assert tool in {each.name for each in (await client.list_tools()).tools}
        assert expected in text(await client.call_tool(tool, arguments))
    (call,) = [
        event
        for event in gateway.audit("--server", server)
        if event.get("name") == tool and event["event"] == "call" and event["client_era"] == clients(mode)
    ][-1:]
    # A server that knows both eras is spoken to in the era of the client.
    assert call["upstream_era"] == (era or clients(mode))
    started = [event for event in gateway.audit("--server", server) if event.get("action") == "started"]
    assert started
    assert not any("pid" in event for event in started)  # nothing runs here


def clients(mode: str) -> str:
    return "2025-11-25" if mode == "legacy" else "2026-07-28"


@MODES
async def test_progress(gateway: RunningGateway, alice: Person, mode: str) -> None:
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with Application(alice).connect(gateway.endpoint("node"), mode) as client:
        arguments = {"duration": 0.3, "steps": 3}
        done = await client.call_tool(
            "trigger-long-running-operation", arguments, progress_callback=on_progress
        )
        assert "completed" in text(done)
    assert seen == [1, 2, 3]


@MODES
async def test_a_remote_server_asks_in_the_middle_of_a_call(
    gateway: RunningGateway, alice: Person, mode: str
) -> None:
    async def elicit(context: Any, params: Any) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async def sample(context: Any, params: Any) -> types.CreateMessageResult:
        said = types.TextContent(type="text", text="sampled by the client")
        return types.CreateMessageResult(role="assistant", content=said, model="none")

    application = Application(alice)
    options: dict[str, Any] = {"elicitation_callback": elicit, "sampling_callback": sample}
    async with application.connect(gateway.endpoint("node"), mode, **options) as client:
        tools = {each.name for each in (await client.list_tools()).tools}
        assert "trigger-sampling-request" in tools, tools
        done = await client.call_tool("trigger-sampling-request", {"prompt": "hello"})
        assert "sampled by the client" in text(done)


@MODES
async def test_a_local_client_gets_there_as_well(far: dict[str, str], tmp_path: Path, mode: str) -> None:
    config = open_house(tmp_path, {"far": {"url": far["node"]}})
    async with connected("stdio", "--config", str(config), mode=mode) as client:
        assert "42" in text(await client.call_tool("far__get-sum", {"a": 2, "b": 40}))


@pytest.mark.parametrize("make", [stateless, handshake])
async def test_nothing_of_the_clients_goes_there(
    make_gateway: MakeGateway, tmp_path: Path, make: Callable[[], RemoteServer]
) -> None:
    """I9, T4, T10: Nothing of the client's goes there."""
    secret = tmp_path / "secret"
    secret.write_text("ours-and-ours-alone\n", encoding="utf-8")
    server = make()
    with serving_in_a_thread(server) as origin:
        entry = {
            "url": f"{origin}/mcp",
            "headers": {"Authorization": f"Bearer ${{file:{secret}}}"},
            "users": ["developers"],
        }
        gateway = make_gateway({"far": entry})
        person = gateway.person("alice")
        for mode in ("legacy", "auto"):
            async with Application(person).connect(gateway.endpoint("far"), mode) as client:
                assert text(await client.call_tool("echo", {"a": 1})) == '{"a": 1}'
        token = gateway.token(person, "far")
        gateway.stop()
    assert server.seen
    for seen in server.seen:
        assert seen.headers["authorization"] == "Bearer ours-and-ours-alone"
        sent = json.dumps([seen.headers, seen.message])
        assert token not in sent
        assert "cookie" not in seen.headers
    for path in gateway.folder.rglob("*"):
        if path.is_file():
            assert b"ours-and-ours-alone" not in path.read_bytes(), path
