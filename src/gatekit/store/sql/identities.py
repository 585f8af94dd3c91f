"""The ways in which people sign in."""

from __future__ import annotations

from gatekit.errors import Conflict, NotFound
from gatekit.model.people import Identity, Pseudonym
from gatekit.store.sql.engine import Database
from gatekit.store.sql.people import INSERT_IDENTITY
from gatekit.store.sql.rows import decode, encode, insert

_INSERT_PSEUDONYM = insert("pseudonyms", Pseudonym)
_KEY = "connection = :connection AND issuer = :issuer AND subject = :subject"
_FIND = f"SELECT * FROM identities WHERE {_KEY}"  # noqa: S608 - a constant


class SqlIdentities:
    """Implements ``store.people_ports.Identities``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, user_id: str) -> list[Identity]:
        rows = await self._database.all(
            "SELECT * FROM identities WHERE user_id = :user ORDER BY created_at, connection, issuer, subject",
            user=user_id,
        )
        return [decode(Identity, row) for row in rows]

    async def find(self, connection: str, issuer: str, subject: str) -> Identity | None:
        row = await self._database.one(
            _FIND,
            connection=connection,
            issuer=issuer,
            subject=subject,
        )
        return decode(Identity, row) if row else None

    async def add(self, identity: Identity) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(INSERT_IDENTITY, encode(identity))
            except Conflict:
                raise Conflict(
                    f"{identity.login or identity.subject} of {identity.connection} is somebody's already"
                ) from None
            await work.changed("user", identity.user_id)

    async def update(self, identity: Identity) -> None:
        async with self._database.transaction() as work:
            found = await work.run(
                "UPDATE identities SET login = :login, email = :email, email_verified = :email_verified, "  # noqa: S608 - a constant
                f"last_seen_at = :last_seen_at, upstream_sealed = :upstream_sealed WHERE {_KEY} "
                "AND user_id = :user_id RETURNING user_id",
                encode(identity),
            )
            if not found:
                raise NotFound("there is no such identity")
            await work.changed("user", identity.user_id)

    async def seen(self, connection: str, issuer: str, subject: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                f"UPDATE identities SET last_seen_at = :now WHERE {_KEY}",  # noqa: S608 - a constant
                now=now,
                connection=connection,
                issuer=issuer,
                subject=subject,
            )

    async def remove(self, identity: Identity) -> None:
        async with self._database.transaction() as work:
            home = await work.run(
                f"SELECT id FROM users WHERE {_KEY} AND id = :user_id",  # noqa: S608 - a constant
                encode(identity),
            )
            if home:
                raise Conflict("this is where the person is at home; it can only go with them")
            gone = await work.run(
                f"DELETE FROM identities WHERE {_KEY} AND user_id = :user_id RETURNING user_id",  # noqa: S608 - a constant
                encode(identity),
            )
            if not gone:
                raise NotFound("there is no such identity")
            await work.changed("user", identity.user_id)

    async def settle(self, identity: Identity) -> None:
        async with self._database.transaction() as work:
            found = await work.run(
                f"SELECT * FROM identities WHERE {_KEY} AND user_id = :user_id",  # noqa: S608 - a constant
                encode(identity),
            )
            if not found:
                raise NotFound("there is no such identity")
            await work.run(
                "UPDATE users SET connection = :connection, issuer = :issuer, subject = :subject, "
                "login = :login, email = :email, email_verified = :email_verified WHERE id = :user_id",
                encode(decode(Identity, found[0])),
            )
            await work.changed("user", identity.user_id)


class SqlPseudonyms:
    """Implements ``store.people_ports.Pseudonyms``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, pseudonym: Pseudonym) -> None:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM pseudonyms WHERE user_id = :id", id=pseudonym.user_id)
            await work.run(_INSERT_PSEUDONYM, encode(pseudonym))

    async def list(self) -> list[Pseudonym]:
        rows = await self._database.all("SELECT * FROM pseudonyms ORDER BY created_at, user_id")
        return [decode(Pseudonym, row) for row in rows]
