"""A person's own passkeys: what there is, a new one, one less."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gatekit.admin.passkeys import Passkeys
from gatekit.errors import AdminError, NotFound, SignInRefused
from gatekit.identity.passkeys import RelyingParty
from gatekit.model.factors import LocalFactors
from gatekit.model.people import LOCAL
from gatekit.model.ports import Clock, Entropy
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.http import page, page_route, redirect
from gatekit.store.ports import Replays
from gatekit.web.own_door import OwnDoor, SignInPage, own_actor
from gatekit.web.own_rows import day
from gatekit.web.pages import HtmlPages
from gatekit.web.views import PasskeyRow, PasskeysView

PATH = "/account/passkeys"
_FORM_BYTES = 32 * 1024
_PURPOSE = "passkey-new"
_NOT_MADE = "The passkey could not be made. Please try again."


class OwnPasskeys:
    """GET /account/passkeys and the forms on it."""

    def __init__(
        self,
        browser: Browser,
        sign_in: SignInPage,
        *,
        origin: str,
        rules: Callable[[], LocalFactors],
        passkeys: Passkeys,
        replays: Replays,
        clock: Clock,
        entropy: Entropy,
        pages: HtmlPages,
    ) -> None:
        self._browser = browser
        self._door = OwnDoor(browser, sign_in, PATH, "passkeys", _FORM_BYTES)
        self._party = RelyingParty(origin)
        self._rules = rules
        self._passkeys = passkeys
        self._replays = replays
        self._clock = clock
        self._entropy = entropy
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        doors = [
            (PATH, self.show, "GET"),
            (f"{PATH}/add", self.add, "POST"),
            (f"{PATH}/remove", self.remove, "POST"),
            (f"{PATH}/again", self._door.again, "GET"),
        ]
        return [page_route(path, endpoint, [method], self._pages) for path, endpoint, method in doors]

    async def show(self, request: Request) -> Response:
        """The page; the sign-in page for who is not signed in."""
        return await self._door.show(request, self._page)

    async def add(self, request: Request) -> Response:
        """Fields ``csrf``, ``nonce``, ``name``, ``credential``."""
        someone, fields = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        if not self._browser.recent(someone):  # it outlives every session and opens as much
            return await self._door.again(request)
        if not self._possible(someone):
            return await self._page(request, someone, status=403)
        user, actor, nonce = someone.person.user, own_actor(request, someone), fields.get("nonce") or ""
        challenge = self._browser.session_csrf(request, _PURPOSE, nonce)
        now, until = int(self._clock.now()), someone.session.expires_at
        try:
            if not await self._replays.first(_PURPOSE, challenge, until, now):
                raise SignInRefused(_NOT_MADE, "the challenge was used before")
            made = await self._party.made(fields.get("credential") or "", challenge)
            await self._passkeys.add(
                own_actor(request, someone), user.username, made, fields.get("name") or ""
            )
        except SignInRefused as refused:
            await self._passkeys.not_made(actor, user.username, refused.detail)
            return await self._page(request, someone, error=_NOT_MADE, status=400)
        except AdminError as refused:
            return await self._page(request, someone, error=str(refused), status=400)
        return redirect(PATH)

    async def remove(self, request: Request) -> Response:
        """Fields ``csrf``, ``passkey``. Somebody else's is none."""
        someone, fields = await self._door.posted(request)
        if someone is None:
            return redirect(PATH)
        try:
            await self._passkeys.remove(
                own_actor(request, someone), someone.person.user.username, fields.get("passkey") or ""
            )
        except NotFound:  # gone already: the page shows how things are
            return redirect(PATH)
        return redirect(PATH)

    def _possible(self, someone: SignedIn) -> bool:
        return self._party.possible and self._rules().passkeys and someone.person.user.connection == LOCAL

    async def _page(
        self, request: Request, someone: SignedIn, *, error: str = "", status: int = 200
    ) -> Response:
        user = someone.person.user
        known = await self._passkeys.list(own_actor(request, someone), user.username)
        possible = self._possible(someone)
        nonce = self._entropy.token("gk_pk_", 16)
        challenge = self._browser.session_csrf(request, _PURPOSE, nonce)
        ids = [passkey.id for passkey in known]
        view = PasskeysView(
            username=user.username,
            csrf=self._door.csrf(request),
            logout_csrf=self._browser.session_csrf(request),
            passkeys=tuple(
                PasskeyRow(
                    id=passkey.id,
                    name=passkey.name,
                    since=day(passkey.created_at),
                    used=day(passkey.last_used_at) if passkey.last_used_at else "",
                )
                for passkey in known
            ),
            possible=possible,
            recent=self._browser.recent(someone),
            nonce=nonce,
            options=self._party.to_make(challenge, user.id, user.username, ids) if possible else "",
            error=error,
        )
        return page(self._pages.passkeys(view), status)
