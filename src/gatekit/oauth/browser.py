"""The browser's half of a login: cookies and CSRF tokens.

Each run through the authorization endpoint has a cookie of its own, so that two tabs that start at the same
moment do not overwrite each other's. Its hash stands in the transaction: a link that is opened in another
browser leads nowhere (checklist B2). The login cookie is made anew at every sign-in (B7).
"""

from __future__ import annotations

from hmac import compare_digest

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import PageProblem
from gatekit.identity.standing import Upright
from gatekit.model.access import Inactive
from gatekit.model.oauth import Transaction
from gatekit.model.people import BrowserSession
from gatekit.oauth.client_metadata import clean_text
from gatekit.oauth.core import Core
from gatekit.oauth.http import address
from gatekit.platform.vault import token_hash

MAX_RUN_COOKIES = 20
MAX_AGENT = 200
"""Characters kept of what a browser calls itself."""

RUN_PREFIX = "gk_tx_"
COOKIE_PREFIX = "gk_bb_"
SESSION_PREFIX = "gk_bs_"


class Run(Struct, kw_only=True):
    """One run through the authorization endpoint, as this request sees it."""

    id: str
    """The transaction's identifier, as it travels through forms."""
    cookie: str
    """Value of the cookie that binds it to the browser."""
    transaction: Transaction
    stored: bool = False


class SignedIn(Struct, frozen=True):
    """A browser session in good standing."""

    session: BrowserSession
    person: Upright


class Browser:
    """Reads and writes what we keep in the browser."""

    def __init__(self, core: Core) -> None:
        self._core = core
        # RFC 6265bis §4.1.3.2: __Host- needs TLS; plain names are for http on loopback only.
        self._prefix = "__Host-" if core.settings.secure else ""

    # -- runs ----------------------------------------------------------------------------------------------

    def new_run_id(self) -> tuple[str, str]:
        """(identifier, cookie value) of a new run."""
        entropy = self._core.services.entropy
        return entropy.token(RUN_PREFIX, 24), entropy.token(COOKIE_PREFIX)

    async def keep(self, run: Run) -> None:
        """Write the run's transaction, new or changed."""
        transactions = self._core.store.transactions
        await (transactions.update if run.stored else transactions.add)(run.transaction)
        run.stored = True

    async def run(self, request: Request, run_id: str | None) -> Run:
        """The unfinished run of this browser; raise ``PageProblem``."""
        transaction = None
        if run_id:
            transaction = await self._core.store.transactions.get(token_hash(run_id), self._core.now())
        if run_id is None or transaction is None:
            raise PageProblem(
                400, "This sign-in has ended", "It was finished already, or it took too long.", START_AGAIN
            )
        cookie = request.cookies.get(self._run_cookie(transaction.id_hash), "")
        if not compare_digest(token_hash(cookie), transaction.browser_hash):
            raise PageProblem(
                403,
                "This sign-in belongs to another browser",
                "It was started somewhere else, so it cannot go on here.",
                START_AGAIN,
                detail="browser cookie missing or foreign",
            )
        return Run(id=run_id, cookie=cookie, transaction=transaction, stored=True)

    def bind(self, request: Request, response: Response, run: Run) -> None:
        """Give the browser the cookie of a new run."""
        if sum(self._is_run_cookie(name) for name in request.cookies) >= MAX_RUN_COOKIES:
            # A page that opens many of our links must not grow the cookie header until nothing works.
            for name in filter(self._is_run_cookie, request.cookies):
                self._drop(response, name)
        name = self._run_cookie(run.transaction.id_hash)
        self._set(response, name, run.cookie, self._core.settings.transaction_lifetime)

    def unbind(self, response: Response, run: Run) -> None:
        self._drop(response, self._run_cookie(run.transaction.id_hash))

    def csrf(self, run: Run, *facts: str) -> str:
        """A token for a form of this run, bound to the browser and to ``facts``: what the form showed."""
        return self._core.services.vault.mac("\0".join((run.id, run.cookie, *facts)), "csrf")

    def check_csrf(self, run: Run, presented: str | None, *facts: str) -> None:
        """Raise ``PageProblem`` unless the form was rendered for this run, browser and ``facts``."""
        if not compare_digest(self.csrf(run, *facts).encode(), (presented or "").encode()):
            raise PageProblem(
                403,
                "This form is out of date",
                "Something changed after the page was shown, for example who is signed in.",
                START_AGAIN,
                detail="CSRF token does not match",
            )

    # -- the login cookie ----------------------------------------------------------------------------------

    async def signed_in(self, request: Request) -> SignedIn | Inactive | None:
        """Who is signed in here; ``Inactive`` if that person may not be any more."""
        value = request.cookies.get(self._session_cookie)
        if not value or not value.startswith(SESSION_PREFIX):
            return None
        session = await self._core.store.browser_sessions.get(token_hash(value), self._core.now())
        if session is None:
            return None
        person = await self._core.standings.person(session.user_id, self._core.at(), session.connection)
        return person if isinstance(person, Inactive) else SignedIn(session, person)

    def recent(self, someone: SignedIn) -> bool:
        """Whether the person signed in a moment ago: a browser left open is not enough for some things."""
        return self._core.now() - someone.session.auth_time <= self._core.settings.recent_sign_in

    async def sign_in(
        self,
        request: Request,
        response: Response,
        user_id: str,
        way: tuple[str, str] = ("", ""),
        amr: str = "",
    ) -> None:
        """Start a session with a new cookie; the one the browser came with ends on the server (B7).

        ``way``: the connection, and what its provider calls this sign-in. ``amr``: as in ``BrowserSession``.
        """
        value = self._core.services.entropy.token(SESSION_PREFIX)
        before = request.cookies.get(self._session_cookie)
        if before:
            old = await self._core.store.browser_sessions.get(token_hash(before), self._core.now())
            if old is not None and old.user_id == user_id:
                # They proved again who they are (``prompt=login``): nobody is told that they signed out.
                await self._core.store.relying_sessions.move(old.token_hash, token_hash(value))
        await self.end_session(request)
        now = self._core.now()
        lifetime = self._core.settings.browser_session_lifetime
        await self._core.store.browser_sessions.add(
            BrowserSession(
                token_hash=token_hash(value),
                user_id=user_id,
                auth_time=now,
                created_at=now,
                expires_at=now + lifetime,
                address=address(request),
                agent=clean_text(request.headers.get("user-agent", ""), MAX_AGENT),
                connection=way[0],
                provider_session=way[1],
                amr=amr,
            )
        )
        await self._core.store.users.seen(user_id, now)
        self._set(response, self._session_cookie, value, lifetime)

    async def end_session(self, request: Request) -> None:
        """End the session on the server."""
        if value := request.cookies.get(self._session_cookie):
            await self._core.store.browser_sessions.end(token_hash(value), self._core.now())

    def forget_session(self, response: Response) -> None:
        self._drop(response, self._session_cookie)

    def session_csrf(self, request: Request, *facts: str) -> str:
        """A token for forms outside of a run, bound to the login cookie and to ``facts``: which form, and
        what it showed. None: the form that signs out."""
        cookie = request.cookies.get(self._session_cookie, "")
        return self._core.services.vault.mac("\0".join((cookie, *facts)), "logout")

    def check_session_csrf(self, request: Request, presented: str | None, *facts: str) -> None:
        """Raise ``PageProblem`` unless the form was rendered for this browser session and ``facts``."""
        if not compare_digest(self.session_csrf(request, *facts).encode(), (presented or "").encode()):
            raise PageProblem(
                403,
                "This form is out of date",
                "Something changed after the page was shown, for example who is signed in.",
                "Go back and try again.",
                detail="CSRF token does not match",
            )

    # -- a cookie for a page that has no run (invite) --------------------------------------------------------

    def page_cookie(self, request: Request, name: str) -> str:
        """The value this browser has for ``name``, or a new one."""
        value = request.cookies.get(self._prefix + name, "")
        return value if value.startswith(COOKIE_PREFIX) else self._core.services.entropy.token(COOKIE_PREFIX)

    def set_page_cookie(self, response: Response, name: str, value: str) -> None:
        self._set(response, self._prefix + name, value, self._core.settings.transaction_lifetime)

    def page_csrf(self, value: str, *facts: str) -> str:
        return self._core.services.vault.mac("\0".join((value, *facts)), "page")

    @property
    def _session_cookie(self) -> str:
        return f"{self._prefix}gk_session"

    def _run_cookie(self, id_hash: str) -> str:
        return f"{self._prefix}gk_run_{id_hash[:12]}"

    def _is_run_cookie(self, name: str) -> bool:
        return name.startswith(f"{self._prefix}gk_run_")

    def _set(self, response: Response, name: str, value: str, max_age: int) -> None:
        response.set_cookie(
            name, value, max_age, path="/", secure=self._core.settings.secure, httponly=True, samesite="lax"
        )

    def _drop(self, response: Response, name: str) -> None:
        response.delete_cookie(
            name, path="/", secure=self._core.settings.secure, httponly=True, samesite="lax"
        )


START_AGAIN = "Go back to your application and start the sign-in again."
