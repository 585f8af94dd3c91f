"""Walking the chain: is every record where and what it was when it was written?

What it cannot see: records cut off at the very end, or a whole trail that was replaced. Against those, keep
the newest hash (``gatekit audit verify`` prints it) somewhere else.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from gatekit.audit.chain import GENESIS, read_seal
from gatekit.audit.segments import SegmentFile, segments


class Sound(Struct, frozen=True):
    """One writer's chain holds from record ``first`` to ``last``, whose hash is ``hash``."""

    writer: str
    first: int
    last: int
    hash: str


class Broken(Struct, frozen=True):
    """The first place where a writer's chain does not hold."""

    writer: str
    path: Path
    line: int
    expected_seq: int
    reason: str


def verify(directory: Path) -> list[Sound | Broken]:
    """One finding per writer. Raises ``OSError``."""
    by_writer: dict[str, list[SegmentFile]] = {}
    for segment in segments(directory):
        by_writer.setdefault(segment.writer, []).append(segment)
    return [_walk(writer, files) for writer, files in sorted(by_writer.items())]


def _walk(writer: str, files: list[SegmentFile]) -> Sound | Broken:
    first = files[0].first
    seq, prev = first - 1, GENESIS if first == 1 else None
    for segment in files:
        with segment.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break  # being written right now, or torn: opening repairs it
                seal = read_seal(line[:-1])
                reason = ""
                if seal is None:
                    reason = "the record was changed"
                elif seal.seq != seq + 1:
                    reason = f"record {seal.seq} follows record {seq}"
                elif prev not in (None, seal.prev):
                    reason = "the record does not follow the one before it"
                if seal is None or reason:
                    return Broken(writer, segment.path, number, seq + 1, reason)
                seq, prev = seal.seq, seal.hash
    return Sound(writer, first, seq, (prev or GENESIS).decode())
