"""Two policies side by side: what people gain and lose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from gatekit.model.people import Principal
from gatekit.model.rules import ByEmail, ByLogin, Rules, Selector
from gatekit.policy.engine import Kind, Policy, Rights
from gatekit.policy.explain import word
from gatekit.policy.ruling import is_pattern

Thing = tuple[Kind, str]
NONE = "deny"


class Change(Struct, frozen=True, kw_only=True):
    """One thing, and for whom it changes in the same way."""

    server: str
    kind: Kind
    name: str
    was: str
    now: str
    who: tuple[str, ...]

    @property
    def gains(self) -> bool:
        """Whether it was out of reach; a change that neither opens nor closes is no gain."""
        return self.was == NONE

    @property
    def loses(self) -> bool:
        return self.now == NONE


def changes(
    old: Policy, new: Policy, people: Iterable[tuple[str, Principal]], things: Mapping[str, Sequence[Thing]]
) -> tuple[Change, ...]:
    """In the order of the servers, of the old file first. ``things``: names that are known, by server.

    A thing is not mentioned if all of its server changes in that way.
    """
    found: dict[tuple[str, Kind, str, str, str], list[str]] = {}
    servers = list(dict.fromkeys((*old.names, *new.names)))
    for label, principal in people:
        before, after = old.rights(principal), new.rights(principal)
        for server in servers:
            for key in _of_server(before, after, server, things.get(server, ())):
                found.setdefault(key, []).append(label)
    return tuple(
        Change(server=key[0], kind=key[1], name=key[2], was=key[3], now=key[4], who=tuple(who))
        for key, who in sorted(found.items(), key=lambda entry: (servers.index(entry[0][0]), entry[0]))
    )


def _of_server(
    before: Rights, after: Rights, server: str, things: Sequence[Thing]
) -> Iterator[tuple[str, Kind, str, str, str]]:
    whole = spelled(before, server, "server", ""), spelled(after, server, "server", "")
    if whole[0] != whole[1]:
        yield (server, "server", "", *whole)
    for kind, name in things:
        this = spelled(before, server, kind, name), spelled(after, server, kind, name)
        if this[0] != this[1] and this != whole:
            yield (server, kind, name, *this)


def spelled(rights: Rights, server: str, kind: Kind, name: str) -> str:
    """What calls get of which nothing else is known: ``allow``, or ``allow, some deny``."""
    best, worst = word(rights.could(server, kind, name)), word(rights.decide(server, kind, name))
    return best if best == worst else f"{best}, some {worst}"


def named_people(rules: Rules) -> frozenset[ByLogin | ByEmail]:
    """Everybody whom some list or rule names by themselves."""
    lists: list[Sequence[Selector]] = [rules.gateway or (), *(members for _, members in rules.groups)]
    for server in rules.servers:
        lists += [server.allowed or (), *(tool.allowed for tool in server.tools)]
    lists += [(*(rule.who or ()), *rule.unless) for rule in rules.rules]
    return frozenset(one for members in lists for one in members if isinstance(one, ByLogin | ByEmail))


def named_things(rules: Rules) -> Iterator[tuple[str, Thing]]:
    """(server, thing) of everything that a list or a rule names by its whole name."""
    for server in rules.servers:
        yield from (
            (server.server, (tool.kind, tool.glob)) for tool in server.tools if not is_pattern(tool.glob)
        )
        for rule in rules.rules:
            yield from ((server.server, thing) for thing in rule.names if not is_pattern(thing[1]))


def changed_rules(old: Rules, new: Rules) -> tuple[tuple[str, str], ...]:
    """(what happens to it, its title): ``+`` is new, ``-`` is gone, ``~`` is another one now."""
    before, after = ({rule.title: rule for rule in rules.rules} for rules in (old, new))
    marks = (
        ("+" if title not in before else "-" if title not in after else "~", title)
        for title in sorted({*before, *after})
        if before.get(title) != after.get(title)
    )
    return tuple(marks)
