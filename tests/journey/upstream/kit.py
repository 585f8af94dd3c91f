"""What the tests of upstream share: a pool over real processes, and a way to look for left-over ones."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from gatekit.model.audit import ProcessEvent
from gatekit.model.call import EraName, Fault, Large, Result
from gatekit.model.server import Server
from gatekit.outgoing import dialler
from gatekit.platform.clock import SystemClock
from gatekit.upstream.link import Hello, UpstreamKey
from gatekit.upstream.pool import Pool
from gatekit.upstream.remote_transport import RemoteTransport
from gatekit.upstream.stdio import StdioLink
from gatekit.upstream.supervisor import Supervisor
from gatekit.upstream.transport import OwnedLink

CHILDREN = Path(__file__).resolve().parents[2] / "children"
PEERS = Path(os.environ.get("GATEKIT_PEERS") or Path(__file__).resolve().parents[3] / ".cache" / "peers")
HANDSHAKE = Hello(era="handshake", version="2025-11-25", capabilities={})
STATELESS = Hello(era="stateless", version="2026-07-28", capabilities={})


class Memory:
    """Implements ``negotiate.Remember``."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def get(self, key: str) -> str | None:
        return self.values.get(key)

    async def put(self, key: str, value: str) -> None:
        self.values[key] = value

    @property
    def era(self) -> str:
        """The one era that was remembered."""
        (value,) = self.values.values()
        return value.split()[0]


class Kit:
    """A pool, everything it reported, and what it remembered."""

    def __init__(self, sweep_seconds: float = 0.1) -> None:
        self.events: list[ProcessEvent] = []
        self.memory = Memory()
        clock = SystemClock()
        self.supervisor = Supervisor(clock, os.environ, "test")
        remote = RemoteTransport(clock, self.memory, self.supervisor.info, dialler(clock))
        self.pool = Pool(
            self.supervisor, clock, self.memory, self.events.append, sweep_seconds, remote=remote
        )

    def actions(self) -> list[str]:
        return [event.action for event in self.events]


def child(script: str, *args: str, **settings: Any) -> Server:
    """A server that runs ``tests/children/<script>.py`` and is called so unless ``name`` says otherwise."""
    settings.setdefault("name", script)
    return Server(command=(sys.executable, "-I", "-S", str(CHILDREN / f"{script}.py"), *args), **settings)


def unruly(mode: str = "plain", **settings: Any) -> Server:
    return child("unruly", mode, **settings)


def stdio(link: OwnedLink) -> StdioLink:
    """The Link of a child, which has pipes and a pid."""
    assert isinstance(link, StdioLink)
    return link


def remote(url: str, **settings: Any) -> Server:
    """A server with a URL, called ``far``."""
    return Server(name="far", url=url, **settings)


def far(scope: str = "session:1") -> UpstreamKey:
    return key(scope, "far")


def key(scope: str = "session:1", server: str = "unruly", person: str = "alice") -> UpstreamKey:
    return UpstreamKey(server, scope, person)


def hello(era: EraName) -> Hello:
    return HANDSHAKE if era == "handshake" else STATELESS


def body(end: Result | Fault) -> dict[str, Any]:
    assert isinstance(end, Result), end
    raw = bytes(end.body.pieces) if isinstance(end.body, Large) else end.body
    decoded: dict[str, Any] = raw if isinstance(raw, dict) else msgspec.json.decode(raw, type=dict[str, Any])
    return decoded


def said(end: Result | Fault) -> str:
    """The text of a tool's answer."""
    text = body(end)["content"][0]["text"]
    assert isinstance(text, str)
    return text


def tool(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    """Poll; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def running(variable: str) -> list[int]:
    """Pids of living processes with ``NAME=value`` in their initial environment."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            environ = Path(f"/proc/{name}/environ").read_bytes()
            state = Path(f"/proc/{name}/stat").read_bytes().rpartition(b") ")[2][:1]
        except OSError:
            continue
        if state != b"Z" and variable.encode() in environ.split(b"\0"):
            found.append(int(name))
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] != b"Z"
    except OSError:
        return False


def clean_up(variable: str) -> None:
    """After a failed test: no matter what the code under test left."""
    for pid in running(variable):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
