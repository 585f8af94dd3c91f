"""Pages outside of a client's login: home, sign in, sign out, the invite link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hmac import compare_digest

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import IdentityError, PageProblem
from gatekit.model.access import Inactive
from gatekit.model.audit import SignIn, SignOut
from gatekit.model.factors import PWD
from gatekit.model.people import BrowserSession, User
from gatekit.oauth.authorize import Authorize
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, address, form, page, redirect, request_id
from gatekit.oauth.pages import HomeView, InviteView
from gatekit.oauth.ports import Invitations

INVITE_COOKIE = "gk_invite"


class Account:
    """GET /, GET /login, POST /logout, GET and POST /invite/{token}."""

    def __init__(
        self,
        core: Core,
        browser: Browser,
        authorize: Authorize,
        onward: Sequence[Callable[[BrowserSession], Awaitable[str]]],
    ) -> None:
        """``onward``: where the browser goes after a session ended, so that its provider hears of it; the
        first that knows a place counts."""
        self._onward = onward
        self._core = core
        self._browser = browser
        self._authorize = authorize

    async def home(self, request: Request) -> Response:
        """Who is signed in, and what there is to paste into a client."""
        someone = await self._browser.signed_in(request)
        pages, resources = self._core.services.pages, self._core.resources
        if not isinstance(someone, SignedIn):
            return page(pages.home(HomeView(username="", servers=(), sign_in_url="/login")))
        permitted = resources.permitted(
            self._core.services.policy().rights(someone.person.principal).servers()
        )
        servers = tuple(
            (resources.title(name), url)
            for url, name in zip(permitted, resources.names(permitted), strict=True)
        )
        view = HomeView(
            username=someone.person.user.username,
            servers=servers,
            logout_action="/logout",
            csrf=self._browser.session_csrf(request),
            administrates=await self._core.services.administrates(someone.person.user),
        )
        return page(pages.home(view))

    async def sign_in(self, request: Request) -> Response:
        """The sign-in page for its own sake. It takes no "next" parameter: it leads home (checklist D8)."""
        return await self._authorize.sign_in_for(request, "/")

    async def logout(self, request: Request) -> Response:
        """End the browser session on the server and in the browser."""
        fields = await form(request, self._core.settings.form_max_bytes)
        someone = await self._browser.signed_in(request)
        expected = self._browser.session_csrf(request)
        if isinstance(someone, SignedIn) and not _same(expected, fields.get("csrf")):
            raise PageProblem(
                403, "This form is out of date", "Nobody was signed out.", "Go back and try again."
            )
        if isinstance(someone, SignedIn):
            user = someone.person.user
            await self._core.services.audit.write(
                SignOut(
                    at=self._core.at(),
                    request_id=request_id(request),
                    principal_id=user.id,
                    principal=user.username,
                    address=address(request),
                )
            )
        await self._browser.end_session(request)
        elsewhere = await self._elsewhere(someone.session) if isinstance(someone, SignedIn) else ""
        response = redirect(elsewhere or "/")
        self._browser.forget_session(response)
        return response

    async def _elsewhere(self, session: BrowserSession) -> str:
        for onward in self._onward:
            if place := await onward(session):
                return place
        return ""

    async def invite(self, request: Request) -> Response:
        """A one-time link: choose a password, then be signed in."""
        invitations = self._core.services.invitations
        token = request.path_params["token"]
        user = await invitations.invited(token) if invitations else None
        if invitations is None or user is None:
            raise PageProblem(
                404,
                "This invitation is not valid",
                "It was used already, or it has expired.",
                "Ask your administrator for a new link.",
            )
        cookie = self._browser.page_cookie(request, INVITE_COOKIE)
        if request.method != "POST":
            return self._invite_page(token, user, cookie, "")
        fields = await form(request, self._core.settings.form_max_bytes)
        if not _same(self._browser.page_csrf(cookie, "invite", token), fields.get("csrf")):
            return self._invite_page(token, user, cookie, "The form was out of date. Please try again.", 403)
        return await self._accept(request, invitations, token, user, cookie, fields)

    async def _accept(
        self, request: Request, invitations: Invitations, token: str, user: User, cookie: str, fields: Form
    ) -> Response:
        password = fields.get("password") or ""
        if password != fields.get("password_again"):
            return self._invite_page(token, user, cookie, "The two passwords differ.", 400)
        try:
            user = await invitations.accept(token, password)
        except IdentityError as refused:
            return self._invite_page(token, user, cookie, refused.public, 400)
        standing = await self._core.standings.person(user.id, self._core.at())
        reason = standing.reason if isinstance(standing, Inactive) else ""
        # The link stands for the password, and for nothing else (checklist F5).
        more = not reason and await self._core.second.after_password(user) != "nothing"
        await self._core.services.audit.write(
            SignIn(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=user.id,
                principal=user.username,
                address=address(request),
                connection=user.connection,
                outcome="refused" if reason or more else "ok",
                reason=reason or ("invite: a second factor is needed too" if more else "invite"),
                amr=() if reason or more else (PWD,),
            )
        )
        if reason:
            raise PageProblem(
                403,
                "The password is set",
                "But this account may not use anything here yet.",
                "Ask your administrator.",
                detail=reason,
            )
        if more:
            return redirect("/login")
        response = redirect("/")
        await self._browser.sign_in(request, response, user.id, (user.connection, ""), PWD)
        return response

    def _invite_page(self, token: str, user: User, cookie: str, error: str, status: int = 200) -> Response:
        view = InviteView(
            action=f"/invite/{token}",
            csrf=self._browser.page_csrf(cookie, "invite", token),
            username=user.username,
            error=error,
        )
        response = page(self._core.services.pages.invite(view), status)
        self._browser.set_page_cookie(response, INVITE_COOKIE, cookie)
        return response


def _same(expected: str, presented: str | None) -> bool:
    return compare_digest(expected.encode(), (presented or "").encode())
