"""Runs the migrations. Imported only when a schema is behind, because alembic and SQLAlchemy are heavy.

A migration runs in one transaction: it happens as a whole or not at all, and two gateways that start at
once do not both run it.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from gatekit.errors import StoreError
from gatekit.store.sql.engine import BUSY_SECONDS, explain

SCRIPTS = Path(__file__).resolve().parent.parent / "migrations"


def upgrade(path: Path, revision: str = "head") -> None:
    """Forward to ``revision``. Blocks; raises ``StoreError``, and then nothing has changed."""
    with _prepared(path) as config:
        command.upgrade(config, revision)


def downgrade(path: Path, revision: str) -> None:
    """Back to ``revision`` (``base``: before the first). What only newer revisions can hold is lost."""
    with _prepared(path) as config:
        command.downgrade(config, revision)


@contextlib.contextmanager
def _prepared(path: Path) -> Iterator[Config]:
    def connect() -> sqlite3.Connection:
        return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            config.attributes["connection"] = connection
            yield config
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                raise StoreError(
                    f"{path}: the migration would leave rows of {broken[0][0]} without their parent"
                )
            connection.commit()
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):
            raise explain(error.orig, path) from error
        raise StoreError(f"{path}: the migration failed ({error})") from error
    except CommandError as error:
        raise StoreError(f"{path}: the migration failed ({error})") from error
    finally:
        engine.dispose()
