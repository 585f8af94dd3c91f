"""People who ask for servers that they may not use."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.model.requests import LONGEST, AccessRequest, RequestState
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Wanted
from gatekit.web.api.times import maybe, moment


class RequestQuery(Struct, frozen=True, forbid_unknown_fields=True):
    waiting: Annotated[bool, Meta(description="Only what nobody has decided yet.")] = False


class NewGrant(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long the person is let in."""

    seconds: Annotated[int, Meta(ge=0, le=LONGEST, description="0: as long as they asked.")] = 0


class RequestOut(Struct, frozen=True):
    """`rule` names the stored rule that grants it."""

    id: str
    state: RequestState
    person: str
    server: str
    tool: str
    reason: str
    seconds: int
    asked_at: datetime
    decided_at: datetime | None
    decided_by: str
    rule: str
    expires_at: datetime | None


class RequestList(Struct, frozen=True):
    """The newest first, at most 500."""

    items: tuple[RequestOut, ...]


def _out(one: AccessRequest) -> RequestOut:
    return RequestOut(
        id=one.id,
        state=one.state,
        person=one.principal,
        server=one.server,
        tool=one.tool,
        reason=one.reason,
        seconds=one.seconds,
        asked_at=moment(one.asked_at),
        decided_at=maybe(one.decided_at),
        decided_by=one.decided_by,
        rule=one.rule,
        expires_at=maybe(one.expires_at),
    )


async def _list(desks: Desks, wanted: Wanted) -> RequestList:
    query: RequestQuery = wanted.query
    return RequestList(tuple(map(_out, await desks.requests.list(wanted.actor, waiting=query.waiting))))


async def _grant(desks: Desks, wanted: Wanted) -> RequestOut:
    new: NewGrant = wanted.body
    return _out(await desks.requests.grant(wanted.actor, wanted["id"], seconds=new.seconds))


async def _refuse(desks: Desks, wanted: Wanted) -> RequestOut:
    return _out(await desks.requests.refuse(wanted.actor, wanted["id"]))


OPERATIONS = (
    Operation(
        name="requests.list",
        method="GET",
        path="/requests",
        permission="requests:read",
        summary="What people ask for, and what was decided",
        query=RequestQuery,
        answer=RequestList,
        run=_list,
    ),
    Operation(
        name="requests.grant",
        method="POST",
        path="/requests/{id}/grant",
        permission="requests:write",
        summary="Let the person in for a while",
        body=NewGrant,
        answer=RequestOut,
        run=_grant,
    ),
    Operation(
        name="requests.refuse",
        method="POST",
        path="/requests/{id}/refuse",
        permission="requests:write",
        summary="Do not let the person in",
        answer=RequestOut,
        run=_refuse,
    ),
)
