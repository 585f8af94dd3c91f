"""What stands in the set for a rule lets everything through that the rule could find."""

from __future__ import annotations

import pytest
import re2

from gatekit.plugins.builtin.detect import forms, packed, rules
from gatekit.plugins.builtin.detect.rules import Pack, Rule
from gatekit.plugins.builtin.detect.scanner import Scanner
from tests.support.guards import seen
from tests.support.guards.making import samples


@pytest.mark.parametrize(
    ("pattern", "relaxed"),
    [
        ("a{2,5}", "a{2,}"),
        ("a{0,5}?b", "a{0,}?b"),
        ("a{3,}b{4}", "a{3,}b{4}"),
        (r"a\{1,2}", r"a\{1,2}"),
        ("[{1,2}]{1,2}", "[{1,2}]{1,}"),
        ("[]{1,2}]", "[]{1,2}]"),
        ("[^]{1,2}]x{1,2}", "[^]{1,2}]x{1,}"),
        (r"[\]{1,2}]", r"[\]{1,2}]"),
        ("[[:alpha:]{1,2}]", "[[:alpha:]{1,2}]"),
        (r"\Qa{1,2}\E", r"\Qa{1,2}\E"),
        (r"\x{41}{1,2}\pL{0,3}", r"\x{41}{1,}\pL{0,}"),
        ("{,2}", "{,2}"),
    ],
)
def test_only_upper_bounds_go(pattern: str, relaxed: str) -> None:
    assert forms.relaxed(pattern) == relaxed
    re2.compile(relaxed)


@pytest.mark.parametrize("pack", ["secrets", "pii", "injection"])
def test_every_pattern_stays_a_pattern_without_counting(pack: str) -> None:
    for rule in rules.built_in(pack).rules:
        assert re2.compile(forms.relaxed(rule.pattern)).groups == re2.compile(rule.pattern).groups


@pytest.mark.parametrize(
    ("near", "text"),
    [
        ("born*", "geboren? reborn, born1 7777"),
        ("ip", "my_ip: 7777"),
        ("ip", "the ips 7777"),
        ("né le", "né le 7777"),
        ("móvil", "un móvil 7777"),
        ("date of birth", "date of birth 7777"),
    ],
)
def test_a_word_nearby_is_seen_by_the_set(near: str, text: str) -> None:
    rule = Rule(id="r", title="r", pattern="7777", near=(near,))
    assert Scanner([Pack(name="p", rules=(rule,))]).finds(text.encode())


def test_without_the_word_nothing_is_looked_at() -> None:
    rule = Rule(id="r", title="r", pattern="7777", near=("ip",))
    assert not Scanner([Pack(name="p", rules=(rule,))]).finds(b"a ship 7777")


@pytest.mark.parametrize(("pack", "templates"), [("secrets", seen.SECRETS), ("pii", seen.PII)])
def test_what_is_found_is_suspicious(pack: str, templates: tuple[tuple[str, str], ...]) -> None:
    looking = Scanner([rules.built_in(pack)])
    other = Scanner([rules.built_in("injection")])
    for sample in samples(templates, 2, 1):
        found = packed.scan(looking, sample.text)
        assert (looking in packed.suspicious((other, looking), sample.text)) == bool(found), sample.text
