"""RP-Initiated Logout: a relying party sends a browser here to sign its person out.

What it may decide is little. Without proof that this person signed in there (an id_token of this very browser
session) the person is asked first; and the browser goes back only to an address that the operator entered
(checklist D8).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import InvalidRequest, PageProblem
from gatekit.model.audit import SignOut
from gatekit.model.oauth import Client
from gatekit.oauth.backchannel import Notices
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, address, form, page, page_route, query, redirect, request_id
from gatekit.oauth.pages import DoneView, SignOutView
from gatekit.oauth.redirects import answer
from gatekit.oauth.relying import Relying, is_relying_party, registered_uris

PATH = "/end_session"
CONFIRM = "/end_session/confirm"
MAX_STATE = 4096


class Wanted(Struct, frozen=True, kw_only=True):
    """A checked request (RP-Initiated Logout §2)."""

    client: Client | None = None
    uri: str = ""
    """Registered for the client; empty: the person stays here."""
    state: str = ""
    hint: Mapping[str, Any] | None = None
    """Claims of an id_token that we gave the client."""


class Logout:
    """GET and POST /end_session, POST /end_session/confirm."""

    def __init__(self, core: Core, browser: Browser, notices: Notices) -> None:
        self._core = core
        self._browser = browser
        self._notices = notices
        self._relying = Relying(core)

    def routes(self) -> list[Route]:
        pages = self._core.services.pages
        return [
            page_route(PATH, self.end_session, ["GET", "POST"], pages),
            page_route(CONFIRM, self.confirm, ["POST"], pages),
        ]

    async def end_session(self, request: Request) -> Response:
        """RP-Initiated Logout §2: MUST support GET and POST."""
        posted = request.method == "POST"
        params = await form(request, self._core.settings.form_max_bytes) if posted else query(request)
        if name := params.repeated():
            raise InvalidRequest("a parameter is repeated", f"repeated parameter {name[:50]!r}")
        wanted = await self._read(params)
        someone = await self._browser.signed_in(request)
        hinted = await self._hinted_session(wanted)
        if isinstance(someone, SignedIn):
            if hinted is not None and hinted == someone.session.token_hash:
                await self._end(request, someone.person.user.id, someone.person.user.username, hinted, wanted)
                return self._leave(wanted)
            return self._ask(request, someone, wanted)
        if hinted is not None and wanted.hint is not None:
            # A form of another site carries no cookie of ours (SameSite=Lax); the id_token names the session.
            await self._end(request, str(wanted.hint["sub"]), "", hinted, wanted)
        elif posted:
            return redirect(answer(PATH, _onward(wanted)))  # a GET does carry it: ask whoever is there
        return self._leave(wanted)

    async def confirm(self, request: Request) -> Response:
        """The person's answer."""
        fields = await form(request, self._core.settings.form_max_bytes)
        wanted = await self._read(fields)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return self._leave(wanted)
        self._browser.check_session_csrf(request, fields.get("csrf"), *_facts(wanted))
        if fields.get("decision") != "sign_out":
            return redirect("/")
        user = someone.person.user
        await self._end(request, user.id, user.username, someone.session.token_hash, wanted)
        return self._leave(wanted)

    # -- reading -------------------------------------------------------------------------------------------

    async def _read(self, params: Form) -> Wanted:
        """Raise ``PageProblem``: a request like this must not move a browser anywhere."""
        given = params.get("id_token_hint")
        hint = await self._relying.read_hint(given) if given else None
        client_id = params.get("client_id") or (str(hint["aud"]) if hint else "")
        if hint is not None and hint["aud"] != client_id:
            raise _unusable("The id_token_hint is another application's.")
        client = await self._core.store.clients.get(client_id) if client_id else None
        if client is not None and (client.disabled or not is_relying_party(client)):
            client = None
        uri, state = params.get("post_logout_redirect_uri") or "", params.get("state") or ""
        if len(state) > MAX_STATE:
            raise _unusable("Its state is too long.")
        registered = registered_uris(client, "post_logout_redirect_uris") if client else ()
        if uri and uri not in registered:  # exactly, as it was entered (checklist D8)
            raise _unusable("Its return address is not one that was entered for the application.")
        return Wanted(client=client, uri=uri, state=state, hint=hint if client else None)

    async def _hinted_session(self, wanted: Wanted) -> str | None:
        """The browser session that the id_token of the request is from, if it has not ended."""
        if wanted.hint is None or wanted.client is None:
            return None
        rows = await self._core.store.relying_sessions.of_person(str(wanted.hint["sub"]), wanted.client.id)
        sid = wanted.hint.get("sid")
        found = next((row.session_hash for row in rows if self._relying.sid(row) == sid), "")
        session = await self._core.store.browser_sessions.get(found, self._core.now())
        return session.token_hash if session else None

    # -- acting --------------------------------------------------------------------------------------------

    async def _end(
        self, request: Request, user_id: str, username: str, session_hash: str, wanted: Wanted
    ) -> None:
        """Recorded first; then the session ends, and with it everything that points at it."""
        client = wanted.client
        await self._core.services.audit.write(
            SignOut(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=user_id,
                principal=username,
                client_id=client.id if client else "",
                client=client.name if client else "",
                address=address(request),
                reason="asked for by an application" if client else "",
            )
        )
        await self._core.store.browser_sessions.end(session_hash, self._core.now())
        self._notices.wake()

    def _ask(self, request: Request, someone: SignedIn, wanted: Wanted) -> Response:
        view = SignOutView(
            action=CONFIRM,
            csrf=self._browser.session_csrf(request, *_facts(wanted)),
            username=someone.person.user.username,
            client_name=wanted.client.name if wanted.client else "",
            client_id=wanted.client.id if wanted.client else "",
            uri=wanted.uri,
            state=wanted.state,
        )
        return page(self._core.services.pages.sign_out(view))

    def _leave(self, wanted: Wanted) -> Response:
        if wanted.uri:
            response = redirect(answer(wanted.uri, [("state", wanted.state)]) if wanted.state else wanted.uri)
        else:
            done = DoneView(title="You are signed out", message="You can close this window.")
            response = page(self._core.services.pages.done(done))
        self._browser.forget_session(response)
        return response


def _facts(wanted: Wanted) -> tuple[str, ...]:
    """What the page shows and its form carries."""
    return ("end_session", wanted.client.id if wanted.client else "", wanted.uri, wanted.state)


def _onward(wanted: Wanted) -> list[tuple[str, str]]:
    """The same request without the id_token, which does not belong into an address."""
    client_id = wanted.client.id if wanted.client else ""
    named = [("client_id", client_id), ("post_logout_redirect_uri", wanted.uri), ("state", wanted.state)]
    return [(name, value) for name, value in named if value]


def _unusable(message: str) -> PageProblem:
    return PageProblem(400, "You were not signed out", message, "Sign out on the page of your servers.")
