"""People: who there is, who may come in, and where they are signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from gatekit.admin.browser_sessions import BrowserSessionView
from gatekit.admin.people import INVITE_SECONDS, MAX_INVITE_SECONDS, PersonView
from gatekit.model.people import LOCAL, Role
from gatekit.model.people import PeopleQuery as Chosen
from gatekit.web.api.desks import Desks
from gatekit.web.api.operation import PRINTABLE, Operation, Page, Paged, Wanted, after_of, next_page, paged
from gatekit.web.api.times import maybe, moment

Username = Annotated[str, Meta(min_length=1, max_length=200, description="Unique; lower case.")]
Email = Annotated[str, Meta(max_length=320)]
Text = Annotated[str, Meta(max_length=200, pattern=PRINTABLE)]
GroupName = Annotated[str, Meta(min_length=1, max_length=64)]


class PeopleQuery(Paged, frozen=True, forbid_unknown_fields=True):
    disabled: bool | None = None
    connection: Annotated[str, Meta(max_length=64, description="Of that connection only.")] = ""
    search: Annotated[
        str, Meta(max_length=200, description="Part of the username, the login, the address or the name.")
    ] = ""
    role: Role | None = None
    group: Annotated[str, Meta(max_length=256, description="Direct members of this group only.")] = ""
    source: Annotated[str, Meta(max_length=64, description="Whose group: `local` or a connection.")] = LOCAL


class NewPerson(Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody with an account here. An invitation is their way in."""

    username: Username
    email: Email = ""
    display_name: Text = ""
    groups: Annotated[tuple[GroupName, ...], Meta(max_length=100, description="Local groups.")] = ()


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What is not there stays. Of people of a provider, the provider says these."""

    email: Annotated[Email | None, Meta(description="Empty: none. It counts as verified.")] = None
    display_name: Text | None = None


class NewRole(Struct, frozen=True, forbid_unknown_fields=True):
    role: Role


class Invitation(Struct, frozen=True, forbid_unknown_fields=True):
    valid_for: Annotated[int, Meta(ge=1, le=MAX_INVITE_SECONDS, description="Seconds.")] = INVITE_SECONDS


class MemberOf(Struct, frozen=True):
    """`source` is `local`, or the connection that says so."""

    group: str
    source: str


class Person(Struct, frozen=True):
    id: str
    username: str
    connection: str
    login: Annotated[str, Meta(description="The name at the connection.")]
    email: str | None
    email_verified: bool
    display_name: str
    role: Annotated[Role, Meta(description="As it is stored; the file may give a higher one.")]
    disabled: bool
    has_password: bool
    groups: tuple[MemberOf, ...]
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime | None


class PersonPage(Page[Person], frozen=True):
    """One page."""


class Invited(Struct, frozen=True):
    """`link` is shown this once; whoever has it chooses the password."""

    link: str
    expires_at: datetime


class Session(Struct, frozen=True):
    """A browser in which the person is signed in."""

    id: str
    address: str
    agent: str
    signed_in_at: datetime
    expires_at: datetime


class SessionPage(Page[Session], frozen=True):
    """One page."""


def person_out(view: PersonView) -> Person:
    user = view.user
    return Person(
        id=user.id,
        username=user.username,
        connection=user.connection,
        login=user.login,
        email=user.email,
        email_verified=user.email_verified,
        display_name=user.display_name,
        role=user.role,
        disabled=user.disabled,
        has_password=view.has_password,
        groups=tuple(MemberOf(m.group, m.source) for m in view.groups),
        created_at=moment(user.created_at),
        updated_at=moment(user.updated_at),
        last_seen_at=maybe(user.last_seen_at),
    )


def _session_out(view: BrowserSessionView) -> Session:
    session = view.session
    return Session(
        id=view.id,
        address=session.address,
        agent=session.agent,
        signed_in_at=moment(session.auth_time),
        expires_at=moment(session.expires_at),
    )


async def _list(desks: Desks, wanted: Wanted) -> Page[Person]:
    query: PeopleQuery = wanted.query
    chosen = Chosen(
        after=after_of(query),
        limit=query.limit + 1,
        text=query.search,
        connection=query.connection,
        role=query.role,
        disabled=query.disabled,
        group=query.group,
        source=query.source,
    )
    views = await desks.people.list(wanted.actor, chosen)
    return next_page(views, query, _username, person_out)


async def _create(desks: Desks, wanted: Wanted) -> Person:
    new: NewPerson = wanted.body
    user = await desks.people.create(
        wanted.actor, new.username, email=new.email, display_name=new.display_name, groups=new.groups
    )
    return person_out(await desks.people.show(wanted.looking.actor, user.username))


async def show(desks: Desks, wanted: Wanted) -> Person:
    return person_out(await desks.people.show(wanted.actor, wanted["username"]))


async def _change(desks: Desks, wanted: Wanted) -> Person:
    change: Change = wanted.body
    await desks.people.change(
        wanted.actor, wanted["username"], email=change.email, display_name=change.display_name
    )
    return await show(desks, wanted.looking)


async def _delete(desks: Desks, wanted: Wanted) -> None:
    await desks.people.delete(wanted.actor, wanted["username"])


async def _disable(desks: Desks, wanted: Wanted) -> Person:
    await desks.people.disable(wanted.actor, wanted["username"])
    return await show(desks, wanted.looking)


async def _enable(desks: Desks, wanted: Wanted) -> Person:
    await desks.people.enable(wanted.actor, wanted["username"])
    return await show(desks, wanted.looking)


async def _role(desks: Desks, wanted: Wanted) -> Person:
    wish: NewRole = wanted.body
    await desks.roles.set(wanted.actor, wanted["username"], wish.role)
    return await show(desks, wanted.looking)


async def _invite(desks: Desks, wanted: Wanted) -> Invited:
    invitation: Invitation = wanted.body
    invited = await desks.people.invite(wanted.actor, wanted["username"], invitation.valid_for)
    return Invited(desks.invite_link(invited.token), moment(invited.expires_at))


async def _sign_out(desks: Desks, wanted: Wanted) -> None:
    await desks.people.end_sessions(wanted.actor, wanted["username"])


async def _sessions(desks: Desks, wanted: Wanted) -> Page[Session]:
    views = sorted(await desks.sessions.list(wanted.actor, wanted["username"]), key=_session_id)
    return paged(views, wanted.query, _session_id, _session_out)


async def _end_session(desks: Desks, wanted: Wanted) -> None:
    await desks.sessions.end(wanted.actor, wanted["username"], wanted["id"])


def _username(view: PersonView) -> str:
    return view.user.username


def _session_id(view: BrowserSessionView) -> str:
    return view.id


PERSON = "/people/{username}"

OPERATIONS = (
    Operation(
        name="people.list",
        method="GET",
        path="/people",
        permission="people:read",
        summary="People, by username",
        query=PeopleQuery,
        answer=PersonPage,
        run=_list,
    ),
    Operation(
        name="people.create",
        method="POST",
        path="/people",
        permission="people:write",
        summary="Add a person; invite them afterwards",
        body=NewPerson,
        answer=Person,
        status=201,
        tagged=True,
        run=_create,
    ),
    Operation(
        name="people.get",
        method="GET",
        path=PERSON,
        permission="people:read",
        summary="One person",
        answer=Person,
        tagged=True,
        run=show,
    ),
    Operation(
        name="people.change",
        method="PATCH",
        path=PERSON,
        permission="people:write",
        summary="Give a person with an account here another address or name",
        body=Change,
        answer=Person,
        tagged=True,
        current=show,
        run=_change,
    ),
    Operation(
        name="people.delete",
        method="DELETE",
        path=PERSON,
        permission="people:write",
        summary="Remove a person and everything that hangs on them: sessions, grants, keys, memberships",
        current=show,
        run=_delete,
    ),
    Operation(
        name="people.disable",
        method="POST",
        path=f"{PERSON}/disable",
        permission="people:write",
        summary="Refuse a person everywhere within a second; nothing is lost",
        answer=Person,
        tagged=True,
        current=show,
        run=_disable,
    ),
    Operation(
        name="people.enable",
        method="POST",
        path=f"{PERSON}/enable",
        permission="people:write",
        summary="Take that back",
        answer=Person,
        tagged=True,
        current=show,
        run=_enable,
    ),
    Operation(
        name="people.role",
        method="PUT",
        path=f"{PERSON}/role",
        permission="roles:write",
        summary="Give somebody another role; nobody changes their own",
        body=NewRole,
        answer=Person,
        tagged=True,
        current=show,
        run=_role,
    ),
    Operation(
        name="people.invite",
        method="POST",
        path=f"{PERSON}/invite",
        permission="people:write",
        summary=f"A one-time link with which a person of the connection `{LOCAL}` chooses a password",
        body=Invitation,
        answer=Invited,
        status=201,
        run=_invite,
    ),
    Operation(
        name="people.sign_out",
        method="POST",
        path=f"{PERSON}/sign-out",
        permission="sessions:write",
        summary="Sign a person out in every browser",
        run=_sign_out,
    ),
    Operation(
        name="people.sessions",
        method="GET",
        path=f"{PERSON}/sessions",
        permission="sessions:read",
        summary="Browsers in which a person is signed in",
        query=Paged,
        answer=SessionPage,
        run=_sessions,
    ),
    Operation(
        name="people.end_session",
        method="DELETE",
        path=f"{PERSON}/sessions/{{id}}",
        permission="sessions:write",
        summary="Sign a person out in one browser",
        run=_end_session,
    ),
)
