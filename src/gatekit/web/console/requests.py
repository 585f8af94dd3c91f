"""People who ask for servers that they may not use."""

from __future__ import annotations

from starlette.responses import Response

from gatekit.errors import Conflict, InvalidInput
from gatekit.model.requests import AccessRequest
from gatekit.web.console.deeds import After, Asked, Deed, deed_url, named, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, minute, person_url
from gatekit.web.console.route import REQUESTS
from gatekit.web.console.views import Choice, Link, Row, Section, Sheet

ON_A_PAGE = 50
_TIMES = (
    ("0", "as long as they asked"),
    ("3600", "an hour"),
    ("86400", "a day"),
    ("604800", "a week"),
    ("2592000", "30 days"),
)


class RequestPages:
    """``/admin/requests``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        found = await self._desks.requests.list(visit.actor)
        waiting = [one for one in found if one.state == "waiting"]
        decided = [one for one in found if one.state != "waiting"]
        sheet = Sheet(
            frame=self._door.frame(visit, REQUESTS),
            title="Requests",
            lead="People ask for servers that they may not use. What is granted is a rule with an end.",
            notice=notice(DEEDS, visit),
            sections=(
                Section(title="Waiting", rows=tuple(_row(visit, one) for one in waiting[:ON_A_PAGE])),
                Section(title="Decided", rows=tuple(_row(visit, one) for one in decided[:ON_A_PAGE])),
            ),
        )
        return self._door.show(sheet)


def _row(visit: Visit, one: AccessRequest) -> Row:
    facts = [
        ("Reason", one.reason),
        ("For", f"{one.seconds / 3600:g} hours"),
        ("Asked", minute(one.asked_at)),
    ]
    if one.decided_by:
        facts.append(("Decided by", one.decided_by))
    if one.expires_at:
        facts += [("Until", minute(one.expires_at)), ("Rule", f"stored.{one.rule}")]
    links = (
        Link("Grant", deed_url("request-grant", id=one.id)),
        Link("Refuse", deed_url("request-refuse", id=one.id)),
    )
    return Row(
        title=f"{one.principal}: {_what(one)}",
        href=person_url(one.principal),
        badges=(one.state,),
        facts=tuple(facts),
        links=links if one.state == "waiting" and visit.may("requests:write") else (),
    )


def _what(one: AccessRequest) -> str:
    return f"{one.tool} at {one.server}" if one.tool else one.server


async def _waiting(desks: Desks, visit: Visit) -> AccessRequest:
    one = await desks.requests.show(visit.actor, named(visit, "id"))
    if one.state != "waiting":
        raise Conflict(f"it does not wait any more: it is {one.state}")
    return one


async def _ask_grant(desks: Desks, visit: Visit) -> Asked:
    one = await _waiting(desks, visit)
    return Asked(
        title=f"Grant {_what(one)} to {one.principal}",
        back=REQUESTS,
        about=(one.id,),
        state=(one.state,),
        changes=(
            f"{one.principal} says: {one.reason}",
            "A rule lets this person in at once, and ends by itself. Rules that deny still win.",
        ),
        fields=(Choice(name="seconds", label="For", value="0", options=_TIMES),),
    )


async def _grant(desks: Desks, visit: Visit, _: Asked) -> After:
    seconds = visit.sent.get("seconds") or ""
    if seconds not in dict(_TIMES):
        raise InvalidInput("choose for how long")
    await desks.requests.grant(visit.actor, named(visit, "id"), seconds=int(seconds))
    return After()


async def _ask_refuse(desks: Desks, visit: Visit) -> Asked:
    one = await _waiting(desks, visit)
    return Asked(
        title=f"Refuse {_what(one)} to {one.principal}",
        back=REQUESTS,
        about=(one.id,),
        state=(one.state,),
        changes=("The person sees that it was refused, and may ask again.",),
    )


async def _refuse(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.requests.refuse(visit.actor, named(visit, "id"))
    return After()


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="request-grant",
        words="Grant",
        here=REQUESTS,
        permission="requests:write",
        done="It is granted.",
        ask=_ask_grant,
        run=_grant,
    ),
    Deed(
        name="request-refuse",
        words="Refuse",
        here=REQUESTS,
        permission="requests:write",
        done="It is refused.",
        ask=_ask_refuse,
        run=_refuse,
    ),
)
