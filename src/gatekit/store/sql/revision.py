"""Is the schema the one this program knows?  If not: make it, migrate it, or refuse."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiosqlite

from gatekit.errors import StoreCorrupt, StoreError
from gatekit.store.sql.engine import connect, explained

REVISIONS = (
    *("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"),
    *("0011", "0012", "0013", "0014", "0015", "0016", "0017", "0018", "0019", "0020"),
    *("0021", "0022", "0023", "0024", "0025"),
)
"""Every revision this program knows, oldest first; ``migrations/versions`` has one file for each."""
NEWEST = REVISIONS[-1]


async def bring_up_to_date(path: Path) -> None:
    """Leave ``path`` at the newest revision. Raise ``StoreError`` if that is impossible.

    Two programs that start at once are in order: each of them looks again inside its own transaction.
    """
    connection = await connect(path)
    try:
        with explained(path):
            if await _find(connection, path) is None:
                await _create(connection, path)
            behind = await _find(connection, path) != NEWEST
    finally:
        await connection.close()
    if behind:
        # The library of the migrations costs half a second and 40 MB: it is loaded only when it is needed.
        from gatekit.store.sql.migrate import upgrade  # noqa: PLC0415 - loaded only when a schema is behind

        await asyncio.to_thread(upgrade, path)


async def _find(connection: aiosqlite.Connection, path: Path) -> str | None:
    """The revision, ``""`` before the first one, None for an empty file."""
    rows = await connection.execute_fetchall("SELECT name FROM sqlite_master WHERE type = 'table'")
    tables = {row["name"] for row in rows} - {"sqlite_sequence"}
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise StoreCorrupt(f"{path}: this is another program's database; choose another data directory")
    found = [
        str(row["version_num"])
        for row in await connection.execute_fetchall("SELECT version_num FROM alembic_version")
    ]
    revision = found[0] if found else ""
    if revision and revision not in REVISIONS:
        raise StoreError(
            f"{path}: its schema ({revision}) is newer than this Gatekit ({NEWEST}); "
            "install the newer version again"
        )
    return revision


async def _create(connection: aiosqlite.Connection, path: Path) -> None:
    await connection.execute("BEGIN IMMEDIATE")
    try:
        if await _find(connection, path) is None:
            for statement in _statements():
                await connection.execute_fetchall(statement)
            await connection.execute_fetchall(
                "CREATE TABLE alembic_version "
                "(version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )
            await connection.execute_fetchall(
                "INSERT INTO alembic_version VALUES (:newest)", {"newest": NEWEST}
            )
        await connection.commit()
    except BaseException:
        await connection.rollback()
        raise


def _statements() -> list[str]:
    text = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]
