"""What can be done to connections. Those that stand in the configuration file are changed there."""

from __future__ import annotations

from urllib.parse import urlencode

from gatekit.admin.connections import ConnectionView
from gatekit.errors import Conflict, InvalidInput
from gatekit.identity.trial import preview
from gatekit.model.people import PeopleQuery
from gatekit.platform.strict_json import read_object
from gatekit.web.console.deeds import After, Asked, Deed, named
from gatekit.web.console.door import Desks, Visit
from gatekit.web.console.route import CONNECTION, CONNECTIONS
from gatekit.web.console.views import Choice, Fact

_ENTRY = (
    "YAML or JSON, as it would stand in the file under proxy.auth.providers.NAME. "
    "Secrets are written out, and kept sealed."
)


def connection_url(name: str) -> str:
    """Page of a connection."""
    return f"{CONNECTION}?{urlencode({'name': name})}"


async def _connection(desks: Desks, visit: Visit) -> ConnectionView:
    return await desks.connections().show(visit.actor, named(visit, "name"))


async def _stored(desks: Desks, visit: Visit) -> ConnectionView:
    view = await _connection(desks, visit)
    if view.source == "file":
        raise Conflict(f"{view.name} stands in the configuration file; change it there")
    return view


def _state(view: ConnectionView) -> tuple[str, ...]:
    return view.kind, str(view.enabled), str(view.updated_at)


async def _concerned(desks: Desks, visit: Visit, view: ConnectionView) -> list[str]:
    """Whom it concerns that nobody comes in over it any more. Who locks everybody out should know before."""
    people = await desks.people.count(visit.actor, PeopleQuery(connection=view.name))
    said = [f"{'1 person is' if people == 1 else f'{people} people are'} at home there, and out at once."]
    if visit.someone.person.user.connection == view.name:
        said.append("You are one of them: you are locked out as well.")
    owners = await desks.people.count(visit.actor, PeopleQuery(role="owner", disabled=False))
    theirs = PeopleQuery(role="owner", disabled=False, connection=view.name)
    if owners and owners == await desks.people.count(visit.actor, theirs):
        said.append("No owner comes in another way: only the command line could take this back.")
    others = [each for each in await desks.connections().list(visit.actor) if each.name != view.name]
    if not any(each.enabled for each in others):
        said.append("No other connection is enabled: nobody can sign in afterwards.")
    return said


async def _ask_out(desks: Desks, visit: Visit, title: str, afterwards: str) -> Asked:
    """Before all who come over a connection are out: ``title``, who that is, and what follows."""
    view = await _stored(desks, visit)
    return Asked(
        title=f"{title}: {view.name}",
        back=connection_url(view.name),
        about=(view.name,),
        state=_state(view),
        changes=(*await _concerned(desks, visit, view), afterwards),
    )


async def _ask_disable(desks: Desks, visit: Visit) -> Asked:
    opens = "Their tokens and keys open nothing while it is disabled. Enabling takes this back."
    return await _ask_out(desks, visit, "Disable the connection", opens)


async def _disable(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.connections().set_enabled(visit.actor, named(visit, "name"), False)
    return After()


async def _ask_enable(desks: Desks, visit: Visit) -> Asked:
    view = await _stored(desks, visit)
    people = await desks.people.count(visit.actor, PeopleQuery(connection=view.name))
    found = desks.definition(view.name)
    new = " Somebody new is added at the first sign-in." if found and found.rules.create else ""
    return Asked(
        title=f"Enable the connection: {view.name}",
        back=connection_url(view.name),
        about=(view.name,),
        state=_state(view),
        changes=(f"Whoever its provider names may come in again: {people} people here.{new}",),
    )


async def _enable(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.connections().set_enabled(visit.actor, named(visit, "name"), True)
    return After()


async def _ask_remove(desks: Desks, visit: Visit) -> Asked:
    gone = "The people stay in the list. What was entered, with its secrets, is gone for good."
    return await _ask_out(desks, visit, "Remove the connection", gone)


async def _remove(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.connections().remove(visit.actor, named(visit, "name"))
    return After(where=CONNECTIONS)


async def _ask_add(_: Desks, __: Visit) -> Asked:
    return Asked(
        title="Add a connection",
        back=CONNECTIONS,
        changes=(
            "People can sign in over it at once. Whoever runs the provider says who they are.",
            "It stands in the store; the configuration file stays as it is.",
        ),
        fields=(
            Choice(
                name="name", label="Name", hint="Small letters, digits, - and _ ; it stays.", required=True
            ),
            Choice(name="entry", label="Entry", hint=_ENTRY, lines=14, required=True),
        ),
    )


async def _add(desks: Desks, visit: Visit, _: Asked) -> After:
    name = visit.sent.get("name") or ""
    if not name:
        raise InvalidInput("a connection needs a name")
    await desks.connections().add(visit.actor, name, desks.entry(visit.sent.get("entry") or ""))
    return After(where=connection_url(name))


async def _ask_replace(desks: Desks, visit: Visit) -> Asked:
    view = await _stored(desks, visit)
    return Asked(
        title=f"Enter anew: {view.name}",
        back=connection_url(view.name),
        about=(view.name,),
        state=_state(view),
        changes=(
            "The new entry takes the place of the whole old one, with its secrets. The people stay.",
            f"It has to be of the same kind, {view.kind}.",
        ),
        fields=(Choice(name="entry", label="Entry", hint=_ENTRY, lines=14, required=True),),
    )


async def _replace(desks: Desks, visit: Visit, _: Asked) -> After:
    entry = desks.entry(visit.sent.get("entry") or "")
    await desks.connections().replace(visit.actor, named(visit, "name"), entry)
    return After()


async def _ask_preview(desks: Desks, visit: Visit) -> Asked:
    view = await _connection(desks, visit)
    return Asked(
        title=f"Try: {view.name}",
        back=connection_url(view.name),
        about=(view.name,),
        changes=(
            "It shows what a sign-in with these claims would become. Nothing is kept; nobody is signed in.",
        ),
        fields=(
            Choice(
                name="claims",
                label="Claims of an id_token, or attributes",
                hint='JSON, like {"sub": "42", "email": "ada@example.com", "groups": ["sre"]}.',
                lines=10,
                required=True,
            ),
        ),
    )


async def _preview(desks: Desks, visit: Visit, _: Asked) -> After:
    view = await _connection(desks, visit)
    definition = desks.definition(view.name)
    if definition is None:
        raise InvalidInput("it is not in force yet, or cannot be read: try again, or look into the log")
    try:
        claims = read_object((visit.sent.get("claims") or "").encode())
    except ValueError as bad:
        raise InvalidInput(f"these claims cannot be read: {bad}") from None
    found = preview(definition, claims)
    verdict = "They would come in" if found.pop("ok") else "They would be refused"
    return After(facts=(("Outcome", verdict), *(_shown(name, value) for name, value in found.items())))


def _shown(name: str, value: object) -> Fact:
    if isinstance(value, bool):
        return name.capitalize(), "yes" if value else "no"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return name.capitalize(), text or "none"


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="connection-preview",
        words="Try it with claims",
        here=CONNECTIONS,
        permission="connections:read",
        done="Nothing was kept.",
        ask=_ask_preview,
        run=_preview,
    ),
    Deed(
        name="connection-add",
        words="Add the connection",
        here=CONNECTIONS,
        permission="connections:write",
        done="The connection is there.",
        ask=_ask_add,
        run=_add,
        recent=True,
    ),
    Deed(
        name="connection-disable",
        words="Disable",
        here=CONNECTIONS,
        permission="connections:write",
        done="Disabled. “Enable” takes it back.",
        ask=_ask_disable,
        run=_disable,
        recent=True,
    ),
    Deed(
        name="connection-enable",
        words="Enable",
        here=CONNECTIONS,
        permission="connections:write",
        done="Enabled. “Disable” takes it back.",
        ask=_ask_enable,
        run=_enable,
        recent=True,
    ),
    Deed(
        name="connection-replace",
        words="Enter anew",
        here=CONNECTIONS,
        permission="connections:write",
        done="The new entry counts.",
        ask=_ask_replace,
        run=_replace,
        recent=True,
    ),
    Deed(
        name="connection-remove",
        words="Remove",
        here=CONNECTIONS,
        permission="connections:write",
        done="The connection is removed.",
        ask=_ask_remove,
        run=_remove,
        recent=True,
    ),
)
