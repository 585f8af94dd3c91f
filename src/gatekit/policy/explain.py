"""Why an answer is what it is: every rule, and what it said to one use."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Ask, Decision
from gatekit.model.people import Principal
from gatekit.model.rules import Effect
from gatekit.policy.engine import Kind, Policy
from gatekit.policy.ruling import Asker, Ruled
from gatekit.policy.truth import ACCEPTED

WORDS = {"Allow": "allow", "Deny": "deny", "Ask": "ask", "StepUp": "step_up"}


class Look(Struct, frozen=True, kw_only=True):
    """One rule, and whether it holds for this use."""

    rule: str
    effect: Effect
    shadow: bool
    holds: bool
    why: str
    """What does not fit; of a rule that holds, what of it could not be judged and therefore counted."""


class Explanation(Struct, frozen=True, kw_only=True):
    decision: Decision
    """As a call would get it."""
    admitted: bool
    """Whether the person passes the gateway-wide gate."""
    lists: Decision
    """What the access lists say by themselves."""
    looks: tuple[Look, ...]
    """Every rule: those that hold first, then by name."""


def word(decision: Decision) -> str:
    """``allow``, ``deny``, ``ask`` or ``step_up``, as in the audit."""
    return WORDS[type(decision).__name__]


def reason_of(decision: Decision) -> str:
    """In words, for people."""
    if isinstance(decision, Allow):
        return ""
    if isinstance(decision, Ask):
        return decision.reason or "somebody must approve it"
    return decision.reason


def explain(
    policy: Policy, principal: Principal, server: str, kind: Kind, name: str, about: Circumstances
) -> Explanation:
    """``Rights.decide``, and how it came to it. Slow: it asks every rule."""
    asker = policy.asker(principal)
    covered = frozenset(policy.covered(server))
    looks = [_look(ruled, asker, ruled in covered, kind, name, about) for ruled in policy.rules]
    looks.sort(key=lambda look: (not look.holds, look.rule))
    return Explanation(
        decision=policy.rights(principal).decide(server, kind, name, about),
        admitted=policy.admits(principal),
        lists=policy.lists.rights(principal).decide(server, kind, name),
        looks=tuple(looks),
    )


def _look(ruled: Ruled, asker: Asker, covered: bool, kind: Kind, name: str, about: Circumstances) -> Look:
    why = _elsewhere(ruled, asker, covered, kind, name)
    holds = not why
    if holds:
        tests = () if kind == "server" and not name else ruled.tests
        accepted = ACCEPTED[ruled.restricts, False]
        said = [(label, judge(about)) for label, judge in (*ruled.conditions, *tests)]
        failed = [f"{label}: {truth.value}" for label, truth in said if truth not in accepted]
        holds = not failed
        why = ", ".join(failed or (f"{label}: {truth.value}" for label, truth in said if truth.unclear))
        if holds and ruled.strength is not None and not ruled.unsatisfied(about):
            holds, why = False, "the sign-in is good enough"
    rule = ruled.rule
    return Look(rule=ruled.title, effect=rule.effect, shadow=rule.shadow, holds=holds, why=why)


def _elsewhere(ruled: Ruled, asker: Asker, covered: bool, kind: Kind, name: str) -> str:
    """Why a rule is not about this at all; empty: it is."""
    return next(_misses(ruled, asker, covered, kind, name), "")


def _misses(ruled: Ruled, asker: Asker, covered: bool, kind: Kind, name: str) -> Iterator[str]:
    if not ruled.names_person(asker):
        yield "who: other people"
    if ruled.rule.roles and asker.role not in ruled.rule.roles:
        yield f"roles: this person is {asker.role}"
    if not ruled.concerns(asker):
        yield "unless: this person is excepted"
    if not covered:
        yield "servers: others"
    if kind != "server" and not ruled.speaks_of(kind, name):
        yield f"names: other {kind}s or things"
    whole = ruled.whole or (not name and ruled.rule.effect == "allow")
    if kind == "server" and (not whole or (not name and ruled.rule.effect in ("ask", "step_up"))):
        yield "names: not the server as such"
