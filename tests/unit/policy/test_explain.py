"""Why an answer is what it is, expected answers, and answers in hindsight."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from msgspec import UNSET
from msgspec.structs import replace

from gatekit.model.circumstances import UNASKED, Circumstances
from gatekit.model.decision import Allow, Deny
from gatekit.model.rules import Anyone, ArgumentTest, ByLogin, Rule, Rules, ServerRules, Strength
from gatekit.policy.cases import Case, failures
from gatekit.policy.engine import Policy
from gatekit.policy.explain import explain, word
from gatekit.policy.hindsight import again, use_of
from tests.unit.policy.people import local
from tests.unit.policy.test_rules_together import ABOUT, PEOPLE, POLICIES, WHAT

BOB = local("bob")
DB = ServerRules(server="db", allowed=(Anyone(),))


def policy(*rules: Rule) -> Policy:
    return Policy.compile(Rules(servers=(DB, ServerRules(server="other")), rules=rules))


def why(rule: Rule, about: Circumstances = UNASKED, name: str = "query") -> tuple[bool, str]:
    kind: Any = "tool" if name else "server"
    (look,) = explain(policy(rule), BOB, "db", kind, name, about).looks
    return look.holds, look.why


DENY = Rule(name="r", effect="deny")
BIG = ArgumentTest(pointer="/n", operator="above", value=3)


@pytest.mark.parametrize(
    ("change", "about", "expected"),
    [
        ({}, UNASKED, (True, "")),
        ({"who": (ByLogin("local", "eve"),)}, UNASKED, (False, "who: other people")),
        ({"unless": (ByLogin("local", "bob"),)}, UNASKED, (False, "unless: this person is excepted")),
        ({"roles": ("owner",)}, UNASKED, (False, "roles: this person is member")),
        ({"servers": ("other",)}, UNASKED, (False, "servers: others")),
        ({"names": (("tool", "drop_*"),)}, UNASKED, (False, "names: other tools or things")),
        ({"networks": ("10.0.0.0/8",)}, Circumstances(address="192.0.2.1"), (False, "network: no")),
        ({"networks": ("10.0.0.0/8",)}, UNASKED, (True, "network: not known yet")),
        ({"arguments": (BIG,)}, Circumstances(arguments={"n": 1}), (False, "/n above: no")),
        ({"arguments": (BIG,)}, Circumstances(arguments={"n": "9"}), (True, "/n above: cannot be told")),
    ],
)
def test_what_does_not_fit_is_said(
    change: dict[str, Any], about: Circumstances, expected: tuple[bool, str]
) -> None:
    assert why(replace(DENY, **change), about) == expected


def test_a_sign_in_that_is_good_enough() -> None:
    rule = Rule(name="r", effect="step_up", strength=Strength(max_age=300))
    assert why(rule, Circumstances(at=1000, auth_time=900)) == (False, "the sign-in is good enough")
    assert why(rule, Circumstances(at=1000, auth_time=100)) == (True, "")


def test_of_the_server_as_such_only_whole_rules_count() -> None:
    assert why(replace(DENY, names=(("tool", "a"),)), name="") == (False, "names: not the server as such")
    assert why(DENY, name="") == (True, "")


@settings(max_examples=150, deadline=None)
@given(rules=POLICIES, person=PEOPLE, what=WHAT, about=ABOUT)
def test_the_explanation_is_of_the_answer(rules: Rules, person: Any, what: Any, about: Circumstances) -> None:
    server, kind, name = what
    found = explain(Policy.compile(rules), person, server, kind, name, about)
    assert found.decision == Policy.compile(rules).rights(person).decide(server, kind, name, about)
    holding = [look for look in found.looks if look.holds and not look.shadow]
    if found.decision.rule.startswith("rules."):
        # Names may come twice in these policies; in a file they cannot.
        assert any(look.rule == found.decision.rule for look in holding)
    gate = rules.gateway is None or (Anyone() in rules.gateway or person.username == "alice")
    if gate and any(look.effect == "deny" for look in holding):
        assert isinstance(found.decision, Deny)
    if isinstance(found.decision, Allow):
        assert not any(look.effect in ("deny", "ask", "step_up") for look in holding)


def test_cases_that_come_out_otherwise() -> None:
    case = Case(
        name="a",
        who=BOB,
        server="db",
        kind="tool",
        thing="query",
        about=UNASKED,
        expect="deny",
        rule="rules.r",
    )
    assert failures(policy(DENY), [case]) == ()
    (failure,) = failures(policy(), [case])
    assert failure.why == "expected deny, and it is allow (servers.db.allowed_users)"
    (failure,) = failures(policy(replace(DENY, name="s")), [case])
    assert failure.why == "expected rules.r to decide, and rules.s does"


CALL = {
    "event": "call",
    "at": 1_790_000_000.0,
    "principal_id": "usr_bob",
    "principal": "bob",
    "client_id": "c",
    "address": "10.0.0.1",
    "server": "db",
    "method": "tools/call",
    "name": "query",
    "decision": "allow",
    "rule": "servers.db.allowed_users",
}


def judged(rule: Rule, **record: Any) -> str:
    use = use_of({**CALL, **record})
    assert use is not None
    decision = again(policy(rule).rights(BOB), use)
    return "?" if decision is None else word(decision)


def test_what_was_recorded_is_known_and_nothing_else() -> None:
    assert judged(DENY) == "deny"
    assert judged(replace(DENY, networks=("10.0.0.0/8",))) == "deny"
    assert judged(replace(DENY, networks=("11.0.0.0/8",))) == "allow"
    assert judged(replace(DENY, clients=("d*",))) == "allow"
    assert judged(replace(DENY, expires_at=1.0)) == "allow"
    tested = replace(DENY, arguments=(replace(BIG, optional=True),))
    assert judged(tested, args_digest="sha256:00") == "?"
    assert judged(tested) == "allow"  # without a digest there were no arguments
    strong = Rule(name="r", effect="step_up", strength=Strength(max_age=300))
    assert judged(strong) == "?"
    shadow = replace(DENY, shadow=True)
    assert judged(shadow) == "allow"


def test_a_call_through_a_virtual_server_is_judged_at_both() -> None:
    use = use_of({**CALL, "via": "/s/other/mcp", "asked": "q"})
    assert use is not None
    assert use.parts == (("other", "tool", "q"), ("db", "tool", "query"))
    decision = again(policy().rights(BOB), use)
    assert decision is not None
    assert decision.rule == "default"
    through = use_of({**CALL, "via": "/mcp", "asked": "db__query"})
    assert through is not None
    assert through.parts == (("db", "tool", "query"),)


@pytest.mark.parametrize(
    "record", [{"method": "tools/list"}, {"rule": "pins", "decision": "deny"}, {"rule": ""}, {"method": 1}]
)
def test_what_rules_over_names_did_not_decide(record: dict[str, Any]) -> None:
    assert use_of({**CALL, **record}) is None


def test_a_resource_has_no_arguments() -> None:
    use = use_of({**CALL, "method": "resources/read"})
    assert use is not None
    assert use.about.arguments is UNSET
