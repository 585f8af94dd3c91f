"""Runs the real clients against a gateway of its own, and writes down what happened. Use ``scripts/clients``.

Each client starts from an empty home: it finds the gateway, registers, somebody signs in, a server answers.
Then it is started again in the same home, and must get in with what it kept. Then every access token dies at
once, before its time (the signing key is retired), and it is started a third time: the refresh token is left.
All of that twice: with the forms filled in over plain HTTP, and in a headless Chromium.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatekit.demo.browser import Person, StoryError
from gatekit.demo.gateway import free_port
from tests.support.conformance import run_authorization_server
from tests.support.peers import ROOT
from tests.support.real_clients import REAL_CLIENTS, Failed, Home, RealClient
from tests.support.running import RunningGateway, started, three_servers

DOCUMENT = ROOT / "docs" / "clients.md"
BEGIN, END = "<!-- measured by scripts/clients -->", "<!-- end -->"
LOGINS = ("forms", "chromium")


@dataclass
class Start:
    """How one start of a client went."""

    seconds: float
    logins: int
    failure: str = ""

    def cell(self, first: bool) -> str:
        """For the table: everybody signs in once at the first start."""
        if self.failure:
            return "no"
        if self.logins == (1 if first else 0):
            return "yes"
        return f"{self.logins} sign-ins" if first else "signs in again"


def gateway_in(folder: Path) -> RunningGateway:
    """One published server, no bounds on registrations."""
    everything = {"everything": three_servers(folder / "files")["everything"]}
    running = RunningGateway(folder, everything)
    running.proxy["auth"] = {
        "enabled": True,
        "provider": "local",
        "allowed_users": ["group:developers"],
        "registration": {"per_minute": 1000, "per_minute_per_address": 1000},
    }
    return running


def start(client: RealClient, home: Home) -> Start:
    """Start the client once."""
    began, before = time.monotonic(), home.logins
    try:
        client.use(home)
        failure = ""
    except (Failed, OSError, ValueError) as error:
        failure = f"{type(error).__name__}: {error}"
        log = home.folder / "hook.log"
        if log.is_file() and "Error" in (hooked := log.read_text(encoding="utf-8", errors="replace")):
            failure += f" | sign-in: {' '.join(hooked.split())[-400:]}"
    return Start(time.monotonic() - began, home.logins - before, failure)


def run(
    clients: Sequence[RealClient], login: str, running: RunningGateway, person: Person, folder: Path
) -> dict[str, list[Start]]:
    """Every client from a clean state, then every one again, and again. Name → the three starts."""
    url = running.endpoint("everything")
    homes: dict[str, Home] = {}
    found: dict[str, list[Start]] = {}
    for number, client in enumerate(clients):
        home = Home(folder / f"{login}{number}", url, person, login, dict(client.variables))
        home.folder.mkdir(parents=True)
        found[client.name] = [start(client, home)]
        homes[client.name] = home
        _say(client, login, "clean", found[client.name][-1])
    for which in ("again", "renewed"):
        if which == "renewed":
            for key in json.loads(running.gatekit("signing-keys", "list", "--json")):
                running.gatekit("signing-keys", "retire", str(key["kid"]), "--yes")
        for client in clients:
            if not found[client.name][-1].failure:
                found[client.name].append(start(client, homes[client.name]))
                _say(client, login, which, found[client.name][-1])
    return found


def _say(client: RealClient, login: str, which: str, result: Start) -> None:
    mark = "✗" if result.failure else "✓"
    line = f"{mark} {client.name:28} {login:9} {which:6} {result.seconds:5.1f} s  {result.logins} sign-ins"
    print(f"{line}  {result.failure[:400]}".rstrip(), flush=True)


def table(clients: Sequence[RealClient], results: dict[str, dict[str, list[Start]]]) -> list[str]:
    """Rows for the document."""
    rows = [
        "| client | version | shows | forms: first | again | renewed | Chromium: first | again | renewed |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for client in clients:
        cells = []
        for login in LOGINS:
            starts = results.get(login, {}).get(client.name, [])
            cells += [each.cell(number == 0) for number, each in enumerate(starts)]
            cells += ["not run"] * (3 - len(starts))
        rows.append(f"| {client.name} | {client.version} | {client.shows} | {' | '.join(cells)} |")
    return rows


def write(rows: Sequence[str], conformance: str) -> None:
    """Put the table into the document; rows of clients that were not run stay as they are."""
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    before, _, tail = rest.partition(END)
    known = {_name(line): line for line in before.splitlines() if line.startswith("| ")}
    known |= {_name(line): line for line in rows[2:]}
    rows = [*rows[:2], *(known[each.name] for each in REAL_CLIENTS if each.name in known)]
    day = datetime.datetime.now(datetime.UTC).date().isoformat()
    lines = [BEGIN, f"Measured on {day}. {conformance}", "", *rows, END]
    DOCUMENT.write_text(head + "\n".join(lines) + tail, encoding="utf-8")


def _name(row: str) -> str:
    return row.split("|")[1].strip()


def _explain(running: RunningGateway, results: dict[str, dict[str, list[Start]]]) -> None:
    """What the gateway refused, if a client failed: its side of the story."""
    if any(each.failure for found in results.values() for starts in found.values() for each in starts):
        for record in running.audit("--denied")[-12:]:
            print("  ", json.dumps(record)[:300], flush=True)


def _conformance(running: RunningGateway, person: Person, folder: Path) -> tuple[str, bool]:
    folder.mkdir(parents=True)
    counts = run_authorization_server(running.endpoint("everything"), folder, person, free_port(0))
    passed = f"{counts.checks_passed} of {counts.checks} checks"
    text = f"Official conformance suite, authorization server: {passed}."
    print(("✗ " if counts.failed else "✓ ") + text, *counts.failed[:5], sep="\n  ", flush=True)
    return text, not counts.failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/clients")
    parser.add_argument("--only", default="", help="names, separated by commas; all that begin so")
    parser.add_argument("--login", choices=[*LOGINS, "both"], default="both")
    parser.add_argument("--write", action="store_true", help="write the table into docs/clients.md")
    chosen = parser.parse_args()
    begins = tuple(name.strip().lower() for name in chosen.only.split(",") if name.strip())
    clients = [each for each in REAL_CLIENTS if not begins or each.name.lower().startswith(begins)]
    logins = LOGINS if chosen.login == "both" else (chosen.login,)
    # Not below /tmp: Codex refuses a home there.
    scratch = Path(tempfile.mkdtemp(prefix="clients-", dir=ROOT / ".cache"))
    try:
        with started(gateway_in(scratch / "gateway")) as running:
            person = running.person("alice")
            results = {login: run(clients, login, running, person, scratch / login) for login in logins}
            _explain(running, results)
            conformance, conforms = _conformance(running, person, scratch / "conformance")
    except StoryError as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    rows = table(clients, results)
    print("\n" + "\n".join(rows))
    if chosen.write:
        write(rows, conformance)
    failed = [
        each for starts in results.values() for found in starts.values() for each in found if each.failure
    ]
    return 1 if failed or not conforms else 0


if __name__ == "__main__":
    sys.exit(main())
