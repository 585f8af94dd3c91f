"""Answers that a provider's page makes the browser post to us (SAML).

Such a post comes from another site, so our cookies stay at home (``SameSite=Lax``) and nobody can tell here
which browser it is. The answer is only laid beside the leg that its state names, sealed, once, and the
browser is sent on by GET to ``/callback/{connection}``, where its cookies come along and everything is
judged. A post without such a leg leaves nothing behind, unless the operator lets the provider begin
(checklist S6, S9).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import PageProblem
from gatekit.identity.ports import PostingProvider
from gatekit.model.audit import SignIn
from gatekit.model.oauth import Transaction
from gatekit.oauth.authorize import Authorize
from gatekit.oauth.browser import START_AGAIN, Browser
from gatekit.oauth.core import Core
from gatekit.oauth.http import address, form, page_route, redirect, request_id
from gatekit.platform.vault import token_hash

SEAL = "provider-leg"
MAX_FORM = 512 * 1024
"""Bytes; in base64, and then in a form, a message grows by half."""
KEPT = "answer"
UNASKED = "The identity provider sent an answer that nobody here asked for."


class Posted:
    """POST /saml/{connection}/acs."""

    def __init__(self, core: Core, browser: Browser, authorize: Authorize) -> None:
        self._core = core
        self._browser = browser
        self._authorize = authorize

    def routes(self) -> list[Route]:
        return [page_route("/saml/{connection}/acs", self.receive, ["POST"], self._core.services.pages)]

    async def receive(self, request: Request) -> Response:
        """Lay the answer aside and send the browser to where it can be judged."""
        provider = self._core.services.providers.get(request.path_params["connection"])
        if not isinstance(provider, PostingProvider):
            raise PageProblem(404, "No such sign-in", "This gateway has no such identity provider.")
        self._authorize.spend(request)
        fields = await form(request, MAX_FORM)
        answer, state = fields.get(provider.answer_field), fields.get(provider.state_field) or ""
        if not answer:
            raise PageProblem(400, "The provider's answer is not usable", "It is empty.", START_AGAIN)
        leg = await self._core.store.transactions.get(token_hash(state), self._core.now())
        if leg is None or leg.provider != provider.name or not leg.provider_state:
            return await self._unasked(request, provider, answer)
        kept = self._open(leg)
        if KEPT not in kept:  # the first one counts; whoever posts a second one changes nothing
            await self._keep(leg, kept, {provider.answer_field: answer})
        return redirect(_onward(provider, state))

    async def _keep(self, leg: Transaction, kept: dict[str, object], answer: Mapping[str, str]) -> None:
        sealed = self._core.services.vault.seal(json.dumps({**kept, KEPT: answer}), SEAL)
        # Of several at one moment the first counts, too. If it ended just now, the callback says so.
        await self._core.store.transactions.lay(leg.id_hash, leg.provider_state, sealed)

    async def _unasked(self, request: Request, provider: PostingProvider, answer: str) -> Response:
        """The provider began. Its RelayState means nothing to us, and is never followed (checklist S9)."""
        leg = provider.unasked()
        if leg is None:
            await self._refuse(request, provider)
            raise PageProblem(
                400, "This sign-in has ended", UNASKED, START_AGAIN, detail="unsolicited answer"
            )
        run = self._authorize.new_run("/")
        await self._browser.keep(run)
        state = str(json.loads(leg.secret)["state"])
        kept = {"secret": leg.secret, "run": run.id, KEPT: {provider.answer_field: answer}}
        await self._core.store.transactions.add(
            msgspec.structs.replace(
                run.transaction,
                id_hash=token_hash(state),
                provider=provider.name,
                provider_state=self._core.services.vault.seal(json.dumps(kept), SEAL),
            )
        )
        response = redirect(_onward(provider, state))
        self._browser.bind(request, response, run)
        return response

    async def _refuse(self, request: Request, provider: PostingProvider) -> None:
        await self._core.services.audit.write(
            SignIn(
                at=self._core.at(),
                request_id=request_id(request),
                address=address(request),
                connection=provider.name,
                outcome="refused",
                reason="saml unsolicited: no sign-in is under way with this RelayState",
            )
        )

    def _open(self, leg: Transaction) -> dict[str, object]:
        found: dict[str, object] = json.loads(self._core.services.vault.open(leg.provider_state, SEAL))
        return found


def _onward(provider: PostingProvider, state: str) -> str:
    return f"/callback/{provider.name}?{urlencode({'state': state})}"
