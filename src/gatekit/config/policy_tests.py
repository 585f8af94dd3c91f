"""``policy_tests``: from the file to ``policy.cases.Case``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from msgspec import UNSET

from gatekit.config import document as doc
from gatekit.config.faults import nearest
from gatekit.config.rules_schema import PolicyTestIn
from gatekit.config.selectors import Selectors
from gatekit.model.circumstances import Circumstances
from gatekit.model.people import LOCAL, Principal
from gatekit.model.rules import ByEmail, ByGroup, ByLogin, ByProviderGroup, ServerRules
from gatekit.policy.cases import Case
from gatekit.policy.engine import Kind

TOP = "policy_tests"


class PolicyTests:
    """Resolves the cases of one file."""

    def __init__(
        self, document: doc.Document, selectors: Selectors, servers: Collection[ServerRules]
    ) -> None:
        self._document = document
        self._selectors = selectors
        self._servers = {entry.server for entry in servers}

    def resolve(self, cases: Sequence[PolicyTestIn]) -> tuple[Case, ...]:
        found = (self._one(entry, (TOP, index)) for index, entry in enumerate(cases))
        return tuple(case for case in found if case is not None)

    def _one(self, entry: PolicyTestIn, path: doc.Path) -> Case | None:
        who = self._person(entry, path)
        if entry.server not in self._servers and not self._document.faulty((*path, "server")):
            close = nearest(entry.server, self._servers)
            self._document.fault((*path, "server"), f"there is no server '{entry.server}'{close}")
        things: list[tuple[Kind, str]] = []
        written: tuple[tuple[Kind, str | None], ...] = (
            ("tool", entry.tool),
            ("prompt", entry.prompt),
            ("resource", entry.resource),
        )
        things = [(kind, name) for kind, name in written if name is not None]
        if len(things) > 1:
            self._document.fault(path, "is about several things; write a case for each")
        kind, name = things[0] if things else ("server", "")
        about = self._about(entry, kind, path)
        if who is None:
            return None
        return Case(
            name=entry.name,
            who=who,
            server=entry.server,
            kind=kind,
            thing=name,
            about=about,
            expect=entry.expect,
            rule=entry.rule or "",
        )

    def _person(self, entry: PolicyTestIn, path: doc.Path) -> Principal | None:
        selector = self._selectors.one(entry.user, (*path, "user"), "person")
        groups = self._selectors.many(entry.groups, (*path, "groups"), "group")
        if isinstance(selector, ByEmail):
            connection, login, email = LOCAL, "", selector.address
        elif isinstance(selector, ByLogin):
            connection, login, email = selector.connection, selector.login, entry.email or ""
        else:
            if selector is not None:
                self._document.fault((*path, "user"), "is nobody in particular")
            return None
        return Principal(
            id=f"test:{login or email}",
            username=login or email,
            connection=connection,
            login=login,
            email=email or None,
            email_verified=bool(email),
            groups=frozenset(group.name for group in groups if isinstance(group, ByGroup)),
            linked_groups=frozenset(
                (group.connection, group.name) for group in groups if isinstance(group, ByProviderGroup)
            ),
        )

    def _about(self, entry: PolicyTestIn, kind: Kind, path: doc.Path) -> Circumstances:
        at = self._moment(entry.at, (*path, "at"))
        if entry.signed_in is not None and not at:
            self._document.fault((*path, "signed_in"), "needs `at`: how long ago was that?")
        if entry.arguments is not None and kind not in ("tool", "prompt"):
            self._document.fault((*path, "arguments"), "belong to a tool or a prompt")
        given = {} if entry.arguments is None else entry.arguments
        return Circumstances(
            client_id=entry.client,
            address=entry.address,
            auth_time=None if entry.signed_in is None else int(at - entry.signed_in),
            amr=frozenset(entry.amr),
            at=at,
            arguments=given if kind in ("tool", "prompt") else UNSET,
        )

    def _moment(self, text: str | None, path: doc.Path) -> float:
        if text is None:
            return 0.0
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            self._document.fault(path, "is no time like 2026-11-01T09:30:00+01:00")
            return 0.0
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
