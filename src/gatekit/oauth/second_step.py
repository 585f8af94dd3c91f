"""After the password: a code, or setting one up where everybody must have one.

What was shown so far stands in the run, on the server. Each step reads it there and asks anew what comes
after the password, so that none can be left out by leaving out a field (checklist F5).
"""

from __future__ import annotations

from hmac import compare_digest

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import Conflict, PageProblem, SignInRefused
from gatekit.identity.second_factor import Setup, Step
from gatekit.model.audit import AdminEvent
from gatekit.model.factors import MFA, OTP, PWD
from gatekit.model.people import LOCAL, User
from gatekit.oauth.authorize import Authorize, asked_classes
from gatekit.oauth.browser import START_AGAIN, Browser, Run
from gatekit.oauth.core import Core
from gatekit.oauth.entry import Entry
from gatekit.oauth.http import address, form, page, page_route, request_id
from gatekit.oauth.pages import RecoveryCodesView, SecondStepView, SetupView
from gatekit.oauth.passkey_form import passkey_form
from gatekit.platform.vault import token_hash

CODE = "/login/code"
SETUP = "/login/setup"
_BOTH = f"{PWD} {OTP} {MFA}"


class SecondStep:
    """POST /login/code, POST /login/setup; ``after_password`` decides whether they are needed."""

    def __init__(self, core: Core, browser: Browser, authorize: Authorize, entry: Entry) -> None:
        self._core = core
        self._browser = browser
        self._authorize = authorize
        self._entry = entry

    def routes(self) -> list[Route]:
        pages = self._core.services.pages
        doors = ((CODE, self.code), (SETUP, self.setup))
        return [page_route(path, endpoint, ["POST"], pages) for path, endpoint in doors]

    async def after_password(self, request: Request, run: Run, user: User) -> Response:
        """The password was right."""
        step = await self._next(run, user)
        if step == "nothing":
            return await self._entry.welcome(request, run, user, LOCAL, amr=PWD)
        mark = await self._mark(user.id)
        run.transaction = msgspec.structs.replace(run.transaction, halfway=f"{user.id} {mark}")
        await self._browser.keep(run)
        return self._page(run, user, step)

    async def code(self, request: Request) -> Response:
        """Fields ``txn``, ``csrf``, ``code``."""
        fields = await form(request, self._core.settings.form_max_bytes)
        run = await self._browser.run(request, fields.get("txn"))
        self._browser.check_csrf(run, fields.get("csrf"), "code")
        self._authorize.spend(request)
        user = await self._halfway(run, "code")
        try:
            note = await self._core.second.check(user, fields.get("code") or "")
        except SignInRefused as refused:
            await self._entry.record(request, run, LOCAL, user, refused.detail)
            return self._page(run, user, "code", refused.public)
        return await self._entry.welcome(request, run, user, LOCAL, amr=_BOTH, note=note)

    async def setup(self, request: Request) -> Response:
        """Fields ``txn``, ``csrf``, ``setup``, ``code``. Ends with the recovery codes, shown once."""
        fields = await form(request, self._core.settings.form_max_bytes)
        run = await self._browser.run(request, fields.get("txn"))
        self._browser.check_csrf(run, fields.get("csrf"), "setup")
        self._authorize.spend(request)
        user = await self._halfway(run, "setup")
        second = self._core.second
        try:
            setup = second.resumed(user, run.id, fields.get("setup") or "")
        except SignInRefused as refused:
            return self._page(run, user, "setup", refused.public)
        try:
            codes = await second.enrol(user, setup, fields.get("code") or "")
        except SignInRefused as refused:
            return self._page(run, user, "setup", refused.public, setup)
        except Conflict:  # in another window, a moment ago: there it is asked for now
            return self._page(run, user, await self._next(run, user))
        await self._added(request, user)
        onward = await self._entry.welcome(request, run, user, LOCAL, amr=_BOTH)
        if "location" not in onward.headers:  # this person may not come in
            return onward
        view = RecoveryCodesView(codes=codes, onward=onward.headers["location"])
        response = page(self._core.services.pages.recovery_codes(view))
        response.raw_headers.extend(pair for pair in onward.raw_headers if pair[0] == b"set-cookie")
        return response

    async def _halfway(self, run: Run, expected: Step) -> User:
        """Who showed their password in this run, and now has to take this step. Raises ``PageProblem``."""
        ident, _, mark = run.transaction.halfway.partition(" ")
        user = await self._core.store.users.get(ident) if ident else None
        if user is None or not compare_digest(mark.encode(), (await self._mark(user.id)).encode()):
            detail = "no password was shown in this run, or it is another one now"
            raise PageProblem(403, "This sign-in has not begun", _FIRST, START_AGAIN, detail=detail)
        if await self._next(run, user) != expected:
            detail = f"the step after the password of {user.username} is not {expected}"
            raise PageProblem(403, "This sign-in has changed", _CHANGED, START_AGAIN, detail=detail)
        return user

    async def _next(self, run: Run, user: User) -> Step:
        return await self._core.second.after_password(user, must=bool(asked_classes(run)))

    async def _mark(self, user_id: str) -> str:
        """Of the password that was shown: another password, another mark."""
        stored = await self._core.store.users.password_hash(user_id)
        return token_hash(stored) if stored else token_hash(self._core.services.entropy.token("", 16))

    def _page(
        self, run: Run, user: User, step: Step, error: str = "", setup: Setup | None = None
    ) -> Response:
        status = 403 if error else 200
        pages, csrf = self._core.services.pages, self._browser.csrf(run, step)
        if step == "setup":
            setup = setup or self._core.second.begin(user, run.id)
            return page(
                pages.setup(
                    SetupView(
                        action=SETUP,
                        csrf=csrf,
                        txn=run.id,
                        setup=setup.sealed,
                        secret=setup.secret,
                        address=setup.address,
                        username=user.username,
                        must=True,
                        error=error,
                    )
                ),
                status,
            )
        view = SecondStepView(
            action=CODE,
            csrf=csrf,
            txn=run.id,
            username=user.username,
            asks_code=step == "code",
            passkey=passkey_form(self._core, self._browser, run),
            error=error,
        )
        return page(pages.second_step(view), status)

    async def _added(self, request: Request, user: User) -> None:
        await self._core.services.audit.write(
            AdminEvent(
                at=self._core.at(),
                principal_id=user.id,
                principal=user.username,
                action="second-factor.add",
                target=user.username,
                door="page",
                request_id=request_id(request),
                address=address(request),
            )
        )


_FIRST = "The password comes first."
_CHANGED = "What is asked after the password is something else now."
