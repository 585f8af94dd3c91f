"""The demonstration's gateway: its folder, its configuration file, its process, its people."""

from __future__ import annotations

import ctypes
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from gatekit.demo.browser import StoryError
from gatekit.demo.servers import Commands
from gatekit.demo.sums import DESCRIPTION
from gatekit.demo.wire import fetch

HOST = "127.0.0.1"
START_WITHIN = 20.0
STOP_WITHIN = 15.0
PR_SET_PDEATHSIG = 1

PEOPLE = {"alice": ("developers", "sre_team"), "bob": ("developers",)}
SERVERS = {"everything": "developers", "filesystem": "sre_team", "time": "developers", "sums": "developers"}
PRIVATE = "private"
"""Folder among the shared files that a rule keeps to itself."""

MORE = {
    "everything": ("    plugins:", "      - {use: secrets, action: block}"),
    "sums": ("    pins: quarantine",),
}
RULES = (
    "rules:",
    "  - name: private-stays-private",
    "    effect: deny",
    "    servers: [filesystem]",
    "    arguments:",
    "      /path: {{under: [{private}], optional: true}}",
    "    reason: this folder is not for tools",
    "  - name: somebody-looks",
    "    effect: ask",
    "    servers: [filesystem]",
    "    tools: [write_file]",
    "    approvers: [bob]",
    "    reason: bob looks at what is written",
)


def free_port(preferred: int) -> int:
    """``preferred`` or the next free one above it; 0 asks for any.

    Any is one that the system gives to nobody by itself. Otherwise every connection that anybody opens could
    be given the same port until the program that is still starting listens there.
    """
    for port in range(preferred, preferred + 50) if preferred else _unused():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StoryError(f"no free port from {preferred} on")


def _unused() -> Iterator[int]:
    # Below what Linux (32768) and the others (49152, RFC 6335 §6) hand out, above what programs are known by.
    return (20_000 + secrets.randbelow(12_000) for _ in range(50))


class DemoGateway:
    """``gatekit serve`` in a process of its own, as everybody runs it, with a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.url = f"http://{HOST}:{port}"
        self.config = folder / "gatekit.yaml"
        self.log = folder / "gateway.log"
        self.data = folder / "data"
        self.port = port
        self.sums = folder / "sums.txt"
        """How the tool of ``sums`` describes itself."""
        self.process: subprocess.Popen[bytes] | None = None

    def endpoint(self, server: str = "") -> str:
        """The URL to paste: of one server, or of all that a person may use."""
        return f"{self.url}/s/{server}/mcp" if server else f"{self.url}/mcp"

    def configure(self, commands: Commands) -> None:
        """Write the file that a newcomer would write."""
        groups = {
            group: [name for name, member_of in PEOPLE.items() if group in member_of]
            for group in ("developers", "sre_team")
        }
        lines = [
            "# Written by `gatekit demo`. Change it while the gateway runs: people, groups and servers apply",
            "# at once. Take bob out of developers, and his next request is refused.",
            "data_dir: data",
            "proxy:",
            f"  host: {HOST}",
            f"  port: {self.port}",
            f"  public_url: {self.url}",
            "  auth:",
            "    enabled: true",
            "    provider: local",
            "    allowed_groups: [developers, sre_team]",
            "groups:",
            *(f"  {group}: [{', '.join(members)}]" for group, members in groups.items()),
            "servers:",
        ]
        for name, group in SERVERS.items():
            command = json.dumps(list(self._sums() if name == "sums" else getattr(commands, name)))
            lines += [f"  - name: {name}", f"    command: {command}", f"    users: [{group}]"]
            lines += MORE.get(name, ())
        lines += [line.format(private=json.dumps(str(self.folder / "files" / PRIVATE))) for line in RULES]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.sums.write_text(DESCRIPTION, encoding="utf-8")
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _sums(self) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("sums.py")), str(self.sums)]

    def start(self) -> float:
        """Start it and wait until it is ready; return the seconds that took."""
        began = time.monotonic()
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C reaches the demonstration only, which then stops it in order.
            self.process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, "-m", "gatekit", "serve", "--config", str(self.config)],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        while time.monotonic() - began < START_WITHIN:
            if self.process.poll() is not None:
                raise StoryError(f"the gateway ended at once: {self._last_words()}")
            try:
                if fetch(f"{self.url}/readyz").status == 200:
                    return time.monotonic() - began
            except StoryError:
                time.sleep(0.02)
        raise StoryError(f"the gateway was not ready after {START_WITHIN:.0f} s: {self._last_words()}")

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        return self._last_words()

    def stop(self) -> None:
        """Stop it in order; after ``STOP_WITHIN`` seconds by force."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def gatekit(self, *arguments: str, check: bool = True) -> str:
        """Run a command of ``gatekit`` for this gateway; return what it printed."""
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "gatekit", *arguments],
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode and check:
            raise StoryError(
                f"`gatekit {' '.join(arguments)}` said: {done.stderr.strip() or done.stdout.strip()}"
            )
        return done.stdout

    def invite(self, name: str) -> str:
        """A one-time sign-in link for one of the people, who is created if need be."""
        known = any(
            each.get("username") == name for each in json.loads(self.gatekit("users", "list", "--json"))
        )
        printed = self.gatekit("users", "invite" if known else "add", name)
        link = re.search(r"https?://\S+/invite/\S+", printed)
        if link is None:
            raise StoryError(f"no sign-in link for {name} in: {printed.strip()[:200]}")
        return link.group(0)

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "GATEKIT_CONFIG": str(self.config), "PYTHONUNBUFFERED": "1"}

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return " / ".join(lines[-3:]) or "it said nothing"


def _die_with_parent() -> None:
    """Should the demonstration be killed outright, the gateway gets a SIGTERM (prctl(2))."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
