"""Connections: which ways of signing in there are, and one of them with its settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from starlette.responses import Response

from gatekit.admin.connections import ConnectionView
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import LOCAL, PeopleQuery
from gatekit.web.console.connection_deeds import DEEDS, connection_url
from gatekit.web.console.deeds import Deed, deed_url, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, minute
from gatekit.web.console.route import CONNECTIONS, PEOPLE
from gatekit.web.console.views import Fact, Link, Row, Section, Sheet


class ConnectionPages:
    """``/admin/connections`` and ``/admin/connection``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        views = await self._desks.connections().list(visit.actor)
        rows = tuple(_row(view, self._rules(view.name)) for view in sorted(views, key=lambda view: view.name))
        sheet = Sheet(
            frame=self._door.frame(visit, CONNECTIONS),
            title="Connections",
            lead="Ways for people to sign in.",
            notice=notice(DEEDS, visit),
            links=(Link("Add a connection", deed_url("connection-add")),)
            if visit.may("connections:write")
            else (),
            sections=(Section(title="All", rows=rows, empty="None: nobody can sign in."),),
        )
        return self._door.show(sheet)

    async def connection(self, visit: Visit) -> Response:
        view = await self._desks.connections().show(visit.actor, visit.asked.get("name") or "")
        rules = self._rules(view.name)
        people = await self._desks.people.count(visit.actor, PeopleQuery(connection=view.name))
        stored = view.source == "store"
        settings = tuple(_flat(view.settings or {}))
        sheet = Sheet(
            frame=self._door.frame(visit, CONNECTIONS),
            title=(rules.title if rules else "") or view.name,
            badges=() if view.enabled else ("disabled",),
            notice=notice(DEEDS, visit),
            facts=(
                *_facts(view, rules),
                ("People", f"{people} at home here"),
                *((("Last changed", minute(view.updated_at)),) if stored else ()),
                *self._addresses(view),
            ),
            links=(
                Link("Its people", f"{PEOPLE}?{urlencode({'connection': view.name})}"),
                *(Link(deed.words, deed_url(deed.name, name=view.name)) for deed in _offered(visit, view)),
            ),
            sections=(
                Section(
                    title="Settings",
                    lead="Secrets are not shown."
                    if stored
                    else "Secrets are not shown. Change them in the file.",
                    rows=(Row(title=view.name, facts=settings),) if settings else (),
                    empty="Nothing but what every connection has.",
                ),
            ),
        )
        return self._door.show(sheet)

    def _rules(self, name: str) -> ConnectionRules | None:
        definition = self._desks.definition(name)
        return definition.rules if definition is not None else None

    def _addresses(self, view: ConnectionView) -> tuple[Fact, ...]:
        """What to enter at the provider."""
        base, name = self._desks.public_url(), quote(view.name, safe="")
        if view.kind == "saml":
            return (("Our metadata", f"{base}/saml/{name}/metadata"),)
        if view.kind in (LOCAL, "ldap"):
            return ()
        out = () if view.kind == "github" else (("Back-channel logout", f"{base}/backchannel-logout/{name}"),)
        return (("Redirect URI", f"{base}/callback/{name}"), *out)


def _offered(visit: Visit, view: ConnectionView) -> tuple[Deed, ...]:
    """What can be done to this one."""
    fitting = {
        "connection-preview": view.kind != LOCAL,
        "connection-disable": view.source == "store" and view.enabled,
        "connection-enable": view.source == "store" and not view.enabled,
        "connection-replace": view.source == "store",
        "connection-remove": view.source == "store",
    }
    return tuple(deed for deed in DEEDS if fitting.get(deed.name) and visit.may(deed.permission))


def _facts(view: ConnectionView, rules: ConnectionRules | None) -> tuple[Fact, ...]:
    known = (
        ("Name", view.name),
        ("Kind", view.kind),
        ("Stands in", "the configuration file" if view.source == "file" else "the store"),
    )
    if rules is None:  # added a moment ago, or what was entered cannot be read any more
        return known
    return (
        *known,
        ("Domains", ", ".join(rules.domains) or "none"),
        ("New people", "are added at their first sign-in" if rules.create else "are not added"),
        ("Its directory", "keeps people here (SCIM)" if rules.provisioning else "keeps nobody here"),
    )


def _row(view: ConnectionView, rules: ConnectionRules | None) -> Row:
    return Row(
        title=(rules.title if rules else "") or view.name,
        href=connection_url(view.name),
        badges=() if view.enabled else ("disabled",),
        facts=_facts(view, rules),
    )


def _flat(settings: Mapping[str, Any], within: str = "") -> Iterator[Fact]:
    """Key by key, in the words of the file: ``groups.map.Engineering``."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{key}.")
        else:
            yield f"{within}{key}", _said(value)


def _said(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return str(value)
