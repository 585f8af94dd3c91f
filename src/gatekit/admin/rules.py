"""Rules that administrators make while the gateway runs. Those of the file are not here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Audit, Desk, Roles, words
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.people import LOCAL, SERVICE, SERVICE_ACCOUNT
from gatekit.model.ports import Clock, Entropy
from gatekit.model.rules import ByGroup, ByLogin, ByProviderGroup, Rule, Selector, StoredRule
from gatekit.policy.ruling import is_pattern
from gatekit.policy.written import Known, Written, kept, rule_of
from gatekit.store.ports import Store

MAX_RULES = 1000


class Rules(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        roles: Roles | None = None,
        *,
        known: Callable[[], Known] = Known,
    ) -> None:
        super().__init__(store, audit, clock, entropy, roles)
        self._known = known

    async def list(self, actor: Actor) -> Sequence[StoredRule]:
        """By name; also those that are switched off or have expired."""
        self._may(actor, "rules:read")
        return await self._store.rules.list()

    async def show(self, actor: Actor, name: str) -> StoredRule:
        self._may(actor, "rules:read")
        found = await self._store.rules.get(name)
        if found is None:
            raise NotFound(f"there is no rule called {name}; `gatekit rules list` shows which there are")
        return found

    async def add(
        self,
        actor: Actor,
        name: str,
        written: Written,
        *,
        enabled: bool = True,
        expires_at: int | None = None,
    ) -> StoredRule:
        """In force at once. ``expires_at``: seconds since the epoch."""
        self._may(actor, "rules:write")
        await self._check(name, written, expires_at)
        if len(await self._store.rules.list()) >= MAX_RULES:
            raise Conflict(f"there are {MAX_RULES} rules already; remove some, or write them into the file")
        now = self._now()
        rule = StoredRule(
            name=name,
            body=kept(written),
            enabled=enabled,
            expires_at=expires_at,
            created_at=now,
            created_by=actor.name,
            updated_at=now,
            updated_by=actor.name,
        )
        await self._store.rules.add(rule)
        await self._record(actor, "rule.add", name, after=_said(rule))
        return rule

    async def change(
        self,
        actor: Actor,
        name: str,
        written: Written | None = None,
        *,
        enabled: bool | None = None,
        expires_at: int | UnsetType | None = UNSET,
    ) -> StoredRule:
        """What is not given stays as it is. ``expires_at`` None: never."""
        self._may(actor, "rules:write")
        before = await self._store.rules.get(name)
        if before is None:
            raise NotFound(f"there is no rule called {name}; `gatekit rules list` shows which there are")
        end = before.expires_at if expires_at is UNSET else expires_at
        if written is not None:
            await self._check(name, written, None)
        if expires_at is not UNSET:
            self._check_end(end)
        rule = replace(
            before,
            body=before.body if written is None else kept(written),
            enabled=before.enabled if enabled is None else enabled,
            expires_at=end,
            updated_at=self._now(),
            updated_by=actor.name,
        )
        was = await self._store.rules.replace(rule)
        await self._record(actor, "rule.change", name, before=_said(was), after=_said(rule))
        return rule

    async def remove(self, actor: Actor, name: str) -> StoredRule:
        """The rule as it was."""
        self._may(actor, "rules:write")
        was = await self._store.rules.remove(name)
        await self._record(actor, "rule.remove", name, before=_said(was))
        return was

    async def check(self, actor: Actor, name: str, written: Written) -> None:
        """Whether it could be made or changed. Raises ``AdminError``."""
        self._may(actor, "rules:write")
        await self._check(name, written, None)

    async def _check(self, name: str, written: Written, expires_at: int | None) -> None:
        """What a rule cannot mean, and what is a slip: a deny rule with a slip denies nothing."""
        rule = rule_of(name, written)
        self._check_end(expires_at)
        known = self._known()
        published = known.servers
        for glob in rule.servers if published is not None else ():
            if not is_pattern(glob) and glob.lower() not in {server.lower() for server in published or ()}:
                raise InvalidInput(f"there is no server {glob!r}")
        await self._check_people(rule, known)

    def _check_end(self, expires_at: int | None) -> None:
        if expires_at is not None and expires_at <= self._now():
            raise InvalidInput("that moment has passed already")

    async def _check_people(self, rule: Rule, known: Known) -> None:
        people: tuple[Selector, ...] = (*(rule.who or ()), *rule.unless, *rule.approvers)
        connections = {LOCAL, SERVICE, SERVICE_ACCOUNT, *(known.connections or ())}
        connections.update(entry.name for entry in await self._store.connections.list())
        for selector in people:
            if isinstance(selector, ByLogin | ByProviderGroup) and known.connections is not None:
                if selector.connection not in connections:
                    raise InvalidInput(f"there is no connection {selector.connection!r}")
            elif isinstance(selector, ByGroup) and known.groups is not None:
                there = selector.name in known.groups or await self._store.groups.get(selector.name)
                if not there:
                    raise InvalidInput(f"there is no group {selector.name!r}")


def _said(rule: StoredRule) -> str:
    return words(rule=rule.body, enabled="" if rule.enabled else "false", expires_at=rule.expires_at or "")
