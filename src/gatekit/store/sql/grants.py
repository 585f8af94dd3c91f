"""Grants, and the codes and refresh tokens that hang below them.

One-time things are consumed in one statement that names the state it expects (compare-and-swap), and what
takes their place is written in the same transaction: if anything fails, the old token is still good
(checklist R7).
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence

import msgspec

from gatekit.errors import NotFound
from gatekit.model.oauth import AuthorizationCode, Client, Grant, GrantQuery, RefreshToken
from gatekit.model.people import User
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import built, columns, decode, encode, insert

KEPT_SECONDS = 30 * 86400
"""How long an ended grant stays visible to an administrator."""
REPLAY_SECONDS = 3600
"""How long a *used* code is remembered after it expired, so that a late replay still fells its grant."""

_INSERT_GRANT = insert("grants", Grant)
_INSERT_CODE = insert("authorization_codes", AuthorizationCode)
_INSERT_REFRESH = insert("refresh_tokens", RefreshToken)
_LIVE = "EXISTS (SELECT 1 FROM grants WHERE grants.id = grant_id AND grants.revoked_at IS NULL)"
_REDEEM = (
    "UPDATE authorization_codes SET used_at = :now "  # noqa: S608 - put together from our own constants
    f"WHERE code_hash = :hash AND used_at IS NULL AND {_LIVE} RETURNING *"
)
_ROTATE = (
    "UPDATE refresh_tokens SET used_at = :now, successor_sealed = :sealed "  # noqa: S608 - as above
    f"WHERE token_hash = :hash AND used_at IS NULL AND {_LIVE} RETURNING *"
)
_WITH_PARTIES = (
    f"SELECT {columns(Grant, 'g')}, {columns(User, 'u')}, {columns(Client, 'c')} FROM grants AS g "  # noqa: S608
    "LEFT JOIN users AS u ON u.id = g.user_id LEFT JOIN clients AS c ON c.id = g.client_id WHERE g.id = :id"
)
_OF_GRANT = slice(0, len(Grant.__struct_fields__))
_OF_USER = slice(_OF_GRANT.stop, _OF_GRANT.stop + len(User.__struct_fields__))
_OF_CLIENT = slice(_OF_USER.stop, None)


class SqlGrants:
    """Implements ``store.ports.Grants``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, grant_id: str) -> Grant | None:
        row = await self._database.one("SELECT * FROM grants WHERE id = :id", id=grant_id)
        return decode(Grant, row) if row else None

    async def with_parties(self, grant_id: str) -> tuple[Grant, User | None, Client | None] | None:
        row = await self._database.glance(_WITH_PARTIES, id=grant_id)
        if row is None:
            return None
        user, client = row[_OF_USER], row[_OF_CLIENT]  # where there is none, every column is NULL
        return (
            built(Grant, row[_OF_GRANT]),
            built(User, user) if user[0] is not None else None,
            built(Client, client) if client[0] is not None else None,
        )

    async def list(self, user_id: str | None = None, client_id: str | None = None) -> list[Grant]:
        rows = await self._database.all(
            "SELECT * FROM grants WHERE (:any_user OR user_id = :user) "
            "AND (:any_client OR client_id = :client) "
            "ORDER BY created_at, id",
            any_user=user_id is None,
            user=user_id or "",
            any_client=client_id is None,
            client=client_id or "",
        )
        return [decode(Grant, row) for row in rows]

    async def page(self, query: GrantQuery, now: int) -> Sequence[Grant]:
        rows = await self._database.all(
            "SELECT * FROM grants WHERE id > :after AND (:user_id = '' OR user_id = :user_id) "
            "AND (:client_id = '' OR client_id = :client_id) "
            "AND (:ended OR (revoked_at IS NULL AND expires_at > :now)) ORDER BY id LIMIT :limit",
            now=now,
            **encode(query),
        )
        return [decode(Grant, row) for row in rows]

    async def revoke(self, grant_id: str, now: int, reason: str) -> bool:
        async with self._database.transaction() as work:
            done = await work.all(
                "UPDATE grants SET revoked_at = :now, revoke_reason = :reason "
                "WHERE id = :id AND revoked_at IS NULL RETURNING id",
                now=now,
                reason=reason,
                id=grant_id,
            )
            if done:
                await work.changed("grant", grant_id)
            return bool(done)

    async def add(self, grant: Grant) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT_GRANT, encode(grant))
            except NotFound:
                raise NotFound("the principal of the grant was deleted meanwhile") from None

    async def approve(self, grant: Grant, code: AuthorizationCode) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT_GRANT, encode(grant))
            except NotFound:
                raise NotFound("the person who approved was deleted meanwhile") from None
            await work.run(_INSERT_CODE, encode(code))

    # -- codes -----------------------------------------------------------------------------------------

    async def code(self, code_hash: str) -> AuthorizationCode | None:
        row = await self._database.one(
            "SELECT * FROM authorization_codes WHERE code_hash = :hash", hash=code_hash
        )
        return decode(AuthorizationCode, row) if row else None

    async def redeem(
        self, code_hash: str, now: int, refresh: RefreshToken | None
    ) -> AuthorizationCode | None:
        async with self._database.transaction() as work:
            row = await work.one(
                _REDEEM,
                now=now,
                hash=code_hash,
            )
            if row is None:
                return None
            if refresh is not None:
                await work.run(_INSERT_REFRESH, encode(refresh))
            return msgspec.structs.replace(decode(AuthorizationCode, row), used_at=None)

    # -- refresh tokens --------------------------------------------------------------------------------

    async def refresh_token(self, token_hash: str) -> RefreshToken | None:
        row = await self._database.one(
            "SELECT * FROM refresh_tokens WHERE token_hash = :hash", hash=token_hash
        )
        return decode(RefreshToken, row) if row else None

    async def rotate(
        self, token_hash: str, now: int, successor: RefreshToken, successor_sealed: str
    ) -> RefreshToken | None:
        async with self._database.transaction() as work:
            row = await work.one(
                _ROTATE,
                now=now,
                sealed=successor_sealed,
                hash=token_hash,
            )
            if row is None:
                return None
            await work.run(_INSERT_REFRESH, encode(successor))
            return msgspec.structs.replace(decode(RefreshToken, row), used_at=None, successor_sealed=None)

    async def last_issued(self, user_id: str) -> Mapping[str, int]:
        rows = await self._database.all(
            "SELECT grant_id, MAX(created_at) AS at FROM refresh_tokens "
            "WHERE grant_id IN (SELECT id FROM grants WHERE user_id = :user) GROUP BY grant_id",
            user=user_id,
        )
        return {row["grant_id"]: row["at"] for row in rows}

    # -- access tokens ---------------------------------------------------------------------------------

    async def deny_token(self, token_id: str, expires_at: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "INSERT INTO denied_tokens (token_id, expires_at) VALUES (:id, :expires) "
                "ON CONFLICT (token_id) DO UPDATE SET expires_at = excluded.expires_at",
                id=token_id,
                expires=expires_at,
            )
            await work.changed("token", token_id)

    async def denied_tokens(self, now: int) -> Sequence[tuple[str, int]]:
        rows = await self._database.all(
            "SELECT token_id, expires_at FROM denied_tokens WHERE expires_at > :now ORDER BY token_id",
            now=now,
        )
        return [(row["token_id"], row["expires_at"]) for row in rows]

    # -- end -------------------------------------------------------------------------------------------

    async def purge(self, now: int) -> None:
        for statement, before in _purges(now):
            # A transaction for each: nobody who signs in waits for all of them.
            async with self._database.transaction() as work:
                await work.all(statement, before=before)


def _purges(now: int) -> builtins.list[tuple[str, int]]:
    return [
        ("DELETE FROM authorization_codes WHERE used_at IS NULL AND expires_at <= :before", now),
        ("DELETE FROM authorization_codes WHERE expires_at <= :before", now - REPLAY_SECONDS),
        ("DELETE FROM refresh_tokens WHERE expires_at <= :before", now),
        ("DELETE FROM denied_tokens WHERE expires_at <= :before", now),
        ("DELETE FROM grants WHERE expires_at <= :before OR revoked_at <= :before", now - KEPT_SECONDS),
    ]
