"""Texts in JSON values: found with the name of the member that they stand in, and put back changed.

``{"password": "kd93…"}`` is looked at as ``password: "kd93…"``, since the name says what the text alone
does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

DEPTH = 128
"""Levels that a value may be nested."""
_LEAST_SIZE = 8
"""What any part of a value counts for in ``heavy``: what it costs to come by, in characters."""
LEAST_NUMBER = 10_000_000
"""Numbers from here on are looked at like texts: cards and citizens' numbers come as numbers too."""

_NAMED = (dict, Mapping)
_NESTED = (dict, list, tuple, Mapping, Sequence)
"""What is nearly always there comes first: to ask an abstract class takes ten times as long."""

Change = Callable[[str, str], str]
"""(name of the member, text) → what shall stand there."""


def texts(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """(name of the member, text) of every text in a value, names of members included. Raises ``ValueError``
    for a value that is nested too deep."""
    if depth > DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, _NAMED):
        for key, inner in value.items():
            if type(inner) is str:
                yield key, inner
            else:
                yield "", key
                yield from texts(inner, key, depth + 1)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from texts(inner, name, depth + 1)
    elif type(value) is int and abs(value) >= LEAST_NUMBER:
        yield name, str(value)


def heavy(value: Any, limit: int) -> bool:
    """Whether it may take long to look at a value: more than ``limit`` characters of JSON or so. It ends
    where the answer is known, whatever the value is: many texts, many numbers, or deep."""
    left = limit
    stack = [value]
    while stack and left >= 0:
        item = stack.pop()
        left -= _LEAST_SIZE
        if isinstance(item, str):
            left -= len(item)
        elif item is not None and not isinstance(item, int | float) and isinstance(item, _NESTED):
            left -= _LEAST_SIZE * len(item)
            if left >= 0:
                stack.extend(item)  # of a mapping, its names
                stack.extend(item.values() if isinstance(item, _NAMED) else ())
    return left < 0


def beside(name: str, text: str) -> str:
    """A text with the name that it stands under, as it is looked at."""
    return f'{name}: "{text}"' if name else text


def joined(value: Any) -> str:
    """All of it in one text, for one first look. Names stand before their texts."""
    return "\n".join([beside(name, text) for name, text in texts(value)])


def gathered(value: Any, limit: int) -> str | None:
    """``joined`` of what is not ``heavy``, in one walk; None: it is too much. Raises as ``texts`` does."""
    parts: list[str] = []
    return "\n".join(parts) if _gather(value, "", parts, limit, 0) >= 0 else None


def _gather(value: Any, name: str, parts: list[str], left: int, depth: int) -> int:
    """Puts the texts of a value behind ``parts``; what is left of the limit, or less than nothing."""
    left -= _LEAST_SIZE
    if depth > DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, str):
        parts.append(f'{name}: "{value}"' if name else value)
        return left - len(value) - len(name)
    if value is None or isinstance(value, int | float):
        if type(value) is int and abs(value) >= LEAST_NUMBER:
            parts.append(beside(name, str(value)))
        return left
    if isinstance(value, _NAMED):
        for key, inner in value.items():
            if type(inner) is str:
                parts.append(f'{key}: "{inner}"' if key else inner)
                left -= len(key) + len(inner) + _LEAST_SIZE
            else:
                parts.append(key)
                left = _gather(inner, key, parts, left - len(key), depth + 1)
            if left < 0:
                break
        return left
    return _gather_items(value, name, parts, left, depth) if isinstance(value, _NESTED) else left


def _gather_items(value: Any, name: str, parts: list[str], left: int, depth: int) -> int:
    for inner in value:
        left = _gather(inner, name, parts, left, depth + 1)
        if left < 0:
            break
    return left


def changed(value: Any, change: Change, name: str = "") -> Any:
    """The same value with every text changed; parts without a change are the same objects."""
    if isinstance(value, str):
        return change(name, value)
    if isinstance(value, Mapping):
        return _members(value, change)
    if isinstance(value, Sequence):
        inside = [changed(inner, change, name) for inner in value]
        return inside if any(a is not b for a, b in zip(inside, value, strict=True)) else value
    if type(value) is int and abs(value) >= LEAST_NUMBER:
        digits = str(value)
        new = change(name, digits)
        return value if new == digits else new
    return value


def _members(value: Mapping[str, Any], change: Change) -> Mapping[str, Any]:
    made: dict[str, Any] = {}
    same = True
    for key, inner in value.items():
        new_key, new = change("", key), changed(inner, change, key)
        same = same and new_key == key and new is inner
        made[_free(new_key, made)] = new
    return value if same else made


def _free(key: str, made: Mapping[str, Any]) -> str:
    """Two names that became the same must not become one member."""
    number, free = 2, key
    while free in made:
        free, number = f"{key} ({number})", number + 1
    return free
