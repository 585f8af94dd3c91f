"""What the store says about groups and rules, as if it stood in the file."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gatekit.errors import InvalidInput
from gatekit.model.people import GroupRule
from gatekit.model.rules import ByGroup, Rule, Rules, Selector, StoredRule
from gatekit.policy.selectors import parse_selector
from gatekit.policy.written import PLACE, lets_in, rule_of, written_of
from gatekit.store.people_ports import Groups
from gatekit.store.rule_ports import StoredRules

log = logging.getLogger("gatekit.policy")

UNREADABLE = "a stored rule cannot be read"


class Stored(Struct, frozen=True):
    """What the store adds to the file."""

    nesting: tuple[tuple[str, str], ...] = ()
    """(parent, child)."""
    filled: tuple[GroupRule, ...] = ()
    rules: tuple[Rule, ...] = ()


NOTHING_STORED = Stored()


async def read_stored(groups: Groups, rules: StoredRules, now: float) -> Stored:
    """As it is ``now``, seconds since the epoch. Raises ``StoreError``."""
    return Stored(
        tuple(await groups.nesting()), tuple(await groups.rules()), in_force(await rules.list(), now)
    )


def with_stored(rules: Rules, stored: Stored) -> Rules:
    """``rules`` with nested groups, groups by rule, and the rules of the store.

    A group of the file and one of the store that have one name are one group: whoever is in either is in it.
    """
    groups: dict[str, list[Selector]] = {name: list(members) for name, members in rules.groups}
    for parent, child in stored.nesting:
        groups.setdefault(parent, []).append(ByGroup(child))
    for rule in stored.filled:
        groups.setdefault(rule.group, []).extend(_parsed(rule))
    return replace(
        rules,
        groups=tuple((name, tuple(members)) for name, members in groups.items()),
        rules=rules.rules + stored.rules,
    )


def in_force(rows: Sequence[StoredRule], now: float) -> tuple[Rule, ...]:
    """The rules that are enabled and have not expired.

    What one of another version means cannot be known. If it lets in, it lets nobody in; if it keeps out, it
    may be what keeps everybody out of everything, and until somebody looks at it, it does.
    """
    found = []
    for row in rows:
        if not row.enabled or (row.expires_at is not None and row.expires_at <= now):
            continue
        try:
            found.append(rule_of(row.name, written_of(row.body), row.expires_at or 0))
        except InvalidInput as error:
            log.error("a rule cannot be read rule=%s.%s error=%s", PLACE, row.name, error)
            if not lets_in(row.body):
                found.append(Rule(name=row.name, effect="deny", reason=UNREADABLE, place=PLACE))
    return tuple(found)


def _parsed(rule: GroupRule) -> list[Selector]:
    found = []
    for selector in rule.selectors:
        try:
            found.append(parse_selector(selector))
        except InvalidInput as error:  # of another version: it names nobody, and the others still count
            log.error("a rule cannot be read group=%s error=%s", rule.group, error)
    return found
