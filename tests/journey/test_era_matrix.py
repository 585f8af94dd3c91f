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


def test_every_gap_is_a_cell() -> None:
    kinds = {kind.name for kind in matrix.KINDS}
    features = {feature.key for feature in matrix.FEATURES}
    revisions = {client.revision for client in matrix.CLIENTS}
    for kind, revision, feature in matrix.GAPS:
        assert kind in kinds
        assert revision in revisions
        assert feature in features
