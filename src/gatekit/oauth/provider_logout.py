"""Signing out, between an OpenID provider and us.

POST /backchannel-logout/{connection}: the provider says that somebody signed out there (OpenID Connect
Back-Channel Logout 1.0). No browser and no cookie: what counts is the signature.

And the other way round: who signs out here goes on to the provider's own place for that, and comes back to
GET /signed-out/{connection} (OpenID Connect RP-Initiated Logout 1.0). The session here has ended by then, so
whatever becomes of the way there changes nothing.
"""

from __future__ import annotations

import logging

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import ForeignTokenInvalid, InvalidRequest, PageProblem, ProviderFailed, VaultError
from gatekit.identity.ports import UPSTREAM, BackchannelPartner, Ended, LogoutPlace
from gatekit.model.people import BrowserSession, User
from gatekit.oauth.backchannel import Notices
from gatekit.oauth.core import Core
from gatekit.oauth.departures import depart
from gatekit.oauth.http import NO_STORE, api_route, form, json_answer, page, page_route, place, query
from gatekit.oauth.pages import DoneView
from gatekit.platform.limits import KeyedBuckets

log = logging.getLogger("gatekit.oauth")

PATH = "/backchannel-logout/{connection}"
SIGNED_OUT = "/signed-out/{connection}"
STATE = "provider-logout"
"""Purpose under which the state is sealed that goes to the provider and back."""
MAX_AGE = 900
"""Seconds in which somebody may answer the provider's question whether they mean it."""
UNUSABLE = "the logout token cannot be accepted"
DONE = DoneView(
    title="You are signed out", message="Here and at the identity provider. You can close this window."
)


class _State(Struct):
    connection: str
    at: int


class ProviderLogout:
    """Ends what came over a connection, because its provider says so."""

    def __init__(self, core: Core, notices: Notices) -> None:
        self._core = core
        self._notices = notices
        self._budget = KeyedBuckets(core.settings.authorize_per_address, core.services.clock)

    def routes(self) -> list[Route]:
        pages = self._core.services.pages
        return [
            api_route(PATH, self.logout, ["POST"]),
            page_route(SIGNED_OUT, self.signed_out, ["GET"], pages),
        ]

    async def onward(self, session: BrowserSession) -> str:
        """Where a browser that signed out here goes; empty: nowhere. Raises ``StoreError``."""
        name = session.connection
        partner: object = self._core.services.providers.get(name)
        if not isinstance(partner, LogoutPlace):
            return ""
        vault, settings = self._core.services.vault, self._core.settings
        for identity in await self._core.store.identities.of_user(session.user_id):
            if identity.connection == name and identity.upstream_sealed:
                state = vault.seal(msgspec.json.encode(_State(name, self._core.now())).decode(), STATE)
                back = settings.issuer + SIGNED_OUT.format(connection=name)
                try:
                    return await partner.leave_to(vault.open(identity.upstream_sealed, UPSTREAM), back, state)
                except (ProviderFailed, VaultError) as failed:  # they are signed out here all the same
                    log.warning("%s is not told of a sign-out: %s", name, failed)
        return ""

    async def signed_out(self, request: Request) -> Response:
        """§3: the provider's answer. ``state`` says that the question was ours, and which; nothing ends
        by it. Raises ``PageProblem``."""
        name = request.path_params["connection"]
        try:
            text = self._core.services.vault.open(query(request).get("state") or "", STATE)
            asked = msgspec.json.decode(text, type=_State)
        except (VaultError, msgspec.MsgspecError):
            asked = _State("", 0)
        if asked.connection != name or not 0 <= self._core.now() - asked.at <= MAX_AGE:
            raise PageProblem(
                400,
                "This is not the end of a sign-out",
                "Nobody here asked the identity provider for this.",
                "Sign out on the page of your servers.",
            )
        return page(self._core.services.pages.done(DONE))

    async def logout(self, request: Request) -> Response:
        """§2.5, §2.8: 200 if it was done or there was nothing to do, 400 for a token that is not accepted.

        Raises ``InvalidRequest``, ``AuditUnavailable``, ``StoreError``.
        """
        name = request.path_params["connection"]
        partner: object = self._core.services.providers.get(name)
        if not isinstance(partner, BackchannelPartner):
            return json_answer({"error": "not_found"}, 404)
        if self._budget.take(place(request)):
            return json_answer({"error": "temporarily_unavailable"}, 429)
        fields = await form(request, self._core.settings.form_max_bytes)
        token = fields.get("logout_token")
        if not token:
            raise InvalidRequest("logout_token is missing")
        try:
            ended = await partner.logged_out(token, self._core.store.replays)
        except ForeignTokenInvalid as bad:
            log.warning("logout token refused connection=%s: %s", name, bad.detail or bad)
            raise InvalidRequest(UNUSABLE, bad.detail) from bad
        except ProviderFailed as failed:
            log.warning("logout token cannot be judged connection=%s: %s", name, failed.detail)
            return json_answer({"error": "temporarily_unavailable"}, 503)
        for user in await self._whose(name, ended):
            await depart(self._core, user, name, "signed out at the identity provider")
        self._notices.wake()
        return Response(status_code=200, headers=NO_STORE)

    async def _whose(self, connection: str, ended: Ended) -> list[User]:
        """Whom it is about: the person of ``sub``, and of the sessions that ``sid`` names. If it names both
        and they are two people, nobody is signed out by it but the one of ``sub``."""
        store = self._core.store
        if ended.subject:
            user = await store.users.by_identity(connection, ended.issuer, ended.subject)
            return [user] if user is not None else []
        found: dict[str, User] = {}
        for key in ended.sessions:
            for session in await store.browser_sessions.of_provider(connection, key):
                user = await store.users.get(session.user_id)
                if user is not None:
                    found[user.id] = user
        return list(found.values())
