"""Every client revision against every kind of server, feature by feature, through a running gateway."""

from __future__ import annotations

import pytest

from tests.support import matrix


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> matrix.Cells:
    return matrix.measure(tmp_path_factory.mktemp("matrix") / "gateway")


@pytest.mark.timeout(600)
def test_no_cell_says_no_without_a_reason(found: matrix.Cells) -> None:
    assert not matrix.failures(found), "\n".join(matrix.failures(found))


@pytest.mark.timeout(600)
def test_the_document_says_what_was_measured(found: matrix.Cells) -> None:
    assert matrix.committed() == matrix.tables(found), "python -m tests.support.matrix --write"


AUDIO = next(feature for feature in matrix.FEATURES if feature.key == "audio")
PING = next(feature for feature in matrix.FEATURES if feature.key == "ping")


@pytest.mark.parametrize(
    ("feature", "revision", "cells", "expected"),
    [
        (AUDIO, "2025-03-26", {"audio": ""}, "yes"),
        (AUDIO, "2025-03-26", {"audio": "AssertionError"}, "no"),
        (AUDIO, "2025-03-26", {}, "no"),
        (AUDIO, "2024-11-05", {"audio": ""}, "–"),
        (AUDIO, "2024-11-05", {"audio": "no substitute came"}, "no"),
        (PING, "2026-07-28", {}, "–"),
    ],
)
def test_what_a_cell_says(
    feature: matrix.Feature, revision: str, cells: dict[str, str], expected: str
) -> None:
    assert matrix.mark(feature, revision, cells) == expected


def test_a_no_needs_a_reason_and_a_reason_needs_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    every = {feature.key: "" for feature in matrix.FEATURES}
    found = {"legacy-stdio": {"2025-11-25": {**every, "roots": "lost"}}}
    assert matrix.failures(found) == ["legacy-stdio × 2025-11-25 × roots: lost"]
    monkeypatch.setattr(matrix, "GAPS", {("legacy-stdio", "2025-11-25", "roots"): "not yet"})
    assert matrix.failures(found) == []
    found["legacy-stdio"]["2025-11-25"]["roots"] = ""
    assert matrix.failures(found) == ["legacy-stdio × 2025-11-25 × roots: is no gap any more"]
