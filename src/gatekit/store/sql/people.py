"""People, and the links they are invited with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gatekit.errors import Conflict, NotFound
from gatekit.model.people import SERVICE, SERVICE_ACCOUNT, Identity, Invite, PeopleQuery, PersonWrite, User
from gatekit.store.sql.browsers import sign_out_everywhere
from gatekit.store.sql.engine import Database, Row, Work
from gatekit.store.sql.groups import set_local_groups
from gatekit.store.sql.rows import built, columns, decode, encode, insert, update

_INSERT_USER = insert("users", User)
_UPDATE_USER = update("users", User, "id") + " RETURNING id"
_USER_BY_ID = f"SELECT {columns(User, 'u')} FROM users AS u WHERE id = :id"  # noqa: S608
_INSERT_INVITE = insert("invites", Invite)
_USERS_BY_EMAIL = "SELECT * FROM users WHERE lower(email) = lower(:email) ORDER BY id LIMIT :limit"
_USER_BY_IDENTITY = (
    "SELECT u.* FROM users u JOIN identities i ON i.user_id = u.id "
    "WHERE i.connection = :connection AND i.issuer = :issuer AND i.subject = :subject"
)
INSERT_IDENTITY = insert("identities", Identity)

_AT_ONCE = 500
"""Values in one statement."""


class SqlUsers:
    """Implements ``store.ports.Users``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, password_hash: str | None = None) -> None:
        async with self._database.transaction() as work:
            await add_user(work, user)
            if password_hash is not None:
                await work.all(
                    "UPDATE users SET password_hash = :hash WHERE id = :id", hash=password_hash, id=user.id
                )

    async def get(self, user_id: str) -> User | None:
        row = await self._database.glance(_USER_BY_ID, id=user_id)
        return built(User, row) if row else None

    async def by_username(self, username: str) -> User | None:
        return _user(
            await self._database.one("SELECT * FROM users WHERE username = :username", username=username)
        )

    async def by_identity(self, connection: str, issuer: str, subject: str) -> User | None:
        return _user(
            await self._database.one(
                _USER_BY_IDENTITY,
                connection=connection,
                issuer=issuer,
                subject=subject,
            )
        )

    async def by_email(self, email: str, limit: int) -> Sequence[User]:
        rows = await self._database.all(_USERS_BY_EMAIL, email=email, limit=limit)
        return [decode(User, row) for row in rows]

    async def list(self) -> list[User]:
        return [
            decode(User, row) for row in await self._database.all("SELECT * FROM users ORDER BY username")
        ]

    async def page(self, query: PeopleQuery) -> Sequence[User]:
        where, params = _where(query)
        rows = await self._database.all(
            f"SELECT * FROM users {where} AND username > :after ORDER BY username LIMIT :limit",  # noqa: S608 - from us
            **params,
            after=query.after,
            limit=query.limit,
        )
        return [decode(User, row) for row in rows]

    async def count(self, query: PeopleQuery) -> int:
        where, params = _where(query)
        rows = await self._database.all(f"SELECT count(*) AS found FROM users {where}", **params)  # noqa: S608 - from us
        return int(rows[0]["found"])

    async def named(self, user_ids: Collection[str]) -> Mapping[str, str]:
        wanted, found = sorted(set(user_ids)), {}
        for start in range(0, len(wanted), _AT_ONCE):
            params = {f"p{number}": ident for number, ident in enumerate(wanted[start : start + _AT_ONCE])}
            places = ", ".join(f":{name}" for name in params)
            rows = await self._database.all(
                f"SELECT id, username FROM users WHERE id IN ({places})",  # noqa: S608 - names of parameters
                **params,
            )
            found.update({row["id"]: row["username"] for row in rows})
        return found

    async def update(self, user: User) -> None:
        async with self._database.transaction() as work:
            await update_user(work, user)

    async def refresh(self, user: User) -> None:
        async with self._database.transaction() as work:
            found = await work.run(
                "UPDATE users SET login = :login, email = :email, email_verified = :email_verified, "
                "display_name = :display_name, updated_at = :updated_at WHERE id = :id RETURNING id",
                encode(user),
            )
            if not found:
                raise NotFound(f"there is no person {user.username}")
            await work.changed("user", user.id)

    async def write(self, batch: Sequence[PersonWrite]) -> None:
        # New owners first: one may follow another in one batch.
        ordered = sorted(batch, key=lambda one: one.user.role != "owner" or one.user.disabled)
        async with self._database.transaction() as work:
            for one in ordered:
                await (add_user(work, one.user) if one.new else update_user(work, one.user))
                if one.groups is not None:
                    await set_local_groups(work, one.user.id, one.groups)

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
            await delete_user(work, user_id)


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


async def add_user(work: Work, user: User) -> None:
    """A person with their home identity. Raise ``Conflict``."""
    try:
        await work.run(_INSERT_USER, encode(user))
    except Conflict:
        raise Conflict(f"there is a person called {user.username} already") from None
    await work.run(INSERT_IDENTITY, encode(home_identity(user)))
    await work.changed("user", user.id)


async def update_user(work: Work, user: User) -> None:
    """Raise ``Conflict``, ``NotFound``."""
    if user.role != "owner" or user.disabled:
        await _leave_an_owner(work, user.id)
    try:
        found = await work.one(_UPDATE_USER, **encode(user))
    except Conflict:
        raise Conflict(f"there is a person called {user.username} already") from None
    if found is None:
        raise NotFound(f"there is no person {user.username}")
    await work.changed("user", user.id)


async def delete_user(work: Work, user_id: str) -> None:
    """Raise ``Conflict``, ``NotFound``."""
    await sign_out_everywhere(work, user_id, now=0)  # due at once, whatever time it is
    await work.all("DELETE FROM relying_sessions WHERE user_id = :id AND due_at IS NULL", id=user_id)
    # Everything else cascades; these two are what running gateways hold in caches of their own.
    for noun, rows in (
        ("grant", await work.all("SELECT id FROM grants WHERE user_id = :id", id=user_id)),
        ("key", await work.all("SELECT id FROM api_keys WHERE user_id = :id", id=user_id)),
    ):
        for row in rows:
            await work.changed(noun, row["id"])
    await _leave_an_owner(work, user_id)
    if not await work.all("DELETE FROM users WHERE id = :id RETURNING id", id=user_id):
        raise NotFound("there is no such person")
    await work.changed("user", user_id)


def home_identity(user: User) -> Identity:
    """The identity row that a person is made with."""
    return Identity(
        user_id=user.id,
        connection=user.connection,
        issuer=user.issuer,
        subject=user.subject,
        login=user.login,
        email=user.email,
        email_verified=user.email_verified,
        created_at=user.created_at,
    )


async def _leave_an_owner(work: Work, user_id: str) -> None:
    """Before somebody ceases to be an owner. Here and not in a use case, because two owners could remove each
    other at the same moment, through any two doors."""
    rows = await work.all(
        "SELECT id FROM users WHERE role = 'owner' AND NOT disabled "
        "AND connection NOT IN (:client, :account) LIMIT 2",
        client=SERVICE,
        account=SERVICE_ACCOUNT,
    )
    if [row["id"] for row in rows] == [user_id]:
        raise Conflict("this is the last owner; make somebody else an owner first")


def _where(query: PeopleQuery) -> tuple[str, dict[str, object]]:
    conditions, params = ["WHERE 1 = 1"], dict[str, object]()
    if query.text:
        columns = ("username", "login", "email", "display_name")
        matches = (f"lower({name}) LIKE :text ESCAPE '!'" for name in columns)
        conditions.append(f"({' OR '.join(matches)})")
        escaped = query.text.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
        params["text"] = f"%{escaped}%"
    if query.connection:
        conditions.append("connection = :connection")
        params["connection"] = query.connection
    if query.role is not None:
        conditions.append("role = :role")
        params["role"] = query.role
    if query.disabled is not None:
        conditions.append("disabled" if query.disabled else "NOT disabled")
    if query.group:
        conditions.append(
            "EXISTS (SELECT 1 FROM memberships m "
            "WHERE m.user_id = users.id AND m.group_name = :group AND m.source = :source)"
        )
        params |= {"group": query.group, "source": query.source}
    return " AND ".join(conditions), params


def _user(row: Row | None) -> User | None:
    return decode(User, row) if row else None
