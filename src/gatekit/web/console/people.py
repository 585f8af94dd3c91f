"""People: a list to search in, one person with all that hangs on them, and what can be done about it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.admin.people import PersonView
from gatekit.admin.permissions import rank
from gatekit.errors import AdminError, NotFound, PageProblem
from gatekit.model.people import LOCAL, ROLES, PeopleQuery, Role
from gatekit.oauth.http import redirect
from gatekit.web.console.acts import ACTS, BY_NAME, Act
from gatekit.web.console.deeds import deed_url, notice
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day, minute, person_url, sentence
from gatekit.web.console.events import events_section
from gatekit.web.console.holding_deeds import DEEDS as HELD
from gatekit.web.console.holdings import Holdings
from gatekit.web.console.person_deeds import DEEDS, fitting
from gatekit.web.console.route import NEW_PERSON, PEOPLE
from gatekit.web.console.transfers import transfer_links
from gatekit.web.console.views import Choice, Fact, Link, Question, Row, Section, Sheet

ON_A_PAGE = 50
_MAX_TEXT = 200


class PeoplePages:
    """``/admin/people`` and ``/admin/person``."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks
        self._reading = asyncio.Lock()

    async def list(self, visit: Visit) -> Response:
        """One page; the next begins after the last name on it, so that each costs the same."""
        asked = visit.asked
        text = (asked.get("q") or "")[:_MAX_TEXT]
        role: Role | None = next((each for each in ROLES if each == asked.get("role")), None)
        state = asked.get("state") or ""
        chosen = PeopleQuery(
            after=asked.get("after") or "",
            limit=ON_A_PAGE + 1,
            text=text,
            role=role,
            disabled={"disabled": True, "enabled": False}.get(state),
            group=asked.get("group") or "",
            source=asked.get("source") or LOCAL,
            connection=asked.get("connection") or "",
        )
        views = await self._desks.people.list(visit.actor, chosen)
        total = await self._desks.people.count(visit.actor, chosen)
        rows, more = views[:ON_A_PAGE], None
        if len(views) > ON_A_PAGE:
            kept = {name: value for name in _FILTERS if (value := asked.get(name))}
            more = Link("Next page", f"{PEOPLE}?{urlencode({**kept, 'after': rows[-1].user.username})}")
        sheet = Sheet(
            frame=self._door.frame(visit, PEOPLE),
            title="People",
            lead=_title(chosen, total),
            notice=BY_NAME["delete"].done if asked.get("done") == "delete" else "",
            links=(
                *((Link("Add a person", NEW_PERSON),) if visit.may("people:write") else ()),
                *transfer_links(visit, "people"),
            ),
            search=_search(text, role or "", state),
            sections=(
                Section(
                    title="Results" if text or role or state else "Everybody",
                    rows=tuple(_row(view) for view in rows),
                    empty="Nobody fits. Search for less, or for part of a name.",
                    more=more,
                ),
            ),
        )
        return self._door.show(sheet)

    async def person(self, visit: Visit) -> Response:
        act = BY_NAME.get(visit.asked.get("done") or "")
        said = act.done if act else notice((*HELD, *DEEDS), visit)
        return await self._person(visit, _named(visit), notice=said)

    async def ask(self, visit: Visit) -> Response:
        """What will happen, and the button that does it."""
        act, username = _act(visit), _named(visit)
        # No form is shown that could only be refused.
        if act.recent and (page := await self._door.again(visit, person_url(username, act.name))):
            return page
        view = await self._desks.people.show(visit.actor, username)
        name = view.user.username
        question = Question(
            frame=self._door.frame(visit, PEOPLE),
            title=f"{act.words}: {name}",
            csrf=self._door.csrf(visit, *_facts(act, view)),
            action=person_url(name, act.name),
            changes=act.changes,
            fields=act.fields(view),
            button=act.words,
            back=person_url(name),
        )
        return self._door.show(question)

    async def do(self, visit: Visit) -> Response:
        act, username = _act(visit), _named(visit)
        view = await self._desks.people.show(visit.actor, username)
        self._door.check(visit, *_facts(act, view))
        name = view.user.username
        if act.recent and (page := await self._door.again(visit, person_url(name, act.name))):
            return page
        done = await act.run(self._desks, visit, name)
        if done.secret:  # never behind a redirect: it would stand in an address
            return await self._person(visit, name, act.done, done.secret, done.secret_label)
        return redirect(f"{PEOPLE}?done={act.name}" if act.gone else person_url(name, done=act.name))

    async def blank(self, visit: Visit) -> Response:
        if page := await self._door.again(visit, NEW_PERSON):
            return page
        return self._door.show(self._new(visit, {}))

    async def add(self, visit: Visit) -> Response:
        """A person without a way in yet; the page that follows offers the invitation."""
        self._door.check(visit, "new")
        if page := await self._door.again(visit, NEW_PERSON):
            return page
        typed = {name: visit.sent.get(name) or "" for name in ("username", "email", "display_name")}
        try:
            user = await self._desks.people.create(
                visit.actor,
                typed["username"],
                email=typed["email"],
                display_name=typed["display_name"],
            )
        except AdminError as refused:
            return self._door.show(self._new(visit, typed, sentence(str(refused))), 400)
        return redirect(person_url(user.username))

    # -- parts -----------------------------------------------------------------------------------------------

    def _new(self, visit: Visit, typed: dict[str, str], error: str = "") -> Question:
        def field(name: str, label: str, hint: str = "", *, required: bool = False) -> Choice:
            return Choice(name=name, label=label, hint=hint, value=typed.get(name, ""), required=required)

        return Question(
            frame=self._door.frame(visit, PEOPLE),
            title="Add a person",
            csrf=self._door.csrf(visit, "new"),
            action=NEW_PERSON,
            changes=(
                "They get an account here, with a password of their own.",
                "People of a company directory need no account: they are added when they first sign in.",
            ),
            fields=(
                field("username", "Username", "Lower case, unique.", required=True),
                field("email", "E-mail address", "You vouch that it is theirs. May be empty."),
                field("display_name", "Full name", "May be empty."),
            ),
            button="Add the person",
            back=PEOPLE,
            error=error,
        )

    async def _person(
        self, visit: Visit, username: str, notice: str = "", secret: str = "", secret_label: str = ""
    ) -> Response:
        view = await self._desks.people.show(visit.actor, username)
        user, role = view.user, await self._desks.standing.of(view.user)
        oneself, trail = user.id == visit.actor.id, visit.may("audit:read")
        reach = rank(role) <= rank(visit.actor.role)
        links = [
            Link(act.words, person_url(user.username, act.name))
            for act in ACTS
            if visit.may(act.permission) and act.fits(user) and reach and (act.oneself or not oneself)
        ]
        links += [
            Link(deed.words, deed_url(deed.name, name=user.username))
            for deed in DEEDS
            if visit.may(deed.permission) and deed.name in fitting(user) and reach and not oneself
        ]
        sheet = Sheet(
            frame=self._door.frame(visit, PEOPLE),
            title=user.username,
            lead=user.display_name,
            badges=(role, *(("disabled",) if user.disabled else ()), *(("you",) if oneself else ())),
            notice=notice,
            secret=secret,
            secret_label=secret_label,
            facts=_person_facts(view, role),
            links=tuple(links),
            sections=(
                *await Holdings(self._desks, visit, view, reach=reach).sections(),
                *((await events_section(self._desks, visit, view, self._reading),) if trail else ()),
            ),
        )
        return self._door.show(sheet)


_FILTERS = ("q", "role", "state", "group", "source", "connection")


def _named(visit: Visit) -> str:
    username = visit.asked.get("name")
    if not username:
        raise NotFound("the address names nobody")
    return username


def _act(visit: Visit) -> Act:
    act = BY_NAME.get(visit.request.path_params["act"])
    if act is None:
        raise PageProblem(404, "There is no such page", "Nothing like this can be done to a person here.")
    if not visit.may(act.permission):
        raise PageProblem(
            403, "You may not do this", f"It needs more than the role {visit.actor.role}.", "Ask an admin."
        )
    return act


def _facts(act: Act, view: PersonView) -> tuple[str, ...]:
    """A form is good for the person as they were shown, and for nobody who has the name later."""
    user = view.user
    return act.name, user.id, user.role, str(user.disabled)


def _row(view: PersonView) -> Row:
    user = view.user
    badges = () if user.role == "member" else (user.role,)
    return Row(
        title=user.username,
        href=person_url(user.username),
        badges=(*badges, "disabled") if user.disabled else badges,
        facts=(
            ("Name", user.display_name or "not given"),
            ("Comes in by", user.connection),
            ("Last seen", day(user.last_seen_at)),
        ),
    )


def _person_facts(view: PersonView, role: str) -> tuple[Fact, ...]:
    user = view.user
    stored = "" if role == user.role else f" (the file says so; stored is {user.role})"
    verified = "verified" if user.email_verified else "not verified"
    return (
        ("Role", f"{role}{stored}"),
        ("State", "disabled" if user.disabled else "enabled"),
        ("Comes in by", user.connection),
        ("Address", f"{user.email} ({verified})" if user.email else "none"),
        ("Added", day(user.created_at)),
        ("Last seen", minute(user.last_seen_at)),
    )


def _title(chosen: PeopleQuery, total: int) -> str:
    people = "1 person" if total == 1 else f"{total} people"
    where = "".join(
        (
            f" in the group {chosen.group}" if chosen.group else "",
            f" of the connection {chosen.connection}" if chosen.connection else "",
        )
    )
    return f"{people}{where}."


def _search(text: str, role: str, state: str) -> tuple[Choice, ...]:
    return (
        Choice(name="q", label="Search", hint="Part of a name or an address.", value=text),
        Choice(
            name="role",
            label="Role",
            value=role,
            options=(("", "Any"), *((each, each.capitalize()) for each in ROLES)),
        ),
        Choice(
            name="state",
            label="State",
            value=state,
            options=(("", "Any"), ("enabled", "Enabled"), ("disabled", "Disabled")),
        ),
    )
