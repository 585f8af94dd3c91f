"""What servers say of their tools: looked at, approved, rejected."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.admin.pins import PinView
from gatekit.errors import NotFound
from gatekit.model.pins import MAX_DEFINITION, Pin, PinKind, PinState
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Page, Paged, Wanted, paged
from gatekit.web.api.times import maybe, moment

_IDENT = re.compile("[0-9a-f]{32}")


class PinQuery(Paged, frozen=True, forbid_unknown_fields=True):
    server: Annotated[str, Meta(max_length=200)] = ""
    state: PinState | None = None


class PinFacts(Struct, frozen=True):
    """A definition of a name, without its text."""

    id: str
    server: str
    kind: PinKind
    name: str
    digest: Annotated[str, Meta(description="SHA-256 of the definition.")]
    state: Annotated[PinState, Meta(description="`trusted`: it was the first of its name.")]
    flags: Annotated[tuple[str, ...], Meta(description="What is suspicious about it.")]
    seen_at: datetime
    decided_at: datetime | None
    decided_by: str | None


class PinPage(Page[PinFacts], frozen=True):
    """One page."""


class PinShown(Struct, frozen=True):
    """A definition, and what it changes."""

    facts: PinFacts
    definition: Annotated[str, Meta(description="JSON, as the server gave it, its members sorted.")]
    cut: Annotated[bool, Meta(description="The end of it was too long to be kept.")]
    before: Annotated[
        PinFacts | None, Meta(description="What was trusted or approved of this name before; null: nothing.")
    ]
    lines: Annotated[
        tuple[str, ...],
        Meta(description="A unified diff against that, or all of it; what cannot be seen is an escape."),
    ]


def _facts(pin: Pin) -> PinFacts:
    return PinFacts(
        id=pin.id,
        server=pin.server,
        kind=pin.kind,
        name=pin.name,
        digest=pin.digest,
        state=pin.state,
        flags=pin.flags,
        seen_at=moment(pin.seen_at),
        decided_at=maybe(pin.decided_at),
        decided_by=pin.decided_by or None,
    )


def _shown(view: PinView) -> PinShown:
    return PinShown(
        facts=_facts(view.pin),
        definition=view.pin.definition,
        cut=len(view.pin.definition) >= MAX_DEFINITION,
        before=_facts(view.before) if view.before else None,
        lines=tuple(view.lines),
    )


def _id(wanted: Wanted) -> str:
    # The command line takes a beginning, for people who type. A program means exactly one definition.
    if not _IDENT.fullmatch(wanted["pin"]):
        raise NotFound("there is no definition of this id")
    return wanted["pin"]


async def _list(desks: Desks, wanted: Wanted) -> Page[PinFacts]:
    query: PinQuery = wanted.query
    found = await desks.pins.glance(wanted.actor, query.server, query.state or "")
    return paged(sorted(found, key=_by_id), query, _by_id, _facts)


def _by_id(pin: Pin) -> str:
    return pin.id


async def _show(desks: Desks, wanted: Wanted) -> PinShown:
    return _shown(await desks.pins.show(wanted.actor, _id(wanted)))


async def _approve(desks: Desks, wanted: Wanted) -> PinShown:
    await desks.pins.approve(wanted.actor, _id(wanted))
    return await _show(desks, wanted.looking)


async def _reject(desks: Desks, wanted: Wanted) -> PinShown:
    await desks.pins.reject(wanted.actor, _id(wanted))
    return await _show(desks, wanted.looking)


PIN = "/pins/{pin}"

OPERATIONS = (
    Operation(
        name="pins.list",
        method="GET",
        path="/pins",
        permission="pins:read",
        summary="What servers say of their tools, prompts and resource templates",
        query=PinQuery,
        answer=PinPage,
        run=_list,
    ),
    Operation(
        name="pins.get",
        method="GET",
        path=PIN,
        permission="pins:read",
        summary="One definition, and what it changes",
        answer=PinShown,
        tagged=True,
        run=_show,
    ),
    Operation(
        name="pins.approve",
        method="POST",
        path=PIN + "/approve",
        permission="pins:write",
        summary="Agree to exactly this definition: it is listed and may be called",
        answer=PinShown,
        tagged=True,
        current=_show,
        run=_approve,
    ),
    Operation(
        name="pins.reject",
        method="POST",
        path=PIN + "/reject",
        permission="pins:write",
        summary="Withhold this definition, also one that was trusted or approved",
        answer=PinShown,
        tagged=True,
        current=_show,
        run=_reject,
    ),
)
