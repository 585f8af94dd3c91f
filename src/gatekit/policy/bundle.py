"""All rules about one thing for one person, and what they come to.

    deny → nothing allows → step-up → ask → allow

A bundle is what is left when everything was sorted out that is the same for each call (person, server,
name). Bundles without conditions are decided once; the others per call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Ask, Decision, Deny, StepUp
from gatekit.policy.ruling import Ruled


class Bundle(Struct, frozen=True):
    """The short forms' answer, and the rules on top. Rules stand in alphabetical order of their titles, so
    that the rule named in an answer does not depend on the order of the file either."""

    base: Decision
    """What the lists say: an ``Allow`` or a ``Deny``."""
    closed: bool
    """A list narrows this very thing and leaves the person out: no allow rule makes up for that."""
    denies: tuple[Ruled, ...] = ()
    allows: tuple[Ruled, ...] = ()
    steps: tuple[Ruled, ...] = ()
    asks: tuple[Ruled, ...] = ()
    reach: bool = False
    """About the server as such: what the arguments of a call will be is no matter."""
    otherwise: Bundle | None = None
    """The same with the rules of the shadow, if there are any."""

    def judge(self, about: Circumstances, could: bool) -> Decision:
        """The answer. ``could``: for the best of all calls of which ``about`` is what is known."""
        decision = self._enforced(about, could)
        if self.otherwise is not None:
            otherwise = self.otherwise._enforced(about, could)
            if type(otherwise) is not type(decision):
                return replace(decision, shadow=otherwise.rule)
        return decision

    def _enforced(self, about: Circumstances, could: bool) -> Decision:
        reach = self.reach
        for ruled in self.denies:
            if ruled.met(about, could, reach):
                return Deny(ruled.rule.reason or "a rule denies it", ruled.title, True)
        decision = self.base
        if type(decision) is not Allow:
            if self.closed:
                return decision
            opened = next((ruled for ruled in self.allows if ruled.met(about, could, reach)), None)
            if opened is None:
                return decision
            decision = Allow(opened.title)
        for ruled in self.steps:
            if ruled.unsatisfied(about) and ruled.met(about, could, reach):
                return _step(ruled)
        for ruled in self.asks:
            if ruled.title not in about.approved and ruled.met(about, could, reach):
                return Ask(rule=ruled.title, approvers=ruled.rule.approvers, reason=ruled.rule.reason)
        return decision

    @property
    def settled(self) -> bool:
        """Whether the answer is the same for every call."""
        if self.otherwise is not None and not self.otherwise.settled:
            return False
        return all([ruled.fixed for ruled in (*self.denies, *self.allows, *self.steps, *self.asks)])


def bundle_of(base: Decision, closed: bool, rules: Sequence[Ruled], reach: bool = False) -> Bundle:
    """Sort rules by what they do. They come in the order of their titles."""
    enforced = [ruled for ruled in rules if not ruled.rule.shadow]
    bundle = _sorted(base, closed, enforced, reach)
    if len(enforced) == len(rules):
        return bundle
    return replace(bundle, otherwise=_sorted(base, closed, rules, reach))


def _sorted(base: Decision, closed: bool, rules: Iterable[Ruled], reach: bool) -> Bundle:
    by_effect: dict[str, list[Ruled]] = {"allow": [], "deny": [], "ask": [], "step_up": []}
    for ruled in rules:
        by_effect[ruled.rule.effect].append(ruled)
    return Bundle(
        base,
        closed,
        tuple(by_effect["deny"]),
        tuple(by_effect["allow"]),
        tuple(by_effect["step_up"]),
        tuple(by_effect["ask"]),
        reach,
    )


def _step(ruled: Ruled) -> StepUp:
    strength = ruled.rule.strength
    assert strength is not None  # or ``policy.ruling`` had refused it
    return StepUp(
        rule=ruled.title,
        reason=ruled.rule.reason or "a fresher or stronger sign-in is needed",
        max_age=strength.max_age,
        amr=tuple(sorted(strength.amr)),
    )
