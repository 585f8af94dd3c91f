"""OAuth clients, which people call applications: which there are, one of them, and what can be done to it."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.errors import Conflict
from gatekit.model.oauth import Client
from gatekit.web.console.deeds import After, Asked, Deed, deed_url, named, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day, person_url
from gatekit.web.console.route import CLIENT, CLIENTS
from gatekit.web.console.views import Choice, Fact, Link, Row, Section, Sheet

ON_A_PAGE = 50
_MAX_TEXT = 200
_SOURCES = {
    "dynamic": "registered by itself",
    "configured": "the configuration file",
    "document": "a document that it publishes",
}
_METHODS = {
    "none": "none: it is a public client",
    "client_secret_post": "a secret",
    "client_secret_basic": "a secret",
    "private_key_jwt": "a key of its own",
}


def client_url(client_id: str) -> str:
    """Page of a client. The id travels in the query: it may be a URL."""
    return f"{CLIENT}?{urlencode({'id': client_id})}"


class ClientPages:
    """``/admin/clients`` and ``/admin/client``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        """Those that were used last come first: whoever looks here asks what is in use."""
        text = (visit.asked.get("q") or "")[:_MAX_TEXT]
        after = visit.asked.get("after") or ""
        start = int(after) if after.isascii() and after.isdecimal() and len(after) < 9 else 0
        found = [each for each in await self._desks.clients.list(visit.actor) if _fits(each, text)]
        found.sort(key=lambda each: (-(each.last_used_at or 0), each.id))
        end, more = start + ON_A_PAGE, None
        if found[end:]:
            more = Link("Next page", f"{CLIENTS}?{urlencode({'q': text, 'after': end})}")
        sheet = Sheet(
            frame=self._door.frame(visit, CLIENTS),
            title="Applications",
            lead="OAuth clients. They register by themselves, stand in the file, or publish a document.",
            notice=notice(DEEDS, visit),
            search=(Choice(name="q", label="Search", hint="Part of a name, an id or a host.", value=text),),
            sections=(
                Section(
                    title="Results" if text else "All, those used last first",
                    rows=tuple(_row(each) for each in found[start:end]),
                    empty="None fits." if text else "None has registered yet.",
                    more=more,
                ),
            ),
        )
        return self._door.show(sheet)

    async def client(self, visit: Visit) -> Response:
        client = await self._desks.clients.show(visit.actor, visit.asked.get("id") or "")
        after = visit.asked.get("after") or ""
        grants = await self._desks.grants.page(visit.actor, None, client.id, after=after, limit=ON_A_PAGE + 1)
        shown, more = grants[:ON_A_PAGE], None
        if len(grants) > ON_A_PAGE:
            place = {"id": client.id, "after": shown[-1].grant.id}
            more = Link("Next page", f"{CLIENT}?{urlencode(place)}")
        rows = tuple(
            Row(
                title=each.username,
                href=person_url(each.username),
                facts=(
                    ("Reaches", ", ".join(each.grant.resources[:5]) or "nothing"),
                    ("Connected", day(each.grant.created_at)),
                    ("Ends", day(each.grant.expires_at)),
                ),
                links=(Link("Disconnect", deed_url("grant-revoke", id=each.grant.id)),)
                if visit.may("grants:write")
                else (),
            )
            for each in shown
        )
        sheet = Sheet(
            frame=self._door.frame(visit, CLIENTS),
            title=client.name or "Unnamed application",
            lead="It chose this name by itself." if client.source == "dynamic" else "",
            badges=("disabled",) if client.disabled else (),
            notice=notice(DEEDS, visit),
            facts=_facts(client),
            links=tuple(
                Link(deed.words, deed_url(deed.name, id=client.id)) for deed in _offered(visit, client)
            ),
            sections=(Section(title="Connected people", rows=rows, empty="Nobody now.", more=more),),
        )
        return self._door.show(sheet)


def _fits(client: Client, text: str) -> bool:
    wanted = text.casefold()
    return any(wanted in each.casefold() for each in (client.name, client.id, *client.redirect_uris))


def _row(client: Client) -> Row:
    return Row(
        title=client.name or "Unnamed application",
        href=client_url(client.id),
        badges=("disabled",) if client.disabled else (),
        facts=(
            ("Id", client.id),
            ("Known by", _SOURCES[client.source]),
            ("Last used", day(client.last_used_at)),
        ),
    )


def _facts(client: Client) -> tuple[Fact, ...]:
    return (
        ("Id", client.id),
        ("State", "disabled" if client.disabled else "enabled"),
        ("Known by", _SOURCES[client.source]),
        ("Shows itself by", _METHODS[client.auth_method]),
        ("Answers go to", " ".join(client.redirect_uris[:10]) or "nowhere"),
        ("May do", ", ".join(client.grant_types)),
        ("Servers", ", ".join(client.servers) or "all that the person may use"),
        ("Registered", day(client.created_at)),
        ("Last used", day(client.last_used_at)),
    )


def _offered(visit: Visit, client: Client) -> tuple[Deed, ...]:
    fitting = {
        "client-disable": not client.disabled,
        "client-enable": client.disabled,
        "client-delete": client.source != "configured",
    }
    return tuple(deed for deed in DEEDS if fitting[deed.name] and visit.may(deed.permission))


async def _asked(desks: Desks, visit: Visit, words: str, *changes: str) -> Asked:
    client = await desks.clients.show(visit.actor, named(visit, "id"))
    name = client.name or "an unnamed application"
    return Asked(
        title=f"{words}: {name}",
        back=client_url(client.id),
        about=(client.id,),
        state=(client.name, str(client.disabled), *client.redirect_uris),
        changes=(f"Its id is {client.id}; it is known by: {_SOURCES[client.source]}.", *changes),
    )


async def _ask_disable(desks: Desks, visit: Visit) -> Asked:
    return await _asked(
        desks,
        visit,
        "Disable",
        "It is refused everywhere from now on, whoever uses it, and its tokens open nothing.",
        "Nothing is lost: enabling takes this back.",
    )


async def _disable(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.clients.disable(visit.actor, named(visit, "id"))
    return After()


async def _ask_enable(desks: Desks, visit: Visit) -> Asked:
    return await _asked(
        desks, visit, "Enable", "Whoever connected it can use it again, with the tokens that it still has."
    )


async def _enable(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.clients.enable(visit.actor, named(visit, "id"))
    return After()


async def _ask_delete(desks: Desks, visit: Visit) -> Asked:
    asked = await _asked(
        desks,
        visit,
        "Delete",
        "It is disconnected from everybody. Whoever uses it has to connect it again.",
        "It may register again: to keep it out, disable it instead.",
        "This cannot be taken back.",
    )
    client = await desks.clients.show(visit.actor, named(visit, "id"))
    if client.source == "configured":
        raise Conflict(f"{client.id} stands in the configuration file; remove it there")
    return asked


async def _delete(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.clients.delete(visit.actor, named(visit, "id"))
    return After(where=CLIENTS)


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="client-disable",
        words="Disable",
        here=CLIENTS,
        permission="clients:write",
        done="Disabled. “Enable” takes it back.",
        ask=_ask_disable,
        run=_disable,
    ),
    Deed(
        name="client-enable",
        words="Enable",
        here=CLIENTS,
        permission="clients:write",
        done="Enabled. “Disable” takes it back.",
        ask=_ask_enable,
        run=_enable,
        recent=True,
    ),
    Deed(
        name="client-delete",
        words="Delete",
        here=CLIENTS,
        permission="clients:write",
        done="The application is deleted.",
        ask=_ask_delete,
        run=_delete,
        recent=True,
    ),
)
