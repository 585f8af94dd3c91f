"""What a person sees of their own account: connected applications, API keys, browser sessions.

A door like the command line: every change is a use case of ``admin``, done by and to the person who is
signed in, and nobody else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gatekit.admin.desk import Actor
from gatekit.admin.grants import Grants
from gatekit.admin.keys import Keys
from gatekit.admin.people import People
from gatekit.errors import AdminError
from gatekit.model.people import Principal, User
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import Form, form, page, page_route, redirect
from gatekit.web.pages import HtmlPages
from gatekit.web.views import AccountView, AppRow, KeyRow

PATH = "/account"
MAX_KEYS = 50
"""API keys of one person that are good at the same time."""
_FORM_BYTES = 16 * 1024
_DAY = 86_400
_LIFETIMES = (7, 30, 90, 365)
"""Days that a key may be good for, to choose from."""


class SignInPage(Protocol):
    """``oauth.server.AuthorizationServer.sign_in_for``."""

    async def __call__(self, request: Request, path: str) -> Response: ...


class OwnPages:
    """GET /account and the forms on it."""

    def __init__(
        self,
        browser: Browser,
        sign_in: SignInPage,
        *,
        grants: Grants,
        keys: Keys,
        people: People,
        servers: Callable[[Principal], Sequence[str]],
        pages: HtmlPages,
    ) -> None:
        """``servers``: names of what somebody may use."""
        self._browser = browser
        self._sign_in = sign_in
        self._grants = grants
        self._keys = keys
        self._people = people
        self._servers = servers
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        doors = [
            (PATH, self.show, "GET"),
            (f"{PATH}/apps/revoke", self.revoke_app, "POST"),
            (f"{PATH}/keys/create", self.create_key, "POST"),
            (f"{PATH}/keys/revoke", self.revoke_key, "POST"),
            (f"{PATH}/sessions/end", self.end_sessions, "POST"),
        ]
        return [page_route(path, endpoint, [method], self._pages) for path, endpoint, method in doors]

    async def show(self, request: Request) -> Response:
        """The page; the sign-in page for who is not signed in."""
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return await self._sign_in(request, PATH)
        return await self._page(request, someone)

    async def revoke_app(self, request: Request) -> Response:
        """An application may not act for this person any more, from now on."""
        someone, fields = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        own = {view.grant.id: view for view in await self._grants.list(user.username)}
        view = own.get(fields.get("grant") or "")
        if view is not None:  # somebody else's, or ended already: the page shows how things are
            await self._grants.revoke_all(_actor(user), user.username, view.grant.client_id)
        return redirect(PATH)

    async def create_key(self, request: Request) -> Response:
        """A new key, shown this once."""
        someone, fields = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        active = [view for view in await self._keys.list(user.username) if view.state == "active"]
        if len(active) >= MAX_KEYS:
            return await self._page(request, someone, error=f"There are {MAX_KEYS} keys; revoke one first.")
        days = fields.get("days") or ""
        try:
            issued = await self._keys.create(
                _actor(user),
                user.username,
                name=fields.get("name") or "",
                servers=[name] if (name := fields.get("server")) else (),
                valid_for=(int(days) if days in map(str, _LIFETIMES) else 90) * _DAY,
                known_servers=self._servers(someone.person.principal),
            )
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=400)
        return await self._page(request, someone, token=issued.token)

    async def revoke_key(self, request: Request) -> Response:
        someone, fields = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        own = {view.key.id for view in await self._keys.list(user.username) if view.state == "active"}
        key_id = fields.get("key") or ""
        if key_id in own:
            await self._keys.revoke(_actor(user), key_id)
        return redirect(PATH)

    async def end_sessions(self, request: Request) -> Response:
        """Sign out in every browser, this one too."""
        someone, _ = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        await self._people.end_sessions(_actor(user), user.username)
        response = redirect("/")
        self._browser.forget_session(response)
        return response

    # -- parts -----------------------------------------------------------------------------------------------

    async def _posted(self, request: Request) -> tuple[SignedIn | None, Form]:
        """Who sent a form of this page, and the form. Raises ``PageProblem`` unless it is the page's own."""
        fields = await form(request, _FORM_BYTES)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return None, fields
        self._browser.check_session_csrf(request, fields.get("csrf"), "account")
        return someone, fields

    async def _page(
        self, request: Request, someone: SignedIn, *, token: str = "", error: str = "", status: int = 200
    ) -> Response:
        user = someone.person.user
        view = AccountView(
            username=user.username,
            csrf=self._browser.session_csrf(request, "account"),
            logout_csrf=self._browser.session_csrf(request),
            apps=tuple(
                AppRow(
                    grant=found.grant.id,
                    name=found.client_name,
                    resources=found.grant.resources,
                    since=_day(found.grant.created_at),
                    until=_day(found.grant.expires_at),
                )
                for found in await self._grants.list(user.username)
            ),
            keys=tuple(
                KeyRow(
                    id=found.key.id,
                    name=found.key.name,
                    hint=found.key.hint,
                    servers=found.key.servers,
                    until=_day(found.key.expires_at),
                    used=_day(found.key.last_used_at) if found.key.last_used_at else "",
                )
                for found in await self._keys.list(user.username)
                if found.state == "active"
            ),
            servers=tuple(self._servers(someone.person.principal)),
            lifetimes=_LIFETIMES,
            token=token,
            error=error,
        )
        return page(self._pages.account(view), status)


def _actor(user: User) -> Actor:
    return Actor(user.username, "page", user.id)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
