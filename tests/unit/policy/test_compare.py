"""Two policies side by side."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from gatekit.model.people import Principal
from gatekit.model.rules import (
    Anyone,
    ArgumentTest,
    ByEmail,
    ByGroup,
    ByLogin,
    Rule,
    Rules,
    ServerRules,
    ToolRule,
)
from gatekit.policy.compare import Thing, changed_rules, changes, named_people, named_things
from gatekit.policy.engine import Policy
from tests.unit.policy.people import local
from tests.unit.policy.test_rules_together import PEOPLE, POLICIES

ALICE, BOB = ("alice", local("alice")), ("bob", local("bob"))
THINGS: dict[str, list[Thing]] = {"db": [("tool", "drop"), ("tool", "query")]}


EVERYBODY = (Anyone(),)


def rules(*more: Rule, allowed: Any = EVERYBODY) -> Rules:
    return Rules(servers=(ServerRules(server="db", allowed=allowed),), rules=more)


def compared(old: Rules, new: Rules, *people: tuple[str, Principal]) -> list[tuple[object, ...]]:
    found = changes(Policy.compile(old), Policy.compile(new), people or (ALICE, BOB), THINGS)
    return [(change.server, change.name, change.was, change.now, change.who) for change in found]


def test_a_thing_and_for_whom_it_changes() -> None:
    drop = Rule(name="d", effect="deny", names=(("tool", "drop"),))
    assert compared(rules(), rules(drop)) == [("db", "drop", "allow", "deny", ("alice", "bob"))]
    assert compared(rules(drop), rules()) == [("db", "drop", "deny", "allow", ("alice", "bob"))]
    assert compared(rules(drop), rules(drop)) == []


def test_who_loses_a_server_loses_all_of_it_and_that_is_said_once() -> None:
    only_alice = (ByLogin("local", "alice"),)
    assert compared(rules(), rules(allowed=only_alice)) == [("db", "", "allow", "deny", ("bob",))]


def test_a_server_that_is_new_or_gone() -> None:
    assert compared(Rules(), rules()) == [("db", "", "deny", "allow", ("alice", "bob"))]
    assert compared(rules(), Rules()) == [("db", "", "allow", "deny", ("alice", "bob"))]


def test_what_changes_for_some_calls_only() -> None:
    some = Rule(
        name="s",
        effect="deny",
        names=(("tool", "query"),),
        arguments=(ArgumentTest(pointer="/n", operator="above", value=3),),
    )
    assert compared(rules(), rules(some), BOB) == [("db", "query", "allow", "allow, some deny", ("bob",))]
    found = changes(Policy.compile(rules(some)), Policy.compile(rules()), [BOB], THINGS)
    assert not found[0].gains
    assert not found[0].loses


def test_a_rule_in_the_shadow_changes_nothing_for_anybody() -> None:
    shadow = Rule(name="s", effect="deny", shadow=True)
    assert compared(rules(), rules(shadow)) == []
    assert changed_rules(rules(), rules(shadow)) == (("+", "rules.s"),)


def test_rules_by_their_titles() -> None:
    one, two = Rule(name="one", effect="deny"), Rule(name="two", effect="deny")
    other = Rule(name="one", effect="deny", reason="another")
    assert changed_rules(rules(one, two), rules(other)) == (("~", "rules.one"), ("-", "rules.two"))
    assert changed_rules(rules(one, two), rules(two, one)) == ()


def test_whom_and_what_a_file_names() -> None:
    file = Rules(
        gateway=(ByLogin("local", "a"), Anyone()),
        groups=(("g", (ByEmail("b@c.de"),)),),
        servers=(
            ServerRules(
                server="db",
                allowed=(ByGroup("g"),),
                tools=(ToolRule(glob="drop", allowed=(ByLogin("okta", "d"),)),),
            ),
        ),
        rules=(
            Rule(name="x", effect="deny", unless=(ByLogin("local", "e"),), names=(("prompt", "p"),)),
            Rule(name="y", effect="deny", names=(("tool", "x_*"),)),
        ),
    )
    assert named_people(file) == {
        ByLogin("local", "a"),
        ByEmail("b@c.de"),
        ByLogin("okta", "d"),
        ByLogin("local", "e"),
    }
    assert set(named_things(file)) == {("db", ("tool", "drop")), ("db", ("prompt", "p"))}


@settings(max_examples=100, deadline=None)
@given(old=POLICIES, new=POLICIES, person=PEOPLE)
def test_what_is_not_mentioned_stays_as_it_was(old: Rules, new: Rules, person: Principal) -> None:
    before, after = Policy.compile(old), Policy.compile(new)
    things: dict[str, list[Thing]] = {name: [("tool", "a"), ("prompt", "drop_a")] for name in ("s", "t")}
    found = changes(before, after, [("x", person)], things)
    told = {(change.server, change.kind, change.name) for change in found}
    whole = {change.server for change in found if change.kind == "server"}
    one, other = before.rights(person), after.rights(person)
    for server, known in things.items():
        for kind, name in known:
            if (server, kind, name) not in told and server not in whole:
                assert one.visible(server, kind, name) == other.visible(server, kind, name)
                assert type(one.decide(server, kind, name)) is type(other.decide(server, kind, name))
