"""What only SQLite has: files, modes, locks, damage, a full disk. Messages say what to do."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.errors import InvalidInput, StoreCorrupt, StoreError, StoreFull, StoreLocked
from gatekit.store.sql import access_tokens, accounts, clients, engine, grants, identities, people
from gatekit.store.sql.store import SqlStore, open_store

SETTING = "SELECT name, value FROM settings WHERE name = :name"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await open_store(tmp_path / "gatekit.db")
    yield opened
    await opened.close()


def one_line(error: pytest.ExceptionInfo[StoreError], path: Path) -> str:
    text = str(error.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


async def use(path: Path) -> None:
    store = await open_store(path)
    try:
        await store.settings.get("x")
        await store.users.list()
        await store.ready()
    finally:
        await store.close()


async def test_folder_and_files_are_for_their_owner_only(tmp_path: Path) -> None:
    os.umask(0o022)
    path = tmp_path / "new" / "data" / "gatekit.db"
    store = await open_store(path)
    await store.ready()
    try:
        assert path.parent.stat().st_mode & 0o777 == 0o700
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == {"gatekit.db": 0o600, "gatekit.db-wal": 0o600, "gatekit.db-shm": 0o600}
    finally:
        await store.close()


async def test_the_file_is_in_write_ahead_mode_with_foreign_keys(store: SqlStore) -> None:
    raw = sqlite3.connect(store.path)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    raw.close()
    rows = await store._database.all("PRAGMA foreign_keys")
    assert rows == [{"foreign_keys": 1}]


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    path.write_bytes(b"this is not a database " * 1000)
    with pytest.raises(StoreCorrupt) as error:
        await open_store(path)
    assert "backup" in one_line(error, path)
    assert path.read_bytes().startswith(b"this is not"), "nothing was overwritten"


async def test_a_damaged_database(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    store = await open_store(path)
    await store.settings.put("x", "y" * 50_000)
    await store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StoreCorrupt) as error:
        await use(path)
    assert "restore" in one_line(error, path)


async def test_a_truncated_database(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    await (await open_store(path)).close()
    os.truncate(path, 3 * 4096)
    with pytest.raises(StoreCorrupt) as error:
        await use(path)
    one_line(error, path)


async def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE songs (title TEXT)")
    other.close()
    with pytest.raises(StoreCorrupt, match="another program"):
        await open_store(path)


async def test_a_folder_in_its_place_and_a_file_as_folder(tmp_path: Path) -> None:
    (tmp_path / "gatekit.db").mkdir()
    with pytest.raises(StoreError) as error:
        await open_store(tmp_path / "gatekit.db")
    one_line(error, tmp_path / "gatekit.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        await open_store(tmp_path / "file" / "gatekit.db")


async def test_a_lock_held_by_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.05)
    store = await open_store(tmp_path / "gatekit.db")
    other = sqlite3.connect(store.path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLocked) as error:
            await store.ready()
        assert "another process" in one_line(error, store.path)
        assert await store.settings.get("x") is None, "reading goes on"
        other.execute("ROLLBACK")
        await store.ready()
    finally:
        other.close()
        await store.close()


async def test_no_room_to_write_and_then_room_again(store: SqlStore) -> None:
    pages = (await store._database.all("PRAGMA page_count"))[0]["page_count"]
    async with store._database.transaction() as work:
        await work.all(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreFull) as error:
        await store.settings.put("big", "x" * 100_000)
    assert "free some space" in one_line(error, store.path)
    assert await store.settings.get("big") is None
    async with store._database.transaction() as work:
        await work.all("PRAGMA max_page_count = 1000000")
    await store.settings.put("big", "x" * 100_000)


async def test_a_database_that_may_only_be_read(store: SqlStore) -> None:
    await store._database._writer.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError, match="cannot be written"):
        await store.ready()
    await store._database._writer.execute("PRAGMA query_only = OFF")
    await store.ready()


async def test_ready_really_writes(store: SqlStore) -> None:
    wal = store.path.with_name("gatekit.db-wal")
    sizes = []
    for _ in range(4):
        await store.ready()
        sizes.append(wal.stat().st_size)
    assert sizes == sorted(set(sizes)), "each time something reached the file"


async def test_reading_does_not_wait_for_a_writer(store: SqlStore) -> None:
    async with store._database.transaction() as work:
        await work.all("INSERT INTO settings VALUES ('half', 'done')")
        assert await asyncio.wait_for(store.settings.get("half"), 5) is None
    assert await store.settings.get("half") == "done"


async def test_a_glance_sees_what_was_committed_a_moment_ago(store: SqlStore) -> None:
    await store.settings.put("x", "1")
    assert await store._database.glance(SETTING, name="x") == ("x", "1")
    raw = sqlite3.connect(store.path, isolation_level=None)
    raw.execute("UPDATE settings SET value = '2' WHERE name = 'x'")
    assert await store._database.glance(SETTING, name="x") == ("x", "2")
    assert await store._database.glance(SETTING, name="y") is None
    # A transaction that was left open would keep the log from being emptied, and show old rows.
    assert raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    raw.close()


async def test_a_glance_that_is_in_the_way_of_something_goes_to_the_thread(store: SqlStore) -> None:
    await store.settings.put("x", "1")
    store._database._glancer.close()
    assert await store._database.glance(SETTING, name="x") == ("x", "1")
    assert await store._database.glance(SETTING, name="y") is None
    with pytest.raises(StoreError, match="no such table"):
        await store._database.glance("SELECT a AS a FROM nowhere")


async def test_a_glance_at_what_is_no_unicode(store: SqlStore) -> None:
    with pytest.raises(InvalidInput):
        await store._database.glance(SETTING, name="\ud800")


async def test_the_glancing_connection_never_waits_and_never_writes(store: SqlStore) -> None:
    glancer = store._database._glancer
    assert glancer.execute("PRAGMA busy_timeout").fetchone() == (0,)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        glancer.execute("DELETE FROM settings")


@pytest.mark.parametrize(
    "statement",
    [grants._WITH_PARTIES, access_tokens._BY_HASH, clients._KEY_BY_HASH, people._USER_BY_ID],
)
async def test_everything_that_is_glanced_at_is_found_by_a_key(store: SqlStore, statement: str) -> None:
    raw = sqlite3.connect(store.path)
    plan = raw.execute(f"EXPLAIN QUERY PLAN {statement}", {"id": "x", "hash": "x"}).fetchall()
    raw.close()
    assert plan
    assert all(step[3].startswith("SEARCH ") and "=?" in step[3] for step in plan), plan


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (people._USERS_BY_EMAIL, "users_email (<expr>=?)"),
        (people._USER_BY_IDENTITY, "identities_1 (connection=? AND issuer=? AND subject=?)"),
        (identities._FIND, "identities_1 (connection=? AND issuer=? AND subject=?)"),
        (accounts._BY_EXTERNAL_ID, "scim_users_external (connection=? AND external_id=?)"),
        (accounts._UNCLAIMED_BY_EXTERNAL_ID, "scim_users_external (connection=? AND external_id=?)"),
        (accounts._UNCLAIMED_BY_KEY, "scim_users_name (connection=? AND user_key=?)"),
    ],
    ids=["e-mail", "identity", "linking", "external id", "claim by external id", "claim by name"],
)
async def test_what_a_sign_in_looks_for_is_found_by_an_index(
    store: SqlStore, statement: str, index: str
) -> None:
    """With 100,000 people, reading them all would be a second of a sign-in."""
    names = ("connection", "issuer", "subject", "email", "limit", "external", "key", "provisioned")
    raw = sqlite3.connect(store.path)
    plan = [step[3] for step in raw.execute(f"EXPLAIN QUERY PLAN {statement}", dict.fromkeys(names, "x"))]
    raw.close()
    assert plan[0].endswith(index), plan
    assert not any(step.startswith("SCAN") for step in plan), plan


async def test_an_exception_in_the_body_rolls_back(store: SqlStore) -> None:
    async def half_way() -> None:
        async with store._database.transaction() as work:
            await work.all("INSERT INTO settings VALUES ('half', 'done')")
            raise KeyError("half-way")

    with pytest.raises(KeyError):
        await half_way()
    assert await store.settings.get("half") is None
    await store.ready()


def test_a_program_that_dies_with_the_store_open_ends(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from gatekit.store.sql.store import open_store\n"
        "kept = []\n"
        "async def main():\n"
        "    kept.append(await open_store(pathlib.Path(sys.argv[1])))\n"
        "    await kept[0].settings.put('a', 'b')\n"
        "    raise SystemExit(7)\n"
        "asyncio.run(main())\n"
    )
    path = tmp_path / "gatekit.db"
    assert subprocess.run([sys.executable, "-c", program, str(path)], timeout=30, check=False).returncode == 7
    raw = sqlite3.connect(path)
    assert raw.execute("SELECT value FROM settings WHERE name = 'a'").fetchone() == ("b",)
    raw.close()


def test_every_meaning_is_one_short_instruction() -> None:
    for name, kind, advice in engine._MEANING:
        error = sqlite3.OperationalError("x")
        error.sqlite_errorname = f"{name}_SOMETHING"
        explained = engine.explain(error, Path("/data/gatekit.db"))
        assert type(explained) is kind
        assert str(explained) == f"/data/gatekit.db: {advice}"
        assert len(advice) < 120
    unknown = engine.explain(sqlite3.OperationalError("strange"), Path("/data/gatekit.db"))
    assert type(unknown) is StoreError
    assert "strange" in str(unknown)
