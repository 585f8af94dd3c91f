"""Connections and admin keys, to look at. To change them: the command line or ``/api/v1``."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.admin.connections import ConnectionView
from gatekit.model.connections import ConnectionRules
from gatekit.web.console.door import ConsoleDoor, Desks, Visit
from gatekit.web.console.route import CONNECTIONS, PEOPLE
from gatekit.web.console.views import Row, Section, Sheet

ON_A_PAGE = 100


class ListPages:
    """``/admin/connections``, ``/admin/keys``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def connections(self, visit: Visit) -> Response:
        views = await self._desks.connections().list(visit.actor)
        rows = tuple(
            _connection(view, self._desks.rules(view.name))
            for view in sorted(views, key=lambda view: view.name)
        )
        sheet = Sheet(
            frame=self._door.frame(visit, CONNECTIONS),
            title="Connections",
            lead="Ways for people to sign in.",
            sections=(
                Section(
                    title="In force now",
                    lead="`gatekit connections test NAME` says what a sign-in would become.",
                    rows=rows,
                    empty="None: nobody can sign in.",
                ),
            ),
        )
        return self._door.show(sheet)


def _connection(view: ConnectionView, rules: ConnectionRules) -> Row:
    return Row(
        title=rules.title or view.name,
        href=f"{PEOPLE}?{urlencode({'connection': view.name})}",
        badges=() if view.enabled else ("disabled",),
        facts=(
            ("Name", view.name),
            ("Kind", view.kind),
            ("Stands in", "the configuration file" if view.source == "file" else "the store"),
            ("Domains", ", ".join(rules.domains) or "none"),
            ("New people", "are added at their first sign-in" if rules.create else "are not added"),
            ("Its directory", "keeps people here (SCIM)" if rules.provisioning else "keeps nobody here"),
        ),
    )
