"""Service accounts, which are programs with API keys: which there are, one more, and a key for one."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from gatekit.admin.service_accounts import ServiceAccountView
from gatekit.errors import NotFound
from gatekit.model.people import SERVICE_ACCOUNT
from gatekit.web.console.deeds import (
    After,
    Asked,
    Deed,
    deed_url,
    good_for,
    good_for_sent,
    listed,
    named,
    notice,
    ticked,
)
from gatekit.web.console.door import ConsoleDoor, Desks, Visit, day, person_url
from gatekit.web.console.route import SERVICES
from gatekit.web.console.views import Choice, Link, Row, Section, Sheet

ON_A_PAGE = 50


class ProgramPages:
    """``/admin/service-accounts``. The page of one is that of a person: it is disabled and deleted there."""

    def __init__(self, door: ConsoleDoor, desks: Desks) -> None:
        self._door = door
        self._desks = desks

    async def list(self, visit: Visit) -> Response:
        views = await self._desks.service_accounts.list(visit.actor)
        after = visit.asked.get("after") or ""
        found = [view for view in views if view.user.username > after]
        shown, more = found[:ON_A_PAGE], None
        if len(found) > ON_A_PAGE:
            more = Link("Next page", f"{SERVICES}?{urlencode({'after': shown[-1].user.username})}")
        sheet = Sheet(
            frame=self._door.frame(visit, SERVICES),
            title="Service accounts",
            lead="Programs of yours that come with an API key and cannot sign in.",
            notice=notice(DEEDS, visit),
            links=(Link("Add a service account", deed_url("service-create")),)
            if visit.may("people:write")
            else (),
            sections=(
                Section(
                    title="All",
                    rows=tuple(_row(visit, view) for view in shown),
                    empty="There is none yet.",
                    more=more,
                ),
            ),
        )
        return self._door.show(sheet)


def _row(visit: Visit, view: ServiceAccountView) -> Row:
    user = view.user
    may = visit.may("keys:write") and not user.disabled
    return Row(
        title=user.username,
        href=person_url(user.username),
        badges=("disabled",) if user.disabled else (),
        facts=(
            ("Title", user.display_name or "none"),
            ("Groups", ", ".join(view.groups) or "none"),
            ("API keys that are good", str(view.keys)),
            ("Last seen", day(user.last_seen_at)),
        ),
        links=(Link("Make a key", deed_url("service-key", name=user.username)),) if may else (),
    )


async def _ask_create(_: Desks, __: Visit) -> Asked:
    return Asked(
        title="Add a service account",
        back=SERVICES,
        changes=(
            "It has a username, service:NAME, which the file and groups can give servers to.",
            "Nothing opens it before you make a key for it.",
        ),
        fields=(
            Choice(name="name", label="Name", hint="Small letters, digits, . _ and -", required=True),
            Choice(name="title", label="Title", hint="What it is, for people. May be empty."),
            Choice(
                name="groups",
                label="Groups",
                hint="Of our own, with blanks or commas between them. May be empty.",
            ),
        ),
    )


async def _create(desks: Desks, visit: Visit, _: Asked) -> After:
    await desks.service_accounts.create(
        visit.actor,
        visit.sent.get("name") or "",
        title=visit.sent.get("title") or "",
        groups=listed(visit.sent.get("groups") or ""),
    )
    return After()


async def _ask_key(desks: Desks, visit: Visit) -> Asked:
    user = (await desks.people.show(visit.actor, named(visit, "name"))).user
    if user.connection != SERVICE_ACCOUNT:  # people make their own, at /account
        raise NotFound(f"{user.username} is no service account")
    servers = tuple((name, name) for name in desks.servers())
    return Asked(
        title=f"Make an API key: {user.username}",
        back=SERVICES,
        about=(user.id,),
        state=(str(user.disabled), *(name for name, _ in servers)),
        changes=(
            f"Whoever has the key can use the servers that {user.username} may use. It is shown once.",
            "Tick servers to make it good for those alone; without a tick it is good for all of them.",
        ),
        fields=(
            Choice(name="key", label="Name", hint="Where it will be, like “build machine 7”.", required=True),
            good_for(90),
            Choice(
                name="may",
                label="It may",
                value="call",
                options=(("call", "Read and call"), ("read", "Only read")),
            ),
            Choice(name="servers", label="Only these servers", options=servers, many=True),
        ),
    )


async def _key(desks: Desks, visit: Visit, _: Asked) -> After:
    issued = await desks.keys.create(
        visit.actor,
        named(visit, "name"),
        name=visit.sent.get("key") or "",
        servers=ticked(visit, "servers"),
        valid_for=good_for_sent(visit),
        # What was not said clearly must not be the choice that opens more.
        read_only=visit.sent.get("may") != "call",
        known_servers=desks.servers(),
    )
    return After(secret=issued.token, secret_label="The API key, shown this once")


DEEDS: tuple[Deed, ...] = (
    Deed(
        name="service-create",
        words="Add the service account",
        here=SERVICES,
        permission="people:write",
        done="The service account is there.",
        ask=_ask_create,
        run=_create,
        recent=True,
    ),
    Deed(
        name="service-key",
        words="Make the key",
        here=SERVICES,
        permission="keys:write",
        done="The key is made.",
        ask=_ask_key,
        run=_key,
        recent=True,
    ),
)
