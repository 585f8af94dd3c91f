"""What a person sees of their own account: connected applications, API keys, browser sessions.

A door like the command line: every change is a use case of ``admin``, done by and to the person who is
signed in, and nobody else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.grants import Grants
from gatekit.admin.keys import Keys
from gatekit.admin.people import People
from gatekit.errors import AdminError, InvalidInput
from gatekit.model.people import Principal, User
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import Form, page, page_route, redirect
from gatekit.web.own_door import OwnDoor, SignInPage, own_actor
from gatekit.web.own_rows import app_rows, browser_rows, key_rows
from gatekit.web.pages import HtmlPages
from gatekit.web.views import AccountView

PATH = "/account"
MAX_KEYS = 50
"""API keys of one person that are good at the same time."""
_FORM_BYTES = 16 * 1024
_OPENS = "opens:"
"""Fields of the servers that a new key opens: no form here may repeat a field."""
_DAY = 86_400
_LIFETIMES = (7, 30, 90, 365)
"""Days that a key may be good for, to choose from."""


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
        sessions: BrowserSessions,
        servers: Callable[[Principal], Sequence[str]],
        administrates: Callable[[User], Awaitable[bool]],
        pages: HtmlPages,
    ) -> None:
        """``servers``: names of what somebody may use. ``administrates``: whether the pages of administrators
        open for somebody."""
        self._browser = browser
        self._door = OwnDoor(browser, sign_in, PATH, "account", _FORM_BYTES)
        self._grants = grants
        self._keys = keys
        self._people = people
        self._sessions = sessions
        self._servers = servers
        self._administrates = administrates
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        doors = [
            (PATH, self.show, "GET"),
            (f"{PATH}/again", self._door.again, "GET"),
            (f"{PATH}/apps/revoke", self.revoke_app, "POST"),
            (f"{PATH}/keys/create", self.create_key, "POST"),
            (f"{PATH}/keys/revoke", self.revoke_key, "POST"),
            (f"{PATH}/sessions/end", self.end_session, "POST"),
            (f"{PATH}/sessions/end-all", self.end_sessions, "POST"),
        ]
        return [page_route(path, endpoint, [method], self._pages) for path, endpoint, method in doors]

    async def show(self, request: Request) -> Response:
        """The page; the sign-in page for who is not signed in."""
        return await self._door.show(request, self._page)

    async def revoke_app(self, request: Request) -> Response:
        """An application may not act for this person any more, from now on."""
        someone, fields = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        client = fields.get("client")
        if client:  # nothing happens if it is not connected (any more): the page shows how things are
            await self._grants.revoke_all(own_actor(request, someone), user.username, client)
        return redirect(PATH)

    async def create_key(self, request: Request) -> Response:
        """A new key, shown this once."""
        someone, fields = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        if not self._browser.recent(someone):  # it outlives every session and opens as much
            return await self._door.again(request)
        try:
            token = await self._made(request, someone, fields)
        except AdminError as refused:
            name = fields.get("name") or ""
            return await self._page(request, someone, error=str(refused), key_name=name, status=400)
        return await self._page(request, someone, token=token)

    async def revoke_key(self, request: Request) -> Response:
        someone, fields = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        own = {
            view.key.id
            for view in await self._keys.list(own_actor(request, someone), user.username)
            if view.state == "active"
        }
        key_id = fields.get("key") or ""
        if key_id in own:
            await self._keys.revoke(own_actor(request, someone), key_id)
        return redirect(PATH)

    async def end_session(self, request: Request) -> Response:
        """Sign out in one browser, perhaps this one."""
        someone, fields = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        user, wanted = someone.person.user, fields.get("session") or ""
        for view in await self._sessions.list(own_actor(request, someone), user.username):
            if compare_digest(view.id.encode(), wanted.encode()):
                await self._sessions.end(own_actor(request, someone), user.username, view.id)
        return redirect(PATH)

    async def end_sessions(self, request: Request) -> Response:
        """Sign out in every browser, this one too."""
        someone, _ = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        user = someone.person.user
        await self._people.end_sessions(own_actor(request, someone), user.username)
        response = redirect("/")
        self._browser.forget_session(response)
        return response

    # -- parts -----------------------------------------------------------------------------------------------

    async def _made(self, request: Request, someone: SignedIn, fields: Form) -> str:
        """A new key. Raises ``AdminError``."""
        actor, name = own_actor(request, someone), someone.person.user.username
        if sum(view.state == "active" for view in await self._keys.list(actor, name)) >= MAX_KEYS:
            raise InvalidInput(f"there are {MAX_KEYS} keys; revoke one first")
        days, opens = fields.get("days") or "", _OPENS
        chosen = [field.removeprefix(opens) for field in fields.fields if field.startswith(opens)]
        if fields.get("reach") != "all" and not chosen:
            raise InvalidInput("choose at least one server that the key opens, or all of them")
        issued = await self._keys.create(
            actor,
            name,
            name=fields.get("name") or "",
            servers=() if fields.get("reach") == "all" else chosen,
            valid_for=(int(days) if days in map(str, _LIFETIMES) else 90) * _DAY,
            read_only=bool(fields.get("read_only")),
            known_servers=self._servers(someone.person.principal),
        )
        return issued.token

    async def _page(
        self,
        request: Request,
        someone: SignedIn,
        *,
        token: str = "",
        error: str = "",
        key_name: str = "",
        status: int = 200,
    ) -> Response:
        user, actor = someone.person.user, own_actor(request, someone)
        view = AccountView(
            username=user.username,
            csrf=self._door.csrf(request),
            logout_csrf=self._browser.session_csrf(request),
            apps=app_rows(await self._grants.list(actor, user.username)),
            keys=key_rows(await self._keys.list(actor, user.username)),
            browsers=browser_rows(
                await self._sessions.list(actor, user.username),
                someone.session.token_hash,
            ),
            servers=tuple(self._servers(someone.person.principal)),
            lifetimes=_LIFETIMES,
            recent=self._browser.recent(someone),
            token=token,
            error=error,
            key_name=key_name,
            administrates=await self._administrates(user),
        )
        return page(self._pages.account(view), status)
