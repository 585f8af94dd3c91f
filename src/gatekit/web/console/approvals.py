"""Calls that wait for somebody's yes. Who is an approver sees these pages, whatever role they have."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from gatekit.admin.approvals import ApprovalView
from gatekit.errors import Conflict, Forbidden, InvalidInput
from gatekit.model.approvals import Approval
from gatekit.model.pins import visible
from gatekit.web.console.deeds import After, Asked, Deed, deed_url, named, notice, ticked
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, minute
from gatekit.web.console.route import APPROVALS
from gatekit.web.console.views import Choice, Fact, Link, Row, Section, Sheet

ON_A_PAGE = 50
LONGEST_SHOWN = 380
"""Characters of one argument on the page; the templates cut what is longer."""
_TIMES = (
    ("0", "this call only"),
    ("900", "such calls for 15 minutes"),
    ("3600", "such calls for an hour"),
    ("28800", "such calls for 8 hours"),
)
_CUT = "An argument is too long to be shown whole here: use gatekit approvals show."


class ApprovalPages:
    """``/admin/approvals``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def show(self, visit: Visit) -> Response:
        """One request if the address names one, otherwise all."""
        wanted = visit.asked.get("id")
        return await self._one(visit, wanted) if wanted else await self._list(visit)

    async def _list(self, visit: Visit) -> Response:
        found = await self._desks.approvals().list(visit.actor)
        now = self._door.now()
        waiting = [one for one in found if one.state == "waiting" and one.expires_at > now]
        standing = [one for one in found if one.state == "allowed" and one.until > now]
        rest = [one for one in found if one not in waiting and one not in standing]
        sheet = Sheet(
            frame=self._door.frame(visit, APPROVALS),
            title="Approvals",
            lead="Calls that a rule holds back until somebody agrees.",
            notice=notice(DEEDS, visit),
            sections=(
                Section(title="Waiting", rows=_rows(waiting), empty="Nothing waits."),
                Section(title="Allowed for a while", rows=_rows(standing)),
                Section(title="Over", lead="The newest first.", rows=_rows(rest)),
            ),
        )
        return self._door.show(sheet)

    async def _one(self, visit: Visit, wanted: str) -> Response:
        view = await self._desks.approvals().show(visit.actor, wanted)
        one = view.approval
        shown, cut = _arguments(view)
        links: tuple[Link, ...] = ()
        if view.decides:
            links = (
                Link("Allow", deed_url("approval-allow", id=one.id)),
                Link("Refuse", deed_url("approval-deny", id=one.id)),
            )
        elif one.state == "allowed" and one.until > self._door.now():
            links = (Link("Take back", deed_url("approval-end", id=one.id)),)
        sheet = Sheet(
            frame=self._door.frame(visit, APPROVALS),
            title=f"{one.principal} wants {_what(one)}",
            badges=(one.state,),
            notice=notice(DEEDS, visit),
            warnings=(_CUT,) if cut else (),
            facts=(
                ("Person", one.principal),
                ("Client", one.client or one.client_id),
                ("Server", one.server),
                ("Wants", f"{one.method} {one.name}".strip()),
                *shown,
                ("Rule", one.rule),
                ("Reason", one.reason or "-"),
                ("Asked", minute(one.asked_at)),
                ("Waits until", minute(one.expires_at)),
                *((("Decided by", one.decided_by),) if one.decided_by else ()),
                *((("Allowed until", minute(one.until)),) if one.until else ()),
            ),
            links=(*links, Link("All approvals", APPROVALS)),
        )
        return self._door.show(sheet)


def approval_url(approval_id: str) -> str:
    return f"{APPROVALS}?id={approval_id}"


def _rows(found: list[Approval]) -> tuple[Row, ...]:
    return tuple(
        Row(
            title=f"{one.principal}: {_what(one)}",
            href=approval_url(one.id),
            badges=(one.state,),
            facts=(
                ("Client", one.client or one.client_id),
                ("Rule", one.rule),
                ("Asked", minute(one.asked_at)),
                *((("Decided by", one.decided_by),) if one.decided_by else ()),
                *((("Allowed until", minute(one.until)),) if one.until else ()),
            ),
        )
        for one in found[:ON_A_PAGE]
    )


def _what(one: Approval) -> str:
    return f"{one.name or one.method} at {one.server}"


def _arguments(view: ApprovalView) -> tuple[tuple[Fact, ...], bool]:
    """Each argument by itself, and whether something is missing from what is seen."""
    if not view.arguments:
        return (("Arguments", "not shown"),), False
    try:
        found: Any = json.loads(view.arguments)
    except (ValueError, RecursionError):  # cut
        return (("Arguments", visible(view.arguments)),), True
    if not isinstance(found, dict):
        found = {"": found}
    shown = [(visible(f"Argument {name}".strip()), _text(value)) for name, value in found.items()]
    return tuple(shown) or (("Arguments", "none"),), view.cut or any(
        len(text) > LONGEST_SHOWN for _, text in shown
    )


def _text(value: Any) -> str:
    """What cannot be seen is written as an escape: nothing hides from the approver."""
    return visible(json.dumps(value, ensure_ascii=False))


async def _ask_allow(desks: Desks, visit: Visit) -> Asked:
    view = await _waiting(desks, visit)
    one = view.approval
    shown, cut = _arguments(view)
    return Asked(
        title=f"Allow {_what(one)} for {one.principal}",
        back=approval_url(one.id),
        about=(one.id,),
        state=(one.state, one.digest),
        changes=(
            f"{one.principal} calls it with {one.client or one.client_id}, and the call goes on at once.",
            *(f"{name}: {text}" for name, text in shown),
            *((_CUT,) if cut else ()),
        ),
        fields=(
            Choice(name="seconds", label="Allow", value="0", options=_TIMES),
            Choice(
                name="with",
                label="Such calls are of the same person, client, server and tool",
                options=(("whatever", "whatever their arguments are"),),
                many=True,
                hint="Not ticked: only with the same arguments.",
            ),
        ),
    )


async def _allow(desks: Desks, visit: Visit, _: Asked) -> After:
    seconds = visit.sent.get("seconds") or ""
    if seconds not in dict(_TIMES):
        raise InvalidInput("choose for how long it is allowed")
    whatever = "whatever" in ticked(visit, "with")
    await desks.approvals().allow(visit.actor, named(visit, "id"), seconds=int(seconds), whatever=whatever)
    return After()


async def _ask_deny(desks: Desks, visit: Visit) -> Asked:
    one = (await _waiting(desks, visit)).approval
    return Asked(
        title=f"Refuse {_what(one)} to {one.principal}",
        back=approval_url(one.id),
        about=(one.id,),
        state=(one.state,),
        changes=("The call is refused at once. It can be made again, and asks again.",),
    )


async def _deny(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.approvals().deny(visit.actor, named(visit, "id"))
    return After()


async def _ask_end(desks: Desks, visit: Visit) -> Asked:
    one = (await desks.approvals().show(visit.actor, named(visit, "id"))).approval
    if one.state != "allowed" or one.until <= desks.clock.now():
        raise Conflict("it allows nothing any more")
    return Asked(
        title=f"Take back {_what(one)} from {one.principal}",
        back=approval_url(one.id),
        about=(one.id,),
        state=(one.state, str(one.until)),
        changes=("Such calls ask again from now on.",),
    )


async def _end(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.approvals().end(visit.actor, named(visit, "id"))
    return After()


async def _waiting(desks: Desks, visit: Visit) -> ApprovalView:
    view = await desks.approvals().show(visit.actor, named(visit, "id"))
    if view.approval.state != "waiting":
        by = f" by {view.approval.decided_by}" if view.approval.decided_by else ""
        raise Conflict(f"it does not wait any more: it is {view.approval.state}{by}")
    if not view.decides:
        raise Forbidden("only the approvers that the rule names decide, and nobody about a call of their own")
    return view


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="approval-allow",
        words="Allow",
        here=APPROVALS,
        permission="approvals:write",
        done="It is allowed.",
        ask=_ask_allow,
        run=_allow,
        own=True,
        members=True,
    ),
    Deed(
        name="approval-deny",
        words="Refuse",
        here=APPROVALS,
        permission="approvals:write",
        done="It is refused.",
        ask=_ask_deny,
        run=_deny,
        own=True,
        members=True,
    ),
    Deed(
        name="approval-end",
        words="Take back",
        here=APPROVALS,
        permission="approvals:write",
        done="It is taken back.",
        ask=_ask_end,
        run=_end,
        own=True,
        members=True,
    ),
)
