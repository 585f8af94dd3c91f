"""Runs the import contracts of ``.importlinter``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.arch.tree import ROOT


def test_imports_go_downward() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
