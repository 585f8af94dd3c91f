"""Rules that do not stand in the file: what they mean, and what happens when they cannot be read."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.errors import InvalidInput
from gatekit.model.decision import Allow, Deny
from gatekit.model.rules import (
    ArgumentTest,
    ByGroup,
    ByLogin,
    Rule,
    Rules,
    ServerRules,
    StoredRule,
    Strength,
    Window,
)
from gatekit.policy.engine import Policy
from gatekit.policy.stored import Stored, in_force, with_stored
from gatekit.policy.written import MAX_BODY, kept, rule_of, written_from, written_of
from tests.unit.policy.people import local


def row(body: str, name: str = "one", **more: Any) -> StoredRule:
    known = {"created_at": 1, "created_by": "ada", "updated_at": 1, "updated_by": "ada", **more}
    return StoredRule(name=name, body=body, **known)


def test_every_key_of_the_file_means_the_same() -> None:
    written = written_from(
        {
            "effect": "deny",
            "who": ["local:bob", "group:sre"],
            "unless": ["group:okta/Leads"],
            "roles": ["member"],
            "clients": ["name:Claude*"],
            "servers": ["db"],
            "tools": ["drop_*"],
            "prompts": ["p"],
            "arguments": {"/n": {"above": 3, "one_of": [1, 2], "optional": True}},
            "when": {"days": ["sat-sun"], "hours": "22:00-06:00", "zone": "Europe/Berlin"},
            "networks": ["10.0.0.0/8"],
            "reason": "no",
            "shadow": True,
        }
    )
    rule = rule_of("no-drops", written_of(kept(written)), 9)
    assert rule.title == "stored.no-drops"
    assert (rule.who, rule.expires_at) == ((ByLogin("local", "bob"), ByGroup("sre")), 9)
    assert rule.names == (("tool", "drop_*"), ("prompt", "p"))
    assert set(rule.arguments) == {
        ArgumentTest(pointer="/n", operator="in", value=(1, 2), optional=True),
        ArgumentTest(pointer="/n", operator="above", value=3, optional=True),
    }
    assert rule.when == Window(days=frozenset({5, 6}), start=1320, end=360, zone="Europe/Berlin")
    step = written_from({"effect": "step_up", "strength": {"max_age": 900, "amr": ["hwk"]}})
    assert rule_of("fresh", step).strength == Strength(max_age=900, amr=frozenset({"hwk"}))


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({}, "effect"),
        ({"effect": "permit"}, "permit"),
        ({"effect": "deny", "tool": ["x"]}, "tool"),
        ({"effect": "allow"}, "says nobody"),
        ({"effect": "allow", "who": ["*"]}, "nobody in particular"),
        ({"effect": "allow", "roles": ["member"]}, "everybody"),
        ({"effect": "deny", "who": []}, "empty"),
        ({"effect": "deny", "who": ["org:acme"]}, "group:CONNECTION/NAME"),
        ({"effect": "deny", "roles": ["root"]}, "root"),
        ({"effect": "deny", "arguments": {"/x": {}}}, "says nothing"),
        ({"effect": "deny", "arguments": {"x": {"equals": 1}}}, "JSON pointer"),
        ({"effect": "deny", "arguments": {"/x": {"matches": "("}}}, "RE2"),
        ({"effect": "deny", "when": {"days": ["someday"]}}, "day of the week"),
        ({"effect": "deny", "when": {"zone": "../etc"}}, "time zone"),
        ({"effect": "deny", "networks": ["10.0.0.1/8"]}, "networks"),
        ({"effect": "deny", "reason": "a\nb"}, "printable"),
        ({"effect": "ask"}, "approvers"),
    ],
)
def test_what_cannot_be_meant_is_refused(written: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        rule_of("one", written_from(written))


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a" * 65, "a\n"])
def test_a_name_is_short_and_plain(name: str) -> None:
    with pytest.raises(InvalidInput, match="no name"):
        rule_of(name, written_from({"effect": "deny"}))


def test_a_rule_is_no_book() -> None:
    long = written_from({"effect": "deny", "tools": ["x" * 500] * 40})
    with pytest.raises(InvalidInput, match=f"{MAX_BODY // 1024} kB"):
        kept(long)


def test_only_what_is_on_and_lasts_is_in_force() -> None:
    body = '{"effect":"deny"}'
    rows = [row(body, "a"), row(body, "b", enabled=False), row(body, "c", expires_at=10)]
    assert [rule.name for rule in in_force(rows, 9.9)] == ["a", "c"]
    assert [rule.name for rule in in_force(rows, 10)] == ["a"]


@pytest.mark.parametrize("body", ["", "{}", "[]", '{"effect":"deny","newer":1}', '{"effect":"forbid"}'])
def test_a_rule_of_another_version_keeps_everybody_out(body: str) -> None:
    """It may be what keeps everybody out; a gateway that cannot tell does not guess."""
    alice = local()
    lists = Rules(gateway=(ByLogin("local", "alice"),), servers=(ServerRules(server="db"),))
    for stored, expected in ((body, Deny), ('{"effect":"allow","newer":1}', Allow)):
        rules = with_stored(lists, Stored(rules=in_force([row(stored)], 1)))
        decision = Policy.compile(rules).rights(alice).decide("db", "tool", "query")
        assert type(decision) is expected
    (rule,) = in_force([row(body)], 1)
    assert rule == Rule(name="one", effect="deny", reason="a stored rule cannot be read", place="stored")
    assert in_force([row(body, enabled=False)], 1) == ()


def test_rules_of_the_store_stand_beside_those_of_the_file() -> None:
    alice = local()
    stored = in_force([row('{"effect":"allow","who":["local:alice"],"tools":["query"]}')], 1)
    file = Rule(name="no", effect="deny", names=(("tool", "drop"),))
    rules = with_stored(Rules(servers=(ServerRules(server="db"),), rules=(file,)), Stored(rules=stored))
    rights = Policy.compile(rules).rights(alice)
    assert rights.decide("db", "tool", "query") == Allow("stored.one")
    assert rights.decide("db", "tool", "drop").rule == "rules.no"
    assert type(rights.decide("db", "tool", "other")) is Deny
