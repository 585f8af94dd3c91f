"""What time a finished segment covers, so that a search with ``since`` need not read old files.

The answer is kept next to the segment (``….jsonl.times``). It is a convenience of the reader: written by
whoever reads first and can write, recomputed when the file's size says that it is stale, never trusted by
``verify``.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

AT = re.compile(rb'^\{"event":"([a-z_]+)","at":([0-9.eE+-]+)')
"""How every line begins: the kind of event and its time."""


class Covers(msgspec.Struct, frozen=True):
    """Earliest and latest ``at`` in a segment of ``size`` bytes."""

    size: int
    first: float
    last: float


def covers(path: Path) -> Covers:
    """Of a segment that nobody appends to any more. Raises ``OSError``."""
    size = path.stat().st_size
    beside = path.with_name(path.name + ".times")
    try:
        known = msgspec.json.decode(beside.read_bytes(), type=Covers)
    except (OSError, msgspec.DecodeError):
        known = None
    if known is not None and known.size == size:
        return known
    found = _scan(path, size)
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(found))
    except OSError:
        return found  # a reader without the right to write: works, only slower
    return found


def _scan(path: Path, size: int) -> Covers:
    first, last = float("inf"), float("-inf")
    with path.open("rb") as file:
        for line in file:
            match = AT.match(line)
            if match:
                at = float(match[2])
                first, last = min(first, at), max(last, at)
    return Covers(size, first, last) if first <= last else Covers(size, 0.0, 0.0)
