"""Recall and false alarms, as docs/guards.md states them (``scripts/guards`` prints them all)."""

from __future__ import annotations

import pytest

from tests.support.guards import held_out, measure, seen
from tests.support.guards.making import samples

PART_B_MISSES = [
    ("secrets", "ASIA{base32:16}"),
    ("secrets", "AWS_SECRET_ACCESS_KEY=«{b64:40}»\n"),
    ("secrets", "github_pat_{alnum:22}_{alnum:59}"),
    ("secrets", "glpat-{url:20}"),
    ("secrets", "sk_live_{alnum:24}"),
    ("secrets", "npm_{alnum:36}"),
    ("secrets", "xapp-1-A{upper:10}-{digit:13}-{hex:64}"),
    ("secrets", "AccountName=a;AccountKey=«{b64:86}==»;x"),
    ("secrets", "postgres://app:«{alnum:12}»@db/app"),
    ("secrets", "-----BEGIN PRIVATE KEY-----\n{b64:64}\n-----END PRIVATE KEY-----"),
    ("pii", "+44 20 7{digit:3} {digit:4}"),
    ("pii", "«DE89370400440532013000»"),
    ("pii", "«4222222222222»"),
    ("pii", "«2223003122003222»"),
    ("pii", "fe80::1ff:fe23:4567:890a"),
]


@pytest.mark.parametrize(("pack", "template"), PART_B_MISSES)
def test_part_b_what_was_missed_there_is_found(pack: str, template: str) -> None:
    """Part B §3.3: one well-formed sample of each of these passed there."""
    assert measure.missed(measure.scanner(pack), samples([(pack, template)], 7, 8)) == []


@pytest.mark.parametrize(("pack", "templates"), [("secrets", seen.SECRETS), ("pii", seen.PII)])
def test_at_least_95_in_100_are_found(pack: str, templates: tuple[tuple[str, str], ...]) -> None:
    made = samples(templates, 1, 4)
    assert len(measure.missed(measure.scanner(pack), made)) <= len(made) * 0.05


@pytest.mark.parametrize(
    ("pack", "templates", "stated"), [("secrets", held_out.SECRETS, 0.97), ("pii", held_out.PII, 0.97)]
)
def test_what_was_held_out_is_found_as_stated(
    pack: str, templates: tuple[tuple[str, str], ...], stated: float
) -> None:
    made = samples(templates, 2, 2)
    assert 1 - len(measure.missed(measure.scanner(pack), made)) / len(made) >= stated


def test_look_alikes_are_left_alone() -> None:
    assert sum(measure.calm_alarms().values()) <= 2


def test_orders_are_found() -> None:
    missed = measure.orders_missed(measure.scanner("injection"), seen.ORDERS)
    assert len(missed) <= 1


def test_at_most_5_in_1000_ordinary_pieces_are_alarms() -> None:
    total, counts = measure.alarms(1000)
    assert total > 2000
    for name in ("secrets", "pii", "injection"):
        assert counts[name] <= total * 0.005, counts
