"""JSON of others, read in one way only.

Two parsers read a repeated member differently, and what one of them judged another one may act on; so nobody
gets to send one (checklist D7; RFC 8259 §4). The same goes for numbers that JSON does not have, and for half
characters, which can be compared with nothing and stored nowhere.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn


class RepeatedMember(ValueError):
    """A member of an object is there twice."""


def read_object(data: bytes) -> dict[str, Any]:
    """The object that ``data`` holds, in UTF-8. Raises ``RepeatedMember``, ``ValueError``."""
    written = data.decode("utf-8")
    try:
        value = json.loads(
            written, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
        )
    except RecursionError as deep:
        raise ValueError("nested too deeply") from deep
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    if "\\u" in written:  # half of a surrogate pair
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedMember("a member is repeated")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value
