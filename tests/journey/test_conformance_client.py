"""The official suite's client scenarios: Gatekit towards remote servers, and the bridge signing in.

A few that need everything; ``run_client`` and ``run_bridge`` without a list run all: ``docs/conformance.md``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.conformance import run_bridge, run_client


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


@pytest.mark.parametrize(
    ("revision", "scenario"),
    [
        ("2025-11-25", "auth/scope-step-up"),
        ("2026-07-28", "auth/authorization-server-migration"),
        ("2026-07-28", "auth/iss-normalized"),
    ],
)
def test_the_bridge_signs_in(tmp_path: Path, revision: str, scenario: str) -> None:
    found = run_bridge(revision, tmp_path, [scenario])
    assert not found.failed, "\n".join(found.failed)
    assert not found.missing
    assert found.scenarios_passed == 1
    assert found.checks > 1
