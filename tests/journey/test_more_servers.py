"""More servers that nobody here wrote, unmodified, opened by clients of both eras: what their opening is like
(dual-era, error to the probe) and what their SDKs are (TypeScript, Python, Go, FastMCP) makes no difference.
"""

from __future__ import annotations

import functools
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from gatekit.demo.browser import Person
from tests.support.peers import CLIENTS, MORE, NODE, PEERS, npm_server
from tests.support.running import RunningGateway, started
from tests.support.sdk import text

PYTHON = PEERS / "pyservers" / "bin" / "python"


def published(folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of ``servers:``."""
    module = {"env": {"PYTHONPATH": str(MORE), "GIT_CONFIG_NOSYSTEM": "1"}, "allow_dangerous": True}
    servers: dict[str, dict[str, Any]] = {
        "memory": {
            "command": [str(NODE), str(npm_server("memory"))],
            "env": {"MEMORY_FILE_PATH": str(folder / "memory.json")},
        },
        "thinking": {"command": [str(NODE), str(npm_server("sequential-thinking"))]},
        "fastmcp": {"command": [str(NODE), str(CLIENTS / "fastmcp_server.mjs"), str(PEERS)]},
        "git": {"command": [str(PYTHON), "-m", "mcp_server_git"], **module},
        "fetch": {
            "command": [str(PYTHON), "-m", "mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips"],
            **module,
        },
        "go": {
            "command": [str(MORE / "bin" / "gitlab-mcp-server")],
            "env": {"GITLAB_URL": "http://127.0.0.1:9", "GITLAB_TOKEN": "none"},
        },
    }
    # All of them answer the probe; on a busy machine some need longer than usual to start.
    common = {"users": ["developers"], "probe_timeout": "30s"}
    return {name: {**server, **common} for name, server in servers.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page and a repository."""
    made = tmp_path_factory.mktemp("more")
    (made / "page.html").write_text("<html><body><h1>A page of ours</h1></body></html>", encoding="utf-8")
    repository = made / "repository"
    (repository / "notes").mkdir(parents=True)
    (repository / "notes" / "new.txt").write_text("new", encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(made)}
    subprocess.run(["git", "init", "-q", str(repository)], env=environment, check=True)
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> Iterator[str]:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/page.html"
        server.shutdown()


@pytest.fixture(scope="module")
def more(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path_factory.mktemp("gateway"), published(folder))
    with started(running):
        yield running


@pytest.fixture(scope="module")
def somebody(more: RunningGateway) -> Person:
    return more.person("alice")


THOUGHT = {"thought": "one", "thoughtNumber": 1, "totalThoughts": 1, "nextThoughtNeeded": False}
CALLS: dict[str, tuple[str, dict[str, Any], str]] = {
    "memory": ("read_graph", {}, "entities"),
    "thinking": ("sequentialthinking", THOUGHT, "thoughtNumber"),
    "fastmcp": ("add", {"a": 19, "b": 23}, "42"),
    "git": ("git_status", {"repo_path": "REPOSITORY"}, "notes"),
    "fetch": ("fetch", {"url": "PAGE"}, "A page of ours"),
    "go": ("", {}, ""),
}
OLD = {"memory", "thinking", "fastmcp"}
"""They know the handshake alone."""


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize("server", CALLS)
async def test_server(
    more: RunningGateway, somebody: Person, folder: Path, page: str, server: str, mode: Any
) -> None:
    headers = {"Authorization": f"Bearer {more.token(somebody, server)}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http_client,
        Client(streamable_http_client(more.endpoint(server), http_client=http_client), mode=mode) as client,
    ):
        assert (client.protocol_version >= "2026") == (mode == "auto")
        listed = {tool.name for tool in (await client.list_tools()).tools}
        assert listed
        tool, arguments, expected = CALLS[server]
        places = {"PAGE": page, "REPOSITORY": str(folder / "repository")}
        arguments = {key: places.get(str(value), value) for key, value in arguments.items()}
        result = await client.call_tool(tool or sorted(listed)[0], arguments)
    # What the one in Go works on is not here; that it says so comes from the server itself.
    assert result.is_error == (server == "go")
    assert result.content
    assert server == "go" or expected in text(result)
    spoken = next(r["upstream_era"] for r in more.audit("--server", server, "--event", "call") if r["name"])
    assert (spoken < "2026") == (mode == "legacy" or server in OLD), spoken
