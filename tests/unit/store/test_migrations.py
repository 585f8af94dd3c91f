"""Forward, back and forward again; a new file has the very schema that the migrations build."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from gatekit.errors import StoreError
from gatekit.model.people import User
from gatekit.store.sql.migrate import SCRIPTS, downgrade, upgrade
from gatekit.store.sql.revision import NEWEST, REVISIONS
from gatekit.store.sql.store import open_store
from tests.contract.samples import client, code, grant, relying

ALICE = User(id="usr_1", connection="local", issuer="local", subject="usr_1", username="alice")


def schema(path: Path) -> dict[str, Any]:
    """Tables with columns, foreign keys and indexes, free of how the statements were written."""
    raw = sqlite3.connect(path)
    tables = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, Any] = {}
    for table in sorted(tables):
        indexes = {}
        for _, name, unique, origin, _ in raw.execute(f"PRAGMA index_list({table})"):
            columns = [row[2] for row in raw.execute(f"PRAGMA index_info({name})")]
            indexes["primary key" if origin == "pk" else name] = (unique, columns)
        found[table] = (
            sorted(raw.execute(f"PRAGMA table_info({table})")),
            sorted(raw.execute(f"PRAGMA foreign_key_list({table})")),
            indexes,
        )
    found["AUTOINCREMENT"] = raw.execute(
        "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%'"
    ).fetchall()
    raw.close()
    return found


async def test_a_new_file_has_the_schema_of_the_migrations(tmp_path: Path) -> None:
    new, migrated = tmp_path / "new.db", tmp_path / "migrated.db"
    await (await open_store(new)).close()
    upgrade(migrated)
    assert schema(new) == schema(migrated)


async def test_back_to_the_start_and_forward_again(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    store = await open_store(path)
    before = schema(path)
    await store.users.add(ALICE)
    await store.close()
    downgrade(path, "base")
    assert set(schema(path)) <= {"alembic_version", "sqlite_sequence", "AUTOINCREMENT"}
    store = await open_store(path)
    try:
        await store.users.add(ALICE)
        await store.ready()
        assert schema(path) == before
    finally:
        await store.close()


def test_each_step_back_undoes_its_step_forward(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    for number, revision in enumerate(REVISIONS):
        before = schema(path) if number else None
        upgrade(path, revision)
        after = schema(path)
        downgrade(path, "-1")
        if before is not None:
            assert schema(path) == before
        upgrade(path, revision)
        assert schema(path) == after


async def test_what_relying_parties_are_owed_survives_both_ways(tmp_path: Path) -> None:
    """0012 builds the table anew; on the way back only what hangs on a grant can stay."""
    path = tmp_path / "gatekit.db"
    store = await open_store(path)
    await store.users.add(ALICE)
    await store.clients.add(client())
    await store.grants.approve(grant(user_id=ALICE.id), code("code-1"))
    kept, lost = relying("grt_1", due_at=7, sid="s"), relying("grt_gone")
    for row in (kept, lost):
        await store.relying_sessions.add(row)
    await store.close()
    downgrade(path, "0011")
    store = await open_store(path)
    try:
        assert await store.relying_sessions.of_grant("grt_1") == kept
        assert await store.relying_sessions.of_grant("grt_gone") is None
    finally:
        await store.close()


def test_the_program_knows_exactly_the_revisions_that_there_are() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    steps = list(ScriptDirectory.from_config(config).walk_revisions())
    assert tuple(reversed([step.revision for step in steps])) == REVISIONS


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    await (await open_store(path)).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    with pytest.raises(StoreError, match=rf"\(9999\) is newer than this Gatekit \({NEWEST}\)"):
        await open_store(path)


def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.db"
    raw = sqlite3.connect(path)
    raw.execute("CREATE TABLE changes (something TEXT)")  # the last table the first migration makes
    raw.commit()
    before = schema(path)
    with pytest.raises(StoreError, match="changes"):
        upgrade(path)
    assert schema(path) == before
    raw.close()


def test_an_unknown_revision_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="migration failed"):
        upgrade(tmp_path / "gatekit.db", "nonsense")


def test_the_migrations_library_is_not_loaded_without_need(tmp_path: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from gatekit.store.sql.store import open_store\n"
        "async def main():\n"
        "    for _ in range(2): await (await open_store(pathlib.Path(sys.argv[1]))).close()\n"
        "asyncio.run(main())\n"
        "print(sorted({'alembic', 'sqlalchemy', 'cryptography'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "gatekit.db")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
