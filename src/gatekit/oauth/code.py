"""Ending a run: one grant, one code, one redirect."""

from __future__ import annotations

import msgspec
from starlette.responses import Response

from gatekit.errors import PageProblem
from gatekit.model.oauth import AuthorizationCode, Grant, RelyingSession
from gatekit.oauth import answers
from gatekit.oauth.browser import START_AGAIN, Browser, Run, SignedIn
from gatekit.oauth.core import Core
from gatekit.oauth.departures import stays
from gatekit.oauth.relying import OPENID, Relying
from gatekit.oauth.request import Target
from gatekit.platform.vault import token_hash

CODE_PREFIX = "gk_ac_"


class Codes:
    """Issues authorization codes."""

    def __init__(self, core: Core, browser: Browser) -> None:
        self._core = core
        self._browser = browser

    async def finish(
        self, run: Run, target: Target, someone: SignedIn, resources: tuple[str, ...]
    ) -> Response:
        """Finish the run (once) and send the browser to the client with a code."""
        await self.close(run)
        entropy, settings, now = self._core.services.entropy, self._core.settings, self._core.now()
        code = entropy.token(CODE_PREFIX)
        grant = Grant(
            id=entropy.ident("gkg_"),
            user_id=someone.person.user.id,
            client_id=target.client.id,
            resources=resources,
            scopes=run.transaction.scopes,
            auth_time=someone.session.auth_time,
            amr=someone.session.amr,
            created_at=now,
            expires_at=now + settings.grant_lifetime,
            connection=someone.session.connection,
        )
        await self._core.store.grants.approve(
            grant,
            AuthorizationCode(
                code_hash=token_hash(code),
                grant_id=grant.id,
                client_id=target.client.id,
                redirect_uri=target.redirect_uri,
                code_challenge=run.transaction.code_challenge,
                resources=resources,
                created_at=now,
                expires_at=now + settings.code_lifetime,
                jkt=run.transaction.jkt,
            ),
        )
        await stays(self._core, someone.session, grant)
        if OPENID in grant.scopes:
            session = RelyingSession(
                grant_id=grant.id,
                session_hash=someone.session.token_hash,
                client_id=target.client.id,
                user_id=grant.user_id,
                nonce=run.transaction.nonce,
                created_at=now,
            )
            session = msgspec.structs.replace(session, sid=Relying(self._core).sid(session))
            await self._core.store.relying_sessions.add(session)
        response = answers.success(settings.issuer, target, code)
        self._browser.unbind(response, run)
        return response

    async def close(self, run: Run) -> None:
        """Nothing more can happen in this run; raise ``PageProblem`` for all but the first to say so."""
        store, now, pushed = self._core.store, self._core.now(), run.transaction.pushed_hash
        # A pushed request can have begun several runs (a reload, a second tab); one of them gets a code.
        unused = not pushed or await store.pushed_requests.use(pushed, now)
        if run.stored:
            unused = await store.transactions.finish(run.transaction.id_hash, now) and unused
        if not unused:
            raise PageProblem(400, "This sign-in has ended", "It was finished already.", START_AGAIN)
