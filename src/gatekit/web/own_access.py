"""Where a person asks for servers that they may not use, and sees what became of it.

Only what the operator calls requestable stands there, so nobody learns of anything else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gatekit.admin.desk import Actor
from gatekit.admin.requests import Requests
from gatekit.errors import AdminError
from gatekit.model.people import Principal, User
from gatekit.model.requests import AccessRequest
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import Form, address, form, page, page_route, redirect, request_id
from gatekit.web.own_door import SignInPage
from gatekit.web.pages import HtmlPages
from gatekit.web.views import AccessRow, AccessView

PATH = "/account/access"
_FORM_BYTES = 16 * 1024
_CSRF = "access"
_DAY = 86_400
_LIFETIMES = (("3600", "an hour"), ("86400", "a day"), ("604800", "a week"), ("2592000", "30 days"))


class OwnAccess:
    """GET /account/access and the forms on it."""

    def __init__(
        self,
        browser: Browser,
        sign_in: SignInPage,
        *,
        requests: Requests,
        requestable: Callable[[], Sequence[str]],
        servers: Callable[[Principal], Sequence[str]],
        pages: HtmlPages,
    ) -> None:
        """``requestable``: what may be asked for, now; ``servers``: what somebody may use already."""
        self._browser = browser
        self._sign_in = sign_in
        self._requests = requests
        self._requestable = requestable
        self._servers = servers
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        doors = [
            (PATH, self.show, "GET"),
            (f"{PATH}/ask", self.ask, "POST"),
            (f"{PATH}/withdraw", self.withdraw, "POST"),
        ]
        return [page_route(path, endpoint, [method], self._pages) for path, endpoint, method in doors]

    async def show(self, request: Request) -> Response:
        """The page; the sign-in page for who is not signed in."""
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return await self._sign_in(request, PATH)
        return await self._page(request, someone)

    async def ask(self, request: Request) -> Response:
        someone, fields = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        seconds = fields.get("seconds") or ""
        try:
            await self._requests.ask(
                _actor(request, someone.person.user),
                fields.get("server") or "",
                tool=fields.get("tool") or "",
                reason=fields.get("reason") or "",
                seconds=int(seconds) if seconds in dict(_LIFETIMES) else _DAY,
            )
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=400)
        return redirect(PATH)

    async def withdraw(self, request: Request) -> Response:
        someone, fields = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        try:
            await self._requests.withdraw(_actor(request, someone.person.user), fields.get("request") or "")
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=400)
        return redirect(PATH)

    async def _posted(self, request: Request) -> tuple[SignedIn | None, Form]:
        """Who sent a form of this page, and the form. Raises ``PageProblem`` unless it is the page's own."""
        fields = await form(request, _FORM_BYTES)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return None, fields
        self._browser.check_session_csrf(request, fields.get("csrf"), _CSRF)
        return someone, fields

    async def _page(
        self, request: Request, someone: SignedIn, *, error: str = "", status: int = 200
    ) -> Response:
        user = someone.person.user
        mine = set(self._servers(someone.person.principal))
        view = AccessView(
            username=user.username,
            csrf=self._browser.session_csrf(request, _CSRF),
            logout_csrf=self._browser.session_csrf(request),
            servers=tuple(self._requestable()),
            open=tuple(name for name in self._requestable() if name in mine),
            lifetimes=_LIFETIMES,
            rows=tuple(self._row(one) for one in await self._requests.own(_actor(request, user))),
            error=error,
        )
        return page(self._pages.access(view), status)

    def _row(self, one: AccessRequest) -> AccessRow:
        return AccessRow(
            id=one.id,
            what=f"{one.tool} at {one.server}" if one.tool else one.server,
            reason=one.reason,
            state=one.state,
            asked=_day(one.asked_at),
            until=_day(one.expires_at) if one.expires_at else "",
            by=one.decided_by,
        )


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _actor(request: Request, user: User) -> Actor:
    return Actor(user.username, "page", user.id, request_id=request_id(request), address=address(request))
