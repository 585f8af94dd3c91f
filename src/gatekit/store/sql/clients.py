"""OAuth clients, and the API keys of people whose clients cannot do OAuth."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gatekit.errors import Conflict, NotFound
from gatekit.model.oauth import ApiKey, Client, KeyQuery
from gatekit.store.sql.engine import Database, Row, Work
from gatekit.store.sql.rows import built, columns, decode, encode, insert

_INSERT_CLIENT = insert("clients", Client)
_RESTORE_CLIENT = _INSERT_CLIENT + " ON CONFLICT (id) DO UPDATE SET redirect_uris = excluded.redirect_uris"
_DESCRIPTION = (
    *("name", "redirect_uris", "auth_method", "grant_types", "scope"),
    *("application_type", "client_uri", "metadata", "jwks", "jwks_uri", "signing_algorithm"),
)
_REGISTRATION = (*_DESCRIPTION, "secret_hash", "old_secret_hash", "old_secret_until", "registration_hash")
_DESCRIBE_CLIENT = (
    f"UPDATE clients SET {', '.join(f'{name} = :{name}' for name in _DESCRIPTION)} WHERE id = :id"  # noqa: S608
)
_REPLACE_CLIENT = (
    f"UPDATE clients SET {', '.join(f'{name} = :{name}' for name in _REGISTRATION)} "  # noqa: S608
    "WHERE id = :id AND registration_hash = :expected AND secret_hash IS NOT DISTINCT FROM :secret "
    "AND NOT disabled RETURNING id"
)
_CONFIGURE_CLIENT = _INSERT_CLIENT + (
    " ON CONFLICT (id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_REGISTRATION, "servers", "source"))
)
_DELETED = "client-deleted:"
"""Prefix of the setting that remembers a deleted client's identifier: it must not be let in again.
Its value is 1, or the time at which the client withdrew by itself."""
_WITHDRAWN_SECONDS = 30 * 86_400
"""How long that is remembered: a month of somebody's patience must not fill the store."""
_INSERT_KEY = insert("api_keys", ApiKey)
_KEY_BY_HASH = f"SELECT {columns(ApiKey, 'k')} FROM api_keys AS k WHERE token_hash = :hash"  # noqa: S608


class SqlClients:
    """Implements ``store.ports.Clients``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, client: Client) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT_CLIENT, encode(client))
            except Conflict:
                raise Conflict(f"there is a client {client.id} already") from None

    async def get(self, client_id: str) -> Client | None:
        row = await self._database.one("SELECT * FROM clients WHERE id = :id", id=client_id)
        return decode(Client, row) if row else None

    async def list(self) -> list[Client]:
        rows = await self._database.all("SELECT * FROM clients ORDER BY created_at, id")
        return [decode(Client, row) for row in rows]

    async def used(self, client_id: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("UPDATE clients SET last_used_at = :now WHERE id = :id", now=now, id=client_id)

    async def set_disabled(self, client_id: str, disabled: bool) -> None:
        async with self._database.transaction() as work:
            if not await work.all(
                "UPDATE clients SET disabled = :disabled WHERE id = :id RETURNING id",
                disabled=disabled,
                id=client_id,
            ):
                raise NotFound(f"there is no client {client_id}")
            await work.changed("client", client_id)

    async def delete(self, client_id: str) -> None:
        async with self._database.transaction() as work:
            if not await work.all("DELETE FROM clients WHERE id = :id RETURNING id", id=client_id):
                raise NotFound(f"there is no client {client_id}")
            await _mark_deleted(work, client_id, "1")
            await _fell(work, client_id)

    async def withdraw(self, client_id: str, registration_hash: str, now: int) -> bool:
        async with self._database.transaction() as work:
            if not await work.all(
                "DELETE FROM clients WHERE id = :id AND registration_hash = :hash AND NOT disabled "
                "RETURNING id",
                id=client_id,
                hash=registration_hash,
            ):
                return False
            await _mark_deleted(work, client_id, str(now))
            await _fell(work, client_id)
            return True

    async def deleted(self, client_id: str) -> bool:
        row = await self._database.one(
            "SELECT value FROM settings WHERE name = :name", name=_DELETED + client_id
        )
        return row is not None

    async def describe(self, client: Client) -> None:
        async with self._database.transaction() as work:
            await work.run(_DESCRIBE_CLIENT, _described(client))

    async def replace(self, client: Client, registration_hash: str, secret_hash: str | None) -> bool:
        row = encode(client)
        wanted = {name: row[name] for name in ("id", *_REGISTRATION)}
        expected = {"expected": registration_hash, "secret": secret_hash}
        async with self._database.transaction() as work:
            done = await work.run(_REPLACE_CLIENT, {**wanted, **expected})
            if done:
                await work.changed("client", client.id)
            return bool(done)

    async def renew_secret(self, client_id: str, secret_hash: str, old_until: int) -> None:
        async with self._database.transaction() as work:
            if not await work.all(
                "UPDATE clients SET old_secret_hash = secret_hash, old_secret_until = :until, "
                "secret_hash = :hash WHERE id = :id RETURNING id",
                until=old_until,
                hash=secret_hash,
                id=client_id,
            ):
                raise NotFound(f"there is no client {client_id}")

    async def configure(self, clients: Sequence[Client]) -> Sequence[str]:
        wanted = {client.id: client for client in clients}
        changed: list[str] = []
        async with self._database.transaction() as work:
            for row in await work.all("SELECT id FROM clients WHERE source = 'configured'"):
                if row["id"] not in wanted:
                    await work.all("DELETE FROM clients WHERE id = :id", id=row["id"])
                    await _fell(work, row["id"])
                    changed.append(row["id"])
            for client in wanted.values():
                if await _configure(work, client):
                    changed.append(client.id)
        return changed

    async def restore(self, client: Client) -> None:
        async with self._database.transaction() as work:
            await work.run(_RESTORE_CLIENT, encode(client))

    async def expire_unused(self, created_before: int) -> int:
        async with self._database.transaction() as work:
            gone = await work.all(
                "DELETE FROM clients WHERE source <> 'configured' AND last_used_at IS NULL "
                "AND created_at < :before RETURNING id",
                before=created_before,
            )
            await work.all(
                "DELETE FROM settings WHERE name LIKE :marks AND value <> '1' "
                "AND CAST(value AS BIGINT) < :before",
                marks=f"{_DELETED}%",
                before=created_before - _WITHDRAWN_SECONDS,
            )
            return len(gone)


class SqlApiKeys:
    """Implements ``store.ports.ApiKeys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: ApiKey) -> None:
        async with self._database.transaction() as work:
            try:
                await work.run(_INSERT_KEY, encode(key))
            except NotFound:
                raise NotFound("the owner of the key does not exist") from None

    async def by_hash(self, token_hash: str) -> ApiKey | None:
        row = await self._database.glance(_KEY_BY_HASH, hash=token_hash)
        return built(ApiKey, row) if row else None

    async def get(self, key_id: str) -> ApiKey | None:
        return _key(await self._database.one("SELECT * FROM api_keys WHERE id = :id", id=key_id))

    async def list(self, user_id: str | None = None) -> list[ApiKey]:
        if user_id is None:
            rows = await self._database.all("SELECT * FROM api_keys ORDER BY created_at, id")
        else:
            rows = await self._database.all(
                "SELECT * FROM api_keys WHERE user_id = :user ORDER BY created_at, id", user=user_id
            )
        return [decode(ApiKey, row) for row in rows]

    async def page(self, query: KeyQuery, now: int) -> Sequence[ApiKey]:
        rows = await self._database.all(
            "SELECT * FROM api_keys WHERE id > :after AND (:user_id = '' OR user_id = :user_id) AND ("
            ":state = '' OR (:state = 'revoked' AND revoked_at IS NOT NULL) "
            "OR (:state = 'expired' AND revoked_at IS NULL AND expires_at <= :now) "
            "OR (:state = 'active' AND revoked_at IS NULL AND expires_at > :now)) ORDER BY id LIMIT :limit",
            now=now,
            **encode(query),
        )
        return [decode(ApiKey, row) for row in rows]

    async def revoke(self, key_id: str, now: int) -> bool:
        async with self._database.transaction() as work:
            done = await work.all(
                "UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL RETURNING id",
                now=now,
                id=key_id,
            )
            if done:
                await work.changed("key", key_id)
            return bool(done)

    async def used(self, key_id: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("UPDATE api_keys SET last_used_at = :now WHERE id = :id", now=now, id=key_id)


async def _configure(work: Work, client: Client) -> bool:
    """Whether anything had to change."""
    row = await work.one("SELECT * FROM clients WHERE id = :id", id=client.id)
    known = decode(Client, row) if row else None
    if known is not None:
        kept = replace(
            client, disabled=known.disabled, created_at=known.created_at, last_used_at=known.last_used_at
        )
        if kept == known:
            return False
        if known.source != "configured":
            await _fell(work, client.id)  # what people agreed to was another client of that name
    await work.run(_CONFIGURE_CLIENT, encode(client))
    await work.changed("client", client.id)
    return True


async def _mark_deleted(work: Work, client_id: str, value: str) -> None:
    await work.all(
        "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING",
        name=_DELETED + client_id,
        value=value,
    )


async def _fell(work: Work, client_id: str) -> None:
    """Remove what hangs on a client. There are no foreign keys to clients, so each is named here."""
    for row in await work.all("DELETE FROM grants WHERE client_id = :id RETURNING id", id=client_id):
        await work.changed("grant", row["id"])
    await work.all("DELETE FROM consents WHERE client_id = :id", id=client_id)
    await work.all("DELETE FROM login_transactions WHERE client_id = :id", id=client_id)
    await work.changed("client", client_id)


def _key(row: Row | None) -> ApiKey | None:
    return decode(ApiKey, row) if row else None


def _described(client: Client) -> dict[str, object]:
    row = encode(client)
    return {name: row[name] for name in ("id", *_DESCRIPTION)}
