"""The files of one writer: ``<writer>-<first sequence>.jsonl``, append-only, mode 0600, one writer at a time.

A power loss may leave half a line, or blocks of zeros, at the end of the newest file. Opening finds the last
record that is whole, moves what follows into a ``.torn`` file next to it and cuts it off; nothing is deleted.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from pathlib import Path

from msgspec import Struct

from gatekit.audit.chain import GENESIS, Seal, read_seal
from gatekit.errors import StoreLocked
from gatekit.model.ports import Clock

_NAME = re.compile(r"^([a-z]+)-(\d+)\.jsonl$")
_CHUNK = 1 << 18


class SegmentFile(Struct, frozen=True, order=True):
    """A segment as the directory shows it."""

    first: int
    writer: str
    path: Path


class Tail(Struct, frozen=True):
    """Where a writer left off. ``torn``: bytes that were moved aside, and ``aside`` where to."""

    path: Path | None
    size: int
    seq: int
    hash: bytes
    torn: int = 0
    aside: str = ""


def segments(directory: Path, writer: str | None = None) -> list[SegmentFile]:
    """Segments in the directory, oldest first; of one writer or of all."""
    found = []
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    for name in names:
        match = _NAME.match(name)
        if match and writer in (None, match[1]):
            found.append(SegmentFile(int(match[2]), match[1], directory / name))
    return sorted(found)


class WriterLock:
    """Held from opening to closing: at most one process appends as a given writer."""

    def __init__(self, directory: Path, writer: str, wait: float, clock: Clock) -> None:
        """Wait up to ``wait`` seconds (blocking); raise ``StoreLocked``."""
        self._fd = os.open(directory / f"{writer}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = clock.monotonic() + wait
        while True:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if clock.monotonic() >= deadline:
                    os.close(self._fd)
                    raise StoreLocked(
                        f"another {writer} uses this data directory (the audit trail in {directory} is "
                        f"locked): stop it, or give this one a data directory of its own"
                    ) from None
                time.sleep(0.01)

    def release(self) -> None:
        os.close(self._fd)


class Segment:
    """The file that is being appended to. ``size`` counts only bytes that were written in full."""

    def __init__(self, path: Path, size: int | None = None) -> None:
        """Open an existing file of ``size`` bytes, or create one (None)."""
        flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if size is None else 0)
        self.path = path
        self.fd = os.open(path, flags, 0o600)
        self.size = size or 0
        self._dirty = False

    def append(self, data: bytes) -> None:
        """All of it or nothing of it. Raises ``OSError``; the part that was written is cut off again."""
        if self._dirty:
            self.cut(self.size)
        try:
            written = os.write(self.fd, data)
            while written < len(data):
                # A short write is the last sign before ENOSPC; the next write says what is wrong.
                written += os.write(self.fd, memoryview(data)[written:])
        except OSError:
            self._undo()
            raise
        self.size += written

    def cut(self, size: int) -> None:
        """Forget everything after ``size``."""
        self.size = size
        self._dirty = True
        os.ftruncate(self.fd, size)
        self._dirty = False

    def _undo(self) -> None:
        try:
            self.cut(self.size)
        except OSError:
            return  # stays dirty: the next append cuts before it writes

    def is_ours(self) -> bool:
        """Whether the file still has a name and nobody else wrote to it (one ``fstat``)."""
        status = os.fstat(self.fd)
        return status.st_nlink > 0 and (self._dirty or status.st_size == self.size)

    def close(self) -> None:
        os.close(self.fd)


def create(directory: Path, writer: str, first: int) -> Segment:
    """Start a segment whose first record will be number ``first``."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / f"{writer}-{first:012d}.jsonl"
    if path.exists():
        # Left over from a crash before the first record (empty), or written by somebody else (kept aside).
        path.rename(path.with_name(f"{path.name}.0.torn"))
    segment = Segment(path)
    sync_directory(directory)
    return segment


def sync_directory(directory: Path) -> None:
    """Make a new name survive a power loss."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def recover(directory: Path, writer: str) -> Tail:
    """Find the last whole record of a writer and cut off what follows it in that file."""
    torn, aside = 0, ""
    for segment in reversed(segments(directory, writer)):
        size = segment.path.stat().st_size
        end, seal = _last_whole(segment.path, size)
        if end < size:
            torn += size - end
            aside = _move_aside(segment.path, end)
        if seal is not None:
            _end_line(segment.path, end)
            return Tail(segment.path, segment.path.stat().st_size, seal.seq, seal.hash, torn, aside)
        segment.path.unlink()  # empty now; its bytes, if it had any, are in the .torn file
    return Tail(None, 0, 0, GENESIS, torn, aside)


def _last_whole(path: Path, size: int) -> tuple[int, Seal | None]:
    """(offset behind the last whole record, its seal). A missing line feed alone does not make it torn."""
    with path.open("rb") as file:
        end, pending = size, b""
        while end > 0:
            start = max(0, end - _CHUNK)
            file.seek(start)
            data = file.read(end - start) + pending
            lines = data.split(b"\n")
            # The first piece may begin in an earlier chunk; keep it for the next round.
            pending = lines[0] if start else b""
            stop = start + len(data)
            for line in reversed(lines[1:] if start else lines):
                seal = read_seal(line)
                if seal is not None:
                    return min(stop + 1, size), seal
                stop -= len(line) + 1
            end = start
            if len(pending) > 64 * _CHUNK:
                pending = b""
    return 0, None


def _move_aside(path: Path, end: int) -> str:
    aside = path.with_name(f"{path.name}.{end}.torn")
    with path.open("rb") as source, aside.open("wb") as target:
        os.fchmod(target.fileno(), 0o600)
        source.seek(end)
        while chunk := source.read(_CHUNK):
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    os.truncate(path, end)
    return aside.name


def _end_line(path: Path, end: int) -> None:
    with path.open("r+b") as file:
        file.seek(end - 1)
        if file.read(1) != b"\n":
            file.write(b"\n")
