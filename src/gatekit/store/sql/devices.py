"""Runs of the device authorization grant (RFC 8628)."""

from __future__ import annotations

from gatekit.model.oauth import DeviceAuthorization, Grant, RefreshToken
from gatekit.store.sql.engine import Database
from gatekit.store.sql.rows import decode, encode, insert

SLOWER_SECONDS = 5
"""RFC 8628 §3.5: what ``slow_down`` adds to the interval."""

_INSERT = insert("device_authorizations", DeviceAuthorization)
_INSERT_GRANT = insert("grants", Grant)
_INSERT_REFRESH = insert("refresh_tokens", RefreshToken)


class SqlDeviceAuthorizations:
    """Implements ``store.ports.DeviceAuthorizations``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, run: DeviceAuthorization) -> None:
        async with self._database.transaction() as work:
            await work.run(_INSERT, encode(run))

    async def pending(self, user_code_hash: str, now: int) -> DeviceAuthorization | None:
        row = await self._database.one(
            "SELECT * FROM device_authorizations "
            "WHERE user_code_hash = :hash AND status = 'pending' AND expires_at > :now",
            hash=user_code_hash,
            now=now,
        )
        return decode(DeviceAuthorization, row) if row else None

    async def decide(self, device_hash: str, now: int, grant: Grant | None) -> bool:
        async with self._database.transaction() as work:
            if grant is not None:
                await work.run(_INSERT_GRANT, encode(grant))
            done = await work.one(
                "UPDATE device_authorizations SET status = :status, grant_id = :grant "
                "WHERE device_hash = :hash AND status = 'pending' AND expires_at > :now "
                "RETURNING device_hash",
                status="denied" if grant is None else "approved",
                grant=None if grant is None else grant.id,
                hash=device_hash,
                now=now,
            )
            if done is None and grant is not None:
                await work.all("DELETE FROM grants WHERE id = :id", id=grant.id)
            return done is not None

    async def poll(self, device_hash: str, now: int, client_id: str) -> DeviceAuthorization | None:
        async with self._database.transaction() as work:
            row = await work.one(
                "SELECT * FROM device_authorizations WHERE device_hash = :hash AND client_id = :client",
                hash=device_hash,
                client=client_id,
            )
            if row is None:
                return None
            found = decode(DeviceAuthorization, row)
            early = found.polled_at is not None and now - found.polled_at < found.interval
            await work.all(
                "UPDATE device_authorizations SET polled_at = :now, interval = :interval "
                "WHERE device_hash = :hash",
                now=now,
                interval=found.interval + (SLOWER_SECONDS if early else 0),
                hash=device_hash,
            )
            return found

    async def redeem(self, device_hash: str, now: int, refresh: RefreshToken | None) -> bool:
        async with self._database.transaction() as work:
            done = await work.one(
                "UPDATE device_authorizations SET status = 'used' "
                "WHERE device_hash = :hash AND status = 'approved' AND expires_at > :now "
                "AND EXISTS (SELECT 1 FROM grants WHERE grants.id = grant_id AND grants.revoked_at IS NULL) "
                "RETURNING device_hash",
                hash=device_hash,
                now=now,
            )
            if done is None:
                return False
            if refresh is not None:
                await work.run(_INSERT_REFRESH, encode(refresh))
            return True

    async def purge(self, now: int) -> None:
        async with self._database.transaction() as work:
            await work.all("DELETE FROM device_authorizations WHERE expires_at <= :now", now=now)
