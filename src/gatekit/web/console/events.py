"""What somebody did last, out of the audit trail: for their page, when it is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

from gatekit.admin.people import PersonView
from gatekit.web.api.trail import newest
from gatekit.web.console.door import Desks, Visit, minute, person_url
from gatekit.web.console.views import Fact, Link, Row, Section

EVENTS = 20
"""How many are shown."""
DAYS = 30
"""How far back is looked."""
_SHOWN = (
    ("Came of it", ("decision", "outcome", "result")),
    ("Why", ("reason",)),
    ("Server", ("server",)),
    ("Application", ("client", "client_id")),
    ("About", ("target",)),
    ("From", ("address",)),
)
"""Which fields of a record are shown (docs/audit.md): the first of them that says something."""


async def events_section(desks: Desks, visit: Visit, view: PersonView, reading: asyncio.Lock) -> Section:
    """Read only when it was asked for: it is disk and processor, and a busy trail is long."""
    title, user = "Last events", view.user
    if visit.asked.get("events") != "yes":
        more = Link("Show the last events", person_url(user.username, events="yes"))
        return Section(title=title, lead="What the audit trail says.", empty="Not read yet.", more=more)
    covers = await desks.people.covers(visit.actor)
    aliases = tuple(await desks.merging.known_as(visit.actor, user.id))
    lead = f"At most {EVENTS}, of the last {DAYS} days; the rest: gatekit audit search."
    try:
        async with reading:  # one at a time, as over the interface for programs
            found = await newest(desks.trail, desks.clock, user.id, aliases, limit=EVENTS, days=DAYS)
    except OSError:
        return Section(title=title, lead=lead, empty="The trail cannot be read now.")
    rows = tuple(_row(record.at, covers.cover(record.fields)) for record in found)
    return Section(title=title, lead=lead, rows=rows, empty="None.")


def _row(at: float, fields: dict[str, Any]) -> Row:
    what = next((str(fields[key]) for key in ("action", "name", "method") if fields.get(key)), "")
    event = str(fields.get("event", "?"))
    facts: list[Fact] = [("When", minute(int(at)))]
    for words, keys in _SHOWN:
        said = next((str(fields[key]) for key in keys if fields.get(key)), "")
        if said:
            facts.append((words, said))
    return Row(title=f"{event}: {what}" if what else event, facts=tuple(facts))
