"""What the pages of one's own account have in common: who may see them, whose forms they are, who acts."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response

from gatekit.admin.desk import Actor
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import Form, address, form, request_id


class SignInPage(Protocol):
    """``oauth.server.AuthorizationServer.sign_in_for``."""

    async def __call__(self, request: Request, path: str) -> Response: ...


class Page(Protocol):
    """Writes the page at ``path`` for somebody who may see it."""

    async def __call__(self, request: Request, someone: SignedIn) -> Response: ...


class OwnDoor:
    """Of one page and the forms on it."""

    def __init__(self, browser: Browser, sign_in: SignInPage, path: str, purpose: str, limit: int) -> None:
        """``purpose``: what the forms' CSRF tokens are good for; those of another page are good for nothing.
        ``limit``: bytes of the longest form."""
        self._browser = browser
        self._sign_in = sign_in
        self._path = path
        self._purpose = purpose
        self._limit = limit

    async def show(self, request: Request, page: Page) -> Response:
        """``page``; the sign-in page for who is not signed in."""
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return await self._sign_in(request, self._path)
        return await page(request, someone)

    async def again(self, request: Request) -> Response:
        """The sign-in page for somebody who is signed in, but has been for long; it leads back."""
        return await self._sign_in(request, self._path)

    async def posted(self, request: Request) -> tuple[SignedIn | None, Form]:
        """Who sent a form of this page, and the form. Raises ``PageProblem`` unless it is the page's own."""
        fields = await form(request, self._limit)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return None, fields
        self._browser.check_session_csrf(request, fields.get("csrf"), self._purpose)
        return someone, fields

    def csrf(self, request: Request) -> str:
        """For the forms of this page."""
        return self._browser.session_csrf(request, self._purpose)


def own_actor(request: Request, someone: SignedIn) -> Actor:
    """Whoever is signed in acts, and on nothing but what is theirs."""
    user = someone.person.user
    return Actor(user.username, "page", user.id, request_id=request_id(request), address=address(request))
