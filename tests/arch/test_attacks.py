"""The table of attacks: each test names ids that exist, and each id has a test or says why not."""

from __future__ import annotations

import re

import pytest

from tests.support.attacks import (
    PAGE,
    ROOT,
    SECTIONS,
    attacks,
    by_id,
    checklist,
    ids_of,
    is_misspelt,
    misspelt,
    page,
)

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


def test_no_id_is_dropped_for_how_it_is_written() -> None:
    known = {item.id for item in checklist()}
    assert not misspelt(known), 'write the docstring as """T1, T2: words"""'


@pytest.mark.parametrize(
    ("docstring", "wrong"),
    [
        ("T1.", True),
        ("T1; RFC 8725 §3.1.", True),
        ("T1 and T2: words.", True),
        ("T1, T2: words.", False),
        ("T100: not an id.", False),
        ("Words about T1.", False),
    ],
)
def test_how_an_id_is_not_written(docstring: str, wrong: bool) -> None:
    assert is_misspelt(docstring, {"T1", "T2"}) == wrong


def test_every_id_has_a_section() -> None:
    assert {item.id[0] for item in checklist()} == {letter for letter, _ in SECTIONS}


def test_every_id_has_a_test_or_says_why_not() -> None:
    tested = by_id(attacks())
    silent = [item.id for item in checklist() if item.id not in tested and not item.reason]
    stale = [item.id for item in checklist() if item.id in tested and item.reason]
    assert not silent, "nothing tries it, and tests/attack/checklist.toml gives no reason"
    assert not stale, "it has a test now: remove its reason from tests/attack/checklist.toml"


def test_the_page_is_what_the_tests_say() -> None:
    same = PAGE.read_text(encoding="utf-8") == page(checklist(), attacks())
    assert same, "run scripts/attacks and commit docs/security/attacks.md"


def test_what_the_threat_model_leans_on_is_there() -> None:
    """It names ids, tests and files; each has something behind it."""
    text = (PAGE.parent / "threat-model.md").read_text(encoding="utf-8")
    tables = text.partition("## Threats, by boundary")[2].partition("## Not defended")[0]
    tested = by_id(attacks())
    ids = {
        one
        for cell in re.findall(r"\| ([^|]*) \|$", tables, re.M)
        for one in re.findall(r"\b[A-Z]\d{1,2}\b", cell)
    }
    assert len(ids) > 40
    assert not ids - set(tested)
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", tables)
    assert not [name for name in named if f"def {name}(" not in sources]
    assert not [path for path in re.findall(r"`(tests/[\w/.]+)`", tables) if not (ROOT / path).exists()]
