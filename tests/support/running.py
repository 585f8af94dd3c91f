"""A real ``gatekit serve`` process for a test, its people, its audit and its children."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatekit.demo.browser import Person
from gatekit.demo.gateway import DemoGateway, free_port
from gatekit.demo.wire import Login
from tests.support.peers import NODE, ROOT, SDK_SOURCE, TIME_SERVER, npm_server

ECHO = (sys.executable, str(ROOT / "tests" / "support" / "echo_child.py"))


def three_servers(scratch: Path) -> dict[str, dict[str, Any]]:
    """The published servers of the story; ``filesystem`` is for sre_team."""
    scratch.mkdir(parents=True, exist_ok=True)
    (scratch / "hello.txt").write_text("hello from a file\n", encoding="utf-8")
    return {
        "everything": {"command": [str(NODE), str(npm_server("everything"))], "users": ["developers"]},
        "filesystem": {
            "command": [str(NODE), str(npm_server("filesystem")), str(scratch)],
            "users": ["sre_team"],
        },
        "time": {"command": [str(TIME_SERVER), "--local-timezone", "UTC"], "users": ["developers"]},
    }


def conformance_server(era: str) -> dict[str, Any]:
    """The official conformance fixture as a stdio server of one era alone."""
    script = ROOT / "tests" / "clients" / "conformance_fixture.py"
    words = [sys.executable, str(script), str(SDK_SOURCE), era]
    # Some scenarios wait for only 0.6 s, and what a client declares may mean a process of its own: several in
    # a row, within the seconds that one takes to start on a busy machine.
    return {"command": words, "users": ["developers"], "warm": 4}


class RunningGateway(DemoGateway):
    """Started by the fixture; ``groups`` and ``servers`` may be changed and written again."""

    def __init__(self, folder: Path, servers: Mapping[str, Mapping[str, Any]], port: int = 0) -> None:
        super().__init__(folder, port or free_port(0))
        self.folder.mkdir(parents=True, exist_ok=True)
        self.servers: dict[str, Mapping[str, Any]] = dict(servers)
        self.groups: dict[str, Sequence[str]] = {"developers": ["alice", "bob"], "sre_team": ["alice"]}
        self.allowed: Sequence[str] = ["group:developers", "group:sre_team"]
        self.extra: dict[str, Any] = {}
        self.proxy: dict[str, Any] = {}
        """More keys of the section ``proxy``."""
        self._tokens: dict[tuple[str, str], str] = {}

    def write(self) -> None:
        """Write the configuration file (JSON is YAML) in one step, so that no half of it is ever read."""
        auth = {"enabled": True, "provider": "local", "allowed_users": list(self.allowed)}
        document = {
            "data_dir": "data",
            "proxy": {
                "host": "127.0.0.1",
                "port": self.port,
                "public_url": self.url,
                "auth": auth,
                **self.proxy,
            },
            "groups": {name: list(members) for name, members in self.groups.items()},
            "servers": self.servers,
            **self.extra,
        }
        draft = self.config.with_suffix(".new")
        draft.write_text(json.dumps(document, indent=1), encoding="utf-8")
        draft.replace(self.config)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def kill(self) -> None:
        """SIGKILL, as the out-of-memory killer does it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def invite(self, name: str) -> str:
        """As ever, at the price of one command where somebody is new, and they mostly are."""
        link = re.search(r"https?://\S+/invite/\S+", self.gatekit("users", "add", name, check=False))
        return link.group(0) if link else super().invite(name)

    def person(self, name: str) -> Person:
        """A person with a password, chosen through the one-time link."""
        person = Person(name, f"a long password of {name}")
        person.accept_invitation(self.invite(name))
        return person

    def token(self, person: Person, server: str = "") -> str:
        """An access token for one endpoint through the whole login; remembered per person."""
        key = (person.name, server)
        if key not in self._tokens:
            login = Login(self.endpoint(server))
            login.discover()
            login.register(f"test client of {person.name}")
            login.redeem(login.authorize(person))
            self._tokens[key] = str(login.token["access_token"])
        return self._tokens[key]

    def audit(self, *arguments: str) -> list[dict[str, Any]]:
        printed = self.gatekit(
            "audit", "--data-dir", str(self.data), "search", "--json", "--limit", "1000000", *arguments
        )
        return [json.loads(line) for line in printed.splitlines()]


@contextmanager
def started(gateway: RunningGateway) -> Iterator[RunningGateway]:
    """With its file as it stands, until the block is left, or the start fails."""
    gateway.write()
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


def conformance_gateway(folder: Path) -> RunningGateway:
    """In front of the fixture in both eras. Not started yet.

    Published as ``localhost``: one scenario sends foreign Host headers and wants that name.
    """
    running = RunningGateway(folder, {era: conformance_server(era) for era in ("handshake", "stateless")})
    running.url = f"http://localhost:{running.port}"
    return running


def descendants(pid: int) -> set[int]:
    """Every process below ``pid``."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (
                    (entry / "stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
                )
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            found.add(child)
            waiting.append(child)
    return found


def alive(pid: int) -> bool:
    """A zombie counts as dead: it holds nothing and waits for whoever adopts it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2]
    except OSError:
        return False
    return state.split()[0] not in {"Z", "X"}


def eventually(condition: Callable[[], bool], within: float = 10.0, what: str = "") -> None:
    """Poll until ``condition`` holds; fail after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, what or "it did not happen in time"
        time.sleep(0.02)


def end_all(pids: set[int]) -> None:
    """For a test that failed: leave nothing behind."""
    for pid in pids:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


MakeGateway = Callable[..., RunningGateway]
"""What the fixture ``make_gateway`` gives: called with servers, it returns a running gateway."""
