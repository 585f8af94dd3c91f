"""The official suite's client scenarios: Gatekit towards remote servers.

A few that need everything; ``run_client`` without a list runs all (``docs/conformance.md``).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conformance import run_client


@pytest.mark.parametrize(
    ("revision", "scenarios"),
    [
        ("2025-11-25", ["sse-retry"]),
        ("2026-07-28", ["request-metadata", "http-custom-headers"]),
    ],
)
def test_client(tmp_path: Path, revision: str, scenarios: list[str]) -> None:
    found = run_client(revision, tmp_path, scenarios)
    assert not found.failed, "\n".join(found.failed)
    assert not found.missing
    assert found.scenarios_passed == len(scenarios)
    assert found.checks > len(scenarios)
