"""The faults of the first gateway with plugins stay tested, each by name."""

from __future__ import annotations

import ast
import re

import pytest

from tests.arch.tree import ROOT

FAULTS = range(1, 18)
TREE = ast.parse((ROOT / "tests" / "attack" / "test_rivals_b.py").read_text(encoding="utf-8"))
TESTS = {
    node.name: ast.get_docstring(node) or ""
    for node in TREE.body
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
}


@pytest.mark.parametrize("number", FAULTS)
def test_every_fault_has_a_test(number: int) -> None:
    mine = {name: said for name, said in TESTS.items() if name.startswith(f"test_fault_{number}_")}
    assert mine
    assert all(said.startswith(f"Part B, fault {number}: ") for said in mine.values())


def test_nothing_else_stands_there() -> None:
    numbers = {re.match(r"test_fault_(\d+)_", name) for name in TESTS}
    assert None not in numbers
    assert {int(found[1]) for found in numbers if found} == set(FAULTS)
