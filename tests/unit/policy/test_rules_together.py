"""What must hold of any rules, against a judge that is written as plainly as the page docs/rules.md is."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET
from msgspec.structs import replace

from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Ask, Deny, StepUp
from gatekit.model.rules import (
    Anyone,
    ArgumentTest,
    ByGroup,
    ByLogin,
    NarrowedKind,
    Rule,
    Rules,
    ServerRules,
    Strength,
    ToolRule,
)
from gatekit.policy.engine import Kind, Policy
from tests.unit.policy.people import local

NOW = 1_795_435_200.0
PEOPLE = st.sampled_from(
    [
        local("alice"),
        local("bob", groups=frozenset({"dev"})),
        local("carol", groups=frozenset({"dev", "sre"})),
    ]
)
SELECTORS = st.sampled_from([ByLogin("local", "alice"), ByLogin("local", "bob"), ByGroup("dev"), Anyone()])
NAMES = st.sampled_from(["a", "ab", "b", "drop_a"])
GLOBS = st.sampled_from(["a", "a*", "*", "drop_*", "[ab]", "b"])
KINDS: st.SearchStrategy[NarrowedKind] = st.sampled_from(["tool", "prompt"])
VALUES = st.sampled_from([1, 2, 3])
TESTS = st.builds(
    ArgumentTest,
    pointer=st.sampled_from(["/x", "/y"]),
    operator=st.just("equals"),
    value=VALUES,
    optional=st.booleans(),
)
NOBODY = local("nobody")


def rules_of(effects: list[str]) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        name=st.text("abc", min_size=3, max_size=8),
        effect=st.sampled_from(effects),
        who=st.none() | st.lists(SELECTORS, min_size=1, max_size=2).map(tuple),
        unless=st.lists(SELECTORS, max_size=1).map(tuple),
        clients=st.sampled_from([(), ("c1",), ("c*",)]),
        servers=st.sampled_from([(), ("s",), ("t",), ("s*", "t")]),
        names=st.lists(st.tuples(KINDS, GLOBS), max_size=2).map(tuple),
        arguments=st.lists(TESTS, max_size=1).map(tuple),
        networks=st.sampled_from([(), (), ("10.0.0.0/8",)]),
        strength=st.none(),
        expires_at=st.sampled_from([0, 0, NOW - 1, NOW + 1]),
    ).map(fitting)


def fitting(rule: Rule) -> Rule:
    """With what its effect needs."""
    if rule.effect == "step_up":
        return replace(rule, strength=Strength(max_age=300))
    if rule.effect == "ask":
        return replace(rule, approvers=(Anyone(),))
    return replace(rule, who=rule.who or (Anyone(),)) if rule.effect == "allow" else rule


ANY_RULE = rules_of(["allow", "deny", "ask", "step_up"])
LISTS = st.none() | st.lists(SELECTORS, max_size=2).map(tuple)
POLICIES = st.builds(
    Rules,
    gateway=st.none() | st.just((Anyone(),)) | st.just((ByLogin("local", "alice"),)),
    servers=st.tuples(
        st.builds(
            ServerRules,
            server=st.just("s"),
            allowed=LISTS,
            tools=st.lists(
                st.builds(ToolRule, glob=GLOBS, allowed=st.lists(SELECTORS, max_size=1).map(tuple)),
                max_size=1,
            ).map(tuple),
        ),
        st.builds(ServerRules, server=st.just("t"), allowed=LISTS),
    ),
    rules=st.lists(ANY_RULE, max_size=5).map(tuple),
)
ARGUMENTS = st.dictionaries(st.sampled_from(["x", "y"]), st.sampled_from([1, 2, 3, 4, "odd"]))
EVERY_ARGUMENTS = [
    {key: value for key, value in (("x", x), ("y", y)) if value != "none"}
    for x in (1, 2, 3, 4, "odd", "none")
    for y in (1, 2, 3, 4, "odd", "none")
]
ABOUT = st.builds(
    Circumstances,
    client_id=st.sampled_from(["c1", "d2"]),
    address=st.sampled_from(["10.0.0.1", "192.0.2.1", ""]),
    auth_time=st.sampled_from([0, int(NOW) - 10, int(NOW) - 1000]),
    at=st.just(NOW),
    arguments=ARGUMENTS,
)
WHAT = st.tuples(st.sampled_from(["s", "t"]), KINDS, NAMES)


# -- the plain judge ---------------------------------------------------------------------------------------


def named(selectors: Any, person: Any) -> bool:
    return any(
        isinstance(one, Anyone)
        or (isinstance(one, ByLogin) and one.login == person.username)
        or (isinstance(one, ByGroup) and one.name in person.groups)
        for one in selectors
    )


def holds(rule: Rule, person: Any, what: tuple[str, str, str], about: Circumstances) -> bool:
    takes = rule.effect != "allow"
    return (
        (rule.who is None or named(rule.who, person))
        and not named(rule.unless, person)
        and concerns(rule, *what)
        and not (rule.expires_at and about.at >= rule.expires_at)
        and (not rule.clients or any(fnmatchcase(str(about.client_id), glob) for glob in rule.clients))
        and (not rule.networks or about.address == "10.0.0.1" or (takes and about.address == ""))
        and all(met(test, about.arguments, takes) for test in rule.arguments)
    )


def concerns(rule: Rule, server: str, kind: str, name: str) -> bool:
    if rule.servers and not any(fnmatchcase(server, glob) for glob in rule.servers):
        return False
    return not rule.names or any(one == kind and fnmatchcase(name, glob) for one, glob in rule.names)


def met(test: ArgumentTest, arguments: Any, takes: bool) -> bool:
    given = arguments.get(test.pointer[1:], "none")
    if given == "none" and test.optional:
        return not takes
    return takes if given in ("none", "odd") else given == test.value


def plainly(rules: Rules, person: Any, what: tuple[str, str, str], about: Circumstances) -> type:
    server, kind, name = what
    if rules.gateway is not None and not named(rules.gateway, person):
        return Deny
    effects = {rule.effect for rule in rules.rules if holds(rule, person, what, about)}
    if "deny" in effects:
        return Deny
    declared = next(one for one in rules.servers if one.server == server)
    for narrow in declared.tools:
        if kind == narrow.kind and fnmatchcase(name, narrow.glob) and not named(narrow.allowed, person):
            return Deny
    listed = rules.gateway is not None if declared.allowed is None else named(declared.allowed, person)
    if not listed and "allow" not in effects:
        return Deny
    if "step_up" in effects and not (about.auth_time and about.at - about.auth_time <= 300):
        return StepUp
    return Ask if "ask" in effects else Allow


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT)
def test_the_compiled_judge_says_what_the_plain_one_says(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances
) -> None:
    decided = Policy.compile(rules).rights(person).decide(*what, about)
    assert type(decided) is plainly(rules, person, what, about), decided


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT)
def test_what_can_be_called_is_listed(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances
) -> None:
    rights = Policy.compile(rules).rights(person)
    if type(rights.decide(*what, about)) is not Deny:
        assert rights.visible(*what, replace(about, arguments=UNSET))
        assert type(rights.could(what[0], "server", "", replace(about, arguments=UNSET))) is Allow


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT)
def test_a_list_that_nobody_looks_into_shows_nothing_closed(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances
) -> None:
    server, kind, _ = what
    rights, known = Policy.compile(rules).rights(person), replace(about, arguments=UNSET)
    reached = type(rights.could(server, "server", "", known)) is Allow
    if reached and not rights.narrows(server, kind):
        assert rights.visible(*what, known)


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT)
def test_what_is_listed_can_be_called_where_no_arguments_clash(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances
) -> None:
    """A list does not look for arguments that satisfy one rule and escape another: where rules that let in
    look at arguments, the ones that keep out must not."""
    allows = any(rule.arguments for rule in rules.rules if rule.effect == "allow")
    if allows:
        kept = tuple(r for r in rules.rules if r.effect != "deny" or not r.arguments)
        lets = tuple(r for r in kept if r.effect == "allow" and r.arguments)
        # Two of them may look at different arguments; each can be satisfied by itself.
        rules = replace(rules, rules=tuple(r for r in kept if r not in lets[1:]))
    rights = Policy.compile(rules).rights(person)
    calls = [replace(about, arguments=arguments) for arguments in EVERY_ARGUMENTS]
    some = any(type(rights.decide(*what, call)) is not Deny for call in calls)
    assert rights.visible(*what, replace(about, arguments=UNSET)) == some


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT, st.randoms(use_true_random=False))
def test_the_order_of_rules_does_not_matter(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances, random: Any
) -> None:
    unique = tuple({rule.name: rule for rule in rules.rules}.values())
    shuffled = list(unique)
    random.shuffle(shuffled)
    one, other = replace(rules, rules=unique), replace(rules, rules=tuple(shuffled))
    decided = Policy.compile(one).rights(person).decide(*what, about)
    assert decided == Policy.compile(other).rights(person).decide(*what, about)


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT, rules_of(["deny", "ask", "step_up"]))
def test_one_more_rule_that_takes_away_never_gives(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances, extra: Rule
) -> None:
    ranks = [Deny, StepUp, Ask, Allow]
    before = Policy.compile(rules).rights(person).decide(*what, about)
    more = replace(rules, rules=(*rules.rules, extra))
    after = Policy.compile(more).rights(person).decide(*what, about)
    assert ranks.index(type(after)) <= ranks.index(type(before))


@settings(max_examples=100, deadline=None)
@given(POLICIES, PEOPLE, WHAT, ABOUT, ANY_RULE)
def test_a_rule_in_the_shadow_changes_nothing(
    rules: Rules, person: Any, what: tuple[str, Kind, str], about: Circumstances, extra: Rule
) -> None:
    plain = Policy.compile(rules).rights(person).decide(*what, about)
    shadowed = replace(rules, rules=(*rules.rules, replace(extra, shadow=True)))
    enforced = replace(rules, rules=(*rules.rules, extra))
    decided = Policy.compile(shadowed).rights(person).decide(*what, about)
    assert replace(decided, shadow="") == plain
    changed = type(Policy.compile(enforced).rights(person).decide(*what, about)) is not type(plain)
    assert bool(decided.shadow) == changed
