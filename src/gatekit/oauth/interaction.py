"""What the person does between the request and the answer: sign in, go to a provider and come back, agree."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import IdentityError, PageProblem, ProviderFailed
from gatekit.identity.ports import PostingProvider, RedirectProvider
from gatekit.model.factors import PWD
from gatekit.model.oauth import Transaction
from gatekit.model.people import LOCAL
from gatekit.oauth import answers, posted
from gatekit.oauth.authorize import Authorize, to_resume
from gatekit.oauth.browser import START_AGAIN, Browser, SignedIn
from gatekit.oauth.code import Codes
from gatekit.oauth.consent import Consents, agrees, denied
from gatekit.oauth.core import Core
from gatekit.oauth.entry import Entry
from gatekit.oauth.http import address, form, page, query, redirect
from gatekit.oauth.pages import OnwardView
from gatekit.oauth.second_step import SecondStep
from gatekit.platform.vault import token_hash


class Interaction:
    """POST /login, GET /go/{connection}, GET /callback/{connection}, POST /consent."""

    def __init__(
        self,
        core: Core,
        browser: Browser,
        authorize: Authorize,
        consents: Consents,
        codes: Codes,
        entry: Entry,
        second: SecondStep,
    ) -> None:
        self._entry = entry
        self._second = second
        self._core = core
        self._browser = browser
        self._authorize = authorize
        self._consents = consents
        self._codes = codes

    async def login(self, request: Request) -> Response:
        """A user name and a password."""
        fields = await form(request, self._core.settings.form_max_bytes)
        run = await self._browser.run(request, fields.get("txn"))
        self._browser.check_csrf(run, fields.get("csrf"), "login")
        # Only the one that the form was for: a password is not shown to a directory it does not belong to.
        passwords = self._core.services.passwords.get(fields.get("connection") or LOCAL)
        if passwords is None:
            raise PageProblem(404, "No passwords here", "This gateway has no accounts with such passwords.")
        username = fields.get("username") or ""
        try:
            user = await passwords.authenticate(username, fields.get("password") or "", address(request))
        except IdentityError as refused:
            await self._entry.record(request, run, passwords.name, None, refused.detail)
            status = 502 if isinstance(refused, ProviderFailed) else 403
            return await self._entry.again(
                request, run, refused.public, username=username, connection=passwords.name, status=status
            )
        if passwords.name == LOCAL:
            return await self._second.after_password(request, run, user)
        return await self._entry.welcome(request, run, user, passwords.name, amr=PWD)

    async def home(self, request: Request) -> Response:
        """POST /login/home: an e-mail address, whose domain says which connection it belongs to.

        Nothing is looked up but the domain, so the answer is the same whoever exists (no enumeration).
        """
        fields = await form(request, self._core.settings.form_max_bytes)
        run = await self._browser.run(request, fields.get("txn"))
        self._browser.check_csrf(run, fields.get("csrf"), "login")
        email = fields.get("email") or ""
        name = self._core.services.homes.home(email)
        if name in self._core.services.providers:
            return redirect(f"/go/{name}?{urlencode({'txn': run.id})}")
        if name in self._core.services.passwords:
            return await self._entry.again(request, run, "", username=email, connection=name, status=200)
        unknown = "No company of this gateway has addresses like that. Choose another way to sign in."
        return await self._entry.again(request, run, unknown, status=200)

    async def go(self, request: Request) -> Response:
        """Start a trip to an identity provider (GET, so that a plain link can do it), or show the form of a
        directory of passwords."""
        name = request.path_params["connection"]
        if name in self._core.services.passwords:
            run = await self._browser.run(request, query(request).get("txn"))
            return await self._entry.again(request, run, "", connection=name, status=200)
        provider = self._provider(request)
        run = await self._browser.run(request, query(request).get("txn"))
        self._authorize.spend(request)
        try:
            leg = await provider.begin(self._callback_url(provider))
        except IdentityError as failed:
            await self._entry.record(request, run, provider.name, None, failed.detail)
            return await self._entry.again(request, run, failed.public, status=502)
        state = json.loads(leg.secret)["state"]
        parent = run.transaction
        sealed = self._core.services.vault.seal(
            json.dumps({"secret": leg.secret, "run": run.id}), posted.SEAL
        )
        # A row of its own, found by its state: so it is single-use by compare-and-swap, like every run (B2).
        await self._core.store.transactions.add(
            Transaction(
                id_hash=token_hash(state),
                browser_hash=parent.browser_hash,
                client_id=parent.client_id,
                redirect_uri=parent.redirect_uri,
                state=None,
                code_challenge="",
                scopes=(),
                resources=(),
                provider=provider.name,
                provider_state=sealed,
                created_at=self._core.now(),
                expires_at=parent.expires_at,
            )
        )
        if leg.form:
            view = OnwardView(action=leg.url, fields=leg.form, title=provider.title)
            return page(self._core.services.pages.onward(view))
        return redirect(leg.url, 302)

    async def callback(self, request: Request) -> Response:
        """Back from the provider: right browser, right state, right connection, once (checklist B2, D6)."""
        provider = self._provider(request)
        params = query(request)
        if any(len(values) > 1 for values in params.fields.values()):
            raise PageProblem(400, "The provider's answer is not usable", "A parameter is repeated.")
        state = params.get("state") or ""
        leg = await self._core.store.transactions.get(token_hash(state), self._core.now())
        if leg is None or leg.provider != provider.name or not leg.provider_state:
            raise PageProblem(
                400, "This sign-in has ended", _NO_LEG, START_AGAIN, detail="no leg for this state"
            )
        kept = json.loads(self._core.services.vault.open(leg.provider_state, posted.SEAL))
        run = await self._browser.run(request, kept["run"])
        if not await self._core.store.transactions.finish(leg.id_hash, self._core.now()):
            raise PageProblem(400, "This sign-in has ended", _NO_LEG, START_AGAIN, detail="state used twice")
        plain = {name: values[0] for name, values in params.fields.items()}
        if isinstance(provider, PostingProvider):
            plain = kept.get(posted.KEPT, {})  # and nothing from the address
        try:
            identity = await provider.complete(plain, kept["secret"], self._callback_url(provider))
            user = await self._core.services.mapping.admit(identity)
        except IdentityError as refused:
            await self._entry.record(request, run, provider.name, None, refused.detail)
            status = 502 if isinstance(refused, ProviderFailed) else 403
            return await self._entry.again(request, run, refused.public, status=status)
        amr = " ".join(identity.amr)
        return await self._entry.welcome(request, run, user, provider.name, identity, amr=amr)

    async def consent(self, request: Request) -> Response:
        """The person's answer on the consent page."""
        fields = await form(request, self._core.settings.form_max_bytes)
        run = await self._browser.run(request, fields.get("txn"))
        target = await self._authorize.target(run)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return to_resume(run)
        approved = self._consents.judge(fields, run, someone)
        agreed = agrees(fields, run, approved)
        await self._consents.record(request, run, target, someone, approved, agreed)
        if agreed:
            return await self._codes.finish(run, target, someone, approved)
        await self._codes.close(run)
        response = answers.error(self._core.settings.issuer, target, denied())
        self._browser.unbind(response, run)
        return response

    def _provider(self, request: Request) -> RedirectProvider:
        provider = self._core.services.providers.get(request.path_params["connection"])
        if provider is None:
            raise PageProblem(404, "No such sign-in", "This gateway has no such identity provider.")
        return provider

    def _callback_url(self, provider: RedirectProvider) -> str:
        return f"{self._core.settings.issuer}/callback/{provider.name}"


_NO_LEG = "The provider's answer does not belong to a sign-in that is under way."
