"""What an operator expects of the rules: ``policy_tests`` of the file."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from gatekit.model.audit import DecisionWord
from gatekit.model.circumstances import Circumstances
from gatekit.model.people import Principal
from gatekit.policy.engine import Kind, Policy
from gatekit.policy.explain import word


class Case(Struct, frozen=True, kw_only=True):
    """One use, and what shall come of it."""

    name: str
    who: Principal
    server: str
    kind: Kind
    thing: str = ""
    """Name of a tool or prompt, or URI."""
    about: Circumstances
    expect: DecisionWord
    rule: str = ""
    """That decides; empty: whichever."""


class Failure(Struct, frozen=True):
    case: Case
    why: str


def failures(policy: Policy, cases: Sequence[Case]) -> tuple[Failure, ...]:
    """The cases that come out otherwise."""
    found = ((case, _otherwise(policy, case)) for case in cases)
    return tuple(Failure(case, why) for case, why in found if why)


def _otherwise(policy: Policy, case: Case) -> str:
    decision = policy.rights(case.who).decide(case.server, case.kind, case.thing, case.about)
    if word(decision) != case.expect:
        return f"expected {case.expect}, and it is {word(decision)} ({decision.rule})"
    if case.rule and decision.rule != case.rule:
        return f"expected {case.rule} to decide, and {decision.rule} does"
    return ""
