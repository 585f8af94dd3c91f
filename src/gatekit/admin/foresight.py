"""What a rule would change, before it is made: who could do what then, and cannot now, or the other way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Audit, Desk, Roles
from gatekit.identity.standing import Standings
from gatekit.model.access import Inactive
from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Ask, Decision, Deny
from gatekit.model.people import PeopleQuery, Principal
from gatekit.model.pins import GOOD
from gatekit.model.ports import Clock, Entropy
from gatekit.model.rules import Rule, Rules
from gatekit.policy.engine import Kind, Policy, Rights
from gatekit.policy.ruling import Ruled, compile_rule, is_pattern
from gatekit.policy.stored import read_stored, with_stored
from gatekit.policy.written import Written, rule_of
from gatekit.store.pin_ports import Sought
from gatekit.store.ports import Store

MAX_PEOPLE = 200
MAX_THINGS = 200
MAX_LOOKS = 8_000
"""Decisions of one preview: it runs beside everybody's calls."""

MAY, MAY_NOT, ASKED, FRESHER = "may", "may not", "needs an approval", "needs a fresher sign-in"


class Thing(NamedTuple):
    server: str
    kind: Kind
    name: str
    """Empty: the server as such."""


class Shift(Struct, frozen=True, kw_only=True):
    """People for whom the answer would be another one."""

    thing: Thing
    was: str
    becomes: str
    who: tuple[str, ...]
    """Usernames."""


class Foreseen(Struct, frozen=True, kw_only=True):
    shifts: tuple[Shift, ...]
    people: int
    """How many were looked at."""
    things: int
    all_people: bool
    all_things: bool


class Foresight(Desk):
    """Compiles the rules as they are and as they would be, and asks both."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        roles: Roles,
        *,
        standings: Standings,
        file: Callable[[], Rules],
    ) -> None:
        """``file``: what the configuration file says now."""
        super().__init__(store, audit, clock, entropy, roles)
        self._standings = standings
        self._file = file
        self._busy = asyncio.Lock()

    async def foresee(self, actor: Actor, name: str, written: Written | None) -> Foreseen:
        """If the stored rule ``name`` were this one; None: if it were not there. A rule in the shadow is
        looked at as if it counted. Raises ``Forbidden``, ``InvalidInput``, ``StoreError``."""
        self._may(actor, "rules:write")
        new = None if written is None else rule_of(name, replace(written, shadow=False))
        async with self._busy:  # one at a time, whoever asks
            return await self._foresee(name, new)

    async def _foresee(self, name: str, new: Rule | None) -> Foreseen:
        file = self._file()
        stored = await read_stored(self._store.groups, self._store.rules, self._clock.now())
        others = tuple(rule for rule in stored.rules if rule.name != name)
        old = next((rule for rule in stored.rules if rule.name == name), None)
        before = Policy.compile(with_stored(file, stored))
        then = replace(stored, rules=(*others, new) if new else others)
        after = Policy.compile(with_stored(file, then))
        touched = [rule for rule in (old, new) if rule is not None]
        things = list(dict.fromkeys(await self._things(file, touched)))
        people = await self._store.users.page(PeopleQuery(limit=MAX_PEOPLE + 1, disabled=False))
        looked_at = things[:MAX_THINGS]
        most = min(MAX_PEOPLE, MAX_LOOKS // max(1, len(looked_at)))
        shifts: dict[tuple[Thing, str, str], list[str]] = {}
        for user in people[:most]:
            judged = await self._standings.known(user.id, self._clock.now())
            if not isinstance(judged, Inactive):
                for thing, was, becomes in self._moved(before, after, judged.principal, looked_at):
                    shifts.setdefault((thing, was, becomes), []).append(user.username)
            await asyncio.sleep(0)  # everybody's calls run on this loop
        found = tuple(
            Shift(thing=thing, was=was, becomes=becomes, who=tuple(who))
            for (thing, was, becomes), who in shifts.items()
        )
        return Foreseen(
            shifts=found,
            people=len(people[:most]),
            things=len(looked_at),
            all_people=len(people) <= most,
            all_things=len(things) <= MAX_THINGS,
        )

    def _moved(
        self, before: Policy, after: Policy, who: Principal, things: Sequence[Thing]
    ) -> Iterator[tuple[Thing, str, str]]:
        about = Circumstances(at=self._clock.now())
        old = before.rights(who) if before.admits(who) else None
        new = after.rights(who) if after.admits(who) else None
        for thing in things:
            was, becomes = _said(old, thing, about), _said(new, thing, about)
            if was != becomes:
                yield thing, was, becomes

    async def _things(self, file: Rules, rules: Sequence[Rule]) -> list[Thing]:
        """What these rules are about, as far as its names are known: from the pins, and from the rules."""
        compiled = [compile_rule(rule, lambda _: frozenset()) for rule in rules]
        found: list[Thing] = []
        for entry in file.servers:
            about = [ruled for ruled in compiled if ruled.covers(entry.server, True)]
            if any(ruled.whole and ruled.rule.effect in ("allow", "deny") for ruled in about):
                found.append(Thing(entry.server, "server", ""))
            elif about:
                found += await self._named(entry.server, about)
        return found

    async def _named(self, server: str, rules: Sequence[Ruled]) -> list[Thing]:
        kinds: dict[str, Kind] = {"tool": "tool", "prompt": "prompt"}
        pins = await self._store.pins.find(Sought(server=server), whole=False)
        seen = [(kinds[pin.kind], pin.name) for pin in pins if pin.kind in kinds and pin.state in GOOD]
        written: list[tuple[Kind, str]] = [
            (kind, glob) for ruled in rules for kind, glob in ruled.rule.names if not is_pattern(glob)
        ]
        return [
            Thing(server, kind, name)
            for kind, name in (*seen, *written)
            if any(ruled.speaks_of(kind, name) for ruled in rules)
        ]


def _said(rights: Rights | None, thing: Thing, about: Circumstances) -> str:
    """For the best and the worst of all calls: what is not known of a call may go either way."""
    if rights is None:
        return MAY_NOT
    best, worst = _word(rights.could(*thing, about)), _word(rights.decide(*thing, about))
    return best if best == worst else f"{best} or {worst}, depending on the call"


def _word(decision: Decision) -> str:
    if isinstance(decision, Allow):
        return MAY
    if isinstance(decision, Deny):
        return MAY_NOT
    return ASKED if isinstance(decision, Ask) else FRESHER
