"""Records to rows and back. A record's fields are its table's columns, by name.

Lists are stored as JSON text, truth values as what the database makes of them. Columns that a record does
not know (a password hash beside a User) are left alone in both directions.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from gatekit.store.sql.engine import Row

LISTS = frozenset({"redirect_uris", "grant_types", "scopes", "resources", "servers"})
FLAGS = frozenset({"disabled", "email_verified"})

Record = TypeVar("Record", bound=Struct)


def encode(record: Struct) -> dict[str, object]:
    """Parameters for a statement, by field name."""
    return {name: _plain(getattr(record, name)) for name in record.__struct_fields__}


def decode(kind: type[Record], row: Row) -> Record:
    """The record in a row."""
    return kind(**{name: _rich(name, row[name]) for name in kind.__struct_fields__})


def as_list(values: tuple[str, ...]) -> str:
    """How a list stands in a column."""
    return msgspec.json.encode(values).decode()


def insert(table: str, kind: type[Struct]) -> str:
    """``INSERT INTO table (…) VALUES (:…)`` for every field of ``kind``; may be continued."""
    columns = kind.__struct_fields__
    # Names come from our own classes, never from data.
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(':' + c for c in columns)})"  # noqa: S608


def update(table: str, kind: type[Struct], key: str) -> str:
    """``UPDATE table SET … WHERE key = :key`` for every other field of ``kind``; may be continued."""
    assigned = ", ".join(f"{column} = :{column}" for column in kind.__struct_fields__ if column != key)
    return f"UPDATE {table} SET {assigned} WHERE {key} = :{key}"  # noqa: S608


def _plain(value: object) -> object:
    return as_list(value) if isinstance(value, tuple) else value


def _rich(name: str, value: object) -> object:
    if name in LISTS and isinstance(value, str):
        return msgspec.json.decode(value, type=tuple[str, ...])
    return bool(value) if name in FLAGS else value
