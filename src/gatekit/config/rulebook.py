"""``rules``: from the file to ``model.rules.Rule``. One wrong rule stops the whole file: a deny rule that was
left out would be an open door."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gatekit.config import document as doc
from gatekit.config.addresses import network
from gatekit.config.faults import nearest
from gatekit.config.rules_schema import ArgumentIn, RuleIn, StrengthIn, WhenIn
from gatekit.config.selectors import Selectors
from gatekit.errors import InvalidInput
from gatekit.model.people import ROLES, Role
from gatekit.model.rules import (
    ArgumentTest,
    NarrowedKind,
    Rule,
    Selector,
    ServerRules,
    Strength,
    Window,
)
from gatekit.policy.written import OPERATORS, days_of, hours_of

TOP = "rules"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_WILD = re.compile(r"[*?\[]")


class Rulebook:
    """Resolves the rules of one file. ``servers``: everything that a rule can mean by that word;
    ``fault``: what is wrong with a rule by itself (``policy.ruling.fault_of_rule``)."""

    top, word = TOP, "rule"

    def __init__(
        self,
        document: doc.Document,
        selectors: Selectors,
        servers: Iterable[ServerRules],
        fault: Callable[[Rule], str],
    ) -> None:
        self._document = document
        self._selectors = selectors
        self._published = frozenset(entry.server for entry in servers)
        self._fault = fault
        self._seen: set[str] = set()

    def resolve(self, rules: Sequence[RuleIn]) -> tuple[Rule, ...]:
        """Everything in the order of the file."""
        return tuple(self._one(entry, (TOP, index)) for index, entry in enumerate(rules))

    def _one(self, entry: RuleIn, path: doc.Path) -> Rule:
        self._check_name(entry.name, (*path, "name"))
        self._check_servers(entry.servers, (*path, "servers"))
        kinds: tuple[tuple[NarrowedKind, Sequence[str]], ...] = (
            ("tool", entry.tools),
            ("prompt", entry.prompts),
            ("resource", entry.resources),
        )
        rule = Rule(
            name=entry.name,
            effect=entry.effect,
            who=None if entry.who is None else self._people(entry.who, (*path, "who")),
            unless=self._selectors.many(entry.unless, (*path, "unless")),
            roles=self._roles(entry.roles, (*path, "roles")),
            clients=entry.clients,
            servers=entry.servers,
            names=tuple((kind, glob) for kind, globs in kinds for glob in globs),
            arguments=tuple(
                test
                for pointer, written in entry.arguments.items()
                for test in self._tests(pointer, written, (*path, "arguments", pointer))
            ),
            when=self._window(entry.when, (*path, "when")),
            networks=self._networks(entry.networks, (*path, "networks")),
            strength=_strength(entry.strength),
            approvers=self._selectors.many(entry.approvers, (*path, "approvers")),
            reason=entry.reason,
            shadow=entry.shadow,
            place=self.top,
        )
        if not self._document.faulty(path) and (why := self._fault(rule)):
            self._document.fault(path, why)
        return rule

    def _check_name(self, name: str, place: doc.Path) -> None:
        if self._document.faulty(place):
            return
        if not _NAME.fullmatch(name):
            text = f"'{name}' is no name for a {self.word}: 1 to 64 of letters, digits, _ . -"
            self._document.fault(place, text)
        elif name.lower() in self._seen:
            self._document.fault(place, f"there is a {self.word} '{name}' already")
        self._seen.add(name.lower())

    def _check_servers(self, globs: Sequence[str], place: doc.Path) -> None:
        """A rule about a server that does not exist is a slip, and a deny rule with a slip denies nothing."""
        known = {name.lower() for name in self._published}
        for index, glob in enumerate(globs):
            if not _WILD.search(glob) and glob.lower() not in known:
                text = f"there is no server '{glob}'{nearest(glob, self._published)}"
                self._document.fault((*place, index), text)

    def _people(self, entries: Sequence[str], place: doc.Path) -> tuple[Selector, ...]:
        if not entries:
            self._document.fault(place, "is empty; name somebody, or leave it out for everybody")
        return self._selectors.many(entries, place)

    def _roles(self, names: Sequence[str], place: doc.Path) -> tuple[Role, ...]:
        for index, name in enumerate(names):
            if name not in ROLES:
                self._document.fault((*place, index), f"expected {', '.join(ROLES[:-1])} or {ROLES[-1]}")
        return tuple(role for role in ROLES if role in names)

    def _tests(self, pointer: str, written: ArgumentIn, place: doc.Path) -> list[ArgumentTest]:
        found = []
        for key, operator in OPERATORS:
            value: Any = getattr(written, key)
            if value is None:
                continue
            if operator == "in" and not isinstance(value, list):
                self._document.fault((*place, key), "expected a list, like [a, b]")
                continue
            value = tuple(value) if isinstance(value, list | tuple) and operator in ("in", "under") else value
            found.append(
                ArgumentTest(pointer=pointer, operator=operator, value=value, optional=written.optional)
            )
        if not found and not self._document.faulty(place):
            self._document.fault(place, f"says nothing; write one of {', '.join(k for k, _ in OPERATORS)}")
        return found

    def _window(self, written: WhenIn | None, place: doc.Path) -> Window | None:
        if written is None:
            return None
        try:
            days = days_of(written.days)
            start, end = hours_of(written.hours) if written.hours is not None else (0, 0)
        except InvalidInput as error:
            self._document.fault(place, str(error))
            return None
        return Window(days=days, start=start, end=end, zone=written.zone)

    def _networks(self, written: Sequence[str], place: doc.Path) -> tuple[str, ...]:
        found = []
        for index, text in enumerate(written):
            try:
                found.append(network(text))
            except ValueError as error:
                self._document.fault((*place, index), str(error))
        return tuple(found)


def _strength(written: StrengthIn | None) -> Strength | None:
    return None if written is None else Strength(max_age=written.max_age, amr=frozenset(written.amr))
