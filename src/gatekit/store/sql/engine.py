"""SQLite under the store: connections, transactions, and what its errors mean to an operator.

One connection writes and one reads, each in a thread of its own. All transactions of a process queue for
the writing connection; those of several processes queue in SQLite (``BEGIN IMMEDIATE`` takes the write lock
at once, so that a transaction never fails half-way because somebody else wrote). Reads see the last
committed state and wait for nobody (WAL).

A third connection is for reads of one row by its key, which the bearer check needs of every token it has
not seen. They take 10 to 25 µs, and the way to a thread and back costs up to four times that. So they happen
where they are asked for, and never wait there: whatever is in the way sends them to the thread after all.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import aiosqlite

from gatekit.errors import (
    Conflict,
    GatekitError,
    InvalidInput,
    NotFound,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreLocked,
)

Row = dict[str, Any]
Params = Mapping[str, object]

BUSY_SECONDS = 5.0
"""How long a writer waits for another process."""
_BUSY_PAUSE = 0.01


class Work:
    """One open transaction. Statements whose effect matters say ``RETURNING``."""

    def __init__(self, connection: aiosqlite.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    async def all(self, sql: str, **params: object) -> list[Row]:
        return await self.run(sql, params)

    async def one(self, sql: str, **params: object) -> Row | None:
        rows = await self.run(sql, params)
        return rows[0] if rows else None

    async def run(self, sql: str, params: Params) -> list[Row]:
        """For statements whose parameters are a whole record."""
        with explained(self._path):
            return await _fetch(self._connection, sql, params)

    async def changed(self, noun: str, ident: str) -> None:
        """Tell other processes, in the transaction of the change itself."""
        await self.run("INSERT INTO changes (entry) VALUES (:entry)", {"entry": f"{noun}:{ident}"})


class Database:
    """An open SQLite file."""

    def __init__(
        self,
        path: Path,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection,
        glancer: sqlite3.Connection,
    ) -> None:
        self.path = path
        self._writer = writer
        self._reader = reader
        self._glancer = glancer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> Database:
        """Raise ``StoreError``. The schema must be there already."""
        async with contextlib.AsyncExitStack() as opened:
            writer = await connect(path)
            opened.push_async_callback(writer.close)
            reader = await connect(path)
            opened.push_async_callback(reader.close)
            with explained(path):
                glancer = _glancer(path)
            opened.pop_all()
        return cls(path, writer, reader, glancer)

    async def all(self, sql: str, **params: object) -> list[Row]:
        """Read outside a transaction."""
        try:
            return await _fetch(self._reader, sql, params)
        except sqlite3.Error as error:
            raise explain(error, self.path) from error

    async def one(self, sql: str, **params: object) -> Row | None:
        rows = await self.all(sql, **params)
        return rows[0] if rows else None

    async def glance(self, sql: str, **params: object) -> tuple[Any, ...] | None:
        """The columns of one row that is found by a key, in the order of the statement, each with a name of
        its own. Nothing else belongs here: everybody in this process waits for it."""
        try:
            rows = self._glancer.execute(sql, params).fetchall()  # to the end, which ends the transaction
        except (sqlite3.Error, UnicodeEncodeError):
            # Locked, broken, closed or malformed: the reading connection can wait, and explains the rest.
            rows = [tuple(row.values()) for row in await self.all(sql, **params)]
        return rows[0] if rows else None

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Work]:
        """Commit at the end, or leave everything as it was if the body or the commit raises."""
        async with self._turn:
            with explained(self.path):
                try:
                    await _fetch(self._writer, "BEGIN IMMEDIATE", {})
                    yield Work(self._writer, self.path)
                    await self._writer.commit()
                except BaseException:
                    # Shielded: a caller that went away must not leave a transaction open. The connection's
                    # thread works in order, so the next BEGIN comes after this in any case.
                    await asyncio.shield(self._roll_back())
                    raise

    async def close(self) -> None:
        """Give the file back. Idempotent."""
        self._glancer.close()
        await self._reader.close()
        await self._writer.close()

    async def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            await self._writer.rollback()


async def connect(path: Path) -> aiosqlite.Connection:
    """Raise ``StoreError`` if the file cannot be used."""
    with explained(path):
        connection = aiosqlite.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        # The library has no public way to say it: a program that dies of something else, with the store
        # still open, must end and not wait for this thread for ever. What is committed is safe either way.
        connection._thread.daemon = True
        await connection
        # The library declares a class here, and hands whatever it gets to sqlite3, which calls it.
        connection.row_factory = _as_dict  # type: ignore[assignment]
        try:
            await _patiently(_configure, connection)
        except BaseException:
            await connection.close()
            raise
        return connection


def _glancer(path: Path) -> sqlite3.Connection:
    """A connection for ``glance``: it never waits for a lock, and cannot write."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = ON")
    except BaseException:
        connection.close()
        raise
    return connection


async def _patiently(
    step: Callable[[aiosqlite.Connection], Awaitable[None]], connection: aiosqlite.Connection
) -> None:
    """Try again while others are in the way; SQLite waits by itself except in changing to WAL mode."""
    loop = asyncio.get_running_loop()
    until = loop.time() + BUSY_SECONDS
    while True:
        try:
            return await step(connection)
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or loop.time() > until:
                raise
        await asyncio.sleep(_BUSY_PAUSE)


async def _configure(connection: aiosqlite.Connection) -> None:
    mode = await _fetch(connection, "PRAGMA journal_mode", {})
    if mode[0]["journal_mode"] != "wal":
        await _fetch(connection, "PRAGMA journal_mode = WAL", {})
    await _fetch(connection, "PRAGMA synchronous = NORMAL", {})
    await _fetch(connection, "PRAGMA foreign_keys = ON", {})


async def _fetch(connection: aiosqlite.Connection, sql: str, params: Params) -> list[Row]:
    """One statement, one trip to the connection's thread."""
    try:
        return cast(list[Row], await connection.execute_fetchall(sql, params))
    except UnicodeEncodeError as error:
        raise InvalidInput("a text holds characters that are not Unicode") from error
    except ValueError as error:  # what aiosqlite says of a closed connection
        raise StoreError("the database is closed already") from error


_NAME = itemgetter(0)


def _as_dict(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> Row:
    """In the connection's thread; ``sqlite3.Row`` looks for each column among all of them."""
    return dict(zip(map(_NAME, cursor.description), row, strict=False))


# -- errors ------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says into a StoreError that says what to do (or Conflict, NotFound)."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(error, path) from error


def explain(error: sqlite3.Error, path: Path) -> GatekitError:
    """The same error in the operator's words."""
    name = getattr(error, "sqlite_errorname", "") or ""
    if name in {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY"}:
        return Conflict("it exists already")
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":
        return NotFound("what it belongs to does not exist")
    for prefix, kind, advice in _MEANING:
        if name.startswith(prefix):
            return kind(f"{path}: {advice}")
    return StoreError(f"{path}: the database cannot be used ({error})")


_MEANING: tuple[tuple[str, type[StoreError], str], ...] = (
    (
        "SQLITE_BUSY",
        StoreLocked,
        f"another process has held the database for {BUSY_SECONDS:.0f} s; find it with fuser, or try again",
    ),
    ("SQLITE_LOCKED", StoreLocked, "the database is locked by another process; try again"),
    (
        "SQLITE_NOTADB",
        StoreCorrupt,
        "this is not a database; restore it from a backup, or move it away and a new one is made",
    ),
    (
        "SQLITE_CORRUPT",
        StoreCorrupt,
        "the database is damaged; stop Gatekit and restore it from a backup, together with its -wal file",
    ),
    ("SQLITE_FULL", StoreFull, "there is no room to write; free some space, nothing else needs to be done"),
    ("SQLITE_IOERR_SHMSIZE", StoreFull, "there is no room to write; free some space"),
    ("SQLITE_IOERR_WRITE", StoreFull, "the medium refuses to write; check its space, quota and health"),
    ("SQLITE_READONLY", StoreError, "the database cannot be written; check its owner, mode and mount"),
    ("SQLITE_PERM", StoreError, "the database may not be opened; check its owner and mode"),
    ("SQLITE_CANTOPEN", StoreError, "the database cannot be opened; check that the folder may be written"),
    ("SQLITE_IOERR", StoreError, "reading or writing the database failed; check the medium"),
)
