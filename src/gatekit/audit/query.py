"""Reading the trail: search (newest first) and tail. Works beside a running gateway and takes no lock.

A search reads files backwards and looks at raw bytes first: a line that does not contain the asked-for name,
spelled as JSON, is never decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import merge
from pathlib import Path
from typing import Any

import msgspec

from gatekit.audit.segments import SegmentFile, segments
from gatekit.audit.times import AT, covers
from gatekit.errors import InvalidInput

_CHUNK = 1 << 18
_SPAN = re.compile(r"^(\d+)\s*([smhdw])$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_REFUSALS = (
    ("call", "decision", ("deny",)),
    ("consent", "decision", ("deny",)),
    ("forward", "decision", ("deny",)),
    ("refused", "status", None),
    ("sign_in", "outcome", ("refused",)),
    ("token", "action", ("refused", "reused")),
    ("client", "action", ("refused",)),
    ("session", "action", ("foreign",)),
)
_REFUSAL_BYTES = re.compile(rb'"(?:deny|refused|reused|foreign)"')


class Record(msgspec.Struct, frozen=True):
    """One line: as it stands in the file (no line feed), and decoded."""

    raw: bytes
    fields: dict[str, Any]

    @property
    def at(self) -> float:
        return float(self.fields.get("at", 0.0))

    @property
    def refused(self) -> bool:
        """Whether it tells of a refusal: denied call or consent, refused door, sign-in, token, client."""
        for event, field, values in _REFUSALS:
            if self.fields.get("event") == event:
                return values is None or self.fields.get(field) in values
        return False


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for; everything that is set must fit. Times are seconds since the epoch."""

    user: str | None = None
    """Username or id of the principal …"""
    aliases: tuple[str, ...] = ()
    """… and ids under which they acted before two people were merged."""
    server: str | None = None
    """Name of a server; a virtual one finds the calls that came in by it."""
    tool: str | None = None
    """Name of the tool, prompt or resource of a call, on its server or as it was asked for."""
    client: str | None = None
    """Name or id of the OAuth client."""
    since: float | None = None
    until: float | None = None
    """Exclusive."""
    denied: bool = False
    event: str | None = None
    limit: int | None = None


def search(directory: Path, wanted: Filter) -> Iterator[Record]:
    """Records that fit, newest first, read as they are asked for. Raises ``OSError``."""
    by_writer: dict[str, list[SegmentFile]] = {}
    for segment in segments(directory):
        by_writer.setdefault(segment.writer, []).append(segment)
    streams = [_backwards(files, wanted) for files in by_writer.values()]
    for count, record in enumerate(merge(*streams, key=lambda record: -record.at), start=1):
        if wanted.limit is not None and count > wanted.limit:
            return
        yield record


def tail(
    directory: Path, lines: int, wait: Callable[[], None] | None = None, wanted: Filter | None = None
) -> Iterator[Record]:
    """The newest ``lines`` records, oldest of them first; with ``wait`` it goes on for ever.

    ``wait`` is called whenever there is nothing new; it sleeps, and may raise to end.
    """
    wanted = wanted or Filter()
    # The ends are noted first: what is written while we read the past is part of the future.
    ends = {segment.path: _whole_size(segment.path) for segment in segments(directory)}
    past = search(directory, msgspec.structs.replace(wanted, limit=lines)) if lines else iter(())
    seen = {(record.fields.get("writer"), record.fields.get("seq")): record for record in past}
    yield from reversed(seen.values())
    fits = _compile(wanted)
    while wait is not None:
        fresh = [record for record in _fresh(directory, ends, fits)]
        fresh = [item for item in fresh if (item.fields.get("writer"), item.fields.get("seq")) not in seen]
        yield from sorted(fresh, key=lambda record: record.at)
        seen.clear()
        wait()


def parse_when(text: str, now: float) -> float:
    """``30m``, ``2h``, ``7d`` ago; a date; or an ISO 8601 time. Without a zone it is UTC.

    Raises ``InvalidInput``.
    """
    span = _SPAN.match(text.strip())
    if span:
        return now - int(span[1]) * _SECONDS[span[2]]
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput(
            f"{text!r} is no time; write 30m, 2h or 7d (ago), 2026-11-01, or 2026-11-01T09:30:00+01:00"
        ) from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


# -- one writer --------------------------------------------------------------------------------------------


def _backwards(files: list[SegmentFile], wanted: Filter) -> Iterator[Record]:
    fits = _compile(wanted)
    newest = files[-1]
    for segment in reversed(files):
        if segment is not newest and _outside(segment.path, wanted):
            continue
        for line in _lines_backwards(segment.path):
            record = fits(line)
            if record is not None:
                yield record


def _outside(path: Path, wanted: Filter) -> bool:
    if wanted.since is None and wanted.until is None:
        return False
    span = covers(path)
    before = wanted.since is not None and span.last < wanted.since
    return before or (wanted.until is not None and span.first >= wanted.until)


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Whole lines from the last to the first; a line that is still being written is left out."""
    with path.open("rb") as file:
        start = file.seek(0, 2)
        rest = b""
        ended = False  # whether a line feed has been passed: what comes after the last one is no line
        while start > 0:
            size = min(_CHUNK, start)
            start -= size
            file.seek(start)
            pieces = (file.read(size) + rest).split(b"\n")
            rest = pieces[0]
            complete = pieces[1:]
            if complete and not ended:
                complete.pop()
                ended = True
            yield from reversed(complete)
        if rest and ended:
            yield rest


def _fresh(
    directory: Path, ends: dict[Path, int], fits: Callable[[bytes], Record | None]
) -> Iterator[Record]:
    for segment in segments(directory):
        start = ends.get(segment.path, 0)
        with segment.path.open("rb") as file:
            size = file.seek(0, 2)
            if size < start:
                start = size  # a batch was taken back because the disk was full
            file.seek(start)
            data = file.read(size - start)
        whole = data.rfind(b"\n") + 1
        ends[segment.path] = start + whole
        for line in data[:whole].splitlines():
            record = fits(line)
            if record is not None:
                yield record


def _whole_size(path: Path) -> int:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _CHUNK))
        return max(0, size - _CHUNK) + file.read().rfind(b"\n") + 1


# -- does a line fit? ----------------------------------------------------------------------------------------


def _compile(wanted: Filter) -> Callable[[bytes], Record | None]:
    """The test for one line: cheap looks at the bytes, then the decoded fields."""
    names = (wanted.tool, wanted.client, wanted.event)
    people = [msgspec.json.encode(name) for name in (wanted.user, *wanted.aliases) if name is not None]
    needles = [msgspec.json.encode(name) for name in names if name is not None]
    if wanted.server is not None:
        needles.append(msgspec.json.encode(wanted.server)[1:-1])  # it may be part of ``via``
    since = float("-inf") if wanted.since is None else wanted.since
    until = float("inf") if wanted.until is None else wanted.until

    def fits(line: bytes) -> Record | None:
        head = AT.match(line)
        if head is None or not since <= float(head[2]) < until:
            return None
        if any(needle not in line for needle in needles):
            return None
        if people and not any(person in line for person in people):
            return None
        if wanted.denied and not _REFUSAL_BYTES.search(line):
            return None
        try:
            record = Record(line, msgspec.json.decode(line))
        except msgspec.DecodeError:
            return None  # damage is for `verify` to report
        return record if _matches(record, wanted) else None

    return fits


def _matches(record: Record, wanted: Filter) -> bool:
    fields = record.fields

    def has(value: str | None, *keys: str) -> bool:
        return value is None or any(fields.get(key) == value for key in keys)

    return (
        has(wanted.event, "event")
        and (has(wanted.user, "principal", "principal_id") or fields.get("principal_id") in wanted.aliases)
        and has(wanted.client, "client", "client_id")
        and has(wanted.tool, "name", "asked")
        and (
            has(wanted.server, "server")
            or wanted.server in fields.get("servers", ())
            or fields.get("via") == f"/s/{wanted.server}/mcp"
        )
        and (not wanted.denied or record.refused)
        and (wanted.tool is None or fields.get("event") == "call")
    )
