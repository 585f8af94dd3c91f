"""Runs a Node client as a person's machine would: its own home, the hook as its browser."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from gatekit.demo.browser import Person
from tests.support.peers import CLIENTS, NODE, PEERS, ROOT


def environment(home: Path, person: Person) -> dict[str, str]:
    """A clean environment: nothing of the machine's own clients or settings reaches the client."""
    return {
        "PATH": f"{CLIENTS / 'bin'}:{NODE.parent}:/usr/bin:/bin",
        "HOME": str(home),
        "TERM": "dumb",
        "BROWSER": str(CLIENTS / "bin" / "xdg-open"),
        "PYTHONPATH": str(ROOT),
        "GATEKIT_PYTHON": sys.executable,
        "GATEKIT_HOOK": str(CLIENTS / "hook.py"),
        "GATEKIT_HOOK_LOG": str(home / "hook.log"),
        "GATEKIT_PEERS_DIR": str(PEERS),
        "GATEKIT_USER": person.name,
        "GATEKIT_PASSWORD": person.password,
        "NO_UPDATE_NOTIFIER": "1",
        "NODE_NO_WARNINGS": "1",
        **{name: value for name, value in os.environ.items() if name in {"LANG", "TMPDIR"}},
    }


def run(arguments: list[str], home: Path, person: Person, within: float = 90, **extra: str) -> str:
    """Run ``node ARGUMENTS``; return standard output. A failure shows what the client said."""
    home.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [str(NODE), *arguments],
        cwd=home,
        env={**environment(home, person), **extra},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within,
        check=False,
    )
    hook = home / "hook.log"
    said = hook.read_text(encoding="utf-8")[-500:] if hook.is_file() else ""
    assert done.returncode == 0, f"{done.stdout[-800:]}\n{done.stderr[-1500:]}\n{said}"
    return done.stdout


def run_json(script: str, arguments: list[str], home: Path, person: Person) -> dict[str, Any]:
    """Run one of our scripts in ``tests/clients``; the last line it prints is a JSON object."""
    printed = run([str(CLIENTS / script), *arguments], home, person)
    found = json.loads(printed.strip().splitlines()[-1])
    assert isinstance(found, dict)
    return found
