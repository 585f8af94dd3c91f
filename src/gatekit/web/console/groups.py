"""Groups: a list, and one of them with whoever is in it."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.admin.groups import GroupView
from gatekit.model.people import LOCAL, GroupLine, GroupQuery, PeopleQuery
from gatekit.web.console.deeds import deed_url, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, person_url
from gatekit.web.console.group_deeds import DEEDS, group_url
from gatekit.web.console.route import GROUP, GROUPS
from gatekit.web.console.transfers import transfer_links
from gatekit.web.console.views import Choice, Link, Row, Section, Sheet

ON_A_PAGE = 50
_MAX_TEXT = 200
_ON_ONE = ("group-add", "group-nest", "group-rule", "group-title", "group-delete")
"""Deeds about a group as a whole, as they stand on its page."""


class GroupPages:
    """``/admin/groups`` and ``/admin/group``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        text = (visit.asked.get("q") or "")[:_MAX_TEXT]
        after = (visit.asked.get("source") or "", visit.asked.get("after") or "")
        query = GroupQuery(after=after, limit=ON_A_PAGE + 1, text=text)
        found = await self._desks.groups.page(visit.actor, query)
        shown, more = found[:ON_A_PAGE], None
        if len(found) > ON_A_PAGE:
            place = {"q": text, "source": shown[-1].source, "after": shown[-1].name}
            more = Link("Next page", f"{GROUPS}?{urlencode(place)}")
        sheet = Sheet(
            frame=self._door.frame(visit, GROUPS),
            title="Groups",
            lead="Of our own, and those that providers named. Groups of the configuration file are not here.",
            notice=notice(DEEDS, visit),
            links=(
                *((Link("Add a group", deed_url("group-create")),) if visit.may("groups:write") else ()),
                *transfer_links(visit, "groups"),
            ),
            search=(Choice(name="q", label="Search", hint="Part of a name or a title.", value=text),),
            sections=(
                Section(
                    title="Results" if text else "All groups",
                    rows=tuple(_line(line) for line in shown),
                    empty="No group fits." if text else "There is none yet.",
                    more=more,
                ),
            ),
        )
        return self._door.show(sheet)

    async def group(self, visit: Visit) -> Response:
        name, source = visit.asked.get("name") or "", visit.asked.get("source") or LOCAL
        view = await self._desks.groups.head(visit.actor, name, source)
        ours = source == LOCAL
        may = ours and visit.may("groups:write")
        sections = [await self._members(visit, view, may)]
        if ours:
            inner = tuple(
                Row(
                    title=child,
                    href=group_url(child),
                    links=(Link("Take out", deed_url("group-unnest", name=name, child=child)),)
                    if may
                    else (),
                )
                for child in view.children
            )
            outer = tuple(Row(title=parent, href=group_url(parent)) for parent in view.parents)
            rules = tuple(Row(title=each) for each in view.selectors)
            sections += [
                Section(title="Groups within", lead="Their members count too.", rows=inner),
                Section(title="It is within", lead="Its members count there too.", rows=outer),
                Section(title="Rule", lead="Whoever one of these names is in it too.", rows=rules),
            ]
        role = self._desks.standing.of_group(name) if ours else "member"
        sheet = Sheet(
            frame=self._door.frame(visit, GROUPS),
            title=view.title or name,
            badges=() if ours else (source,),
            notice=notice(DEEDS, visit),
            warnings=()
            if role == "member"
            else (f"Whoever is in it has the role {role}: the file says so.",),
            facts=(
                ("Name", name),
                ("Said by", "ourselves" if ours else source),
                ("Direct members", str(view.size)),
            ),
            links=tuple(Link(_WORDS[deed], deed_url(deed, name=name)) for deed in _ON_ONE) if may else (),
            search=(Choice(name="q", label="Search its members", value=visit.asked.get("q") or ""),),
            search_action=GROUP,
            kept=(("name", name), ("source", source)),
            sections=tuple(sections),
        )
        return self._door.show(sheet)

    async def _members(self, visit: Visit, view: GroupView, may: bool) -> Section:
        """One page of direct members. The store looks them up: there may be a hundred thousand."""
        text = (visit.asked.get("q") or "")[:_MAX_TEXT]
        query = PeopleQuery(
            group=view.name,
            source=view.source,
            text=text,
            after=visit.asked.get("after") or "",
            limit=ON_A_PAGE + 1,
        )
        found = await self._desks.people.list(visit.actor, query)
        shown, more = found[:ON_A_PAGE], None
        if len(found) > ON_A_PAGE:
            place = {"name": view.name, "source": view.source, "q": text, "after": shown[-1].user.username}
            more = Link("Next page", f"{GROUP}?{urlencode(place)}")
        rows = tuple(
            Row(
                title=user.username,
                href=person_url(user.username),
                badges=("disabled",) if user.disabled else (),
                facts=(("Name", user.display_name),) if user.display_name else (),
                links=(Link("Remove", deed_url("group-remove", name=view.name, who=user.username)),)
                if may
                else (),
            )
            for user in (each.user for each in shown)
        )
        empty = "Nobody of them fits." if text else "Nobody directly."
        return Section(title="Members", rows=rows, empty=empty, more=more)


_WORDS = {deed.name: deed.words for deed in DEEDS}


def _line(line: GroupLine) -> Row:
    return Row(
        title=line.title or line.name,
        href=group_url(line.name, line.source),
        badges=() if line.source == LOCAL else (line.source,),
        facts=(("Name", line.name), ("Members", str(line.size))),
    )
