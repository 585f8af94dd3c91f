"""Durations and sizes as people write them."""

from __future__ import annotations

import re

_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(b|kb|kib|k|mb|mib|m|gb|gib|g)?", re.IGNORECASE)
_BYTES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


def seconds(value: object) -> float:
    """``300``, ``"5m"``, ``"1h30m"``, ``"500ms"`` → seconds. ``ValueError`` says what was expected."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError("a duration like 300 (seconds), 5m or 1h30m")
    if isinstance(value, (int, float)):
        return float(value)
    text = value.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("a duration like 300 (seconds), 5m or 1h30m")
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def size(value: object) -> int:
    """``1048576``, ``"16MB"``, ``"512k"`` → bytes; 1 KB is 1024. ``ValueError`` says what was expected."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError("a size like 1048576 (bytes), 512KB or 16MB")
    if isinstance(value, int):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError("a size like 1048576 (bytes), 512KB or 16MB")
    return int(float(match[1]) * _BYTES[(match[2] or "")[:1].lower()])


def show_seconds(value: float) -> str:
    """The shortest exact way to write a duration: ``5m``, ``30d``, ``90s``, ``0.5s``."""
    for unit in ("d", "h", "m"):
        if value and value % _SECONDS[unit] == 0:
            return f"{int(value // _SECONDS[unit])}{unit}"
    return f"{value:g}s"


def show_size(value: int) -> str:
    """The shortest exact way to write a size: ``17MB``, ``100B``."""
    for unit, factor in (("GB", 1024**3), ("MB", 1024**2), ("KB", 1024)):
        if value and value % factor == 0:
            return f"{value // factor}{unit}"
    return f"{value}B"
