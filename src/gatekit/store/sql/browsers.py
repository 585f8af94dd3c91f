"""What hangs on a browser: sign-in sessions, runs through the authorization endpoint, approvals."""

from __future__ import annotations

from collections.abc import Sequence

from gatekit.errors import NotFound
from gatekit.model.oauth import Consent, Transaction
from gatekit.model.people import BrowserSession
from gatekit.store.sql.engine import Database, Work
from gatekit.store.sql.rows import as_list, decode, encode, insert, update

_INSERT_SESSION = insert("browser_sessions", BrowserSession)
_INSERT_TRANSACTION = insert("login_transactions", Transaction)
_UPDATE_TRANSACTION = (
    update("login_transactions", Transaction, "id_hash") + " AND finished_at IS NULL RETURNING id_hash"
)
_INSERT_CONSENT = insert("consents", Consent) + (
    " ON CONFLICT (user_id, client_id, redirect_uri, scopes, resources) "
    "DO UPDATE SET created_at = excluded.created_at"
)


class SqlBrowserSessions:
    """Implements ``store.ports.BrowserSessions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, session: BrowserSession) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT_SESSION, encode(session))

    async def get(self, token_hash: str, now: int) -> BrowserSession | None:
        row = await self._database.one(
            "SELECT * FROM browser_sessions "
            "WHERE token_hash = :hash AND ended_at IS NULL AND expires_at > :now",
            hash=token_hash,
            now=now,
        )
        return decode(BrowserSession, row) if row else None

    async def list(self, user_id: str, now: int) -> Sequence[BrowserSession]:
        rows = await self._database.all(
            "SELECT * FROM browser_sessions WHERE user_id = :user AND ended_at IS NULL AND expires_at > :now "
            "ORDER BY created_at DESC, token_hash",
            user=user_id,
            now=now,
        )
        return [decode(BrowserSession, row) for row in rows]

    async def of_provider(self, connection: str, provider_session: str) -> Sequence[BrowserSession]:
        rows = await self._database.all(
            "SELECT * FROM browser_sessions "
            "WHERE connection = :connection AND provider_session = :session AND ended_at IS NULL",
            connection=connection,
            session=provider_session,
        )
        return [decode(BrowserSession, row) for row in rows]

    async def end(self, token_hash: str, now: int) -> None:
        async with self._database.transaction() as work:
            if await work.all(
                "UPDATE browser_sessions SET ended_at = :now WHERE token_hash = :hash AND ended_at IS NULL "
                "RETURNING token_hash",
                now=now,
                hash=token_hash,
            ):
                await work.all(
                    "UPDATE relying_sessions SET due_at = :now WHERE session_hash = :hash",
                    now=now,
                    hash=token_hash,
                )

    async def end_all(self, user_id: str, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "UPDATE browser_sessions SET ended_at = :now WHERE user_id = :user AND ended_at IS NULL",
                now=now,
                user=user_id,
            )
            await sign_out_everywhere(work, user_id, now)

    async def purge(self, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM browser_sessions WHERE expires_at <= :now OR ended_at IS NOT NULL", now=now
            )


async def sign_out_everywhere(work: Work, user_id: str, now: int) -> None:
    """Every relying party that this person signed in at is told, and told once.

    Also those whose browser session has merely expired: theirs may live on, and the person shall be out.
    """
    await work.all(
        "UPDATE relying_sessions SET due_at = :now WHERE user_id = :user AND attempts = 0 AND due_at IS NULL",
        now=now,
        user=user_id,
    )


class SqlTransactions:
    """Implements ``store.ports.Transactions``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, transaction: Transaction) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT_TRANSACTION, encode(transaction))

    async def get(self, id_hash: str, now: int) -> Transaction | None:
        row = await self._database.one(
            "SELECT * FROM login_transactions "
            "WHERE id_hash = :hash AND finished_at IS NULL AND expires_at > :now",
            hash=id_hash,
            now=now,
        )
        return decode(Transaction, row) if row else None

    async def update(self, transaction: Transaction) -> None:
        async with self._database.transaction() as work:
            if await work.one(_UPDATE_TRANSACTION, **encode(transaction)) is None:
                raise NotFound("this sign-in has ended already")

    async def lay(self, id_hash: str, before: str, after: str) -> bool:
        async with self._database.transaction() as work:
            done = await work.all(
                "UPDATE login_transactions SET provider_state = :after "
                "WHERE id_hash = :hash AND provider_state = :before AND finished_at IS NULL "
                "RETURNING id_hash",
                hash=id_hash,
                before=before,
                after=after,
            )
            return bool(done)

    async def finish(self, id_hash: str, now: int) -> bool:
        async with self._database.transaction() as work:
            done = await work.all(
                "UPDATE login_transactions SET finished_at = :now "
                "WHERE id_hash = :hash AND finished_at IS NULL AND expires_at > :now RETURNING id_hash",
                now=now,
                hash=id_hash,
            )
            return bool(done)

    async def consent(
        self,
        user_id: str,
        client_id: str,
        redirect_uri: str,
        scopes: tuple[str, ...],
        resources: tuple[str, ...],
    ) -> Consent | None:
        row = await self._database.one(
            "SELECT * FROM consents WHERE user_id = :user AND client_id = :client "
            "AND redirect_uri = :redirect AND scopes = :scopes AND resources = :resources",
            user=user_id,
            client=client_id,
            redirect=redirect_uri,
            scopes=_key(scopes),
            resources=_key(resources),
        )
        return decode(Consent, row) if row else None

    async def remember_consent(self, consent: Consent) -> None:
        async with self._database.transaction() as work:
            sets = {"scopes": _key(consent.scopes), "resources": _key(consent.resources)}
            await work.run(_INSERT_CONSENT, encode(consent) | sets)

    async def forget_consents(self, user_id: str, client_id: str) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM consents WHERE user_id = :user AND client_id = :client",
                user=user_id,
                client=client_id,
            )

    async def purge(self, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all(
                "DELETE FROM login_transactions WHERE expires_at <= :now OR finished_at IS NOT NULL", now=now
            )


def _key(values: tuple[str, ...]) -> str:
    """Scopes and resources are sets (RFC 6749 §3.3): the order in which a client names them means nothing."""
    return as_list(tuple(sorted(set(values))))
