"""Many people at once: taken out of here, or brought in from elsewhere, after a look at what would happen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk, words
from gatekit.admin.people import check_email, check_username, checked_title
from gatekit.admin.roles import check_role
from gatekit.admin.sheets import PersonRow, raise_all
from gatekit.errors import AdminError, InvalidInput, NotFound
from gatekit.model.people import LOCAL, SERVICE, SERVICE_ACCOUNT, PeopleQuery, PersonWrite, User

PAGE = 1000

Action = Literal["create", "update", "disable", "enable", "nothing"]


class PlannedPerson(Struct, frozen=True):
    line: int
    action: Action
    before: User | None
    write: PersonWrite
    words_before: str
    words_after: str


class Plan(Struct, frozen=True):
    """What an import would do."""

    people: tuple[PlannedPerson, ...]

    def changes(self) -> tuple[PlannedPerson, ...]:
        return tuple(person for person in self.people if person.action != "nothing")


class Transfer(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def export(self, actor: Actor) -> Sequence[PersonRow]:
        """Every person, by username; programs are none."""
        self._may(actor, "people:read")
        found: list[PersonRow] = []
        after = ""
        while users := await self._store.users.page(PeopleQuery(after=after, limit=PAGE)):
            after = users[-1].username
            people = [user for user in users if user.connection not in (SERVICE, SERVICE_ACCOUNT)]
            found.extend([await self._row(user) for user in people])
        return found

    async def plan(self, actor: Actor, rows: Sequence[tuple[int, PersonRow]]) -> Plan:
        """What would happen. Raises ``InvalidInput`` with the fault of every line that has one."""
        self._may(actor, "people:write")
        people: list[PlannedPerson] = []
        faults: list[str] = []
        seen: dict[str, int] = {}
        groups = frozenset(await self._store.groups.names())
        for line, row in rows:
            try:
                if row.username in seen:
                    raise InvalidInput(f"{row.username} stands in line {seen[row.username]} already")
                seen[row.username] = line
                people.append(await self._person_of(actor, line, row, groups))
            except AdminError as error:
                faults.append(f"line {line}: {error}")
        raise_all(faults)
        return Plan(tuple(people))

    async def carry_out(self, actor: Actor, plan: Plan) -> None:
        """All of it or nothing. Whoever is disabled by it is signed out.

        Make the plan just before: only what the store guards is looked at again (``Conflict``).
        """
        self._may(actor, "people:write")
        changes = plan.changes()
        await self._store.users.write([person.write for person in changes])
        now = self._now()
        for person in changes:
            user = person.write.user
            if user.disabled:
                await self._store.browser_sessions.end_all(user.id, now)
            await self._record(
                actor, f"user.{person.action}", user.username, person.words_before, person.words_after
            )

    async def _row(self, user: User) -> PersonRow:
        memberships = await self._store.groups.of_user(user.id)
        return PersonRow(
            username=user.username,
            email=user.email or "",
            display_name=user.display_name,
            role=user.role,
            disabled=user.disabled,
            groups=tuple(m.group for m in memberships if m.source == LOCAL),
            connection=user.connection,
            login=user.login,
            last_seen_at=str(user.last_seen_at or ""),
        )

    async def _person_of(
        self, actor: Actor, line: int, row: PersonRow, known: frozenset[str]
    ) -> PlannedPerson:
        before = await self._store.users.by_username(row.username)
        user = self._newcomer(row) if before is None else before
        if before is not None:
            await self._outranks(actor, "people:write", before)
        wanted = self._with(row, user)
        had = await self._groups_of(user) if before is not None else ()
        groups = had if row.groups is None else tuple(sorted(set(row.groups)))
        for group in sorted(set(groups) ^ set(had)):
            if group not in known:
                raise NotFound(f"there is no group {group}")
            self._gives_group(actor, group)
        await self._check(actor, before, wanted)
        changed = before is None or wanted != before or groups != had
        if changed:
            wanted = replace(wanted, updated_at=self._now())
        return PlannedPerson(
            line,
            _action(before, wanted) if changed else "nothing",
            before,
            PersonWrite(user=wanted, new=before is None, groups=groups),
            _said(before, had) if before is not None else "",
            _said(wanted, groups),
        )

    def _newcomer(self, row: PersonRow) -> User:
        if row.connection not in (None, "", LOCAL):
            raise InvalidInput(
                f"{row.username} of {row.connection} is not known here: people of a provider sign in first, "
                "or are provisioned"
            )
        check_username(row.username)
        ident, now = self._entropy.ident("usr_"), self._now()
        return User(
            id=ident,
            connection=LOCAL,
            issuer=LOCAL,
            subject=ident,
            username=row.username,
            login=row.username,
            created_at=now,
            updated_at=now,
        )

    def _with(self, row: PersonRow, user: User) -> User:
        wanted = user
        if row.connection not in (None, "", user.connection):
            raise InvalidInput(
                f"{user.username} is at home at {user.connection}, which an import does not change"
            )
        if row.email is not None and row.email != (user.email or ""):
            check_email(row.email)
            wanted = replace(wanted, email=row.email or None, email_verified=bool(row.email))
        if row.display_name is not None and row.display_name != user.display_name:
            wanted = replace(wanted, display_name=checked_title(row.display_name))
        if wanted != user and user.connection != LOCAL:
            raise InvalidInput(f"{user.connection} says what {user.username} is called, an import cannot")
        if row.role is not None:
            wanted = replace(wanted, role=row.role)
        if row.disabled is not None:
            wanted = replace(wanted, disabled=row.disabled)
        return wanted

    async def _check(self, actor: Actor, before: User | None, wanted: User) -> None:
        """What the use cases for one person check."""
        old = before.role if before is not None else "member"
        if wanted.role != old:
            self._may(actor, "roles:write")
            check_role(actor, wanted, await self._roles.of(before or wanted), wanted.role)
        if before is None or (before.email, before.disabled) != (wanted.email, wanted.disabled):
            if wanted.id == actor.id and wanted.disabled:
                raise InvalidInput("nobody disables themselves")
            if before is not None:
                await self._gives(actor, before)
            await self._gives(actor, wanted)

    async def _groups_of(self, user: User) -> tuple[str, ...]:
        return tuple(m.group for m in await self._store.groups.of_user(user.id) if m.source == LOCAL)


def _action(before: User | None, wanted: User) -> Action:
    if before is None:
        return "create"
    if before.disabled is not wanted.disabled:
        return "disable" if wanted.disabled else "enable"
    return "update"


def _said(user: User, groups: Sequence[str]) -> str:
    return words(
        email=user.email,
        name=user.display_name,
        role=user.role,
        state="disabled" if user.disabled else "enabled",
        groups=",".join(groups),
    )
