"""The end of one thing that hangs on a person: a key, an application, a browser, a way of signing in."""

from __future__ import annotations

from gatekit.errors import Conflict, NotFound
from gatekit.web.agents import browser_name
from gatekit.web.console.deeds import After, Asked, Deed, named
from gatekit.web.console.door import Desks, Visit, minute, person_url
from gatekit.web.console.route import PEOPLE


async def _ask_key(desks: Desks, visit: Visit) -> Asked:
    view = await desks.keys.show(visit.actor, named(visit, "id"))
    if view.state != "active":
        raise Conflict(f"the key “{view.key.name}” is {view.state} already")
    opens = ", ".join(view.key.servers[:10]) or "every server that they may use"
    return Asked(
        title=f"Revoke the key “{view.key.name}”",
        back=person_url(view.owner),
        about=(view.key.id,),
        changes=(
            f"It belongs to {view.owner}, ends with …{view.key.hint} and opens {opens}.",
            "Whatever comes with it is refused at once. This cannot be taken back; a new key can be made.",
        ),
    )


async def _revoke_key(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.keys.revoke(visit.actor, named(visit, "id"))
    return After()


async def _ask_grant(desks: Desks, visit: Visit) -> Asked:
    view = await desks.grants.show(visit.actor, named(visit, "id"))
    if view.state != "active":
        raise Conflict(f"this grant is {view.state} already")
    return Asked(
        title=f"Disconnect {view.client_name or 'an unnamed application'}",
        back=person_url(view.username),
        about=(view.grant.id,),
        changes=(
            f"It may no longer do anything in the name of {view.username}, and its tokens end at once.",
            f"It reached {', '.join(view.grant.resources[:10]) or 'no server'}.",
            "It has to ask again before it comes back.",
        ),
    )


async def _revoke_grant(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.grants.revoke(visit.actor, named(visit, "id"))
    return After()


async def _ask_browser(desks: Desks, visit: Visit) -> Asked:
    username, ident = named(visit, "name"), named(visit, "id")
    views = await desks.sessions.list(visit.actor, username)
    found = next((each.session for each in views if each.id == ident), None)
    if found is None:
        raise NotFound(f"{username} is not signed in there any more")
    return Asked(
        title=f"Sign {username} out: {browser_name(found.agent)}",
        back=person_url(username),
        about=(ident,),
        changes=(
            f"They signed in on {minute(found.auth_time)} from {found.address or 'an unknown address'}.",
            "This one browser has to sign in again. Applications and keys stay connected.",
        ),
    )


async def _end_browser(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.sessions.end(visit.actor, named(visit, "name"), named(visit, "id"))
    return After()


async def _ask_unlink(desks: Desks, visit: Visit) -> Asked:
    username, connection = named(visit, "name"), named(visit, "connection")
    user = (await desks.people.show(visit.actor, username)).user
    rows = await desks.identities.list(visit.actor, username)
    gone = [row for row in rows if row.connection == connection]
    left = sorted({row.connection for row in rows} - {connection})
    if not gone:
        raise NotFound(f"{username} has no identity at {connection}")
    if not left:
        raise Conflict(f"{username} has no other way to sign in; disable them instead")
    who = ", ".join(row.login or row.subject for row in gone)
    return Asked(
        title=f"Unlink {connection}: {user.username}",
        back=person_url(user.username),
        about=(user.id, connection),
        state=tuple(f"{row.connection} {row.issuer} {row.subject}" for row in rows),
        changes=(
            f"Whoever is {who} at {connection} can no longer sign in as {user.username}.",
            f"They can still sign in by {', '.join(left)}.",
            f"What {connection} said about their groups is forgotten, and they are signed out everywhere.",
        ),
    )


async def _unlink(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.identities.unlink(visit.actor, named(visit, "name"), named(visit, "connection"))
    return After()


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="api-key-revoke",
        words="Revoke the key",
        here=PEOPLE,
        permission="keys:write",
        done="The key is revoked.",
        ask=_ask_key,
        run=_revoke_key,
    ),
    Deed(
        name="grant-revoke",
        words="Disconnect the application",
        here=PEOPLE,
        permission="grants:write",
        done="The application is disconnected.",
        ask=_ask_grant,
        run=_revoke_grant,
    ),
    Deed(
        name="browser-end",
        words="Sign out this browser",
        here=PEOPLE,
        permission="sessions:write",
        done="Signed out in that browser.",
        ask=_ask_browser,
        run=_end_browser,
    ),
    Deed(
        name="identity-unlink",
        words="Unlink",
        here=PEOPLE,
        permission="people:write",
        done="That way of signing in is gone.",
        ask=_ask_unlink,
        run=_unlink,
        recent=True,
    ),
)
