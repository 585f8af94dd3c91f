"""Records to rows and back. A record's fields are its table's columns, by name.

Lists are stored as JSON text, truth values as what the database makes of them. Columns that a record does
not know (a password hash beside a User) are left alone in both directions.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from gatekit.store.sql.engine import Row

LISTS = frozenset(
    {"redirect_uris", "grant_types", "scopes", "resources", "servers", "selectors", "addresses", "digests"}
    | {"flags"}
)
FLAGS = frozenset({"disabled", "email_verified", "read_only", "active", "held", "enabled"})

Record = TypeVar("Record", bound=Struct)

_TEXTS = msgspec.json.Decoder(tuple[str, ...])


def encode(record: Struct) -> dict[str, object]:
    """Parameters for a statement, by field name."""
    return {name: _plain(getattr(record, name)) for name in record.__struct_fields__}


def decode(kind: type[Record], row: Row, prefix: str = "") -> Record:
    """The record in a row; in the columns that begin with ``prefix``, see ``columns``."""
    return built(kind, _plan(kind, prefix).pick(row))


def built(kind: type[Record], values: tuple[Any, ...]) -> Record:
    """The record whose columns are ``values``, in the order of ``columns``."""
    names, _, lists, flags = _plan(kind)
    found = dict(zip(names, values, strict=True))
    for name in lists:
        if isinstance(found[name], str):
            found[name] = _TEXTS.decode(found[name])
    for name in flags:
        found[name] = bool(found[name])
    return kind(**found)


def columns(kind: type[Struct], table: str) -> str:
    """``t.id AS t_id, …`` for every field of ``kind``: for a statement that reads several records at once."""
    return ", ".join(f"{table}.{name} AS {table}_{name}" for name in kind.__struct_fields__)


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


class _Plan(NamedTuple):
    """How a kind of record is read, worked out once: it is asked for every row."""

    names: tuple[str, ...]
    pick: Callable[[Row], tuple[Any, ...]]
    lists: tuple[str, ...]
    flags: tuple[str, ...]


@cache
def _plan(kind: type[Struct], prefix: str = "") -> _Plan:
    names = kind.__struct_fields__
    keys = [prefix + name for name in names]
    return _Plan(
        names,
        itemgetter(*keys) if len(keys) > 1 else lambda row: (row[keys[0]],),
        tuple(name for name in names if name in LISTS),
        tuple(name for name in names if name in FLAGS),
    )
