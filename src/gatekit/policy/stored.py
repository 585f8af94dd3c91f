"""What the store says about groups, as rules like those of the file."""

from __future__ import annotations

import logging
import re

from msgspec import Struct
from msgspec.structs import replace

from gatekit.errors import InvalidInput
from gatekit.model.people import GroupRule
from gatekit.model.rules import ByEmail, ByGroup, ByLogin, ByProviderGroup, Rules, Selector
from gatekit.store.people_ports import Groups

log = logging.getLogger("gatekit.policy")

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_LOGIN = re.compile(r"[^\s:/*?,;<>\"']{1,255}")
_EMAIL = re.compile(r"[^\s@:/*?,;<>\"']{1,64}@[^\s@:/*?,;<>\"'_]{1,253}")
MAX_PROVIDER_GROUP = 256


class Stored(Struct, frozen=True):
    """What the store adds to the groups of the file."""

    nesting: tuple[tuple[str, str], ...] = ()
    """(parent, child)."""
    filled: tuple[GroupRule, ...] = ()


NOTHING_STORED = Stored()


async def read_stored(groups: Groups) -> Stored:
    """As it is now. Raises ``StoreError``."""
    return Stored(tuple(await groups.nesting()), tuple(await groups.rules()))


def with_stored(rules: Rules, stored: Stored) -> Rules:
    """``rules`` with nested groups and groups by rule.

    A group of the file and one of the store that have one name are one group: whoever is in either is in it.
    """
    groups: dict[str, list[Selector]] = {name: list(members) for name, members in rules.groups}
    for parent, child in stored.nesting:
        groups.setdefault(parent, []).append(ByGroup(child))
    for rule in stored.filled:
        groups.setdefault(rule.group, []).extend(_parsed(rule))
    return replace(rules, groups=tuple((name, tuple(members)) for name, members in groups.items()))


def _parsed(rule: GroupRule) -> list[Selector]:
    found = []
    for selector in rule.selectors:
        try:
            found.append(parse_selector(selector))
        except InvalidInput as error:  # of another version: it names nobody, and the others still count
            log.error("a rule cannot be read group=%s error=%s", rule.group, error)
    return found


def parse_selector(text: str) -> Selector:
    """An entry of a rule that is kept in the store. It always says where a name belongs to.

    ``ada@example.com`` a verified address · ``okta:ada`` a login at a connection · ``service:ci`` a service
    account · ``group:sre`` a group of our own · ``group:okta/Engineering`` a group of a provider. Everybody
    (``*``) is no rule: a list can say so where it is meant. Raises ``InvalidInput``.
    """
    entry = text.strip()
    prefix, colon, rest = (part.strip() for part in entry.partition(":"))
    folded = rest.lower() if rest.isascii() else rest
    if not colon and _EMAIL.fullmatch(entry):
        return ByEmail(entry.lower() if entry.isascii() else entry)
    if not colon or not _NAME.fullmatch(prefix) or not rest.isprintable():
        raise InvalidInput(
            f"{text!r} names nobody in particular; write CONNECTION:NAME, group:NAME, "
            "group:CONNECTION/NAME or an e-mail address"
        )
    if prefix == "group":
        connection, slash, name = rest.partition("/")
        if not slash and _NAME.fullmatch(rest):
            return ByGroup(rest)
        if slash and _NAME.fullmatch(connection) and 0 < len(name) <= MAX_PROVIDER_GROUP:
            return ByProviderGroup(connection, name.lower() if name.isascii() else name)
        raise InvalidInput(f"{text!r} is not a group: write group:NAME or group:CONNECTION/NAME")
    if not _LOGIN.fullmatch(rest):
        raise InvalidInput(f"{text!r}: {rest!r} is not a login (patterns are not possible here)")
    return ByLogin(prefix, folded)
