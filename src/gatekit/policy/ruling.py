"""Rules of ``rules:`` compiled: whom they concern, what they name, and the conditions that are left."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache

from msgspec import Struct

from gatekit.errors import InvalidInput
from gatekit.model.circumstances import Circumstances
from gatekit.model.people import Role
from gatekit.model.rules import Rule, Selector
from gatekit.policy.conditions import Condition, conditions_of, strong, tests_of
from gatekit.policy.rules import ANYONE, Keys, fold, readings
from gatekit.policy.truth import ACCEPTED, YES

_WILD = re.compile(r"[*?\[]")


class Asker(Struct, frozen=True):
    """One principal as rules see it."""

    keys: Keys
    claimed: Keys
    """``keys`` and what is asserted but not proved (an address that nobody verified): enough to be refused,
    never enough to be let in."""
    role: Role


class Ruled(Struct, frozen=True, eq=False):
    """One compiled rule. ``eq`` is identity: there is one of each."""

    rule: Rule
    title: str
    restricts: bool
    who: Keys | None
    unless: Keys
    servers: re.Pattern[str] | None
    literal: frozenset[str]
    """Servers that are named and not meant by a glob."""
    names: tuple[tuple[str, str, re.Pattern[str] | None], ...]
    """(kind, name, None) or (kind, glob, its pattern); in lower case."""
    conditions: tuple[tuple[str, Condition], ...]
    tests: tuple[tuple[str, Condition], ...]
    """Of the arguments."""
    strength: Condition | None
    fixed: bool
    """Whether it says the same to every call."""

    def concerns(self, asker: Asker) -> bool:
        """Whether it is about this person at all."""
        if not self.names_person(asker):
            return False
        rule, other = self.rule, asker.keys if self.restricts else asker.claimed
        return not (rule.roles and asker.role not in rule.roles) and self.unless.isdisjoint(other)

    def names_person(self, asker: Asker) -> bool:
        """Whether ``who`` holds this person."""
        return self.who is None or not self.who.isdisjoint(asker.claimed if self.restricts else asker.keys)

    def covers(self, server: str, called: bool) -> bool:
        """Whether it is about this server. ``called``: one that speaks MCP; what lets in does not spread to
        anything else by a pattern."""
        folded = fold(server)
        if folded in self.literal:
            return True
        if not called and not self.restricts:
            return False
        return not self.rule.servers or (self.servers is not None and self.servers.match(folded) is not None)

    def touches(self, kind: str) -> bool:
        """Whether it may be about things of this kind."""
        if self.rule.names:
            return any(one == kind for one, _ in self.rule.names)
        return not (self.rule.arguments and kind not in ("tool", "prompt"))

    def speaks_of(self, kind: str, name: str) -> bool:
        """Whether it is about this very thing; any reading of the name that matches counts."""
        if not self.touches(kind):
            return False
        if not self.names:
            return True
        spelled = [fold(reading) for reading in readings(kind, name)]
        return any(
            one == kind and (any(map(pattern.match, spelled)) if pattern is not None else glob in spelled)
            for one, glob, pattern in self.names
        )

    @property
    def whole(self) -> bool:
        """Whether it is about the server as such."""
        return not (self.rule.names or self.rule.arguments)

    def met(self, about: Circumstances, could: bool, reach: bool = False) -> bool:
        """Whether everything else holds; ``could``: for some call of which ``about`` is all that is known;
        ``reach``: of the server as such, whatever the arguments of a call may be."""
        accepted = ACCEPTED[self.restricts, could]
        if not all([judge(about) in accepted for _, judge in self.conditions]):
            return False
        return reach or all([judge(about) in accepted for _, judge in self.tests])

    def unsatisfied(self, about: Circumstances) -> bool:
        """Step-up: whether the sign-in is not what it asks for."""
        return self.strength is None or self.strength(about) is not YES


def compile_rule(rule: Rule, keys: Callable[[Iterable[Selector]], Keys]) -> Ruled:
    """Raises ``InvalidInput`` for a rule that cannot be meant. ``keys`` opens a list of selectors."""
    restricts = rule.effect != "allow"
    who = None if rule.who is None else keys(rule.who)
    if who is not None and ANYONE in who and restricts:
        who = None  # "everybody" leaves out programs where it lets in, and nobody where it keeps out
    conditions, tests = conditions_of(rule), tests_of(rule)
    strength = strong(rule.strength) if rule.strength is not None and rule.effect == "step_up" else None
    wild = [translate(fold(glob)) for glob in rule.servers if _WILD.search(glob)]
    return Ruled(
        rule=rule,
        title=rule.title,
        restricts=restricts,
        who=who,
        unless=keys(rule.unless),
        servers=re.compile("|".join(wild)) if wild else None,
        literal=frozenset(fold(glob) for glob in rule.servers if not _WILD.search(glob)),
        names=tuple((kind, fold(glob), _pattern(fold(glob))) for kind, glob in rule.names),
        conditions=conditions,
        tests=tests,
        strength=strength,
        # One that asks does not say the same to every call: a yes is for one call.
        fixed=not (conditions or tests or strength is not None or rule.effect == "ask"),
    )


@lru_cache(maxsize=8192)
def _pattern(glob: str) -> re.Pattern[str] | None:
    """None for what is one name. Compiling takes long, and of a thousand rules few are new at a change."""
    return re.compile(translate(glob)) if _WILD.search(glob) else None


def is_pattern(glob: str) -> bool:
    """Whether it may mean more than one name."""
    return _WILD.search(glob) is not None


def fault_of_rule(rule: Rule) -> str:
    """What is wrong with a rule taken by itself; empty: nothing. Asked when one is written."""
    if rule.effect == "allow" and rule.who is None and not rule.roles:
        return "says nobody: name people under who, or roles (`*` is everybody who can sign in)"
    if rule.effect in ("deny", "ask") and rule.strength is not None:
        return f"strength does not go with {rule.effect}; write a rule with effect step_up"
    if rule.effect == "step_up" and (rule.strength is None or rule.strength == type(rule.strength)()):
        return "needs strength: what the sign-in must be like"
    if rule.effect == "ask" and not rule.approvers:
        return "needs approvers: who may say yes"
    if rule.effect != "ask" and rule.approvers:
        return f"approvers do not go with {rule.effect}"
    if rule.arguments and any(kind == "resource" for kind, _ in rule.names):
        return "resources have no arguments; write a glob of their URI"
    try:
        conditions_of(rule), tests_of(rule)
    except InvalidInput as error:
        return str(error)
    return ""
