"""What can be done to one person, and what is said before it is done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import get_args

from msgspec import Struct

from gatekit.admin.people import INVITE_SECONDS, PersonView
from gatekit.admin.permissions import Permission
from gatekit.errors import InvalidInput
from gatekit.model.people import LOCAL, ROLES, SERVICE_ACCOUNT, Role, User
from gatekit.web.console.door import Desks, Visit
from gatekit.web.console.views import Choice


class Done(Struct, frozen=True):
    """``secret`` is shown this once."""

    secret: str = ""
    secret_label: str = ""


class Act(Struct, frozen=True, kw_only=True):
    """One row of the table."""

    name: str
    """As in the address."""
    words: str
    """On the link and on the button."""
    permission: Permission
    changes: tuple[str, ...]
    """What will happen."""
    done: str
    """Said afterwards."""
    run: Callable[[Desks, Visit, str], Awaitable[Done]]
    fits: Callable[[User], bool] = lambda _: True
    """Whether it means anything for this person."""
    oneself: bool = False
    """Whether somebody may do it to themselves."""
    recent: bool = False
    """Whether it wants a recent sign-in."""
    fields: Callable[[PersonView], tuple[Choice, ...]] = lambda _: ()
    gone: bool = False
    """Whether the person is no more afterwards."""


async def _disable(desks: Desks, visit: Visit, username: str) -> Done:
    await desks.people.disable(visit.actor, username)
    return Done()


async def _enable(desks: Desks, visit: Visit, username: str) -> Done:
    await desks.people.enable(visit.actor, username)
    return Done()


async def _sign_out(desks: Desks, visit: Visit, username: str) -> Done:
    await desks.people.end_sessions(visit.actor, username)
    return Done()


async def _disconnect(desks: Desks, visit: Visit, username: str) -> Done:
    await desks.grants.revoke_all(visit.actor, username)
    return Done()


async def _role(desks: Desks, visit: Visit, username: str) -> Done:
    wanted = visit.sent.get("role")
    role: Role | None = next((each for each in ROLES if each == wanted), None)
    if role is None:
        raise InvalidInput("choose one of the roles")
    await desks.roles.set(visit.actor, username, role)
    return Done()


async def _invite(desks: Desks, visit: Visit, username: str) -> Done:
    invited = await desks.people.invite(visit.actor, username)
    return Done(desks.invite_link(invited.token), "The link, shown this once")


async def _delete(desks: Desks, visit: Visit, username: str) -> Done:
    # What was not said clearly must not be the choice that cannot be taken back.
    forget = visit.sent.get("audit") == "pseudonymise"
    await desks.people.delete(visit.actor, username, "pseudonymise" if forget else "keep")
    return Done()


def _roles(view: PersonView) -> tuple[Choice, ...]:
    words = {
        "member": "Member: uses servers",
        "auditor": "Auditor: sees everything here, changes nothing",
        "admin": "Admin: manages people, groups, clients and keys",
        "owner": "Owner: everything; makes admins, adds connections",
    }
    options = tuple((role, words[role]) for role in get_args(Role))
    return (Choice(name="role", label="New role", value=view.user.role, options=options),)


def _afterlife(_: PersonView) -> tuple[Choice, ...]:
    options = (
        ("keep", "Keep the name in the audit"),
        ("pseudonymise", "Show a pseudonym in the audit from now on"),
    )
    return (Choice(name="audit", label="Their records", value="keep", options=options),)


ACTS: tuple[Act, ...] = (
    Act(
        name="invite",
        words="Make an invitation link",
        permission="people:write",
        changes=(
            f"A one-time link is made, good for {INVITE_SECONDS // 3600} hours. Earlier links end.",
            "Whoever has the link chooses the password: hand it to the person and to nobody else.",
        ),
        done="The invitation is ready.",
        run=_invite,
        fits=lambda user: user.connection == LOCAL and not user.disabled,
        recent=True,
    ),
    Act(
        name="disable",
        words="Disable",
        permission="people:write",
        changes=(
            "Every sign-in, token and key is refused from now on, and running calls end.",
            "They are signed out in every browser.",
            "Nothing is lost: enabling takes this back.",
        ),
        done="Disabled. “Enable” takes it back.",
        run=_disable,
        fits=lambda user: not user.disabled,
    ),
    Act(
        name="enable",
        words="Enable",
        permission="people:write",
        changes=("They may come in again, and their tokens and keys open what they opened before.",),
        done="Enabled. “Disable” takes it back.",
        run=_enable,
        fits=lambda user: user.disabled,
        recent=True,
    ),
    Act(
        name="sign-out",
        words="Sign out everywhere",
        permission="sessions:write",
        changes=("Every browser session of theirs ends.", "Applications and keys stay connected."),
        done="Signed out in every browser.",
        run=_sign_out,
        oneself=True,
    ),
    Act(
        name="disconnect",
        words="Disconnect all applications",
        permission="grants:write",
        changes=(
            "What applications may do in their name ends at once, with every token.",
            "API keys stay. The applications have to ask again.",
        ),
        done="All applications are disconnected.",
        run=_disconnect,
        fits=lambda user: user.connection != SERVICE_ACCOUNT,
        oneself=True,
    ),
    Act(
        name="role",
        words="Change the role",
        permission="roles:write",
        changes=("The role counts from the next request on.", "The file may give a higher one; that stays."),
        done="The role is changed.",
        run=_role,
        recent=True,
        fields=_roles,
    ),
    Act(
        name="delete",
        words="Delete",
        permission="people:write",
        changes=(
            "Sessions, connected applications, keys and memberships are removed.",
            "This cannot be taken back. To keep somebody out for a while, disable them instead.",
        ),
        done="Deleted.",
        run=_delete,
        recent=True,
        fields=_afterlife,
        gone=True,
    ),
)

BY_NAME = {act.name: act for act in ACTS}
