"""The REST interface of a running gateway: the examples of its document, and Schemathesis."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from gatekit.admin.admin_keys import SCOPES
from gatekit.errors import ApiProblem
from gatekit.web.api.operations import OPERATIONS
from tests.support.peers import ROOT, SCHEMATHESIS
from tests.support.running import ECHO, RunningGateway, started

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", TEXT, re.M | re.S)
EXAMPLES = [line for block in BLOCKS for line in block.splitlines()]

NOUNS = list(dict.fromkeys(operation.noun for operation in OPERATIONS))
ITSELF = "admin_keys.revoke"
"""Schemathesis finds the id of its own key in a list, revokes it, and is shut out from then on."""
SHARES = (
    ["people"],
    ["groups", "service_accounts"],
    sorted({*NOUNS} - {"people", "groups", "service_accounts"}),
)
PARTS = [
    *(
        [word for noun in share for word in ("--include-tag", noun)] + ["--exclude-operation-id", ITSELF]
        for share in SHARES
    ),
    ["--include-operation-id", ITSELF],
]
"""Each with a key of its own, so that no part meets the bound on requests."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    running = RunningGateway(
        tmp_path_factory.mktemp("rest"), {"echo": {"command": list(ECHO), "users": ["developers"]}}
    )
    with started(running):
        for name in ("alice", "bob"):
            running.gatekit("users", "add", name)
        running.gatekit("users", "role", "alice", "owner")
        yield running


def admin_key(gateway: RunningGateway) -> str:
    made = gateway.gatekit(
        "admin-keys", "create", "alice", "--name", "test", "--scope", ",".join(SCOPES), "--json"
    )
    return str(json.loads(made)["token"])


def test_the_examples_work(gateway: RunningGateway) -> None:
    key, ran = admin_key(gateway), 0
    for line in EXAMPLES:
        words = shlex.split(line.replace("$GATEKIT", gateway.url).replace("$KEY", key))
        assert words.pop(0) == "curl"
        given: dict[str, list[str]] = {"-X": [], "-H": [], "-d": [], "": []}
        while words:
            word = words.pop(0)
            given[word if word in given else ""].append(words.pop(0) if word in given else word)
        content = given["-d"][0].encode() if given["-d"] else None
        method = given["-X"][0] if given["-X"] else ("POST" if content is not None else "GET")
        headers = dict(header.split(": ", 1) for header in given["-H"])
        answer = httpx2.request(method, given[""][0], headers=headers, content=content, timeout=20)
        assert answer.is_success, (line, answer.text)
        ran += 1
    assert ran == len(EXAMPLES) > 8
    assert gateway.audit("--user", "alice", "--event", "admin"), "and each change is on record"


def test_every_problem_and_scope_is_documented() -> None:
    for problem in ApiProblem.__subclasses__():
        assert f"| {problem.status} | `{problem.kind}` |" in TEXT
    for scope in SCOPES:
        assert f"`{scope}`" in TEXT
    unused = set(SCOPES) - {operation.permission for operation in OPERATIONS}
    (line,) = re.findall(r"^\| (.*) \| nothing here yet \|$", TEXT, re.M)
    assert set(re.findall(r"`([^`]+)`", line)) == unused


@pytest.mark.parametrize("choice", PARTS, ids=["people", "groups", "the rest", "the key itself"])
def test_what_the_description_allows_and_forbids(
    gateway: RunningGateway, choice: list[str], tmp_path: Path
) -> None:
    """Every check that Schemathesis has: no fault of ours, answers as described, what is not is refused."""
    settings = tmp_path / "schemathesis.toml"
    # A well-formed request may still be refused: the tag is an old one (412), a value cannot be (422). And a
    # fast machine may ask more often than a key may (429), which says nothing about what was asked.
    settings.write_text(
        "[checks]\n"
        'positive_data_acceptance.expected-statuses = ["2xx", 403, 404, 409, 412, 422, 429]\n'
        "negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 412, 413, 415, 422, 429]\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [
            str(SCHEMATHESIS),
            *("--config-file", str(settings), "run", f"{gateway.url}/api/v1/openapi.json"),
            *choice,
            *("--header", f"Authorization: Bearer {admin_key(gateway)}"),
            *("--checks", "all", "--phases", "coverage,fuzzing", "--max-examples", "3", "--seed", "1"),
            *(
                "--suppress-health-check",
                "all",
                "--request-timeout",
                "20",
                "--no-color",
                "--output-truncate",
                "true",
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in (gateway.folder / "gateway.log").read_text(encoding="utf-8")
