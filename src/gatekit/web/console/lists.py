"""Groups, connections and admin keys, to look at. To change them: the command line or ``/api/v1``."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.admin.connections import ConnectionView
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import LOCAL
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day, person_url
from gatekit.web.console.route import CONNECTIONS, GROUP, GROUPS, KEYS, PEOPLE
from gatekit.web.console.views import Link, Row, Section, Sheet

ON_A_PAGE = 100


class ListPages:
    """``/admin/groups``, ``/admin/connections``, ``/admin/keys``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def groups(self, visit: Visit) -> Response:
        found = sorted(
            await self._desks.groups.list(visit.actor),
            key=lambda view: (view.source != LOCAL, view.source, view.name),
        )
        after = visit.asked.get("after") or ""
        start = int(after) if after.isascii() and after.isdecimal() and len(after) < 9 else 0
        shown = found[start : start + ON_A_PAGE]
        more = (
            Link("Next page", f"{GROUPS}?after={start + ON_A_PAGE}") if found[start + ON_A_PAGE :] else None
        )
        rows = tuple(
            Row(
                title=view.title or view.name,
                href=f"{GROUP}?{urlencode({'name': view.name, 'source': view.source})}",
                badges=() if view.source == LOCAL else (view.source,),
                facts=(("Name", view.name), ("Members", str(view.size))),
            )
            for view in shown
        )
        section = Section(
            title="All groups", rows=rows, empty="None. `gatekit groups create NAME` makes one.", more=more
        )
        sheet = Sheet(
            frame=self._door.frame(visit, GROUPS),
            title="Groups",
            lead="Of our own, and those that providers named. Groups of the configuration file are not here.",
            sections=(section,),
        )
        return self._door.show(sheet)

    async def group(self, visit: Visit) -> Response:
        name, source = visit.asked.get("name") or "", visit.asked.get("source") or LOCAL
        view = await self._desks.groups.show(visit.actor, name, source)
        members = tuple(Row(title=each, href=person_url(each)) for each in view.members[:ON_A_PAGE])
        more = None
        if len(view.members) > ON_A_PAGE:
            more = Link("All of them", f"{PEOPLE}?{urlencode({'group': name, 'source': source})}")
        inner = tuple(
            Row(title=each, href=f"{GROUP}?{urlencode({'name': each})}") for each in view.children[:ON_A_PAGE]
        )
        rules = tuple(Row(title=each) for each in view.selectors[:ON_A_PAGE])
        sections = [Section(title="Members", rows=members, empty="Nobody directly.", more=more)]
        if source == LOCAL:
            sections += [
                Section(title="Groups within", lead="Their members count too.", rows=inner),
                Section(title="Rules", lead="Whoever one of these names is in it too.", rows=rules),
            ]
        sheet = Sheet(
            frame=self._door.frame(visit, GROUPS),
            title=view.title or name,
            facts=(("Name", name), ("Said by", source), ("Members", str(len(view.members)))),
            sections=tuple(sections),
        )
        return self._door.show(sheet)

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

    async def keys(self, visit: Visit) -> Response:
        views = [view for view in await self._desks.admin_keys.list(visit.actor) if view.state == "active"]
        rows = tuple(
            Row(
                title=view.key.name,
                facts=(
                    ("Belongs to", view.owner),
                    ("Ends with", f"…{view.key.hint}"),
                    ("Good for", ", ".join(view.key.scopes)),
                    ("From", ", ".join(view.key.addresses) or "any address"),
                    ("Last used", day(view.key.last_used_at)),
                    ("Good until", day(view.key.expires_at)),
                ),
            )
            for view in sorted(views, key=lambda view: view.key.expires_at)[:ON_A_PAGE]
        )
        sheet = Sheet(
            frame=self._door.frame(visit, KEYS),
            title="Admin keys",
            lead="What programs of administrators come with, to /api/v1.",
            sections=(
                Section(
                    title="Good now",
                    lead="Those that end first come first.",
                    rows=rows,
                    empty="None. `gatekit admin-keys create` makes one.",
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
