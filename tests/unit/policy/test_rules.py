"""Rules: one test a clause, and what must hold of all of them together."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from gatekit.errors import InvalidInput
from gatekit.model.circumstances import UNASKED, Circumstances
from gatekit.model.decision import Allow, Ask, Deny, StepUp
from gatekit.model.people import Principal
from gatekit.model.rules import (
    Anyone,
    ArgumentTest,
    ByEmail,
    ByGroup,
    ByLogin,
    NarrowedKind,
    Operator,
    Rule,
    Rules,
    ServerRules,
    Strength,
    ToolRule,
    Window,
)
from gatekit.policy.engine import Policy, Rights
from gatekit.policy.ruling import fault_of_rule
from tests.unit.policy.people import local

ALICE, BOB = ByLogin("local", "alice"), ByLogin("local", "bob")
NOON = 1_795_435_200.0
"""Monday 2026-11-23, 12:00 UTC."""
KNOWN = Circumstances(client_id="claude", address="10.1.2.3", auth_time=int(NOON) - 60, at=NOON, arguments={})


def tools(*globs: str) -> tuple[tuple[NarrowedKind, str], ...]:
    return tuple(("tool", glob) for glob in globs)


def of(*rules: Rule, allowed: tuple[Any, ...] | None = (ALICE,), **more: Any) -> Policy:
    servers = (ServerRules(server="db", allowed=allowed), ServerRules(server="files", allowed=()))
    return Policy.compile(Rules(servers=servers, rules=rules, **more))


def rights(*rules: Rule, person: Principal | None = None, **more: Any) -> Rights:
    return of(*rules, **more).rights(person or local("alice"))


def calling(arguments: Any) -> Circumstances:
    return replace(KNOWN, arguments=arguments)


def deny(name: str = "no", **more: Any) -> Rule:
    return Rule(name=name, effect="deny", **more)


def allow(name: str = "yes", *who: Any, **more: Any) -> Rule:
    return Rule(name=name, effect="allow", who=who or (BOB,), **more)


def having(operator: Operator, value: Any, pointer: str = "/x", **more: Any) -> tuple[ArgumentTest, ...]:
    return (ArgumentTest(pointer=pointer, operator=operator, value=value, **more),)


# -- what rules do -------------------------------------------------------------------------------------------


def test_an_allow_rule_opens_one_tool_and_the_server_so_far() -> None:
    may = rights(allow(servers=("db",), names=tools("query")), person=local("bob"))
    assert may.decide("db", "tool", "query", KNOWN) == Allow("rules.yes")
    assert may.decide("db", "server") == Allow("rules.yes")
    assert may.servers() == ("db",)
    assert type(may.decide("db", "tool", "drop", KNOWN)) is Deny
    assert type(may.decide("files", "server")) is Deny
    assert may.narrows("db", "tool")
    assert may.selected("db", "tool", ["query", "drop"]) == (True, False)


def test_a_method_that_is_not_known_takes_more_than_the_right_to_one_tool() -> None:
    part = rights(allow(servers=("db",), names=tools("query")), person=local("bob"))
    assert type(part.decide("db", "server", "vendor/erase", KNOWN)) is Deny
    whole = rights(allow(servers=("db",)), person=local("bob"))
    assert whole.decide("db", "server", "vendor/erase", KNOWN) == Allow("rules.yes")


def test_deny_wins_over_lists_and_over_allow_rules() -> None:
    may = rights(deny(names=tools("drop*"), reason="not here"), allow("all", ALICE))
    assert may.decide("db", "tool", "Drop_table", KNOWN) == Deny("not here", "rules.no", True)
    assert may.decide("db", "tool", "query", KNOWN) == Allow("servers.db.allowed_users")
    assert not may.visible("db", "tool", "drop")


def test_a_deny_rule_about_a_whole_server_closes_it() -> None:
    may = rights(deny(servers=("d*",)))
    assert type(may.decide("db", "server")) is Deny
    assert may.servers() == ()


def test_a_list_of_a_tool_is_not_opened_by_an_allow_rule() -> None:
    narrow = ToolRule(glob="drop", allowed=(ALICE,))
    policy = Policy.compile(
        Rules(servers=(ServerRules(server="db", allowed=(ALICE,), tools=(narrow,)),), rules=(allow(),))
    )
    assert type(policy.rights(local("bob")).decide("db", "tool", "drop", KNOWN)) is Deny
    assert type(policy.rights(local("bob")).decide("db", "tool", "query", KNOWN)) is Allow
    assert type(policy.rights(local("carol")).decide("db", "tool", "drop", KNOWN)) is Deny


def test_the_gateway_wide_list_is_a_gate_before_every_rule() -> None:
    policy = of(allow("yes", Anyone()), gateway=(ALICE,))
    assert not policy.admits(local("bob"))
    assert policy.rights(local("bob")).servers() == ()


def test_without_a_gateway_list_an_allow_rule_admits_and_its_shadow_does_not() -> None:
    assert of(allow()).admits(local("bob"))
    assert not of(allow(shadow=True)).admits(local("bob"))
    assert not of(deny(who=(BOB,))).admits(local("bob"))


def test_ask_and_step_up_let_nobody_in() -> None:
    ask = Rule(name="a", effect="ask", approvers=(ALICE,))
    step = Rule(name="s", effect="step_up", strength=Strength(max_age=300))
    assert type(rights(ask, step, person=local("bob")).decide("db", "tool", "x", KNOWN)) is Deny


def test_ask_comes_after_step_up_and_both_stay_visible() -> None:
    ask = Rule(name="a", effect="ask", approvers=(BOB,), names=tools("drop"), reason="really?")
    step = Rule(name="s", effect="step_up", strength=Strength(max_age=300), names=tools("drop"))
    may = rights(ask, step)
    fresh = may.decide("db", "tool", "drop", KNOWN)
    assert fresh == Ask(rule="rules.a", approvers=(BOB,), reason="really?")
    stale = may.decide("db", "tool", "drop", replace(KNOWN, auth_time=int(NOON) - 3600))
    assert isinstance(stale, StepUp)
    assert (stale.rule, stale.max_age) == ("rules.s", 300)
    assert may.visible("db", "tool", "drop")
    assert may.decide("db", "server") == Allow("servers.db.allowed_users")


def test_a_step_up_says_all_that_the_sign_in_must_be() -> None:
    stale = replace(KNOWN, auth_time=int(NOON) - 3600)
    bare = Rule(name="s", effect="step_up", strength=Strength(max_age=300, amr=frozenset({"otp", "hwk"})))
    expected = StepUp(
        rule="rules.s",
        reason="a fresher or stronger sign-in is needed",
        max_age=300,
        amr=("hwk", "otp"),
    )
    assert rights(bare).decide("db", "tool", "x", stale) == expected
    told = replace(bare, reason="money moves")
    assert rights(told).decide("db", "tool", "x", stale) == replace(expected, reason="money moves")


def test_a_sign_in_of_unknown_age_is_never_fresh() -> None:
    step = Rule(name="s", effect="step_up", strength=Strength(max_age=300))
    assert type(rights(step).decide("db", "tool", "x", replace(KNOWN, auth_time=0))) is StepUp
    assert type(rights(step).decide("db", "tool", "x")) is StepUp


def test_the_shadow_is_told_and_does_nothing() -> None:
    may = rights(deny(names=tools("drop"), shadow=True))
    assert may.decide("db", "tool", "drop", KNOWN) == Allow("servers.db.allowed_users", "rules.no")
    assert may.visible("db", "tool", "drop")
    assert may.decide("db", "tool", "query", KNOWN) == Allow("servers.db.allowed_users")
    opened = rights(allow(shadow=True), person=local("bob")).decide("db", "tool", "x", KNOWN)
    assert isinstance(opened, Deny)
    assert opened.shadow == "rules.yes"


def test_with_authentication_off_a_deny_rule_still_denies() -> None:
    may = rights(deny(names=tools("drop")), auth_enabled=False)
    assert type(may.decide("db", "tool", "drop", KNOWN)) is Deny
    assert type(may.decide("db", "tool", "query", KNOWN)) is Allow


# -- whom --------------------------------------------------------------------------------------------------


def test_everybody_keeps_programs_out_and_does_not_let_them_in() -> None:
    program = Principal(id="s", username="service:ci", connection="service", login="ci")
    service = ByLogin("service", "ci")
    assert (
        type(rights(deny(who=(Anyone(),)), allowed=(service,), person=program).decide("db", "server")) is Deny
    )
    assert type(rights(allow("yes", Anyone()), person=program).decide("db", "server")) is Deny


def test_an_address_that_nobody_verified_keeps_out_and_does_not_let_in() -> None:
    mallory = local("alice", email="m@example.com", verified=False)
    address = ByEmail("m@example.com")
    assert type(rights(deny(who=(address,)), person=mallory).decide("db", "server")) is Deny
    assert type(rights(allow("yes", address), allowed=(), person=mallory).decide("db", "server")) is Deny
    assert type(rights(deny(unless=(address,)), person=mallory).decide("db", "server")) is Deny


def test_unless_takes_people_out_of_a_rule() -> None:
    rule = deny(unless=(ByGroup("dba"),), names=tools("drop"))
    dba = local("alice", groups=frozenset({"dba"}))
    assert type(rights(rule, person=dba).decide("db", "tool", "drop", KNOWN)) is Allow
    assert type(rights(rule).decide("db", "tool", "drop", KNOWN)) is Deny


def test_roles_are_those_of_the_row_and_of_the_file() -> None:
    rule = allow("ops", Anyone(), roles=("admin",))
    admin = Principal(id="b", username="bob", connection="local", role="admin")
    assert type(rights(rule, person=admin).decide("db", "server")) is Allow
    assert type(rights(rule, person=local("bob")).decide("db", "server")) is Deny
    by_file = rights(rule, person=local("bob"), roles=(("admin", (BOB,)),))
    assert type(by_file.decide("db", "server")) is Allow


def test_an_allow_rule_by_pattern_does_not_spread_to_what_is_no_mcp_server() -> None:
    app = ServerRules(server="wiki", allowed=(ALICE,), place="proxy.forward_auth")
    for servers, expected in (((), Deny), (("*",), Deny), (("wiki",), Allow)):
        policy = Policy.compile(Rules(servers=(app,), rules=(allow(servers=servers),)))
        assert type(policy.rights(local("bob")).decide("wiki", "server")) is expected
    closed = Policy.compile(Rules(servers=(app,), rules=(deny(servers=("w*",)),)))
    assert type(closed.rights(local("alice")).decide("wiki", "server")) is Deny


# -- conditions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "about", "met"),
    [
        ({"clients": ("claude*",)}, {"client_id": "Claude-x"}, True),
        ({"clients": ("claude",)}, {"client_id": "evil", "client_name": "claude"}, False),
        ({"clients": ("name:Claude *",)}, {"client_id": "z", "client_name": "Claude Code"}, True),
        ({"clients": ("*",)}, {"client_id": ""}, False),
        ({"networks": ("10.0.0.0/8",)}, {"address": "10.9.9.9"}, True),
        ({"networks": ("10.0.0.0/8",)}, {"address": "::ffff:10.9.9.9"}, True),
        ({"networks": ("10.0.0.0/8",)}, {"address": "192.0.2.1"}, False),
        ({"when": Window(start=480, end=1080)}, {}, True),
        ({"when": Window(start=480, end=1080, zone="Pacific/Auckland")}, {}, False),
        ({"when": Window(start=1320, end=360)}, {"at": NOON + 11 * 3600}, True),
        ({"when": Window(start=1320, end=360, days=frozenset({0}))}, {"at": NOON + 15 * 3600}, True),
        ({"when": Window(start=1320, end=360, days=frozenset({1}))}, {"at": NOON + 15 * 3600}, False),
        ({"when": Window(days=frozenset({5, 6}))}, {}, False),
        ({"expires_at": NOON + 1}, {}, True),
        ({"expires_at": NOON}, {}, False),
    ],
)
def test_conditions_that_a_list_knows_as_well(rule: Any, about: Any, met: bool) -> None:
    known = replace(KNOWN, **about)
    for restricting in (True, False):
        made = deny(**rule) if restricting else allow("yes", ALICE, **rule)
        may = rights(made, allowed=(ALICE,) if restricting else ())
        assert (type(may.decide("db", "tool", "x", known)) is Deny) == (met is restricting)
        assert may.visible("db", "tool", "x", replace(known, arguments=UNSET)) == (met is not restricting)


@pytest.mark.parametrize("address", ["", "nonsense", "10.1.2.3, 8.8.8.8"])
def test_an_address_that_is_none_speaks_for_nobody(address: str) -> None:
    known = replace(KNOWN, address=address)
    assert type(rights(deny(networks=("10.0.0.0/8",))).decide("db", "server", "", known)) is Deny
    opened = rights(allow("yes", ALICE, networks=("10.0.0.0/8",)), allowed=())
    assert type(opened.decide("db", "server", "", known)) is Deny


YES_, NO_, ODD_ = "yes", "no", "odd"


@pytest.mark.parametrize(
    ("operator", "value", "given", "says"),
    [
        ("equals", True, True, YES_),
        ("equals", True, False, NO_),
        ("equals", True, 1, ODD_),
        ("equals", True, "true", ODD_),
        ("equals", 1, 1.0, YES_),
        ("equals", "a", None, ODD_),
        ("in", ("a", 2), "a", YES_),
        ("in", ("a", 2), "b", NO_),
        ("in", ("a",), ["a", "b"], {"deny": YES_, "allow": NO_}),
        ("matches", "^drop ", "drop table", YES_),
        ("matches", "^drop ", "select", NO_),
        ("matches", "a$", "a\n", NO_),
        ("matches", "x", {"x": 1}, ODD_),
        ("matches", "x", "\ud800", ODD_),
        ("larger_than", 3, "abcd", YES_),
        ("larger_than", 3, "äb", NO_),
        ("not_larger_than", 9, ["a", "b"], YES_),
        ("above", 100, 101, YES_),
        ("above", 100, "101", ODD_),
        ("up_to", 100, 100, YES_),
        ("up_to", 100, True, ODD_),
    ],
)
def test_arguments(operator: Operator, value: Any, given: Any, says: Any) -> None:
    _check(operator, value, given, says if isinstance(says, dict) else {"deny": says, "allow": says})


def _check(operator: Operator, value: Any, given: Any, says: dict[str, str], folder: str = "") -> None:
    about = replace(calling({"x": given}), folder=folder)
    denied = rights(deny(arguments=having(operator, value))).decide("db", "tool", "t", about)
    assert (type(denied) is Deny) == (says["deny"] != NO_), denied
    may = rights(allow("yes", ALICE, arguments=having(operator, value)), allowed=())
    assert (type(may.decide("db", "tool", "t", about)) is Allow) == (says["allow"] == YES_)


@pytest.mark.parametrize("arguments", [{}, None, [], "text", {"y": 1}])
def test_what_is_missing_speaks_for_nobody(arguments: Any) -> None:
    test = having("equals", 1)
    assert type(rights(deny(arguments=test)).decide("db", "tool", "t", calling(arguments))) is Deny
    may = rights(allow("yes", ALICE, arguments=test), allowed=())
    assert type(may.decide("db", "tool", "t", calling(arguments))) is Deny
    assert type(may.decide("db", "tool", "t")) is Deny


def test_what_may_be_left_out_is_harmless_when_it_is() -> None:
    test = having("equals", True, "/force", optional=True)
    may = rights(deny(arguments=test))
    assert type(may.decide("db", "tool", "t", calling({}))) is Allow
    assert type(may.decide("db", "tool", "t", calling({"force": "true"}))) is Deny


def test_pointers_are_those_of_rfc_6901() -> None:
    given = {"a/b": [{"~": "x"}]}
    may = rights(deny(arguments=having("equals", "x", "/a~1b/0/~0")))
    assert type(may.decide("db", "tool", "t", calling(given))) is Deny
    assert type(may.decide("db", "tool", "t", calling({"a/b": [{"~": "y"}]}))) is Allow
    with pytest.raises(InvalidInput):
        of(deny(arguments=having("equals", 1, "x")))
    with pytest.raises(InvalidInput):
        of(deny(arguments=having("equals", 1, "/a~2")))


def test_a_list_shows_what_some_arguments_could_call() -> None:
    assert rights(deny(arguments=having("equals", 1))).visible(
        "db", "tool", "t", replace(KNOWN, arguments=UNSET)
    )
    may = rights(allow("yes", ALICE, arguments=having("equals", 1), names=tools("t")), allowed=())
    assert may.visible("db", "tool", "t", replace(KNOWN, arguments=UNSET))
    assert not may.visible("db", "tool", "u", replace(KNOWN, arguments=UNSET))


# -- paths -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("{root}/data/a.txt", YES_),
        ("{root}/data", YES_),
        ("a.txt", YES_),
        ("sub/../a.txt", YES_),
        ("{root}/database/a", NO_),
        ("{root}/secret", NO_),
        ("{root}/data/../secret", NO_),
        ("../secret", NO_),
        ("link/secret", ODD_),  # lies inside, and leads out
        ("{root}/data/%2e%2e/secret", ODD_),
        ("%252e%252e/secret", ODD_),
        ("..\\secret", ODD_),
        (" ../secret", ODD_),
        ("~/a", ODD_),
        ("file://{root}/data/a", YES_),
        ("file://{root}/secret", NO_),
        ("file://elsewhere{root}/data/a", ODD_),
        ("https://example.com/data", ODD_),
        ("C:\\data", ODD_),
        ("a\0b", ODD_),
        ("\ud800", ODD_),
        ("", ODD_),
        ("x" * 5000, ODD_),
        (["a", "../secret"], {"deny": YES_, "allow": NO_}),
        (7, ODD_),
    ],
)
def test_paths_count_under_every_spelling(tmp_path: Path, given: Any, says: Any) -> None:
    root = tmp_path.resolve()
    (root / "data" / "sub").mkdir(parents=True)
    (root / "secret").touch()
    (root / "data" / "link").symlink_to(root)
    shown = given.replace("{root}", str(root)) if isinstance(given, str) else given
    folder = str(root / "data")
    expected = says if isinstance(says, dict) else {"deny": says, "allow": says}
    _check("under", (folder,), shown, expected, folder)


@pytest.mark.parametrize(
    "given",
    ["a/" * 300, " " + "a\\b/" * 40 + "%252525", ["a/b/" * 20] * 60, ["x" * 4000] * 20],
    ids=["deep", "spellings", "many", "long"],
)
def test_a_path_that_is_long_to_follow_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: Any
) -> None:
    """Each folder of each spelling is a look at the disk, and everybody waits for it."""
    looks: list[str] = []
    follow = os.path.realpath

    def looked(path: str) -> str:
        looks.append(path)
        return follow(path)

    folder = str(tmp_path.resolve())
    monkeypatch.setattr(os.path, "realpath", looked)
    _check("under", (folder,), given, {"deny": ODD_, "allow": ODD_}, folder)
    assert not looks


def test_a_list_of_ordinary_paths_is_judged(tmp_path: Path) -> None:
    folder = str(tmp_path.resolve())
    given = [f"src/package/module_{number}.py" for number in range(256)]
    _check("under", (folder,), given, {"deny": YES_, "allow": YES_}, folder)


def test_a_relative_path_at_a_server_elsewhere_is_anywhere() -> None:
    _check("under", ("/srv",), "a.txt", {"deny": ODD_, "allow": ODD_})
    _check("under", ("/srv",), "/srv/a.txt", {"deny": YES_, "allow": YES_})


# -- rules that cannot be meant ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        Rule(name="x", effect="allow"),
        Rule(name="x", effect="allow", clients=("claude",)),
        Rule(name="x", effect="ask"),
        Rule(name="x", effect="step_up"),
        Rule(name="x", effect="step_up", strength=Strength()),
        Rule(name="x", effect="deny", strength=Strength(max_age=1)),
        Rule(name="x", effect="deny", approvers=(ALICE,)),
        Rule(name="x", effect="deny", names=(("resource", "*"),), arguments=having("equals", 1)),
        Rule(name="x", effect="deny", arguments=having("matches", "(")),
        Rule(name="x", effect="deny", arguments=having("matches", "(?=a)")),
        Rule(name="x", effect="deny", arguments=having("under", ("data",))),
        Rule(name="x", effect="deny", networks=("10.0.0.1/8",)),
        Rule(name="x", effect="deny", when=Window(zone="Mars/Base")),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(rule: Rule) -> None:
    assert fault_of_rule(rule)


def test_what_nobody_said_counts_against_the_caller() -> None:
    assert type(rights(deny(networks=("10.0.0.0/8",))).decide("db", "tool", "x", UNASKED)) is Deny
    assert rights(deny(networks=("10.0.0.0/8",))).visible("db", "tool", "x")
