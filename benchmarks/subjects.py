"""What is measured: each subject is a running server, a path and the headers and body of one call."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import Process, free_port
from benchmarks.wire import ARGUMENTS, HANDSHAKE, INFO, META, STATELESS, Http, message

HERE = Path(__file__).parent
ROOT = HERE.parent
CACHE = ROOT / ".cache" / "bench"
PYTHON = Path(sys.executable)
LIGHT = [PYTHON, HERE / "children" / "echo_light.py"]
SDK = [PYTHON, HERE / "children" / "echo_sdk.py"]
GATEKIT = PYTHON.with_name("gatekit")
PEOPLE = 12
"""Sessions per person are limited, so that memory is measured with several people."""


class Target(NamedTuple):
    """Where a call goes and what it looks like. In ``body``, ``@ID@`` stands for the JSON-RPC id."""

    name: str
    process: Process
    port: int
    path: str
    headers: dict[str, str]
    body: bytes

    def check(self) -> None:
        """One call, which must be answered with the echo."""
        http = Http(self.port)
        status, _, answer = http.send(self.raw(http))
        http.close()
        if status != 200 or b"hello, gate" not in answer:
            raise RuntimeError(f"{self.name}: {status} {answer[:500]!r}")

    def raw(self, http: Http, number: int = 1) -> bytes:
        return http.request(self.path, self.headers, self.body.replace(b'"@ID@"', b"%d" % number))


def _headers(token: str, **more: str) -> dict[str, str]:
    given = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if token:
        given["Authorization"] = f"Bearer {token}"
    return given | {name.replace("_", "-"): value for name, value in more.items()}


def stateless(name: str, process: Process, port: int, path: str, token: str) -> Target:
    headers = _headers(
        token, MCP_Protocol_Version=STATELESS, Mcp_Method="tools/call", Mcp_Name=str(ARGUMENTS["name"])
    )
    body = message("tools/call", ARGUMENTS | {"_meta": META}, "@ID@")
    return Target(name, process, port, path, headers, body)


def handshake(
    name: str, process: Process, port: int, path: str, token: str, version: str = HANDSHAKE
) -> Target:
    headers = open_session(port, path, token, version)
    return Target(name, process, port, path, headers, message("tools/call", ARGUMENTS, "@ID@"))


def open_session(port: int, path: str, token: str, version: str = HANDSHAKE) -> dict[str, str]:
    """Handshake; returns the headers of later requests."""
    http = Http(port)
    headers = _headers(token)
    opening = {"protocolVersion": version, "capabilities": {}, "clientInfo": INFO}
    status, got, body = http.send(http.request(path, headers, message("initialize", opening)))
    if status != 200 or "mcp-session-id" not in got:
        raise RuntimeError(f"initialize at {path}: {status} {body[:500]!r}")
    headers |= {"Mcp-Session-Id": got["mcp-session-id"], "MCP-Protocol-Version": version}
    status, _, body = http.send(http.request(path, headers, message("notifications/initialized", {}, None)))
    http.close()
    if status not in (200, 202):
        raise RuntimeError(f"notifications/initialized at {path}: {status} {body[:500]!r}")
    return headers


# -- the subjects ------------------------------------------------------------------------------------------


class Floor:
    def __init__(self, scratch: Path) -> None:
        self.port = free_port()
        self.process = Process(
            [PYTHON, HERE / "floor.py", str(self.port), "t", "--", *LIGHT], scratch / "floor.log"
        )
        self.process.until_open(self.port)

    def targets(self) -> list[Target]:
        return [stateless("floor", self.process, self.port, "/mcp", "t")]


class Gatekit:
    """``gatekit serve`` with token check, policy and audit on, as an operator would run it."""

    def __init__(self, scratch: Path, durability: str = "process") -> None:
        self.home = scratch / f"gatekit-{durability}"
        self.home.mkdir()
        self.port = free_port()
        self.config = self.home / "gatekit.yaml"
        people = [f"bench{number}" for number in range(PEOPLE)]
        servers = {
            name: {"command": [str(word) for word in command], "instances": "shared", "allowed_users": people}
            for name, command in (("light", LIGHT), ("sdk", SDK))
        }
        auth = {"enabled": True, "provider": "local", "allowed_users": people}
        self.config.write_text(
            json.dumps(
                {
                    "data_dir": str(self.home / "data"),
                    "proxy": {"host": "127.0.0.1", "port": self.port, "auth": auth},
                    "servers": servers,
                    "audit": {"durability": durability},
                }
            )
        )
        self.keys = [self._person(name) for name in people]
        self.process = self.start()
        self.process.until_open(self.port)

    def _person(self, name: str) -> str:
        self._run("users", "add", name)
        made = self._run("keys", "create", name, "--name", "bench")
        return next(word for word in made.split() if word.startswith("gk_key_"))

    def _run(self, *arguments: str) -> str:
        command = [str(GATEKIT), *arguments, "--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> Process:
        return Process([GATEKIT, "serve", "--config", self.config], self.home / "serve.log")

    def targets(self) -> list[Target]:
        token, found = self.keys[0], []
        for child in ("light", "sdk"):
            path = f"/s/{child}/mcp"
            found.append(stateless(f"gatekit {child} stateless", self.process, self.port, path, token))
            found.append(handshake(f"gatekit {child} handshake", self.process, self.port, path, token))
        return found


class McpProxy:
    def __init__(self, scratch: Path) -> None:
        self.port = free_port()
        program = CACHE / "mcp-proxy" / "bin" / "mcp-proxy"
        command: list[str | Path] = [program, "--port", str(self.port), "--log-level", "ERROR", "--", *LIGHT]
        self.process = Process(command, scratch / "mcp-proxy.log")
        self.process.until_open(self.port)

    def targets(self) -> list[Target]:
        return [handshake("mcp-proxy", self.process, self.port, "/mcp", "", "2025-06-18")]


class FastMcp:
    def __init__(self, scratch: Path) -> None:
        self.port = free_port()
        program: list[str | Path] = [
            CACHE / "fastmcp" / "bin" / "python",
            HERE / "peers" / "fastmcp_proxy.py",
        ]
        self.process = Process([*program, str(self.port), "--", *LIGHT], scratch / "fastmcp.log")
        self.process.until_open(self.port)
        self.token = self.process.log.read_text().split()[0]

    def targets(self) -> list[Target]:
        return [handshake("fastmcp proxy", self.process, self.port, "/mcp", self.token, "2025-06-18")]


def patiently(targets: Callable[[], list[Target]], seconds: float = 20) -> list[Target]:
    """Targets that answer; a peer may listen before it is ready."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            found = targets()
            for target in found:
                target.check()
            return found
        except (RuntimeError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def machine() -> dict[str, object]:
    """The machine, in general words."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")
    return {
        "cores": os.cpu_count(),
        "processor": model,
        "python": sys.version.split()[0],
        "load": os.getloadavg(),
    }
