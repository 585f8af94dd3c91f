"""People as their connections provision them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gatekit.errors import Conflict, NotFound, Outpaced
from gatekit.model.people import PROVISIONED, Identity, User
from gatekit.model.provisioning import Account, Provisioned
from gatekit.store.sql.engine import Database, Row, Work
from gatekit.store.sql.people import INSERT_IDENTITY, add_user, delete_user, update_user
from gatekit.store.sql.rows import columns, decode, encode, insert, update

_INSERT = insert("scim_users", Account)
_UPDATE = update("scim_users", Account, "user_id")
_HERE = (
    f"SELECT {columns(User, 'u')}, {columns(Account, 'a')} "  # noqa: S608 - names of ours
    "FROM scim_users a JOIN users u ON u.id = a.user_id AND u.connection = a.connection "
    "WHERE a.connection = :connection"
)
_AT_HOME = (
    "connection = :connection AND EXISTS "
    "(SELECT 1 FROM users u WHERE u.id = scim_users.user_id AND u.connection = scim_users.connection)"
)
"""Whoever is at home at another connection meanwhile is no business of this one any more."""
# The plus keeps SQLite from reading all of a connection in the order that is asked for: what is looked for
# has an index, and is one row or few.
_BY_EXTERNAL_ID = f"{_HERE} AND a.external_id = :external ORDER BY +a.user_id LIMIT 1000"
_UNCLAIMED_BY_EXTERNAL_ID = (
    f"{_HERE} AND u.issuer = :provisioned AND a.external_id = :external ORDER BY +a.user_id LIMIT 10"
)
_UNCLAIMED_BY_KEY = f"{_HERE} AND u.issuer = :provisioned AND a.user_key = :key"
_CHANGED = "it was changed meanwhile"


class SqlAccounts:
    """Implements ``store.scim_ports.Accounts``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, account: Account) -> None:
        async with self._database.transaction() as work:
            await add_user(work, user)
            await _add(work, account)

    async def adopt(self, account: Account) -> bool:
        async with self._database.transaction() as work:
            return bool(
                await work.run(f"{_INSERT} ON CONFLICT DO NOTHING RETURNING user_id", encode(account))
            )

    async def save(self, before: Provisioned, user: User, account: Account) -> None:
        async with self._database.transaction() as work:
            try:
                found = await work.run(
                    f"{_UPDATE} AND {_AT_HOME} AND version = :was RETURNING user_id",
                    {**encode(account), "was": before.account.version},
                )
            except Conflict:
                raise _taken(account) from None
            if not found:
                raise await _why(work, account.connection, account.user_id)
            row = await work.one("SELECT * FROM users WHERE id = :id", id=user.id)
            if row is None or decode(User, row) != before.user:
                raise Outpaced(_CHANGED)
            await update_user(work, user)

    async def delete(self, connection: str, user_id: str, version: int | None) -> None:
        async with self._database.transaction() as work:
            row = await work.one(
                f"SELECT version FROM scim_users WHERE {_AT_HOME} AND user_id = :id",  # noqa: S608 - ours
                connection=connection,
                id=user_id,
            )
            if row is None:
                raise NotFound("there is no such person")
            if version is not None and row["version"] != version:
                raise Outpaced(_CHANGED)
            await delete_user(work, user_id)

    async def get(self, connection: str, user_id: str) -> Provisioned | None:
        return _first(
            await self._database.all(f"{_HERE} AND a.user_id = :id", connection=connection, id=user_id)
        )

    async def by_user_key(self, connection: str, user_key: str) -> Provisioned | None:
        return _first(
            await self._database.all(f"{_HERE} AND a.user_key = :key", connection=connection, key=user_key)
        )

    async def by_external_id(self, connection: str, external_id: str) -> Sequence[Provisioned]:
        return _all(
            await self._database.all(
                _BY_EXTERNAL_ID,
                connection=connection,
                external=external_id,
            )
        )

    async def page(self, connection: str, after: str, skip: int, limit: int) -> Sequence[Provisioned]:
        return _all(
            await self._database.all(
                f"{_HERE} AND a.user_id > :after ORDER BY a.user_id LIMIT :limit OFFSET :skip",
                connection=connection,
                after=after,
                limit=limit,
                skip=skip,
            )
        )

    async def count(self, connection: str) -> int:
        row = await self._database.one(
            "SELECT count(*) AS found FROM scim_users WHERE connection = :connection", connection=connection
        )
        return int(row["found"]) if row else 0

    async def without(
        self, connection: str, limit: int, *, user_id: str = "", login: str = ""
    ) -> Sequence[User]:
        which = "AND u.id = :id " if user_id else "AND lower(u.login) = lower(:login) " if login else ""
        params = {"id": user_id} if user_id else {"login": login} if login else {}
        rows = await self._database.all(
            "SELECT u.* FROM users u WHERE u.connection = :connection "  # noqa: S608 - from us
            f"{which}AND NOT EXISTS (SELECT 1 FROM scim_users a WHERE a.user_id = u.id) "
            "ORDER BY u.id LIMIT :limit",
            connection=connection,
            limit=limit,
            **params,
        )
        return [decode(User, row) for row in rows]

    async def unclaimed(
        self, connection: str, external_id: str, keys: Collection[str]
    ) -> Sequence[Provisioned]:
        params = {"connection": connection, "provisioned": PROVISIONED}
        rows: list[Row] = []
        if external_id:
            rows += await self._database.all(_UNCLAIMED_BY_EXTERNAL_ID, external=external_id, **params)
        for key in sorted(set(keys)):
            rows += await self._database.all(_UNCLAIMED_BY_KEY, key=key, **params)
        return sorted({each.user.id: each for each in _all(rows)}.values(), key=lambda each: each.user.id)

    async def claim(self, identity: Identity, now: int) -> bool:
        async with self._database.transaction() as work:
            claimed = await work.all(
                "UPDATE users SET issuer = :issuer, subject = :subject, updated_at = :now "
                "WHERE id = :id AND connection = :connection AND issuer = :provisioned RETURNING id",
                issuer=identity.issuer,
                subject=identity.subject,
                now=now,
                id=identity.user_id,
                connection=identity.connection,
                provisioned=PROVISIONED,
            )
            if not claimed:
                return False
            await work.all(
                "DELETE FROM identities WHERE user_id = :id AND issuer = :provisioned",
                id=identity.user_id,
                provisioned=PROVISIONED,
            )
            await work.run(INSERT_IDENTITY, encode(identity))
            await work.changed("user", identity.user_id)
            return True


async def _add(work: Work, account: Account) -> None:
    try:
        await work.run(_INSERT, encode(account))
    except Conflict:
        raise _taken(account) from None


def _taken(account: Account) -> Conflict:
    return Conflict(f"{account.connection} has provisioned somebody called {account.user_name} already")


async def _why(work: Work, connection: str, user_id: str) -> Conflict | NotFound:
    there = await work.all(
        f"SELECT 1 AS found FROM scim_users WHERE {_AT_HOME} AND user_id = :id",  # noqa: S608 - ours
        connection=connection,
        id=user_id,
    )
    return Outpaced(_CHANGED) if there else NotFound("there is no such person")


def _all(rows: Sequence[Row]) -> Sequence[Provisioned]:
    return [Provisioned(decode(User, row, "u_"), decode(Account, row, "a_")) for row in rows]


def _first(rows: Sequence[Row]) -> Provisioned | None:
    return _all(rows)[0] if rows else None
