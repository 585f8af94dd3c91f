"""More of what can be done to a person: another name, no second factors, one person out of two."""

from __future__ import annotations

from gatekit.errors import Conflict, InvalidInput
from gatekit.model.people import LOCAL, SERVICE, SERVICE_ACCOUNT, User
from gatekit.web.console.deeds import After, Asked, Deed, named
from gatekit.web.console.door import Desks, Visit, person_url
from gatekit.web.console.route import PEOPLE
from gatekit.web.console.views import Choice


def fitting(user: User) -> tuple[str, ...]:
    """Names of the deeds about this person as a whole that mean anything for them."""
    if user.connection in (SERVICE, SERVICE_ACCOUNT):
        return ()
    return ("person-change", "person-merge") if user.connection == LOCAL else ("person-merge",)


async def _person(desks: Desks, visit: Visit) -> User:
    return (await desks.people.show(visit.actor, named(visit, "name"))).user


async def _ask_change(desks: Desks, visit: Visit) -> Asked:
    user = await _person(desks, visit)
    if user.connection != LOCAL:
        raise Conflict(f"{user.connection} says what {user.username} is called; change it there")
    return Asked(
        title=f"Change name and address: {user.username}",
        back=person_url(user.username),
        about=(user.id,),
        state=(user.display_name, user.email or ""),
        changes=(
            "You vouch that the address is theirs: lists and roles may name it.",
            "The username stays.",
        ),
        fields=(
            Choice(name="display_name", label="Full name", hint="May be empty.", value=user.display_name),
            Choice(name="email", label="E-mail address", hint="May be empty.", value=user.email or ""),
        ),
    )


async def _change(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.people.change(
        visit.actor,
        named(visit, "name"),
        email=(visit.sent.get("email") or "").strip(),
        display_name=visit.sent.get("display_name") or "",
    )
    return After()


async def _ask_factors(desks: Desks, visit: Visit) -> Asked:
    user = await _person(desks, visit)
    view = await desks.factors.show(visit.actor, user.username)
    if view.totp is None and not view.passkeys:
        raise Conflict(f"{user.username} has no second factor and no passkey")
    passkeys = ", ".join(f"“{each.name}”" for each in view.passkeys) or "none"
    return Asked(
        title=f"Take away second factors: {user.username}",
        back=person_url(user.username),
        about=(user.id,),
        state=(str(view.totp is not None), *(each.id for each in view.passkeys)),
        changes=(
            f"Authenticator: {'one' if view.totp else 'none'}. Passkeys: {passkeys}.",
            "All of them go, with the recovery codes. Whoever knows the password comes in by it alone, or "
            "has to set up a new one, as the configuration says.",
            "Be sure that it is really them who ask. Where they are signed in now, they stay.",
        ),
    )


async def _factors(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.factors.reset(visit.actor, named(visit, "name"))
    return After()


async def _ask_merge(desks: Desks, visit: Visit) -> Asked:
    user = await _person(desks, visit)
    rows = await desks.identities.list(visit.actor, user.username)
    ways = ", ".join(f"{row.connection}: {row.login or row.subject}" for row in rows) or "no way in"
    return Asked(
        title=f"{user.username} is somebody else as well",
        back=person_url(user.username),
        about=(user.id,),
        state=(user.role, str(user.disabled), *(f"{row.connection} {row.subject}" for row in rows)),
        changes=(
            f"What {user.username} has moves to the other person: {ways}; groups, applications and keys.",
            f"{user.username} is signed out everywhere and is no more a person of their own.",
            "Whoever signs in that way is the other person from then on. Be sure that they are one.",
        ),
        fields=(Choice(name="into", label="Username of the other, who stays", required=True),),
    )


async def _merge(desks: Desks, visit: Visit, _: Asked) -> After:
    into = (visit.sent.get("into") or "").strip()
    if not into:
        raise InvalidInput("say who stays")
    await desks.merging.merge(visit.actor, named(visit, "name"), into)
    return After(where=person_url(into))


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="person-change",
        words="Change name and address",
        here=PEOPLE,
        permission="people:write",
        done="Name and address are changed.",
        ask=_ask_change,
        run=_change,
        recent=True,
    ),
    Deed(
        name="person-factors",
        words="Take away second factors",
        here=PEOPLE,
        permission="keys:write",
        done="Second factors and passkeys are gone.",
        ask=_ask_factors,
        run=_factors,
        recent=True,
    ),
    Deed(
        name="person-merge",
        words="Merge with somebody",
        here=PEOPLE,
        permission="people:write",
        done="The two are one person now.",
        ask=_ask_merge,
        run=_merge,
        recent=True,
    ),
)
