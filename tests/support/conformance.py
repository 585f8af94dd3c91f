"""Runs the official conformance suite against a protected endpoint and counts what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from gatekit.demo.browser import Person
from gatekit.demo.wire import Login, post_json
from tests.clients.hook import complete
from tests.support.node import environment
from tests.support.peers import CLIENTS, CONFORMANCE, NODE, ROOT

SUITE = CONFORMANCE / "dist" / "index.js"
REVISIONS = ("2025-11-25", "2026-07-28")
ERAS = ("handshake", "stateless")
EXPECTED = {
    ("2026-07-28", "handshake"): {
        "input-required-result-basic-elicitation": "The scenario wants the question under the key"
        " `user_name`. A handshake-era server has no word for that key, so Gatekit chooses one; the other"
        " scenarios take it as it is."
    }
}
"""(revision of the client, era of the server) → scenario → why it cannot pass whatever stands in between."""


@dataclass
class Counts:
    """Required scenarios and their checks; ``failed`` has one line per failed check."""

    scenarios: int = 0
    scenarios_passed: int = 0
    checks: int = 0
    checks_passed: int = 0
    missing: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def unexpected(self, revision: str, era: str) -> list[str]:
        """The failures without a reason, and the reasons without a failure."""
        expected = EXPECTED.get((revision, era), {})
        scenarios = {line.partition(":")[0] for line in self.failed}
        passed = [f"{name}: was expected to fail and passed" for name in expected if name not in scenarios]
        return [line for line in self.failed if line.partition(":")[0] not in expected] + passed

    def row(self, what: str) -> str:
        """A row of the table in docs/conformance.md."""
        scenarios = f"{self.scenarios_passed}/{self.scenarios + len(self.missing)}"
        return f"| {what} | {scenarios} | {self.checks_passed}/{self.checks} |"


def label(revision: str, era: str) -> str:
    """How the table calls a pair."""
    return f"server: {revision} client, {era}-era server"


def required(revision: str) -> list[str]:
    """The server scenarios that a revision requires, as the suite itself lists them."""
    text = (CONFORMANCE / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    scenarios = yaml.safe_load(text)["server"]
    return [str(each) for each in scenarios]


def run_server(url: str, token: str, revision: str, folder: Path, person: Person) -> Counts:
    """Every scenario that ``revision`` requires of a server."""
    out = folder / revision
    folder.mkdir(parents=True, exist_ok=True)
    injected = {
        "NODE_OPTIONS": f"--import {CLIENTS / 'inject_bearer.mjs'}",
        "GATEKIT_TARGET": url,
        "GATEKIT_TOKEN": token,
    }
    arguments = ["--url", url, "--requirements", revision, "--timeout", "20000", "-o", str(out)]
    done = subprocess.run(
        [str(NODE), str(SUITE), "server", *arguments],
        env={**environment(folder, person), **injected},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    (folder / f"{revision}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return count(out, required(revision))


def run_scenario(url: str, token: str, scenario: str, folder: Path, person: Person) -> str:
    """One scenario of 2026-07-28, by its name; what the suite printed."""
    folder.mkdir(parents=True, exist_ok=True)
    injected = {
        "NODE_OPTIONS": f"--import {CLIENTS / 'inject_bearer.mjs'}",
        "GATEKIT_TARGET": url,
        "GATEKIT_TOKEN": token,
    }
    arguments = ["--url", url, "--scenario", scenario, "--spec-version", "2026-07-28", "--timeout", "20000"]
    done = subprocess.run(
        [str(NODE), str(SUITE), "server", *arguments],
        env={**environment(folder, person), **injected},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr


def count(out: Path, wanted: list[str]) -> Counts:
    """Add up the result folders (``<scenario>-<time>/checks.json``) of the scenarios in ``wanted``."""
    found = Counts()
    results: dict[str, list[dict[str, str]]] = {}
    for path in sorted(out.rglob("checks.json")):
        name = re.sub(r"-\d{4}-\d\d-\d\dT.*$", "", path.parent.relative_to(out).as_posix())
        bare = name.removeprefix("server-")
        known = next((each for each in (name, bare, f"server-{bare}") if each in wanted), None)
        if known is not None:
            results[known] = json.loads(path.read_text(encoding="utf-8"))
    for name in wanted:
        if name not in results:
            found.missing.append(name)
            continue
        scored = [each for each in results[name] if each["status"] in {"SUCCESS", "FAILURE"}]
        bad = [each for each in scored if each["status"] == "FAILURE"]
        found.scenarios += 1
        found.scenarios_passed += not bad
        found.checks += len(scored)
        found.checks_passed += len(scored) - len(bad)
        found.failed += [f"{name}: {each['id']}: {each.get('errorMessage', '')[:300]}" for each in bad]
    return found


def required_of_clients(revision: str, signing_in: bool = False) -> list[str]:
    """The client scenarios that a revision requires: those about signing in (``auth/…``), or the others."""
    text = (CONFORMANCE / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    return [
        str(each) for each in yaml.safe_load(text)["client"] if str(each).startswith("auth/") == signing_in
    ]


def run_client(revision: str, folder: Path, scenarios: Sequence[str] = ()) -> Counts:
    """Gatekit towards remote servers (``tests/clients/conformance_client.py``): ``scenarios``, or every
    one that ``revision`` requires, less ``auth/…``: to published servers Gatekit presents configured
    headers."""
    wanted = list(scenarios) or required_of_clients(revision)
    out = folder / f"client-{revision}"
    out.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        _play("conformance_client.py", name, revision, out)
    return count(out, wanted)


def run_bridge(revision: str, folder: Path, scenarios: Sequence[str] = ()) -> Counts:
    """``gatekit bridge`` signing in (``tests/clients/conformance_bridge.py``): ``scenarios``, or every
    ``auth/…`` that ``revision`` requires.

    A scenario counts as passed only if the suite says so, which also looks at what a client SHOULD do and at
    how it ended."""
    wanted = list(scenarios) or required_of_clients(revision, signing_in=True)
    out = folder / f"bridge-{revision}"
    out.mkdir(parents=True, exist_ok=True)
    refused = [name for name in wanted if not _play("conformance_bridge.py", name, revision, out)]
    found = count(out, wanted)
    known = {*found.missing, *(line.partition(":")[0] for line in found.failed)}
    more = [name for name in refused if name not in known]
    found.scenarios_passed -= len(more)
    found.failed += [f"{name}: the suite: a warning, or the client ended with an error" for name in more]
    return found


def _play(driver: str, scenario: str, revision: str, out: Path) -> bool:
    """Run one client scenario; whether the suite calls it passed."""
    command = f"{sys.executable} {CLIENTS / driver}"
    arguments = ["--command", command, "--scenario", scenario, "--spec-version", revision]
    done = subprocess.run(
        [str(NODE), str(SUITE), "client", *arguments, "--timeout", "60000", "-o", str(out)],
        env={
            "PATH": f"{NODE.parent}:/usr/bin:/bin",
            "HOME": str(out),
            "PYTHONPATH": str(ROOT),
            "NODE_NO_WARNINGS": "1",
        },
        cwd=out,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    name = scenario.replace("/", "-")
    (out / f"{name}.txt").write_text(done.stdout + done.stderr, encoding="utf-8")
    return done.returncode == 0


def run_authorization_server(url: str, folder: Path, person: Person, port: int) -> Counts:
    """The authorization-server mode: the suite prints the authorization URL and waits for the redirect."""
    login = Login(url)
    login.discover()
    metadata = {
        "client_name": "conformance",
        "redirect_uris": [f"http://127.0.0.1:{port}/callback"],
        "grant_types": ["authorization_code"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    }
    client_id = post_json(login.server["registration_endpoint"], metadata).json()["client_id"]
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [
        "--url",
        login.server["issuer"],
        "--client-id",
        client_id,
        "-p",
        str(port),
        "-o",
        str(folder),
    ]
    suite = subprocess.Popen(
        [str(NODE), str(SUITE), "authorization", *arguments],
        env=environment(folder, person),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = []
    with suite:
        assert suite.stdout is not None
        for line in suite.stdout:
            said.append(line)
            if line.startswith("http") and "response_type" in urllib.parse.urlsplit(line).query:
                complete(line.strip(), person, deliver=True)
    names = [re.sub(r"-\d{4}-\d\d-\d\dT.*$", "", path.parent.name) for path in folder.glob("*/checks.json")]
    assert names, "".join(said)[-1500:]
    return count(folder, names)
