"""Reading the audit trail. What the interface itself does is in there as well."""

from __future__ import annotations

import asyncio
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from gatekit.audit.query import Filter, Record, search
from gatekit.errors import ApiUnavailable, NotAcceptable
from gatekit.model.ports import Clock
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Wanted, cursor, uncursor

Name = Annotated[str, Meta(max_length=512)]
_DAY = 86_400.0
_MICROSECOND = 0.000_001
_PATIENCE = 2.0
"""Seconds of reading after which a page is given out as it is."""
_MAX_TIES = 200
"""Records of one microsecond that a cursor can name."""


class AuditQuery(Struct, frozen=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=500, description="How many at most.")] = 100
    cursor: Annotated[str, Meta(max_length=8192, description="`next_cursor` of the page before.")] = ""
    person: Annotated[Name, Meta(description="Username or id.")] = ""
    server: Name = ""
    tool: Annotated[Name, Meta(description="Name of the tool or prompt, or URI of the resource.")] = ""
    client: Annotated[Name, Meta(description="Name or id of the OAuth client.")] = ""
    event: Annotated[Name, Meta(description="Kind of event: call, sign_in, admin, …")] = ""
    denied: Annotated[bool, Meta(description="Only refusals.")] = False
    since: Annotated[
        str, Meta(max_length=40, description="RFC 3339 with a zone; a day before `until` if not given.")
    ] = ""
    until: Annotated[
        str, Meta(max_length=40, description="RFC 3339 with a zone, exclusive; now if not given.")
    ] = ""


class RecordPage(Page[dict[str, Any]], frozen=True):
    """One page."""


class _Place(Struct, frozen=True):
    """Where a page ended: the time of its last record, and which records of that very time were shown."""

    at: float
    seen: tuple[tuple[str, int], ...]
    since: float


async def _search(desks: Desks, wanted: Wanted) -> Page[dict[str, Any]]:
    query: AuditQuery = wanted.query
    place = _resumed(query.cursor) or _beginning(desks, query)

    covers = await desks.people.covers(wanted.actor)
    query = replace(query, person=covers.asked(query.person or None) or "")
    aliases = tuple(await desks.merging.known_as(wanted.actor, query.person)) if query.person else ()

    def read() -> tuple[list[Record], float]:
        return _read(desks.trail, desks.clock, query, place, aliases)

    async with desks.reading:  # one at a time: it is disk and processor, and calls need both
        try:
            found, reached = await asyncio.to_thread(read)
        except OSError as error:
            raise ApiUnavailable(f"the trail cannot be read ({error.strerror or error})") from None
    shown = found[: query.limit]
    fields = tuple(covers.cover(record.fields) for record in shown)
    if len(found) > query.limit:
        return Page(fields, _after(place, shown))
    return Page(fields, _named(_Place(reached, (), place.since)) if reached > place.since else None)


async def newest(
    trail: Path, clock: Clock, user: str, aliases: tuple[str, ...], *, limit: int, days: int
) -> list[Record]:
    """The newest records of one principal (an id), for a page of people; fewer if reading takes too long.
    Raises ``OSError``."""
    until = clock.now() + 1
    query = AuditQuery(person=user, limit=limit)
    place = _Place(until, (), max(0.0, until - days * _DAY))
    found, _ = await asyncio.to_thread(_read, trail, clock, query, place, aliases)
    return found[:limit]


def _beginning(desks: Desks, query: AuditQuery) -> _Place:
    until = _time(query.until) if query.until else desks.clock.now() + 1
    since = _time(query.since) if query.since else until - _DAY
    return _Place(until, (), max(0.0, since))


def _read(
    trail: Path, clock: Clock, query: AuditQuery, place: _Place, aliases: tuple[str, ...]
) -> tuple[list[Record], float]:
    """Records, newest first, one more than was asked for if there are; and back to when everything was read.

    In spans, so that a question which nothing fits does not read for minutes: its page is short then.
    """
    started = clock.monotonic()
    found: list[Record] = []
    until, span = place.at + _MICROSECOND if place.seen else place.at, _DAY
    while len(found) <= query.limit and until > place.since:
        since = max(place.since, until - span)
        records = search(trail, _filter(query, aliases, since, until))
        fresh = (record for record in records if _name(record) not in place.seen)
        found += islice(fresh, query.limit + 1 - len(found))
        until, span = since, min(2 * span, 8 * _DAY)
        if clock.monotonic() - started > _PATIENCE:
            break
    return found, until


def _filter(query: AuditQuery, aliases: tuple[str, ...], since: float, until: float) -> Filter:
    return Filter(
        user=query.person or None,
        aliases=aliases,
        server=query.server or None,
        tool=query.tool or None,
        client=query.client or None,
        event=query.event or None,
        denied=query.denied,
        since=since,
        until=until,
    )


def _time(text: str) -> float:
    """Text and not a number: a bare number would be taken for seconds. Raises ``NotAcceptable``."""
    try:
        when = datetime.fromisoformat(text)
        if when.tzinfo is not None:
            return when.timestamp()
    except (ValueError, OverflowError):
        pass
    raise NotAcceptable("a time is written like 2026-11-23T18:00:00Z")


def _after(place: _Place, shown: list[Record]) -> str:
    at = shown[-1].at
    ties = [_name(record) for record in shown if record.at == at]
    if place.seen and place.at == at:
        ties += place.seen
    return _named(_Place(at, tuple(ties[-_MAX_TIES:]), place.since))


def _named(place: _Place) -> str:
    return cursor(msgspec.json.encode(place).decode())


def _resumed(text: str) -> _Place | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(uncursor(text), type=_Place)
    except msgspec.MsgspecError:
        raise NotAcceptable("the cursor is not one of ours") from None


def _name(record: Record) -> tuple[str, int]:
    return str(record.fields.get("writer", "")), int(record.fields.get("seq", 0))


OPERATIONS = (
    Operation(
        name="audit.search",
        method="GET",
        path="/audit",
        permission="audit:read",
        summary="Records of the audit trail, newest first; a page may be short although there are more",
        query=AuditQuery,
        answer=RecordPage,
        run=_search,
    ),
)
