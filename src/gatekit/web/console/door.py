"""Who stands at the door of these pages, and what becomes of a refusal."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gatekit.admin.admin_keys import AdminKeys
from gatekit.admin.approvals import Approvals
from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.clients import Clients
from gatekit.admin.connections import Connections
from gatekit.admin.desk import Actor, Roles
from gatekit.admin.factors import Factors
from gatekit.admin.foresight import Foresight
from gatekit.admin.grants import Grants
from gatekit.admin.groups import Groups
from gatekit.admin.identities import Identities
from gatekit.admin.keys import Keys
from gatekit.admin.merging import Merging
from gatekit.admin.people import People
from gatekit.admin.permissions import Permission, permitted
from gatekit.admin.pins import Pins
from gatekit.admin.requests import Requests
from gatekit.admin.roles import RoleDesk
from gatekit.admin.rules import Rules
from gatekit.admin.scim_tokens import ScimTokens
from gatekit.admin.service_accounts import ServiceAccounts
from gatekit.admin.transfer import Transfer
from gatekit.admin.transfer_groups import GroupTransfer
from gatekit.errors import AdminError, Conflict, Forbidden, NotFound, PageProblem
from gatekit.identity.registry import Definition
from gatekit.model.ports import Clock
from gatekit.model.rules import Rule
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import Form, address, form, page, query, redirect, request_id
from gatekit.policy.written import Written
from gatekit.web.console.route import APPROVALS, PATH, PERSON
from gatekit.web.console.views import Frame, Question, Sheet
from gatekit.web.pages import HtmlPages

_ID = re.compile(r"apr_[A-Za-z0-9_-]{1,64}")
FORM_BYTES = 64 * 1024
"""Of a form, if not said otherwise."""
_COMMAND = re.compile(r"(; | \()`gatekit [^`]*`.*$", re.DOTALL)
_STATUS: tuple[tuple[type[AdminError], int, str], ...] = (
    (Forbidden, 403, "You may not do this"),
    (NotFound, 404, "There is nothing like this"),
    (Conflict, 409, "This does not fit with how things are"),
)

_REMEDIES: tuple[tuple[type[AdminError], str], ...] = (
    (Forbidden, "Ask somebody who may do it."),
    (NotFound, "It may have gone since the page was shown: go back and look at the list again."),
    (Conflict, "Go back and look at how it is now."),
)


class SignInPage(Protocol):
    """``oauth.server.AuthorizationServer.sign_in_for``."""

    async def __call__(self, request: Request, path: str) -> Response: ...


class Desks(Struct, frozen=True, kw_only=True):
    """The use cases that the pages are made of, and what they ask of the running gateway."""

    people: People
    identities: Identities
    roles: RoleDesk
    groups: Groups
    keys: Keys
    grants: Grants
    sessions: BrowserSessions
    admin_keys: AdminKeys
    factors: Factors
    merging: Merging
    clients: Clients
    service_accounts: ServiceAccounts
    pins: Pins
    rules: Rules
    foresight: Foresight
    requests: Requests
    approvals: Callable[[], Approvals]
    """Made anew, like connections."""
    scim_tokens: ScimTokens
    transfer: Transfer
    group_transfer: GroupTransfer
    standing: Roles
    """What somebody is now, by their row or by the file."""
    clock: Clock
    trail: Path
    """Directory of the audit files."""
    connections: Callable[[], Connections]
    """Made anew for what stands in the file now."""
    definition: Callable[[str], Definition | None]
    """A connection that is in force, or that is disabled, by its name."""
    notices: Callable[[], Sequence[tuple[str, str]]]
    """Connection and what ends soon there, in words."""
    entry: Callable[[str], Mapping[str, Any]]
    """A connection as it was typed, YAML or JSON; raises ``ConfigError`` with all that is wrong with it."""
    rule: Callable[[str], Written]
    """A rule as it was typed; raises ``ConfigError``, ``InvalidInput``."""
    file_rules: Callable[[], Sequence[Rule]]
    """Those of the file that is in force."""
    servers: Callable[[], Sequence[str]]
    """Names of what is published now."""
    public_url: Callable[[], str]
    invite_link: Callable[[str], str]


class Visit(Struct, frozen=True, kw_only=True):
    """A request of somebody whose role opens the pages."""

    request: Request
    someone: SignedIn
    actor: Actor
    asked: Form
    """Parameters of the address."""
    sent: Form
    """What a form sent; empty otherwise."""

    def may(self, permission: Permission) -> bool:
        """Whether to offer it; the use case judges."""
        return permitted(self.actor.role, permission)


Handler = Callable[[Visit], Awaitable[Response]]


class ConsoleDoor:
    """Lets visitors in and answers them."""

    def __init__(
        self, browser: Browser, sign_in: SignInPage, standing: Roles, pages: HtmlPages, clock: Clock
    ) -> None:
        self._browser = browser
        self._sign_in = sign_in
        self._standing = standing
        self._pages = pages
        self._clock = clock

    async def look(self, request: Request, handler: Handler, *, members: bool = False) -> Response:
        """A page to look at; the sign-in page for who is not signed in. ``members``: whatever their role."""
        visit = await self._visit(request, Form({}), members)
        if visit is None:
            # Who was sent here by a message comes to what that is about.
            wanted = query(request).get("id") or ""
            here = f"{APPROVALS}?id={wanted}" if members and _ID.fullmatch(wanted) else PATH
            return await self._sign_in(request, here)
        return await _answered(handler, visit)

    async def sent(
        self, request: Request, handler: Handler, limit: int = FORM_BYTES, *, members: bool = False
    ) -> Response:
        """A form. ``handler`` checks that the form is ours before it does anything (``check``)."""
        visit = await self._visit(request, await form(request, limit), members)
        return redirect(PATH) if visit is None else await _answered(handler, visit)

    async def _visit(self, request: Request, sent: Form, members: bool) -> Visit | None:
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return None
        user = someone.person.user
        role = await self._standing.of(user)
        if role == "member" and not members:
            raise PageProblem(
                403,
                "This is for administrators",
                f"You are signed in as {user.username}, who has no part in running this gateway.",
                "If you should have one, ask whoever runs it.",
                detail="the role member opens no page of the console",
            )
        actor = Actor(
            user.username, "page", user.id, role, request_id=request_id(request), address=address(request)
        )
        return Visit(request=request, someone=someone, actor=actor, asked=query(request), sent=sent)

    # -- for the pages ---------------------------------------------------------------------------------------

    async def again(self, visit: Visit, path: str) -> Response | None:
        """The sign-in page, which leads to ``path``, unless the visitor signed in a moment ago."""
        return None if self._browser.recent(visit.someone) else await self._sign_in(visit.request, path)

    def csrf(self, visit: Visit, *facts: str) -> str:
        """For a form: bound to the session and to what the page shows."""
        return self._browser.session_csrf(visit.request, "admin", *facts)

    def check(self, visit: Visit, *facts: str) -> None:
        """Raise ``PageProblem`` unless the form was shown to this browser session with these ``facts``."""
        self._browser.check_session_csrf(visit.request, visit.sent.get("csrf"), "admin", *facts)

    def frame(self, visit: Visit, here: str) -> Frame:
        return Frame(
            username=visit.actor.name,
            role=visit.actor.role,
            logout_csrf=self._browser.session_csrf(visit.request),
            here=here,
        )

    def show(self, view: Sheet | Question, status: int = 200) -> Response:
        return page(self._pages.console(view), status)

    def now(self) -> float:
        return self._clock.now()


async def _answered(handler: Handler, visit: Visit) -> Response:
    try:
        return await handler(visit)
    except AdminError as refused:
        status, title = status_of(refused)
        remedy = next((words for kind, words in _REMEDIES if isinstance(refused, kind)), "Go back.")
        text = f"Nothing was changed. {remedy}"
        raise PageProblem(status, title, sentence(str(refused)), text) from refused


def status_of(refused: AdminError) -> tuple[int, str]:
    """HTTP status, and a title for a page."""
    found = ((code, words) for kind, code, words in _STATUS if isinstance(refused, kind))
    return next(found, (400, "This cannot be done"))


def sentence(text: str) -> str:
    """With a capital letter and a full stop; without the command that the use case advises, because nobody
    has a terminal here."""
    text = _COMMAND.sub("", text)
    return text[:1].upper() + text[1:].rstrip(".") + "."


def person_url(username: str, act: str = "", **more: str) -> str:
    """Names travel in the query: some hold what a path would give a meaning to."""
    base = f"{PERSON}/{act}" if act else PERSON
    rest = "".join(f"&{key}={quote(value, safe='')}" for key, value in more.items())
    return f"{base}?name={quote(username, safe='')}{rest}"


def day(seconds: int | None) -> str:
    """ISO date, UTC; ``never`` for None."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else "never"


def minute(seconds: int | None) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC") if seconds else "never"
