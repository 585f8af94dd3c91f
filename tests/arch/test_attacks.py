"""The table of attacks: each test names ids that exist, and each id has a test or says why not."""

from __future__ import annotations

import pytest

from tests.support.attacks import SECTIONS, attacks, checklist, ids_of

NOTHING: tuple[str, ...] = ()


@pytest.mark.parametrize(
    ("name", "docstring", "ids"),
    [
        ("test_C1_code_replay", "", ("C1",)),
        ("test_B4_B9_every_page", "", ("B4", "B9")),
        ("test_plain", "K3, R6: A disabled client.", ("K3", "R6")),
        ("test_C1_replay", "I8: As it happened.", ("I8", "C1")),
        ("test_plain", "RFC 7591 §2: something else.", NOTHING),
        ("test_100_times", "T1 is only mentioned.", NOTHING),
    ],
)
def test_how_a_test_names_what_it_tries(name: str, docstring: str, ids: tuple[str, ...]) -> None:
    assert ids_of(name, docstring) == ids


def test_every_id_that_a_test_names_is_on_the_checklist() -> None:
    known = {item.id for item in checklist()}
    unknown = [
        f"{each.path} {each.name}: {one}" for each in attacks() for one in each.ids if one not in known
    ]
    assert not unknown, "add the id with its text to tests/attack/checklist.toml"


def test_every_id_has_a_section() -> None:
    assert {item.id[0] for item in checklist()} == {letter for letter, _ in SECTIONS}
