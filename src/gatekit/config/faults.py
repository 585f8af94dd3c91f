"""What is said about a file that does not fit the schema: in the operator's words, with the nearest key."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gatekit.config import document as doc
from gatekit.config.schema import PLACES, FileIn, section_at

_MAX_ROUNDS = 4

_HINTS = {
    "url": "remote servers are not supported yet; only commands are",
    "type": "only commands are supported as servers",
    "listen": "write proxy.host and proxy.port",
    "password": "people set their passwords through an invite: `gatekit users add NAME`",
    "denied_users": "access lists only allow; whoever is on no list is refused",
}

_EXPECTED = {
    "string_type": "text (put it in quotes)",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "list_type": "a list, like [a, b]",
    "dict_type": "keys and values",
    "model_type": "keys and values",
    "union_tag_not_found": "servers by name, or a list of servers",
}


def validate(document: doc.Document, secret_places: Iterable[doc.Path]) -> FileIn | None:
    """Fit the document to the schema; every misfit becomes a fault of the document.

    Parts that do not fit are taken out and the rest is tried again, so that one wrong key does not hide the
    faults elsewhere. None when nothing useful is left.
    """
    secret = frozenset(secret_places)
    for _ in range(_MAX_ROUNDS):
        try:
            return FileIn.model_validate(document.data)
        except ValidationError as error:
            for detail in error.errors(include_url=False):
                path = _path(detail["loc"])
                if not (detail["type"] == "missing" and _misspelt(path, detail["input"])):
                    document.fault(path, _text(detail, path, shown=path not in secret))
                with contextlib.suppress(KeyError, IndexError, TypeError):
                    # Two misfits may share a part that the first repair took away already.
                    _repair(document.data, path, missing=detail["type"] == "missing")
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """`` (did you mean 'command'?)`` or nothing."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.7)
    return f" (did you mean '{close[0]}'?)" if close else ""


def _path(location: tuple[str | int, ...]) -> doc.Path:
    """Where it stands in the file: without the schema's own marks (union tags, ``[key]``)."""
    parts = [part for part in location if part != "[key]"]
    if len(parts) > 1 and parts[0] == "servers":
        del parts[1]
    return tuple(parts)


def _text(detail: ErrorDetails, path: doc.Path, shown: bool) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return _unknown(path)
    if kind == "missing":
        return "is required"
    if doc.matches(path, "proxy.transport"):
        return "only http is supported so far; serving MCP over stdio comes in a later version"
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}" + (f", not {_show(detail['input'])}" if shown else "")
    worded = _WORDED.get(kind)
    return worded(detail) if worded else detail["msg"][:1].lower() + detail["msg"][1:]


_WORDED: dict[str, Callable[[ErrorDetails], str]] = {
    "value_error": lambda detail: detail["msg"].removeprefix("Value error, "),
    "literal_error": lambda detail: f"expected {detail['ctx']['expected'].replace(chr(39), '')}",
    "string_too_short": lambda _: "must not be empty",
    "greater_than_equal": lambda detail: f"must be at least {detail['ctx']['ge']:g}",
    "less_than_equal": lambda detail: f"must be at most {detail['ctx']['le']:g}",
}


def _unknown(path: doc.Path) -> str:
    key = str(path[-1])
    section = section_at(path[:-1])
    known = list(section.model_fields) if section else []
    if close := nearest(key, known):
        return f"unknown key{close}"
    if hint := _HINTS.get(key):
        return f"unknown key ({hint})"
    homes = [place for place, model in PLACES.items() if key in model.model_fields]
    if homes:
        return f"unknown key here (it belongs {'under ' + homes[0] if homes[0] else 'at the top'})"
    if close := _nearest_elsewhere(key):
        return f"unknown key{close}"
    return f"unknown key (known here: {', '.join(sorted(known))})"


def _nearest_elsewhere(key: str) -> str:
    fixed = ((place, model) for place, model in PLACES.items() if "*" not in place)
    keys = {name: f"{place}.{name}" for place, model in fixed for name in model.model_fields}
    close = difflib.get_close_matches(key.lower(), list(keys), n=1, cutoff=0.75)
    return f" (did you mean '{keys[close[0]].removeprefix('.')}'?)" if close else ""


def _misspelt(path: doc.Path, written: Any) -> bool:
    """Whether a missing key is there under a slip of the pen; then that is the one fault to report."""
    section = section_at(path[:-1])
    if section is None or not isinstance(written, dict):
        return False
    unknown = (key for key in written if key not in section.model_fields)
    return any(
        nearest(key, section.model_fields) == nearest(str(path[-1]), [str(path[-1])]) for key in unknown
    )


def _show(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    return repr(value) if len(repr(value)) <= 40 else "something that long"


def _repair(data: Any, path: doc.Path, missing: bool) -> None:
    """Make one misfit fit, so that the rest can be looked at. The file is refused in any case."""
    if len(path) == 2 and path[0] == "servers":
        data["servers"][path[1]] = {}  # keeps the indexes of the entries after it
        return
    parent = data
    for part in path[:-1]:
        parent = parent[part]
    if missing:
        parent[path[-1]] = f"missing-{path[-2]}"
    elif isinstance(parent, dict):
        parent.pop(path[-1], None)
    else:
        parent[path[-1]] = "*"  # fits wherever lists are; its neighbours keep their indexes
