"""The counts of the official suite in ``docs/conformance.md``, measured in one go.

usage: python -m tests.support.summary [--write]
Without ``--write`` it compares and fails on a difference. ``scripts/conformance`` calls it.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from gatekit.demo.gateway import free_port
from tests.support import matrix
from tests.support.conformance import (
    ERAS,
    EXPECTED,
    REVISIONS,
    label,
    run_authorization_server,
    run_bridge,
    run_client,
    run_server,
)
from tests.support.running import conformance_gateway, started

OPEN, CLOSE = "<!-- suite: measured -->\n", "<!-- suite: end -->"
HEAD = "| what | required scenarios passed | checks passed |\n|---|---|---|\n"


def measure(folder: Path) -> tuple[str, list[str]]:
    """The table of the suite, and what should not be."""
    rows: list[str] = []
    wrong: list[str] = []
    with started(conformance_gateway(folder / "gateway")) as gateway:
        person = gateway.person("alice")
        for revision in REVISIONS:
            for era in ERAS:
                url, token = gateway.endpoint(era), gateway.token(person, era)
                found = run_server(url, token, revision, folder / f"{revision}-{era}", person)
                rows.append(found.row(label(revision, era)))
                print(rows[-1], flush=True)
                wrong += found.unexpected(revision, era) + [f"{name}: no result" for name in found.missing]
        out = folder / "authorization"
        found = run_authorization_server(gateway.endpoint("stateless"), out, person, free_port(0))
        rows.append(found.row("authorization server"))
        print(rows[-1], flush=True)
        wrong += found.failed
        for revision in REVISIONS:
            found = run_client(revision, folder / f"client-{revision}")
            rows.append(found.row(f"client: towards remote servers of {revision}"))
            print(rows[-1], flush=True)
            wrong += found.failed + [f"{name}: no result" for name in found.missing]
        for revision in REVISIONS:
            found = run_bridge(revision, folder / f"bridge-{revision}")
            rows.append(found.row(f"client, signing in (`gatekit bridge`): {revision}"))
            print(rows[-1], flush=True)
            wrong += found.failed + [f"{name}: no result" for name in found.missing]
    reasons = [
        f"- {label(*pair)}: `{scenario}`. {why}"
        for pair, scenarios in EXPECTED.items()
        for scenario, why in scenarios.items()
    ]
    table = HEAD + "\n".join(rows) + "\n\nExpected to fail:\n\n" + "\n".join(reasons) + "\n"
    return table, wrong


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        table, wrong = measure(Path(folder))
    text = matrix.DOCUMENT.read_text(encoding="utf-8")
    pattern = re.compile(re.escape(OPEN) + ".*?" + re.escape(CLOSE), re.DOTALL)
    written = pattern.sub(lambda _: OPEN + table + CLOSE, text)
    if "--write" in sys.argv:
        matrix.DOCUMENT.write_text(written, encoding="utf-8")
    elif written != text:
        wrong.append("docs/conformance.md says something else: run with --write and look at the difference")
    print("\n".join(wrong) or "nothing unexpected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
