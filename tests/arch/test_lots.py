"""``scripts/test`` runs the suite in lots: none may lose a test."""

from __future__ import annotations

from tests.arch.tree import ROOT
from tests.support.lots import lots


def test_every_file_with_tests_is_in_exactly_one_lot() -> None:
    listed = [file for _, files in lots() for file in files]
    assert sorted(listed) == sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("tests/**/test_*.py"))
    assert all(files for _, files in lots())


def test_a_lot_has_a_name_of_its_own() -> None:
    names = [name for name, _ in lots()]
    assert len(set(names)) == len(names)
