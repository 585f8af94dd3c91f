"""Names that strangers chose (checklist B5)."""

from __future__ import annotations

import time

import pytest

from gatekit.web.text import shown


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Claude Code", "Claude Code"),
        ("  two \n lines\t", "two lines"),
        ("Claude\u202eedoC", "ClaudeedoC"),
        ("a\u2066b\u2069c\u200bd\ufeffe", "abcde"),
        ("nul\0esc\x1b[31m", "nulesc[31m"),
        ("\ud800lone", "lone"),
        ("\ue000private", "private"),
        ("日本語 עברית", "日本語 עברית"),
        ("e\u0301", "é"),
        ("🔑 key", "🔑 key"),
        ("", ""),
        ("\u200b\u200b", ""),
        ("<script>", "<script>"),  # escaping is the template's work
    ],
)
def test_only_what_can_be_seen_stays(given: str, expected: str) -> None:
    assert shown(given) == expected


def test_long_names_are_cut() -> None:
    assert shown("x" * 80) == "x" * 80
    assert shown("x" * 81) == "x" * 79 + "…"
    assert len(shown("y" * 100_000, 40)) == 40
    assert shown(" " * 1000 + "late") == "…"


def test_a_pile_of_accents_is_cut_down() -> None:
    assert shown("Z" + "\u0335" * 200) == "Z\u0335\u0335"
    assert shown("Z\u0335\u0336\u0337\u0338lgo") == "Z\u0335\u0336lgo"


def test_a_huge_name_costs_little() -> None:
    started = time.perf_counter()
    shown("\u202e" * 5_000_000)
    assert time.perf_counter() - started < 0.5
