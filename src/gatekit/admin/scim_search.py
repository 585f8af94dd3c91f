"""Questions about what is provisioned (RFC 7644 §3.4.2, RFC 9865): filter, order, pages.

What providers ask all day, one resource by a name of its own, is looked up; everything else is walked
through, a few hundred rows at a time.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatekit.errors import ScimCount, ScimCursor, ScimFilter, ScimTooMany
from gatekit.identity.scim import filters
from gatekit.identity.scim.discovery import DEFAULT_RESULTS, MAX_RESULTS
from gatekit.identity.scim.filters import Compare, Filter, parse_filter, parse_name
from gatekit.identity.scim.match import Spot, locate, values
from gatekit.identity.scim.match import test_of as compiled
from gatekit.identity.scim.schema import Kind

Resource = dict[str, Any]

MAX_CHOSEN = 20_000
"""Resources held in memory to put them in order."""


class Question(Struct, frozen=True, kw_only=True):
    filter: str = ""
    sort_by: str = ""
    descending: bool = False
    start: int = 1
    count: int | None = None
    cursor: str | None = None
    """None: pages are numbered. Empty: the first page by cursor."""


class Found(Struct, frozen=True, kw_only=True):
    resources: Sequence[Resource]
    total: int
    start: int | None = None
    cursor: str = ""
    """Of the next page; empty if there is none."""


class Source(Protocol):
    """Where resources of one kind come from."""

    kind: Kind
    chunk: int
    """How many are looked at before others get a turn."""

    async def named(self, attribute: str, value: str) -> Sequence[Resource] | None:
        """Those whose ``attribute`` is ``value``; None if that is no way to look them up."""
        ...

    async def page(self, after: str, skip: int, limit: int) -> Sequence[Resource]:
        """By id."""
        ...

    async def count(self) -> int: ...

    async def completed(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        """With what is looked up only for resources that are shown."""
        ...


async def search(source: Source, question: Question) -> Found:
    """Raise ``ScimFilter``, ``ScimPath``, ``ScimCursor``, ``ScimCount``."""
    condition = parse_filter(question.filter) if question.filter else None
    fits = compiled(source.kind, condition) if condition is not None else None
    order = _order(source.kind, question)
    after, limit = _place(question)
    if condition is None and order is None:
        found = await _walked(source, question, after, limit)
        return replace(found, resources=await source.completed(found.resources))
    looked_up = await _look_up(source, condition) if condition is not None else None
    if looked_up is None:
        chosen = await _walk(source, fits)
    else:
        chosen = [each for each in looked_up if fits is None or fits(each)]
    chosen.sort(key=lambda each: str(each["id"]))
    if order is not None:
        # Twice, because the order is stable: equal ones stay in the order of their ids.
        chosen.sort(key=order, reverse=question.descending)
    found = _slice(chosen, question, after, limit)
    return replace(found, resources=await source.completed(found.resources))


async def _walk(source: Source, fits: Callable[[Mapping[str, Any]], bool] | None) -> list[Resource]:
    """Everybody who fits. Raise ``ScimTooMany``."""
    chosen: list[Resource] = []
    after = ""
    while True:
        rows = await source.page(after, 0, source.chunk)
        chosen += [row for row in rows if fits is None or fits(row)]
        if len(chosen) > MAX_CHOSEN:
            # RFC 7644 §3.12: more than the service provider is willing to process.
            raise ScimTooMany(f"more than {MAX_CHOSEN} fit; ask for fewer, or without an order")
        if len(rows) < source.chunk:
            return chosen
        after = str(rows[-1]["id"])


async def _walked(source: Source, question: Question, after: str, limit: int) -> Found:
    """All of them, in the order in which they lie."""
    total = await source.count()
    if question.cursor is not None:
        rows = await source.page(after, 0, limit + 1)
        more = _cursor(question, str(rows[limit - 1]["id"])) if len(rows) > limit else ""
        return Found(resources=rows[:limit], total=total, cursor=more)
    rows = await source.page("", question.start - 1, limit) if limit else []
    return Found(resources=rows, total=total, start=question.start)


def _slice(chosen: Sequence[Resource], question: Question, after: str, limit: int) -> Found:
    if question.cursor is None:
        begin = question.start - 1
        return Found(resources=chosen[begin : begin + limit], total=len(chosen), start=question.start)
    begin = 0
    if after:
        begin = next((at + 1 for at, each in enumerate(chosen) if each["id"] == after), -1)
        if begin < 0:
            raise ScimCursor("where that page began is gone; begin again")
    page = chosen[begin : begin + limit]
    more = _cursor(question, str(page[-1]["id"])) if len(chosen) > begin + limit else ""
    return Found(resources=page, total=len(chosen), cursor=more)


async def _look_up(source: Source, condition: Filter) -> Sequence[Resource] | None:
    """Resources among which all that fit must be; None if they cannot be told without looking at all."""
    alternatives = condition.filters if isinstance(condition, filters.All) else (condition,)
    for each in alternatives:
        if isinstance(each, Compare) and each.operator == "eq" and isinstance(each.value, str):
            spot = locate(source.kind, each.name)
            if spot is None or spot.attribute is None or spot.urn:
                continue
            if spot.part is not None and spot.part.name != "value":
                continue
            found = await source.named(spot.attribute.name, each.value)
            if found is not None:
                return found
    return None


# -- order -------------------------------------------------------------------------------------------------


def _order(kind: Kind, question: Question) -> Callable[[Mapping[str, Any]], Any] | None:
    """RFC 7644 §3.4.2.3."""
    if not question.sort_by:
        return None
    spot = locate(kind, parse_name(question.sort_by))
    if spot is not None and spot.part is None and spot.leaf is not None and spot.leaf.type == "complex":
        spot = Spot(spot.urn, spot.attribute, spot.leaf.part("value"))
    leaf = spot.leaf if spot is not None else None
    if spot is None or leaf is None or leaf.type == "complex":
        raise ScimFilter("there is no attribute of that name to sort by")

    def key(resource: Mapping[str, Any]) -> tuple[bool, str]:
        found = values(_with_primary(resource, spot), spot)
        # §3.4.2.3: without a value, last when ascending and first when descending.
        text = str(found[0]) if found else ""
        return not found, text if leaf.exact else text.casefold()

    return key


def _with_primary(resource: Mapping[str, Any], spot: Spot) -> Mapping[str, Any]:
    """§3.4.2.3: of several values, the primary one counts, else the first."""
    if spot.urn or spot.attribute is None or not spot.attribute.multi:
        return resource
    several = resource.get(spot.attribute.name, [])
    return {spot.attribute.name: sorted(several, key=lambda value: value.get("primary") is not True)[:1]}


# -- pages -------------------------------------------------------------------------------------------------


def _place(question: Question) -> tuple[str, int]:
    """(id after which a page by cursor begins, how many)."""
    if question.cursor is None:
        # RFC 7644 §3.4.2.4: a negative count is 0.
        count = DEFAULT_RESULTS if question.count is None else question.count
        return "", max(0, min(count, MAX_RESULTS))
    if question.count is not None and not 1 <= question.count <= MAX_RESULTS:
        raise ScimCount(f"count must be between 1 and {MAX_RESULTS}")
    after = _read_cursor(question) if question.cursor else ""
    return after, question.count or DEFAULT_RESULTS


def _cursor(question: Question, last: str) -> str:
    """Where the page ended, and of which question: another one would find other things behind it."""
    return urlsafe_b64encode(msgspec.json.encode([last, _mark(question)])).rstrip(b"=").decode()


def _read_cursor(question: Question) -> str:
    text = question.cursor or ""
    try:
        data = urlsafe_b64decode(text + "=" * (-len(text) % 4))
        last, mark = msgspec.json.decode(data, type=tuple[str, str])
    except (ValueError, msgspec.DecodeError):
        raise ScimCursor("this is no cursor of this server") from None
    if mark != _mark(question) or not last:
        raise ScimCursor("this cursor belongs to another question")
    return last


def _mark(question: Question) -> str:
    asked = msgspec.json.encode([question.filter, question.sort_by, question.descending])
    return hashlib.sha256(asked).hexdigest()[:16]
