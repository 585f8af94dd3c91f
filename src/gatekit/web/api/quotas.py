"""What was used of quotas. The counts are in the memory of the process that answers."""

from __future__ import annotations

import hashlib
import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from gatekit.gateway.quotas import Used
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, paged


class QuotaQuery(Paged, frozen=True, forbid_unknown_fields=True):
    user: Annotated[
        str, Meta(max_length=200, description="Only what this person has used of an allowance of their own.")
    ] = ""


class QuotaUse(Struct, frozen=True):
    """What somebody has used of one quota."""

    name: str
    per: Literal["person", "client", "all"]
    whose: Annotated[str, Meta(description="Id of the person or client; empty: it is one for all.")]
    title: Annotated[str, Meta(description="What the person or client was called at the last call.")]
    measure: Literal["calls", "bytes_in", "bytes_out", "at_once"]
    used: int
    left: int
    limit: int
    seconds: Annotated[float, Meta(description="Length of the window; 0: it is about what runs now.")]
    retry_after: Annotated[int, Meta(description="Seconds until one more fits.")]
    shadow: Annotated[bool, Meta(description="It is counted and refuses nothing.")]


class QuotaPage(Page[QuotaUse], frozen=True):
    """One page."""


def _out(used: Used) -> QuotaUse:
    return QuotaUse(
        name=used.name,
        per=used.per,
        whose=used.whose,
        title=used.title,
        measure=used.measure,
        used=used.used,
        left=max(0, used.limit - used.used),
        limit=used.limit,
        seconds=used.seconds,
        retry_after=math.ceil(used.wait),
        shadow=used.shadow,
    )


def _place(used: Used) -> str:
    # An id may be a long URL, and the place stands in the cursor.
    whose = hashlib.sha256(used.whose.encode()).hexdigest()[:24]
    return f"{used.name}/{used.measure}/{used.seconds:g}/{whose}"


async def _list(desks: Desks, wanted: Wanted) -> Page[QuotaUse]:
    query: QuotaQuery = wanted.query
    found = [
        used for used in desks.used() if not query.user or (used.per == "person" and used.title == query.user)
    ]
    return paged(sorted(found, key=_place), query, _place, _out)


OPERATIONS = (
    Operation(
        name="quotas.list",
        method="GET",
        path="/quotas",
        permission="audit:read",
        summary="What was used of quotas, as the process that answers has counted it",
        query=QuotaQuery,
        answer=QuotaPage,
        run=_list,
    ),
)
