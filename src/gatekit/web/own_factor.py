"""What a person sees of their second factor: /account/second-factor, set up, removed, new recovery codes.

Everything here needs a recent sign-in, which of somebody with a second factor was one with both.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gatekit.admin.factors import Factors, OwnFactor
from gatekit.errors import AdminError, NotFound, SignInRefused
from gatekit.identity.second_factor import SecondFactors, Setup
from gatekit.model.people import LOCAL
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import Form, page, page_route, redirect
from gatekit.oauth.pages import RecoveryCodesView, SetupView
from gatekit.web.own_door import OwnDoor, SignInPage, own_actor
from gatekit.web.own_rows import day
from gatekit.web.pages import HtmlPages
from gatekit.web.views import SecondFactorView

PATH = "/account/second-factor"
_FORM_BYTES = 16 * 1024
_PLACE = "second-factor-new"


class OwnSecondFactor:
    """GET /account/second-factor and the forms on it."""

    def __init__(
        self,
        browser: Browser,
        sign_in: SignInPage,
        *,
        factors: Factors,
        own: OwnFactor,
        second: SecondFactors,
        pages: HtmlPages,
    ) -> None:
        self._browser = browser
        self._door = OwnDoor(browser, sign_in, PATH, "second-factor", _FORM_BYTES)
        self._factors = factors
        self._own = own
        self._second = second
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        doors = [
            (PATH, self.show, "GET"),
            (f"{PATH}/again", self._door.again, "GET"),
            (f"{PATH}/begin", self.begin, "POST"),
            (f"{PATH}/confirm", self.confirm, "POST"),
            (f"{PATH}/codes", self.codes, "POST"),
            (f"{PATH}/remove", self.remove, "POST"),
        ]
        return [page_route(path, endpoint, [method], self._pages) for path, endpoint, method in doors]

    async def show(self, request: Request) -> Response:
        """The page; the sign-in page for who is not signed in."""
        return await self._door.show(request, self._page)

    async def begin(self, request: Request) -> Response:
        """Field ``csrf``. Shows a new secret."""
        someone, _ = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        if not self._possible(someone):
            return await self._page(request, someone, status=403)
        return self._setup_page(request, someone, "")

    async def confirm(self, request: Request) -> Response:
        """Fields ``csrf``, ``setup``, ``code``. Ends with the recovery codes, shown once."""
        someone, fields = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        if not self._possible(someone):
            return await self._page(request, someone, status=403)
        user = someone.person.user
        try:
            setup = self._second.resumed(user, self._place(request), fields.get("setup") or "")
        except SignInRefused as refused:
            return self._setup_page(request, someone, refused.public)
        try:
            codes = await self._own.enrol(
                own_actor(request, someone), user.username, setup, fields.get("code") or ""
            )
        except SignInRefused as refused:
            return self._setup_page(request, someone, refused.public, setup)
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=400)
        return self._codes_page(codes)

    async def codes(self, request: Request) -> Response:
        """Field ``csrf``. New recovery codes; those of before are good for nothing."""
        someone, _ = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        try:
            codes = await self._own.renew_codes(own_actor(request, someone), someone.person.user.username)
        except NotFound:  # gone meanwhile: the page shows how things are
            return redirect(PATH)
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=403)
        return self._codes_page(codes)

    async def remove(self, request: Request) -> Response:
        """Field ``csrf``."""
        someone, _ = await self._posted(request)
        if someone is None:
            return redirect(PATH)
        try:
            await self._own.remove(own_actor(request, someone), someone.person.user.username)
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=403)
        return redirect(PATH)

    async def _posted(self, request: Request) -> tuple[SignedIn | None, Form]:
        """Who posted, if they signed in a moment ago; the page tells the others to do that."""
        someone, fields = await self._door.posted(request)
        return (someone if someone and self._browser.recent(someone) else None), fields

    def _possible(self, someone: SignedIn) -> bool:
        return self._second.rules().second_factor != "off" and someone.person.user.connection == LOCAL

    def _place(self, request: Request) -> str:
        return self._browser.session_csrf(request, _PLACE)

    def _setup_page(
        self, request: Request, someone: SignedIn, error: str, setup: Setup | None = None
    ) -> Response:
        user = someone.person.user
        setup = setup or self._second.begin(user, self._place(request))
        view = SetupView(
            action=f"{PATH}/confirm",
            csrf=self._door.csrf(request),
            setup=setup.sealed,
            secret=setup.secret,
            address=setup.address,
            username=user.username,
            must=False,
            error=error,
        )
        return page(self._pages.setup(view), 403 if error else 200)

    def _codes_page(self, codes: tuple[str, ...]) -> Response:
        return page(self._pages.recovery_codes(RecoveryCodesView(codes=codes, onward=PATH)))

    async def _page(
        self, request: Request, someone: SignedIn, *, error: str = "", status: int = 200
    ) -> Response:
        user = someone.person.user
        found = await self._factors.show(own_actor(request, someone), user.username)
        view = SecondFactorView(
            username=user.username,
            csrf=self._door.csrf(request),
            logout_csrf=self._browser.session_csrf(request),
            possible=self._possible(someone),
            recent=self._browser.recent(someone),
            since=day(found.totp.created_at) if found.totp else "",
            used=day(found.totp.last_used_at) if found.totp and found.totp.last_used_at else "",
            left=found.codes_left,
            error=error,
        )
        return page(self._pages.second_factor(view), status)
