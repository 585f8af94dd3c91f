"""What mutation testing (``scripts/mutation``) found that no other test noticed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import UNSET

from gatekit.errors import InvalidInput
from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Deny
from gatekit.model.rules import (
    Anyone,
    ArgumentTest,
    ByLogin,
    Effect,
    Rule,
    Rules,
    ServerRules,
    Strength,
    Window,
)
from gatekit.policy.engine import Policy, Rights
from gatekit.policy.ruling import fault_of_rule
from tests.unit.policy.people import local

ALICE = local("alice")


def rights(*rules: Rule) -> Rights:
    server = ServerRules(server="db", allowed=(Anyone(),))
    return Policy.compile(Rules(auth_enabled=True, gateway=None, servers=(server,), rules=rules)).rights(
        ALICE
    )


def deny(**said: Any) -> Rule:
    return Rule(name="r", effect="deny", **said)


def allowed(rule: Rule, arguments: Any = UNSET, at: float = 0.0) -> bool:
    about = Circumstances(arguments=arguments, at=at)
    return isinstance(rights(rule).decide("db", "tool", "a", about), Allow)


def test_a_whole_list_says_what_each_name_says_and_says_it_again() -> None:
    mine = rights(deny(names=(("tool", "drop_*"),)))
    for names in (("a", "drop_a", "b"), ("drop_b", "a"), ()):
        each = tuple(mine.visible("db", "tool", name) for name in names)
        assert mine.selected("db", "tool", names) == each
        assert mine.selected("db", "tool", names) == each  # kept
        assert mine.selected("db", "prompt", names) == tuple(True for _ in names)
    assert mine.selected("elsewhere", "tool", ("a", "b")) == (False, False)


def test_a_list_that_depends_on_the_caller_is_never_kept() -> None:
    mine = rights(deny(clients=("evil",)))
    good, evil = (Circumstances(client_id=client) for client in ("good", "evil"))
    assert mine.selected("db", "tool", ("a",), good) == (True,)
    assert mine.selected("db", "tool", ("a",), evil) == (False,)


@pytest.mark.parametrize("effect", ["allow", "deny", "ask", "step_up"])
def test_what_goes_with_which_effect(effect: Effect) -> None:
    bob = (ByLogin("local", "bob"),)
    approvers = bob if effect == "ask" else ()
    strength = Strength(max_age=60) if effect == "step_up" else None
    good = Rule(name="r", effect=effect, who=bob, approvers=approvers, strength=strength)
    assert fault_of_rule(good) == ""
    wrong = Rule(name="r", effect=effect, who=bob, approvers=() if approvers else bob, strength=strength)
    assert "approvers" in fault_of_rule(wrong)
    if effect in ("deny", "ask"):
        wrong = Rule(name="r", effect=effect, who=bob, approvers=approvers, strength=Strength(max_age=60))
        assert "strength" in fault_of_rule(wrong)


@pytest.mark.parametrize(
    ("start", "end", "days", "inside", "outside"),
    [
        # 2026-11-23 is a Monday (0).
        ("08:30", "18:15", {0}, ["23 08:30", "23 18:14"], ["23 08:29", "23 18:15", "24 09:00"]),
        ("22:30", "06:15", {0}, ["23 22:30", "24 06:14"], ["23 22:29", "24 06:15", "23 03:00", "24 23:00"]),
        ("22:30", "06:15", {6}, ["22 23:00", "23 06:00"], ["23 23:00"]),
    ],
)
def test_a_window_to_the_minute(
    start: str, end: str, days: set[int], inside: list[str], outside: list[str]
) -> None:
    def minutes(text: str) -> int:
        return int(text[:2]) * 60 + int(text[3:])

    rule = deny(when=Window(days=frozenset(days), start=minutes(start), end=minutes(end)))
    for moments, expected in ((inside, False), (outside, True)):
        for moment in moments:
            at = datetime.strptime(f"2026-11-{moment}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            assert allowed(rule, at=at.timestamp()) is expected, moment


def test_sizes_and_numbers_at_their_border() -> None:
    def about(operator: Any, value: int) -> Rule:
        return deny(arguments=(ArgumentTest(pointer="/x", operator=operator, value=value),))

    assert [allowed(about("larger_than", 3), {"x": "a" * n}) for n in (2, 3, 4)] == [True, True, False]
    assert [allowed(about("not_larger_than", 3), {"x": "a" * n}) for n in (2, 3, 4)] == [False, False, True]
    assert [allowed(about("above", 3), {"x": n}) for n in (2, 3, 4)] == [True, True, False]
    assert [allowed(about("up_to", 3), {"x": n}) for n in (2, 3, 4)] == [False, False, True]


def test_one_bad_item_is_enough_to_deny_and_one_that_cannot_be_judged_too() -> None:
    rule = deny(arguments=(ArgumentTest(pointer="/x", operator="equals", value="bad"),))
    for items, expected in (
        (["good", "good"], True),
        (["good", "bad"], False),
        (["good", 7], False),
        (["bad", 7], False),
    ):
        assert allowed(rule, {"x": items}) is expected, items


def test_a_pattern_has_a_size() -> None:
    for pattern in ("", "a" * 100_000, "(", 7):
        with pytest.raises(InvalidInput):
            rights(deny(arguments=(ArgumentTest(pointer="/x", operator="matches", value=pattern),)))
    assert isinstance(
        rights(deny(arguments=(ArgumentTest(pointer="/x", operator="matches", value="a"),))).decide(
            "db", "tool", "a", Circumstances(arguments={"x": "cat"})
        ),
        Deny,
    )
