"""The era matrix: what a client of each revision gets out of each kind of server, through a running gateway.

Clients and servers are processes on releases of the official SDK that spoke the revision natively
(``tests/clients/era``); every request passes the gateway with a person's token. ``docs/conformance.md`` holds
the tables between its markers: ``python -m tests.support.matrix --write`` measures and writes them anew.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from tests.support.peers import PEERS, ROOT
from tests.support.running import RunningGateway, eventually, started

ERA = ROOT / "tests" / "clients" / "era"
DOCUMENT = ROOT / "docs" / "conformance.md"
OPEN, CLOSE = "<!-- matrix: measured -->\n", "<!-- matrix: end -->"
OLD_PYTHON = PEERS / "pyservers" / "bin" / "python"
LAST_HANDSHAKE = "2025-11-25"
STATELESS = "2026-07-28"
ALWAYS = "9999"
ABSENT = "absent"
"""The client has no such feature at all."""

Cells = dict[str, dict[str, dict[str, str]]]
"""Server kind → revision of the client → feature → "" or what went wrong."""


@dataclass(frozen=True)
class Client:
    """A revision, and how its time spoke: the release of the SDK, the transport."""

    revision: str
    sdk: str
    transport: str = "http"


@dataclass(frozen=True)
class Kind:
    """A kind of server: what it is called, which script, and over what."""

    name: str
    title: str
    stateless: bool
    transport: str


@dataclass(frozen=True)
class Feature:
    """A row. Outside ``since`` … ``until`` (revisions of the client) the protocol has no such thing."""

    key: str
    title: str
    since: str = ""
    until: str = ALWAYS
    why: str = ""


CLIENTS = (
    Client("2024-11-05", "Python SDK 1.6.0", "sse"),
    Client("2025-03-26", "Python SDK 1.9.4"),
    Client("2025-06-18", "Python SDK 1.22.0"),
    Client("2025-11-25", "Python SDK 1.30.0"),
    Client(STATELESS, "Python SDK 2.3.0"),
)
KINDS = (
    Kind("legacy-stdio", "Handshake-era server, stdio (Python SDK 1.30.0)", False, "stdio"),
    Kind("modern-stdio", "Stateless server, stdio (Python SDK 2.3.0, refuses `initialize`)", True, "stdio"),
    Kind("legacy-http", "Handshake-era server, Streamable HTTP (Python SDK 1.30.0)", False, "http"),
    Kind("modern-http", "Stateless server, Streamable HTTP (Python SDK 2.3.0)", True, "http"),
    Kind("legacy-sse", "Handshake-era server, HTTP+SSE of 2024-11-05 (Python SDK 1.30.0)", False, "sse"),
)
FEATURES = (
    Feature("opening", "opening: name, instructions, capabilities"),
    Feature("ping", "ping", until=LAST_HANDSHAKE, why="`ping` was removed in 2026-07-28."),
    Feature("tools", "tools: list, call"),
    Feature("titles", "titles", "2025-06-18", why="`title` came with 2025-06-18."),
    Feature("icons", "icons", "2025-11-25", why="`icons` came with 2025-11-25."),
    Feature("annotations", "tool annotations", "2025-03-26", why="Tool annotations came with 2025-03-26."),
    Feature(
        "structured",
        "structured output",
        "2025-06-18",
        why="`structuredContent` came with 2025-06-18; the client gets the same as text.",
    ),
    Feature("content", "text, image, embedded resource"),
    Feature(
        "audio", "audio", "2025-03-26", why="Audio came with 2025-03-26; the client gets a text instead."
    ),
    Feature(
        "links",
        "resource links",
        "2025-06-18",
        why="`resource_link` came with 2025-06-18; the client gets the link as text.",
    ),
    Feature("tool error", "error of a tool"),
    Feature("prompts", "prompts: list, get"),
    Feature("resources", "resources: read text, read binary"),
    Feature("templates", "resource templates"),
    Feature("pagination", "pagination"),
    Feature("completion", "completion"),
    Feature("progress", "progress"),
    Feature("logging", "logging"),
    Feature("cancellation", "cancellation"),
    Feature("list changed", "list changed"),
    Feature("subscribe", "resource subscription, updated"),
    Feature(
        "form",
        "elicitation, form",
        "2025-06-18",
        why="Elicitation came with 2025-06-18; the server is told that nobody can be asked.",
    ),
    Feature(
        "url",
        "elicitation, URL",
        "2025-11-25",
        why="URL mode came with 2025-11-25; the server or the person is told that it cannot be opened.",
    ),
    Feature("sampling", "sampling"),
    Feature("roots", "roots"),
    Feature("meta", "unknown `_meta` keys, both ways"),
    Feature("large", "large result (2 MB)"),
    Feature("unknown tool", "error: unknown tool"),
    Feature("missing resource", "error: missing resource"),
)

GAPS: dict[tuple[str, str, str], str] = {}
"""Server kind, revision, feature → why the cell says no. A cell that says no without a reason is a defect."""


# -- running -----------------------------------------------------------------------------------------------


def python_for(sdk: str) -> tuple[str, dict[str, str]]:
    """The interpreter and the environment of an SDK release, named by the revision it spoke."""
    if sdk == STATELESS:
        return sys.executable, {"PYTHONPATH": str(ROOT)}
    folders = [PEERS / "era" / sdk, PEERS / "era" / "library", ROOT]
    assert folders[0].is_dir(), "run scripts/install-peers"
    return str(OLD_PYTHON), {"PYTHONPATH": os.pathsep.join(map(str, folders))}


def command_of(kind: Kind) -> tuple[list[str], dict[str, str]]:
    """argv without the port, and the environment."""
    program, environment = python_for(STATELESS if kind.stateless else LAST_HANDSHAKE)
    script = ERA / ("stateless_server.py" if kind.stateless else "handshake_server.py")
    return [program, str(script), kind.transport], environment


def published(kind: Kind, port: int) -> dict[str, Any]:
    """The entry of ``servers:``; ``port`` is where a remote one listens."""
    if kind.transport != "stdio":
        path = "sse" if kind.transport == "sse" else "mcp"
        return {"url": f"http://127.0.0.1:{port}/{path}", "users": ["developers"]}
    command, environment = command_of(kind)
    # PYTHONPATH in a child's environment is refused unless it is said to be meant.
    return {"command": command, "env": environment, "allow_dangerous": True, "users": ["developers"]}


@contextmanager
def listening(kinds: Sequence[Kind], log: Path) -> Iterator[dict[str, int]]:
    """The remote servers, each a process of its own that says what it has to say in ``log``; their ports."""
    ports = {kind.name: free_port(0) for kind in kinds}
    running = []
    try:
        for kind in kinds:
            command, environment = command_of(kind)
            words = [*command, str(ports[kind.name])]
            with log.open("ab") as said:
                running.append(
                    subprocess.Popen(words, env={"PATH": "/usr/bin:/bin", **environment}, stderr=said)
                )
        for name, port in ports.items():
            eventually(partial(_answers, port), 30, f"{name} does not listen")
        yield ports
    finally:
        for process in running:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def address(client: Client, gateway: RunningGateway, server: str) -> str:
    """Where a client of its time goes: the endpoint, or the one of HTTP+SSE."""
    return f"{gateway.url}/s/{server}/sse" if client.transport == "sse" else gateway.endpoint(server)


def drive(client: Client, gateway: RunningGateway, person: Person, kinds: Sequence[Kind]) -> Any:
    """Run one client process against every server; the object that it prints."""
    servers = {
        kind.name: {
            "url": address(client, gateway, kind.name),
            "token": gateway.token(person, kind.name),
        }
        for kind in kinds
    }
    job = {"version": client.revision, "transport": client.transport, "servers": servers}
    program, environment = python_for(client.revision)
    script = ERA / ("stateless_client.py" if client.revision == STATELESS else "handshake_client.py")
    done = subprocess.run(
        [program, str(script), json.dumps(job)],
        env={"PATH": "/usr/bin:/bin", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, f"{client.revision}: {done.stdout[-500:]}{done.stderr[-2000:]}"
    return json.loads(done.stdout.splitlines()[-1])


def measure(folder: Path) -> Cells:
    """Every client against every server, two clients at a time."""
    remote = [kind for kind in KINDS if kind.transport != "stdio"]
    folder.mkdir(parents=True)
    with listening(remote, folder / "servers.log") as ports:
        gateway = RunningGateway(
            folder, {kind.name: published(kind, ports.get(kind.name, 0)) for kind in KINDS}
        )
        gateway.proxy = {"legacy_sse": True}
        with started(gateway), ThreadPoolExecutor(2) as running:
            person = gateway.person("alice")
            for kind in KINDS:
                gateway.token(person, kind.name)
            answers = list(running.map(lambda client: drive(client, gateway, person, KINDS), CLIENTS))
    return {
        kind.name: {
            client.revision: answer[kind.name] for client, answer in zip(CLIENTS, answers, strict=True)
        }
        for kind in KINDS
    }


# -- telling -----------------------------------------------------------------------------------------------


def possible(feature: Feature, revision: str) -> bool:
    return feature.since <= revision <= feature.until


def mark(feature: Feature, revision: str, cells: Mapping[str, str]) -> str:
    """``yes``, ``no``, or ``–`` for what the revision has not (and whose substitute, if any, came)."""
    said = cells.get(feature.key, ABSENT)
    if possible(feature, revision):
        return "yes" if said == "" else "no"
    return "–" if said in {"", ABSENT} else "no"


def refused(found: Cells) -> dict[tuple[str, str, str], str]:
    """The cells that say no, as ``GAPS`` names them, with what went wrong."""
    return {
        (server, revision, feature.key): cells.get(feature.key, ABSENT)
        for server, by_revision in found.items()
        for revision, cells in by_revision.items()
        for feature in FEATURES
        if mark(feature, revision, cells) == "no"
    }


def failures(found: Cells) -> list[str]:
    """One line for every cell that says no without a reason, or yes in spite of one."""
    said_no = refused(found)
    return [
        *(f"{' × '.join(cell)}: {said}" for cell, said in said_no.items() if cell not in GAPS),
        *(f"{' × '.join(cell)}: is no gap any more" for cell in GAPS if cell not in said_no),
    ]


def _with_reason(
    feature: Feature, cell: tuple[str, str, str], cells: Mapping[str, str], reasons: list[str]
) -> str:
    told = mark(feature, cell[1], cells)
    if told == "yes":
        return told
    why = GAPS.get(cell, "") if told == "no" else feature.why
    return f"{told} [{reasons.index(why) + 1}]" if why else told


def tables(found: Cells) -> str:
    """The tables and their footnotes, as they stand in the document."""
    reasons = [feature.why for feature in FEATURES if feature.why] + list(dict.fromkeys(GAPS.values()))
    lines: list[str] = []
    for kind in KINDS:
        revisions = list(found[kind.name])
        lines += [f"### {kind.title}", "", "| | " + " | ".join(revisions) + " |"]
        lines += ["|---" * (len(revisions) + 1) + "|"]
        for feature in FEATURES:
            told = [
                _with_reason(feature, (kind.name, revision, feature.key), cells, reasons)
                for revision, cells in found[kind.name].items()
            ]
            lines.append(f"| {feature.title} | " + " | ".join(told) + " |")
        lines.append("")
    lines += [f"{number}. {reason}" for number, reason in enumerate(reasons, 1)]
    return "\n".join(lines) + "\n"


def committed() -> str:
    """What stands between the markers."""
    text = DOCUMENT.read_text(encoding="utf-8")
    return text.partition(OPEN)[2].partition(CLOSE)[0]


def write(found: Cells) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(OPEN)
    after = rest.partition(CLOSE)[2]
    DOCUMENT.write_text(f"{before}{OPEN}{tables(found)}{CLOSE}{after}", encoding="utf-8")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder) / "gateway")
    print("\n".join(failures(found)) or f"{len(refused(found))} known gaps, no other cell says no")
    if "--write" in sys.argv:
        write(found)
    elif committed() != tables(found):
        print("docs/conformance.md says something else: run with --write and look at the difference")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
