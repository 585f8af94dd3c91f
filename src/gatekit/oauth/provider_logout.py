"""POST /backchannel-logout/{connection}: an OpenID provider says that somebody signed out there
(OpenID Connect Back-Channel Logout 1.0). No browser and no cookie: what counts is the signature.
"""

from __future__ import annotations

import logging

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import ForeignTokenInvalid, InvalidRequest, ProviderFailed
from gatekit.identity.ports import BackchannelPartner, Ended
from gatekit.model.people import User
from gatekit.oauth.backchannel import Notices
from gatekit.oauth.core import Core
from gatekit.oauth.departures import depart
from gatekit.oauth.http import NO_STORE, api_route, form, json_answer, place
from gatekit.platform.limits import KeyedBuckets

log = logging.getLogger("gatekit.oauth")

PATH = "/backchannel-logout/{connection}"
UNUSABLE = "the logout token cannot be accepted"


class ProviderLogout:
    """Ends what came over a connection, because its provider says so."""

    def __init__(self, core: Core, notices: Notices) -> None:
        self._core = core
        self._notices = notices
        self._budget = KeyedBuckets(core.settings.authorize_per_address, core.services.clock)

    def routes(self) -> list[Route]:
        return [api_route(PATH, self.logout, ["POST"])]

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
