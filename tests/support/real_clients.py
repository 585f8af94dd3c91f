"""The real clients that ``scripts/clients`` runs: what they are called on the registries, and how each is
brought to sign in and to use a server, without a model and without an account anywhere.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatekit.demo.browser import Person
from tests.support.node import environment
from tests.support.peers import CLIENTS, NODE, NODE_MODULES, ROOT

KEPT = ROOT / ".cache" / "clients"
"""Where ``scripts/clients`` installs what is too large for the tests."""
WORD = "through the front door"
"""What the tool ``echo`` is asked to say."""
ARGUMENTS = json.dumps({"message": WORD})
WITHIN = 75.0
"""Seconds for one command."""
_COLOURS = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")


class Failed(Exception):
    """The client did not do what it should; the text is its own last words."""


@dataclass
class Home:
    """A person's machine with one client on it, and nothing else."""

    folder: Path
    url: str
    person: Person
    login: str
    """``forms`` or ``chromium``."""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def logins(self) -> int:
        """How often somebody had to sign in so far."""
        log = self.folder / "logins"
        return len(log.read_text(encoding="utf-8").splitlines()) if log.is_file() else 0

    def environment(self) -> dict[str, str]:
        return {
            **environment(self.folder, self.person),
            "GATEKIT_LOGIN": self.login,
            "GATEKIT_LOGINS": str(self.folder / "logins"),
            "GATEKIT_PLAYWRIGHT": str(KEPT / "playwright-core" / "node_modules" / "playwright-core"),
            "PYTHONPATH": str(ROOT),
            **self.variables,
        }

    def run(self, *words: str | Path, within: float = WITHIN, terminal: bool = False, ok: bool = True) -> str:
        """Run a command of the client to its end; what it printed, without colours. Raises ``Failed``.

        ``terminal``: with one of its own, for clients that sign in only where somebody sits in front.
        """
        command = [str(word) for word in words]
        ours, theirs = os.openpty() if terminal else os.pipe()
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment(),
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        try:
            printed = _COLOURS.sub("", _read(ours, process, within))
        finally:
            os.close(ours)
            _end(process)
        if ok and process.returncode:
            raise Failed(f"{Path(command[0]).name} ended with {process.returncode}: {_last(printed)}")
        return printed

    def converse(self, words: Sequence[str | Path], messages: Sequence[object], answer: int) -> str:
        """Send JSON lines to a command that talks so; the line whose ``id`` is ``answer``."""
        process = subprocess.Popen(
            [str(word) for word in words],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(b"".join(json.dumps(each).encode() + b"\n" for each in messages))
            process.stdin.flush()
            said = _read(process.stdout.fileno(), process, WITHIN, until=f'"id":{answer},'.encode())
        finally:
            _end(process)
        return next((line for line in said.splitlines() if f'"id":{answer},' in line), said)

    def node(self, script: str, *words: str) -> str:
        return self.run(NODE, CLIENTS / script, *words)

    def python(self, script: str, *words: str | Path) -> str:
        return self.run(sys.executable, CLIENTS / script, *words)


def _read(descriptor: int, process: subprocess.Popen[bytes], within: float, until: bytes = b"") -> str:
    """Everything that is printed until the process ends, or ``until`` was seen on a complete line."""
    deadline, printed = time.monotonic() + within, b""
    while True:
        if time.monotonic() > deadline:
            raise Failed(f"no end after {within:g} s: {_last(printed.decode('utf-8', 'replace'))}")
        if not select.select([descriptor], [], [], 0.2)[0]:
            if process.poll() is not None:
                break
            continue
        try:
            piece = os.read(descriptor, 65536)
        except OSError:  # a terminal whose other side is gone
            piece = b""
        if not piece:
            break
        printed += piece
        if until and any(until in line for line in printed.split(b"\n")[:-1]):
            break
    if not until:
        process.wait(10)
    return printed.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The client and whatever it started: they have a session of their own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            continue
    process.wait(5)


def _last(text: str) -> str:
    return " ".join(text.split())[-300:]


def said(printed: str, words: str = WORD) -> None:
    """The client must have shown this."""
    if words not in printed:
        raise Failed(f"it never said {words!r}: {_last(printed)}")


@dataclass(frozen=True)
class RealClient:
    """``use`` brings a client to an answer of the server; it is called again in the same home later."""

    name: str
    package: str
    """As on the registry, with its version; ``peers``: the tests install it already."""
    shows: str
    """What was seen to work."""
    use: Callable[[Home], None]
    agent: bool = False
    variables: tuple[tuple[str, str], ...] = ()

    @property
    def version(self) -> str:
        return self.package.rpartition("@")[2]


def program(name: str) -> Path:
    """An npm program of ``scripts/clients``: (folder, command) by its name there."""
    (found,) = [path for path in KEPT.glob(f"*/node_modules/.bin/{name}") if path.exists()]
    return found


# -- how each of them is used ----------------------------------------------------------------------------


def _python(mode: str) -> Callable[[Home], None]:
    def use(home: Home) -> None:
        said(home.python("python_client.py", home.url, home.folder / "store.json", mode, "echo", ARGUMENTS))

    return use


def _typescript(sdk: str, era: str) -> Callable[[Home], None]:
    def use(home: Home) -> None:
        job = {"url": home.url, "sdk": sdk, "era": era, "calls": [["echo", json.loads(ARGUMENTS)]]}
        said(home.node("ts_sdk.mjs", json.dumps({**job, "store": str(home.folder / "store.json")})))

    return use


def _fastmcp(home: Home) -> None:
    python = KEPT / "fastmcp" / "bin" / "python"
    script = CLIENTS / "fastmcp_client.py"
    said(home.run(python, script, home.url, home.folder / "tokens", "echo", ARGUMENTS))


def _mcp_remote(home: Home) -> None:
    bridge = (NODE, NODE_MODULES / "mcp-remote" / "dist" / "proxy.js", home.url)
    flags = ("--transport", "http-only", "--allow-http")
    said(home.python("stdio_client.py", "echo", ARGUMENTS, *bridge, *flags))


def _inspector(era: str) -> Callable[[Home], None]:
    def use(home: Home) -> None:
        call = ("--method", "tools/call", "--tool-name", "echo", "--tool-args-json", ARGUMENTS)
        where = ("--cli", "--transport", "http", "--server-url", home.url, "--protocol-era", era)
        said(home.run(NODE, NODE_MODULES / ".bin" / "mcp-inspector", *where, *call))

    return use


def _library(name: str) -> Callable[[Home], None]:
    def use(home: Home) -> None:
        found = json.loads(home.node("oauth_libraries.mjs", home.url, name).strip().splitlines()[-1])
        if found != {"initialize": 200, "refreshed": 200, "rotated": True, "revoked": 401}:
            raise Failed(str(found))

    return use


def _mcporter(home: Home) -> None:
    servers = {"gk": {"url": home.url, "auth": "oauth"}}
    (home.folder / "config").mkdir(exist_ok=True)
    (home.folder / "config" / "mcporter.json").write_text(
        json.dumps({"mcpServers": servers}), encoding="utf-8"
    )
    if not home.logins:
        home.run(program("mcporter"), "auth", "gk")
    said(home.run(program("mcporter"), "call", "gk.echo", f"message={WORD}"))


def _mcpc(home: Home) -> None:
    if not home.logins:
        home.run(program("mcpc"), "login", home.url)
    try:
        for left in reversed(range(8)):  # it gives its own helper five seconds, too few on a busy machine
            connected = home.run(program("mcpc"), "connect", home.url, "@gk", ok=not left)
            if "within timeout" not in connected:
                break
        said(home.run(program("mcpc"), "@gk", "tools-call", "echo", f"message:={json.dumps(WORD)}"))
    finally:
        home.run(program("mcpc"), "@gk", "close", ok=False)  # it leaves a process behind otherwise


def _claude(home: Home) -> None:
    if not home.logins:
        home.run(program("claude"), "mcp", "add", "--transport", "http", "gk", home.url)
        home.run(program("claude"), "mcp", "login", "gk", terminal=True)
    said(home.run(program("claude"), "mcp", "list"), "Connected")


def _codex(home: Home) -> None:
    if not home.logins:
        said(home.run(program("codex"), "mcp", "add", "gk", "--url", home.url), "Successfully logged in")
    who = {"clientInfo": {"name": "gatekit", "title": "gatekit", "version": "1"}}
    messages = (
        {"id": 1, "method": "initialize", "params": who},
        {"method": "initialized"},
        {"id": 2, "method": "mcpServerStatus/list", "params": {}},
    )
    said(home.converse((program("codex"), "app-server"), messages, 2), '"echo"')


def _opencode(home: Home) -> None:
    folder = home.folder / ".config" / "opencode"
    folder.mkdir(parents=True, exist_ok=True)
    servers = {"gk": {"type": "remote", "url": home.url}}
    (folder / "opencode.json").write_text(json.dumps({"mcp": servers}), encoding="utf-8")
    if not home.logins:
        said(home.run(program("opencode"), "mcp", "auth", "gk"), "Authentication successful")
    said(home.run(program("opencode"), "mcp", "list"), "✓ gk")


_QUIET = (
    ("DISABLE_AUTOUPDATER", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("DISABLE_TELEMETRY", "1"),
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
)
_FILES = (("MCP_AUTO_OPEN_ENABLED", "true"), ("MCP_INSPECTOR_SECRET_STORE", "file"))
CALL, LIST, STATUS = "a tool call", "the list of tools", "a connection that it calls good"

REAL_CLIENTS: tuple[RealClient, ...] = (
    RealClient("Claude Code", "@anthropic-ai/claude-code@2.1.330", STATUS, _claude, True, _QUIET),
    RealClient("Codex", "@openai/codex@0.169.0", LIST, _codex, True),
    RealClient("opencode", "opencode-ai@1.18.33", STATUS, _opencode, True, _QUIET),
    RealClient("mcpc", "@apify/mcpc@0.2.6", CALL, _mcpc),
    RealClient("mcporter", "mcporter@0.12.3", CALL, _mcporter),
    RealClient("FastMCP", "fastmcp@4.1.2", CALL, _fastmcp),
    RealClient("mcp-remote", "peers@0.15.1", CALL, _mcp_remote),
    RealClient("MCP Inspector, handshake", "peers@2.12.0", CALL, _inspector("legacy"), variables=_FILES),
    RealClient("MCP Inspector, stateless", "peers@2.12.0", CALL, _inspector("modern"), variables=_FILES),
    RealClient("Python SDK, handshake", "peers@2.3.0", CALL, _python("legacy")),
    RealClient("Python SDK, stateless", "peers@2.3.0", CALL, _python("auto")),
    RealClient("TypeScript SDK 1", "peers@1.32.2", CALL, _typescript("v1", "handshake")),
    RealClient("TypeScript SDK 2, handshake", "peers@2.4.0", CALL, _typescript("v2", "handshake")),
    RealClient("TypeScript SDK 2, stateless", "peers@2.4.0", CALL, _typescript("v2", "stateless")),
    RealClient("openid-client", "peers@6.8.9", "refresh and revocation", _library("openid-client")),
    RealClient("oauth4webapi", "peers@3.8.8", "refresh and revocation", _library("oauth4webapi")),
)
