"""Who has shown who they are gets in here, whatever they showed; and who has not is told so."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gatekit.model.access import Inactive
from gatekit.model.audit import SignIn
from gatekit.model.people import ExternalIdentity, User
from gatekit.oauth.authorize import Authorize, to_resume
from gatekit.oauth.browser import Browser, Run
from gatekit.oauth.code import Codes
from gatekit.oauth.core import Core
from gatekit.oauth.http import address, redirect, request_id


class Entry:
    """The end of a sign-in, shared by every way of it."""

    def __init__(self, core: Core, browser: Browser, authorize: Authorize, codes: Codes) -> None:
        self._core = core
        self._browser = browser
        self._authorize = authorize
        self._codes = codes

    async def again(
        self,
        request: Request,
        run: Run,
        error: str,
        *,
        username: str = "",
        connection: str = "",
        status: int = 403,
    ) -> Response:
        """The sign-in page, with what was wrong."""
        client = (
            await self._core.store.clients.get(run.transaction.client_id)
            if run.transaction.client_id
            else None
        )
        name = client.name if client else ""
        return await self._authorize.sign_in_page(
            request, run, name, error=error, username=username, connection=connection, status=status
        )

    async def welcome(
        self,
        request: Request,
        run: Run,
        user: User,
        connection: str,
        identity: ExternalIdentity | None = None,
        *,
        amr: str = "",
        note: str = "",
    ) -> Response:
        """Start the browser session and go on, if this person may; ``amr``: as in ``BrowserSession``."""
        standing = await self._core.standings.person(user.id, self._core.at())
        if isinstance(standing, Inactive):
            await self.record(request, run, connection, user, standing.reason)
            return await self.again(request, run, "This account may not use this gateway.")
        await self.record(request, run, connection, user, "", note=note, amr=amr)
        run.transaction = msgspec.structs.replace(run.transaction, user_id=user.id, halfway="")
        if run.transaction.client_id:
            await self._browser.keep(run)
            response = to_resume(run)
        else:
            await self._codes.close(run)
            # Written by ``sign_in_for``, never by the browser (checklist D8).
            response = redirect(run.transaction.redirect_uri)
            self._browser.unbind(response, run)
        way = (identity.connection, identity.session) if identity else (connection, "")
        await self._browser.sign_in(request, response, user.id, way, amr)
        return response

    async def record(
        self,
        request: Request,
        run: Run,
        connection: str,
        user: User | None,
        reason: str,
        *,
        note: str = "",
        amr: str = "",
    ) -> None:
        """A sign-in that was refused for ``reason``, or went well."""
        await self._core.services.audit.write(
            SignIn(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=user.id if user else "",
                principal=user.username if user else "",
                client_id=run.transaction.client_id,
                address=address(request),
                connection=connection,
                outcome="refused" if reason else "ok",
                reason=reason or note,
                amr=tuple(amr.split()),
            )
        )
