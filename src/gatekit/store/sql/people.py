"""People, their groups, and the links they are invited with."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from gatekit.errors import Conflict, NotFound
from gatekit.model.people import LOCAL, Invite, Membership, User
from gatekit.store.sql.engine import Database, Row, Work
from gatekit.store.sql.rows import decode, encode, insert, update

_INSERT_USER = insert("users", User)
_UPDATE_USER = update("users", User, "id") + " RETURNING id"
_INSERT_INVITE = insert("invites", Invite)


class SqlUsers:
    """Implements ``store.ports.Users``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, password_hash: str | None = None) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT_USER, encode(user))
            except Conflict:
                raise Conflict(f"there is a person called {user.username} already") from None
            if password_hash is not None:
                await work.all(
                    "UPDATE users SET password_hash = :hash WHERE id = :id", hash=password_hash, id=user.id
                )
            await work.changed("user", user.id)

    async def get(self, user_id: str) -> User | None:
        return _user(await self._database.one("SELECT * FROM users WHERE id = :id", id=user_id))

    async def by_username(self, username: str) -> User | None:
        return _user(
            await self._database.one("SELECT * FROM users WHERE username = :username", username=username)
        )

    async def by_identity(self, connection: str, issuer: str, subject: str) -> User | None:
        return _user(
            await self._database.one(
                "SELECT * FROM users "
                "WHERE connection = :connection AND issuer = :issuer AND subject = :subject",
                connection=connection,
                issuer=issuer,
                subject=subject,
            )
        )

    async def list(self) -> list[User]:
        return [
            decode(User, row) for row in await self._database.all("SELECT * FROM users ORDER BY username")
        ]

    async def update(self, user: User) -> None:
        async with self._database.transaction() as work:
            try:
                found = await work.one(_UPDATE_USER, **encode(user))
            except Conflict:
                raise Conflict(f"there is a person called {user.username} already") from None
            if found is None:
                raise NotFound(f"there is no person {user.username}")
            await work.changed("user", user.id)

    async def password_hash(self, user_id: str) -> str | None:
        row = await self._database.one("SELECT password_hash FROM users WHERE id = :id", id=user_id)
        return row["password_hash"] if row else None

    async def set_password(self, user_id: str, password_hash: str, now: int) -> None:
        async with self._database.transaction() as work:
            if not await work.all(
                "UPDATE users SET password_hash = :hash, updated_at = :now WHERE id = :id RETURNING id",
                hash=password_hash,
                now=now,
                id=user_id,
            ):
                raise NotFound("there is no such person")
            await work.changed("user", user_id)

    async def seen(self, user_id: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("UPDATE users SET last_seen_at = :now WHERE id = :id", now=now, id=user_id)

    async def delete(self, user_id: str) -> None:
        async with self._database.transaction() as work:
            # Everything else cascades; these two are what running gateways hold in caches of their own.
            for noun, rows in (
                ("grant", await work.all("SELECT id FROM grants WHERE user_id = :id", id=user_id)),
                ("key", await work.all("SELECT id FROM api_keys WHERE user_id = :id", id=user_id)),
            ):
                for row in rows:
                    await work.changed(noun, row["id"])
            if not await work.all("DELETE FROM users WHERE id = :id RETURNING id", id=user_id):
                raise NotFound("there is no such person")
            await work.changed("user", user_id)


class SqlGroups:
    """Implements ``store.ports.Groups``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def names(self) -> list[str]:
        return [
            row["name"] for row in await self._database.all("SELECT name FROM local_groups ORDER BY name")
        ]

    async def create(self, group: str, now: int) -> None:
        async with self._database.transaction() as work:
            try:
                await work.all(
                    "INSERT INTO local_groups (name, created_at) VALUES (:name, :now)", name=group, now=now
                )
            except Conflict:
                raise Conflict(f"there is a group {group} already") from None

    async def delete(self, group: str) -> None:
        async with self._database.transaction() as work:
            if not await work.all("DELETE FROM local_groups WHERE name = :name RETURNING name", name=group):
                raise NotFound(f"there is no group {group}")
            gone = await work.all(
                "DELETE FROM memberships WHERE group_name = :name AND source = :source RETURNING user_id",
                name=group,
                source=LOCAL,
            )
            for row in gone:
                await work.changed("user", row["user_id"])

    async def add(self, membership: Membership) -> None:
        async with self._database.transaction() as work:
            if membership.source == LOCAL and not await work.all(
                "SELECT 1 AS found FROM local_groups WHERE name = :name", name=membership.group
            ):
                raise NotFound(f"there is no group {membership.group}")
            if await _join(work, membership):
                await work.changed("user", membership.user_id)

    async def remove(self, membership: Membership) -> bool:
        async with self._database.transaction() as work:
            gone = await work.all(
                "DELETE FROM memberships WHERE user_id = :user AND group_name = :name AND source = :source "
                "RETURNING user_id",
                user=membership.user_id,
                name=membership.group,
                source=membership.source,
            )
            if gone:
                await work.changed("user", membership.user_id)
            return bool(gone)

    async def of_user(self, user_id: str) -> list[Membership]:
        return _memberships(
            await self._database.all(
                "SELECT * FROM memberships WHERE user_id = :user ORDER BY group_name, source", user=user_id
            )
        )

    async def members(self, group: str) -> list[Membership]:
        return _memberships(
            await self._database.all(
                "SELECT * FROM memberships WHERE group_name = :name ORDER BY user_id, source", name=group
            )
        )

    async def replace_provider_groups(self, user_id: str, source: str, groups: Sequence[str]) -> None:
        async with self._database.transaction() as work:
            before = await work.all(
                "SELECT group_name FROM memberships WHERE user_id = :user AND source = :source",
                user=user_id,
                source=source,
            )
            had = {row["group_name"] for row in before}
            if had == set(groups):
                return
            for group in sorted(had - set(groups)):
                await work.all(
                    "DELETE FROM memberships "
                    "WHERE user_id = :user AND group_name = :name AND source = :source",
                    user=user_id,
                    name=group,
                    source=source,
                )
            for group in sorted(set(groups) - had):
                await _join(work, Membership(user_id=user_id, group=group, source=source))
            await work.changed("user", user_id)


class SqlInvites:
    """Implements ``store.ports.Invites``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, invite: Invite) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM invites WHERE user_id = :user AND used_at IS NULL", user=invite.user_id
            )
            await work.run(_INSERT_INVITE, encode(invite))

    async def get(self, token_hash: str, now: int) -> Invite | None:
        row = await self._database.one(
            "SELECT * FROM invites WHERE token_hash = :hash AND used_at IS NULL AND expires_at > :now",
            hash=token_hash,
            now=now,
        )
        return decode(Invite, row) if row else None

    async def consume(self, token_hash: str, now: int) -> Invite | None:
        async with self._database.transaction() as work:
            row = await work.one(
                "UPDATE invites SET used_at = :now "
                "WHERE token_hash = :hash AND used_at IS NULL AND expires_at > :now RETURNING *",
                hash=token_hash,
                now=now,
            )
            return decode(Invite, row) if row else None


async def _join(work: Work, membership: Membership) -> bool:
    """False: it was so already."""
    joined = await work.all(
        "INSERT INTO memberships (user_id, group_name, source) VALUES (:user, :name, :source) "
        "ON CONFLICT (user_id, group_name, source) DO NOTHING RETURNING user_id",
        user=membership.user_id,
        name=membership.group,
        source=membership.source,
    )
    return bool(joined)


def _user(row: Row | None) -> User | None:
    return decode(User, row) if row else None


def _memberships(rows: builtins.list[Row]) -> builtins.list[Membership]:
    return [Membership(user_id=row["user_id"], group=row["group_name"], source=row["source"]) for row in rows]
