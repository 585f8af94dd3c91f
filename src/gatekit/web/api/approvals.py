"""Calls that wait for somebody's yes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.model.approvals import LONGEST, Approval, ApprovalState
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import Operation, Wanted
from gatekit.web.api.times import maybe, moment


class ApprovalQuery(Struct, frozen=True, forbid_unknown_fields=True):
    waiting: Annotated[bool, Meta(description="Only what waits now.")] = False


class Allowed(Struct, frozen=True, forbid_unknown_fields=True):
    """For how long such calls are allowed too: same person, client, server and tool."""

    seconds: Annotated[int, Meta(ge=0, le=LONGEST, description="0: this call only.")] = 0
    any_arguments: Annotated[bool, Meta(description="Whatever their arguments are.")] = False


class ApprovalOut(Struct, frozen=True):
    """`digest` covers the method and all that is forwarded but `_meta`."""

    id: str
    state: ApprovalState
    person: str
    client_id: str
    client: str
    server: str
    method: str
    name: str
    rule: str
    reason: str
    digest: str
    asked_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str
    until: Annotated[datetime | None, Meta(description="Such calls are allowed until then.")]
    any_arguments: bool
    went_on_at: datetime | None
    arguments: Annotated[str | None, Meta(description="JSON text, of one request that waits.")] = None
    arguments_cut: bool = False


class ApprovalList(Struct, frozen=True):
    """The newest first, at most 500."""

    items: tuple[ApprovalOut, ...]


def _out(one: Approval, arguments: str | None = None, cut: bool = False) -> ApprovalOut:
    return ApprovalOut(
        id=one.id,
        state=one.state,
        person=one.principal,
        client_id=one.client_id,
        client=one.client,
        server=one.server,
        method=one.method,
        name=one.name,
        rule=one.rule,
        reason=one.reason,
        digest=one.digest,
        asked_at=moment(one.asked_at),
        expires_at=moment(one.expires_at),
        decided_at=maybe(one.decided_at),
        decided_by=one.decided_by,
        until=maybe(one.until or None),
        any_arguments=bool(one.whatever),
        went_on_at=maybe(one.taken_at),
        arguments=arguments,
        arguments_cut=cut,
    )


async def _list(desks: Desks, wanted: Wanted) -> ApprovalList:
    query: ApprovalQuery = wanted.query
    found = await desks.approvals.list(wanted.actor, waiting=query.waiting)
    return ApprovalList(tuple(_out(one) for one in found))


async def _show(desks: Desks, wanted: Wanted) -> ApprovalOut:
    view = await desks.approvals.show(wanted.actor, wanted["id"])
    return _out(view.approval, view.arguments or None, view.cut)


async def _allow(desks: Desks, wanted: Wanted) -> ApprovalOut:
    new: Allowed = wanted.body
    one = await desks.approvals.allow(
        wanted.actor, wanted["id"], seconds=new.seconds, whatever=new.any_arguments
    )
    return _out(one)


async def _deny(desks: Desks, wanted: Wanted) -> ApprovalOut:
    return _out(await desks.approvals.deny(wanted.actor, wanted["id"]))


async def _end(desks: Desks, wanted: Wanted) -> ApprovalOut:
    return _out(await desks.approvals.end(wanted.actor, wanted["id"]))


OPERATIONS = (
    Operation(
        name="approvals.list",
        method="GET",
        path="/approvals",
        permission="approvals:read",
        summary="Calls that wait for an approval, and what was decided",
        query=ApprovalQuery,
        answer=ApprovalList,
        run=_list,
    ),
    Operation(
        name="approvals.show",
        method="GET",
        path="/approvals/{id}",
        permission="approvals:read",
        summary="One of them, with its arguments while it waits",
        answer=ApprovalOut,
        run=_show,
    ),
    Operation(
        name="approvals.allow",
        method="POST",
        path="/approvals/{id}/allow",
        permission="approvals:write",
        summary="Let a call go on; the key's owner must be one of its approvers",
        body=Allowed,
        answer=ApprovalOut,
        run=_allow,
    ),
    Operation(
        name="approvals.deny",
        method="POST",
        path="/approvals/{id}/deny",
        permission="approvals:write",
        summary="Refuse a call; the key's owner must be one of its approvers",
        answer=ApprovalOut,
        run=_deny,
    ),
    Operation(
        name="approvals.end",
        method="POST",
        path="/approvals/{id}/end",
        permission="approvals:write",
        summary="Take back what was allowed for a while",
        answer=ApprovalOut,
        run=_end,
    ),
)
