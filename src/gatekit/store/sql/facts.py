"""What was seen before, signing keys, settings, and the feed of changes."""

from __future__ import annotations

from hashlib import sha256

from gatekit.model.oauth import SigningKey
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

_INSERT_KEY = insert("signing_keys", SigningKey)


def _hashed(key: str) -> str:
    """For its size; "surrogatepass", because JSON can carry halves of a character."""
    return sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


class SqlReplays:
    """Implements ``store.ports.Replays``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def first(self, purpose: str, key: str, expires_at: int, now: int) -> bool:
        if expires_at <= now:
            return False
        # A row that has expired is as good as purged, so that the answer does not hang on when that happens.
        async with self._database.transaction() as work:
            won = await work.one(
                "INSERT INTO replays (purpose, key_hash, expires_at) VALUES (:purpose, :key, :expires) "
                "ON CONFLICT (purpose, key_hash) DO UPDATE SET expires_at = excluded.expires_at "
                "WHERE replays.expires_at <= :now RETURNING key_hash",
                purpose=purpose,
                key=_hashed(key),
                expires=expires_at,
                now=now,
            )
            return won is not None

    async def seen(self, purpose: str, key: str, now: int) -> bool:
        row = await self._database.one(
            "SELECT 1 AS found FROM replays "
            "WHERE purpose = :purpose AND key_hash = :key AND expires_at > :now",
            purpose=purpose,
            key=_hashed(key),
            now=now,
        )
        return row is not None

    async def purge(self, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM replays WHERE expires_at <= :now", now=now)


class SqlSigningKeys:
    """Implements ``store.ports.SigningKeys``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key: SigningKey) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT_KEY, encode(key))
            await work.changed("signing_key", key.kid)

    async def succeed(self, key: SigningKey, newest: str | None) -> bool:
        async with self._database.transaction() as work:
            found = await work.one(
                "SELECT kid FROM signing_keys WHERE purpose = :purpose AND retired_at IS NULL "
                "ORDER BY created_at DESC, kid DESC LIMIT 1",
                purpose=key.purpose,
            )
            if (found["kid"] if found else None) != newest:
                return False
            await work.run(_INSERT_KEY, encode(key))
            await work.changed("signing_key", key.kid)
            return True

    async def list(self, purpose: str | None = None) -> list[SigningKey]:
        rows = await self._database.all(
            "SELECT * FROM signing_keys WHERE :any OR purpose = :purpose ORDER BY created_at DESC, kid DESC",
            any=purpose is None,
            purpose=purpose or "",
        )
        return [decode(SigningKey, row) for row in rows]

    async def retire(self, kid: str, now: int) -> None:
        async with self._database.transaction() as work:
            done = await work.all(
                "UPDATE signing_keys SET retired_at = :now WHERE kid = :kid AND retired_at IS NULL "
                "RETURNING kid",
                now=now,
                kid=kid,
            )
            if done:
                await work.changed("signing_key", kid)


class SqlSettings:
    """Implements ``store.ports.Settings``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, key: str) -> str | None:
        row = await self._database.one("SELECT value FROM settings WHERE name = :name", name=key)
        return row["value"] if row else None

    async def put(self, key: str, value: str) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "INSERT INTO settings (name, value) VALUES (:name, :value) "
                "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                name=key,
                value=value,
            )

    async def put_if_absent(self, key: str, value: str) -> str:
        async with self._database.transaction() as work:
            await work.all(
                "INSERT INTO settings (name, value) VALUES (:name, :value) ON CONFLICT (name) DO NOTHING",
                name=key,
                value=value,
            )
            row = await work.one("SELECT value FROM settings WHERE name = :name", name=key)
            return row["value"] if row else value


class SqlChanges:
    """Implements ``store.ports.Changes``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def since(self, sequence: int) -> tuple[int, list[str]]:
        rows = await self._database.all(
            "SELECT sequence, entry FROM changes "
            # The newest row in any case: asked four times a second, so one search and no scan.
            "WHERE sequence > "
            "(SELECT CASE WHEN MAX(sequence) <= :after THEN MAX(sequence) - 1 ELSE :after END FROM changes) "
            "ORDER BY sequence",
            after=sequence,
        )
        newest = rows[-1]["sequence"] if rows else 0
        unseen = [row for row in rows if row["sequence"] > sequence]
        entries = [row["entry"] for row in unseen]
        if sequence and unseen and unseen[0]["sequence"] > sequence + 1:
            # Numbers follow each other without gaps, so some were trimmed before this reader saw them.
            entries.insert(0, "all:*")
        return newest, entries

    async def trim(self, keep: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM changes WHERE sequence <= (SELECT MAX(sequence) FROM changes) - :keep", keep=keep
            )
