"""What a SAML provider finds here besides the place for its answers: our metadata, and where sessions end.

Logout comes by redirect, with the browser, and counts for what is signed in it: the sessions of exactly that
sign-in end on the server, whether this browser has their cookies or not (checklist S9). The other way round,
a browser that signed out here is sent on to the provider, if the operator wants that.
"""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import PageProblem, ProviderFailed, VaultError
from gatekit.identity.ports import UPSTREAM, Ended, LogoutPartner
from gatekit.model.audit import SignOut
from gatekit.model.people import BrowserSession
from gatekit.oauth.authorize import Authorize
from gatekit.oauth.backchannel import Notices
from gatekit.oauth.browser import Browser
from gatekit.oauth.core import Core
from gatekit.oauth.http import NO_STORE, address, page, page_route, query, redirect, request_id
from gatekit.oauth.pages import DoneView

log = logging.getLogger("gatekit.oauth")

MEDIA = "application/samlmetadata+xml"
SIGNED_OUT = DoneView(title="You are signed out", message="You can close this window.")


class SamlEndpoints:
    """GET /saml/{connection}/metadata, GET /saml/{connection}/slo."""

    def __init__(self, core: Core, browser: Browser, authorize: Authorize, notices: Notices) -> None:
        self._core = core
        self._browser = browser
        self._authorize = authorize
        self._notices = notices

    def routes(self) -> list[Route]:
        pages = self._core.services.pages
        return [
            page_route("/saml/{connection}/metadata", self.metadata, ["GET"], pages),
            page_route("/saml/{connection}/slo", self.slo, ["GET"], pages),
        ]

    async def metadata(self, request: Request) -> Response:
        """For the provider's administrator: nothing in it is secret."""
        document = await self._partner(request).metadata()
        return Response(document, headers=NO_STORE, media_type=MEDIA)

    async def slo(self, request: Request) -> Response:
        """A logout request of the provider, or its receipt for one of ours."""
        partner, connection = self._partner(request), request.path_params["connection"]
        self._authorize.spend(request)
        raw = request.scope["query_string"].decode("latin-1")
        fields = query(request)
        try:
            if fields.get("SAMLRequest"):
                ended = await partner.ended(raw)
                found = await self._sessions(connection, ended)
                for session in found:
                    await self._end(request, connection, session)
                complete = bool(found) or bool(ended.subject)
                response = redirect(await partner.receipt(ended.answer, complete=complete), 302)
            else:
                await partner.left(raw)
                response = page(self._core.services.pages.done(SIGNED_OUT))
        except ProviderFailed as refused:
            raise PageProblem(
                400,
                "You were not signed out",
                "The identity provider's message could not be accepted.",
                "Sign out on the page of your servers.",
                detail=refused.detail,
            ) from refused
        return response

    async def onward(self, session: BrowserSession) -> str:
        """Where a browser that signed out here goes, so that the provider hears of it; empty: nowhere."""
        partner: object = self._core.services.providers.get(session.connection)
        if not isinstance(partner, LogoutPartner):
            return ""
        for identity in await self._core.store.identities.of_user(session.user_id):
            if identity.connection == session.connection and identity.upstream_sealed:
                try:
                    upstream = self._core.services.vault.open(identity.upstream_sealed, UPSTREAM)
                    return await partner.leave(upstream)
                except (ProviderFailed, VaultError) as failed:  # they are signed out here all the same
                    log.warning("%s is not told of a sign-out: %s", session.connection, failed)
        return ""

    async def _sessions(self, connection: str, ended: Ended) -> list[BrowserSession]:
        """What the provider named, and nothing that came in over another connection."""
        store, now = self._core.store, self._core.now()
        found: dict[str, BrowserSession] = {}
        for key in ended.sessions:
            for session in await store.browser_sessions.of_provider(connection, key):
                found[session.token_hash] = session
        if ended.subject:
            user = await store.users.by_identity(connection, ended.issuer, ended.subject)
            for session in await store.browser_sessions.list(user.id, now) if user else ():
                if session.connection == connection:
                    found[session.token_hash] = session
        return list(found.values())

    async def _end(self, request: Request, connection: str, session: BrowserSession) -> None:
        """Recorded first, as every sign-out."""
        user = await self._core.store.users.get(session.user_id)
        await self._core.services.audit.write(
            SignOut(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=session.user_id,
                principal=user.username if user else "",
                address=address(request),
                reason=f"asked for by the identity provider {connection}",
            )
        )
        await self._core.store.browser_sessions.end(session.token_hash, self._core.now())
        self._notices.wake()

    def _partner(self, request: Request) -> LogoutPartner:
        provider: object = self._core.services.providers.get(request.path_params["connection"])
        if not isinstance(provider, LogoutPartner):
            raise PageProblem(404, "No such sign-in", "This gateway has no such identity provider.")
        return provider
