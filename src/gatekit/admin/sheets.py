"""People and groups as CSV or JSON, for spreadsheets and for other programs. Pure: text in, rows out.

In CSV a cell that holds a list has ``;`` between its values, or is a JSON list where a value holds a ``;``.
A cell that a spreadsheet would take for a formula begins with an apostrophe; reading takes it away again.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar, get_args

from msgspec import Struct, ValidationError, convert

from gatekit.errors import InvalidInput
from gatekit.model.people import Role

Format = Literal["csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)

MAX_ROWS = 200_000
MAX_FAULTS = 50
_FORMULA = tuple("=+-@\t\r'")
"""What a cell must not begin with (OWASP, CSV injection), and what marks one that would."""

Values = dict[str, Any]


class PersonRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One person. What is None is not said: it stays as it is."""

    username: str
    email: str | None = None
    display_name: str | None = None
    role: Role | None = None
    disabled: bool | None = None
    groups: tuple[str, ...] | None = None
    connection: str | None = None
    login: str | None = None
    last_seen_at: str | None = None
    """The last three are for the reader; they are not imported."""


class GroupRow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One local group. What is None stays as it is."""

    name: str
    title: str | None = None
    members: tuple[str, ...] | None = None
    children: tuple[str, ...] | None = None
    rule: tuple[str, ...] | None = None


Row = TypeVar("Row", PersonRow, GroupRow)

_LISTS = frozenset({"groups", "members", "children", "rule"})
_FLAGS: Mapping[str, bool] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def read(text: str, form: Format, kind: type[Row]) -> list[tuple[int, Row]]:
    """(line, row) of every row; in JSON the number of the entry. Raises ``InvalidInput`` with every fault."""
    found: list[tuple[int, Row]] = []
    faults: list[str] = []
    for line, values in _csv(text, kind) if form == "csv" else _json(text):
        try:
            found.append((line, convert(values, kind)))
        except ValidationError as error:
            faults.append(f"{_place(form, line)}: {error}")
        if len(found) > MAX_ROWS:
            raise InvalidInput(f"more than {MAX_ROWS} rows")
    raise_all(faults)
    return found


def write(rows: Iterable[PersonRow] | Iterable[GroupRow], form: Format, kind: type[Struct]) -> str:
    """A whole document."""
    columns = kind.__struct_fields__
    plain = [{name: getattr(row, name) for name in columns} for row in rows]
    if form == "json":
        return json.dumps(plain, indent=1, ensure_ascii=False, default=list) + "\n"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(values[name]) for name in columns] for values in plain)
    return buffer.getvalue()


def raise_all(faults: Sequence[str]) -> None:
    """Raise ``InvalidInput`` with all of them, if there are any."""
    if faults:
        more = len(faults) - MAX_FAULTS
        shown = [*faults[:MAX_FAULTS], *([f"… and {more} more"] if more > 0 else [])]
        raise InvalidInput("nothing was changed:\n" + "\n".join(shown))


def _place(form: Format, line: int) -> str:
    return f"line {line}" if form == "csv" else f"entry {line}"


def _json(text: str) -> Iterable[tuple[int, Values]]:
    try:
        document = json.loads(text)
        json.dumps(document, ensure_ascii=False).encode()  # an escape can make what no text holds
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"this is not JSON: {error}") from None
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise InvalidInput("expected a JSON list of objects")
    return enumerate(document, start=1)


def _csv(text: str, kind: type[Struct]) -> Iterable[tuple[int, Values]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        unknown = [name for name in columns if name not in kind.__struct_fields__]
        if unknown or len(set(columns)) != len(columns) or not columns:
            known = ", ".join(kind.__struct_fields__)
            raise InvalidInput(f"the first line names the columns, each once; there are: {known}")
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(columns):
                raise InvalidInput(f"line {reader.line_num}: {len(cells)} cells for {len(columns)} columns")
            yield (
                reader.line_num,
                {name: _value(name, cell) for name, cell in zip(columns, cells, strict=True)},
            )
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num}: {error}") from None


def _value(column: str, cell: str) -> Any:
    text = cell.strip()
    if text[:1] == "'" and text[1:2] in _FORMULA:
        text = text[1:]
    if column in _LISTS:
        return _list(text)
    if column == "disabled":
        return _FLAGS.get(text.lower(), text) if text else None
    if column == "role":
        return text or None
    return text


def _list(text: str) -> Any:
    if text.startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text  # and refused as no list
    return [value for part in text.split(";") if (value := part.strip())]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if isinstance(value, tuple):
        plain = ";".join(value)
        odd = any(";" in each or each != each.strip() or each.startswith("[") for each in value)
        text = json.dumps(value, ensure_ascii=False) if odd else plain
    return f"'{text}" if text.startswith(_FORMULA) else text
