"""The first page: who there is, and what somebody should look after."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.responses import Response

from gatekit.admin.admin_keys import AdminKeyView
from gatekit.model.people import SERVICE_ACCOUNT, PeopleQuery
from gatekit.model.pins import Pin
from gatekit.model.provisioning import ScimToken, is_live
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day
from gatekit.web.console.route import CONNECTIONS, KEYS, OVERVIEW, PEOPLE
from gatekit.web.console.views import Fact, Row, Section, Sheet

SOON = 14 * 86400
"""Seconds before its end from which on a key is warned of."""
TOKENS_SOON = 30 * 86400
"""The same, of the token of a directory: somebody else has to enter the next one."""


class OverviewPage:
    """``/admin``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def show(self, visit: Visit) -> Response:
        async def count(query: PeopleQuery) -> int:
            return await self._desks.people.count(visit.actor, query)

        keys = await self._desks.admin_keys.list(visit.actor)
        good = [view for view in keys if view.state == "active"]
        tokens = await self._desks.scim_tokens.list(visit.actor)
        owners = await count(PeopleQuery(role="owner", disabled=False))
        connections = await self._desks.connections().list(visit.actor)
        numbers = (
            ("All", await count(PeopleQuery()), ""),
            ("Disabled", await count(PeopleQuery(disabled=True)), "state=disabled"),
            ("Owners", await count(PeopleQuery(role="owner")), "role=owner"),
            ("Admins", await count(PeopleQuery(role="admin")), "role=admin"),
            ("Auditors", await count(PeopleQuery(role="auditor")), "role=auditor"),
            (
                "Service accounts",
                await count(PeopleQuery(connection=SERVICE_ACCOUNT)),
                f"connection={SERVICE_ACCOUNT}",
            ),
        )
        off = [view.name for view in connections if not view.enabled]
        sheet = Sheet(
            frame=self._door.frame(visit, OVERVIEW),
            title="Overview",
            lead="Who there is, and what wants looking after.",
            warnings=(
                *(_late(good, self._door.now())),
                *_ending(tokens, self._door.now()),
                *(f"The connection {name}: {line}." for name, line in self._desks.notices()),
                *(f"The connection {name} is turned off: nobody comes in by it." for name in off),
                *_waiting(await self._desks.pins.glance(visit.actor, "", "waiting")),
                *(("Nobody has the role owner in the store.",) if owners == 0 else ()),
                *(("There is one owner only: a second one can help when the first cannot.",) * (owners == 1)),
            ),
            sections=(
                Section(
                    title="People",
                    rows=tuple(
                        Row(title=words, href=f"{PEOPLE}?{asked}" if asked else PEOPLE, facts=_many(number))
                        for words, number, asked in numbers
                    ),
                ),
                Section(
                    title="Ways in",
                    rows=(
                        Row(title="Connections", href=CONNECTIONS, facts=_many(len(connections))),
                        Row(title="Admin keys that are good", href=KEYS, facts=_many(len(good))),
                    ),
                ),
            ),
        )
        return self._door.show(sheet)


def _many(number: int) -> tuple[Fact, ...]:
    return (("How many", str(number)),)


def _late(keys: Sequence[AdminKeyView], now: float) -> list[str]:
    soon = sorted((view for view in keys if view.key.expires_at - now < SOON), key=lambda v: v.key.expires_at)
    return [
        f"The admin key “{view.key.name}” of {view.owner} ends on {day(view.key.expires_at)}."
        for view in soon[:10]
    ]


def _waiting(pins: Sequence[Pin]) -> list[str]:
    if not pins:
        return []
    many = "1 definition of a tool waits" if len(pins) == 1 else f"{len(pins)} definitions of tools wait"
    return [f"{many} for a look: see Pins."]


def _ending(tokens: Sequence[ScimToken], now: float) -> list[str]:
    """One warning a connection, and none where another token lasts longer."""
    last: dict[str, float] = {}
    for token in tokens:
        if is_live(token, now):
            last[token.connection] = max(token.expires_at or float("inf"), last.get(token.connection, 0.0))
    soon = sorted((ends, name) for name, ends in last.items() if ends - now < TOKENS_SOON)
    return [
        f"The last SCIM token of {name} ends on {day(int(ends))}: its directory needs another one."
        for ends, name in soon[:10]
    ]
