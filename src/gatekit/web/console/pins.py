"""Pins: what servers say of their tools, what changed of it, and who agrees to that."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.admin.pins import PinView
from gatekit.errors import Conflict, NotFound
from gatekit.model.pin_diff import Line, compared, whole
from gatekit.model.pins import MAX_DEFINITION, Pin, visible
from gatekit.web.console.deeds import After, Asked, Deed, deed_url, named, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, minute
from gatekit.web.console.route import PIN, PINS
from gatekit.web.console.views import Choice, Fact, Link, Row, Section, Sheet

ON_A_PAGE = 100
LINES = 1500
"""Of a definition that are shown."""
STATES = (
    ("waiting", "Waiting"),
    ("trusted", "Trusted at first sight"),
    ("approved", "Approved"),
    ("rejected", "Rejected"),
    ("all", "Any"),
)
SUSPICIOUS = {
    "hidden-characters": "It holds characters that nobody sees. They are written below by name.",
    "hidden-markup": "It holds comments or tags that a page would not show, and a model reads.",
    "instructions": "It gives orders to the model.",
    "other-tools": "It speaks of a tool of another server.",
}
_CUT = "It is longer than what is kept: its end cannot be shown here."
_LONG = "It is longer than this page: what follows is not shown. Use the command line: gatekit pins diff."


def pin_url(ident: str) -> str:
    """Page of a definition."""
    return f"{PIN}?{urlencode({'id': ident})}"


class PinPages:
    """``/admin/pins`` and ``/admin/pin``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        server = visit.asked.get("server") or ""
        state = visit.asked.get("state") or "waiting"
        found = await self._desks.pins.glance(visit.actor, server, "" if state == "all" else state)
        rest = len(found) - ON_A_PAGE
        names = sorted({*self._desks.servers(), *((server,) if server else ())})
        sheet = Sheet(
            frame=self._door.frame(visit, PINS),
            title="Pins",
            lead="What servers say of their tools, prompts and templates, and who agreed to it.",
            notice=notice(DEEDS, visit),
            search=(
                Choice(name="state", label="State", value=state, options=STATES),
                Choice(
                    name="server",
                    label="Server",
                    value=server,
                    options=(("", "Any"), *((name, name) for name in names)),
                ),
            ),
            sections=(
                Section(
                    title=next((words for name, words in STATES if name == state), "Any"),
                    lead=f"{rest} more are not shown: choose a server." if rest > 0 else "",
                    rows=tuple(_row(pin) for pin in found[:ON_A_PAGE]),
                    empty="Nothing waits for a look." if state == "waiting" else "None.",
                ),
            ),
        )
        return self._door.show(sheet)

    async def pin(self, visit: Visit) -> Response:
        view = await _view(self._desks, visit)
        pin = view.pin
        sheet = Sheet(
            frame=self._door.frame(visit, PINS),
            title=_name(pin),
            badges=(pin.state,),
            notice=notice(DEEDS, visit),
            warnings=_warnings(view),
            facts=(
                ("Server", pin.server),
                ("Kind", pin.kind),
                ("First seen", minute(pin.seen_at)),
                *((("Decided", f"{minute(pin.decided_at)} by {pin.decided_by}"),) if pin.decided_at else ()),
                ("Compared with", _before(view)),
                ("SHA-256", pin.digest),
            ),
            links=tuple(
                Link(deed.words, deed_url(deed.name, id=pin.id))
                for deed in DEEDS
                if visit.may(deed.permission) and _fits(deed.name, pin)
            ),
            lines=_lines(view),
        )
        return self._door.show(sheet)


def _row(pin: Pin) -> Row:
    facts: list[Fact] = [("Server", pin.server), ("Kind", pin.kind), ("First seen", minute(pin.seen_at))]
    if pin.flags:
        facts.append(("Suspicious", ", ".join(pin.flags)))
    if pin.decided_by:
        facts.append(("Decided by", pin.decided_by))
    badges = (*(("suspicious",) if pin.flags else ()), pin.state)
    return Row(title=_name(pin), href=pin_url(pin.id), badges=badges, facts=tuple(facts))


def _name(pin: Pin) -> str:
    return visible(pin.name[:100]) or "(no name)"


async def _view(desks: Desks, visit: Visit) -> PinView:
    ident = named(visit, "id")
    view = await desks.pins.show(visit.actor, ident)
    # A beginning would do for people who type. A page is about exactly one definition, whatever comes later.
    if view.pin.id != ident:
        raise NotFound("there is no definition of this id")
    return view


def _warnings(view: PinView) -> tuple[str, ...]:
    cut = (_CUT,) if len(view.pin.definition) >= MAX_DEFINITION else ()
    long = (_LONG,) if len(_all(view)) > LINES else ()
    return (*(SUSPICIOUS.get(flag, f"Suspicious: {flag}.") for flag in view.pin.flags), *cut, *long)


def _before(view: PinView) -> str:
    if view.before is None:
        return "nothing: no definition of this name is trusted or approved"
    when = minute(view.before.decided_at or view.before.seen_at)
    return f"what was {view.before.state} before, {when}"


def _all(view: PinView) -> list[Line]:
    changed = compared(view.before.definition, view.pin.definition) if view.before else ()
    return list(changed or whole(view.pin.definition))


def _lines(view: PinView) -> tuple[Line, ...]:
    return tuple(_all(view)[:LINES])


def _fits(deed: str, pin: Pin) -> bool:
    return pin.state != ("approved" if deed == "pin-approve" else "rejected")


def _state(view: PinView) -> tuple[str, ...]:
    """What was shown: this definition, its state, and what it was compared with."""
    return view.pin.state, view.before.id if view.before else ""


async def _ask_approve(desks: Desks, visit: Visit) -> Asked:
    view = await _view(desks, visit)
    if view.pin.state == "approved":
        raise Conflict(f"{_name(view.pin)} is approved already, as this definition has it")
    return Asked(
        title=f"Approve: {_name(view.pin)}",
        back=pin_url(view.pin.id),
        about=(view.pin.id,),
        state=_state(view),
        changes=(
            f"Exactly this definition of {view.pin.server} is listed from now on, and whoever may use it may "
            "call it. If the server changes it again, that waits anew.",
            "Models will read every word of it.",
            *_warnings(view),
        ),
        lines=_lines(view),
    )


async def _approve(desks: Desks, visit: Visit, asked: Asked) -> After:
    await desks.pins.approve(visit.actor, asked.about[0])
    return After(where=PINS)


async def _ask_reject(desks: Desks, visit: Visit) -> Asked:
    view = await _view(desks, visit)
    if view.pin.state == "rejected":
        raise Conflict(f"{_name(view.pin)} is rejected already, as this definition has it")
    return Asked(
        title=f"Reject: {_name(view.pin)}",
        back=pin_url(view.pin.id),
        about=(view.pin.id,),
        state=_state(view),
        changes=(
            "Wherever the server gives this definition, nobody is shown it and nobody calls it, until "
            "somebody approves it. Other definitions of this name stay as they are.",
            f"It has no effect while the pins of {view.pin.server} are off.",
        ),
        lines=_lines(view),
    )


async def _reject(desks: Desks, visit: Visit, asked: Asked) -> After:
    await desks.pins.reject(visit.actor, asked.about[0])
    return After(where=PINS)


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="pin-approve",
        words="Approve",
        here=PINS,
        permission="pins:write",
        done="The definition is approved.",
        ask=_ask_approve,
        run=_approve,
        recent=True,
    ),
    Deed(
        name="pin-reject",
        words="Reject",
        here=PINS,
        permission="pins:write",
        done="The definition is withheld.",
        ask=_ask_reject,
        run=_reject,
    ),
)
