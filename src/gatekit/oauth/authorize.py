"""The authorization endpoint and the one dispatcher that decides: login? consent? code?

``advance`` is where every step of a login comes back to. It keeps no step in mind: it looks at who is signed
in, what the policy says now and what was agreed before, and shows the next page or finishes.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    AccessDenied,
    ConsentRequired,
    InvalidRequest,
    LoginRequired,
    OAuthError,
    PageProblem,
    UnmetAuthenticationRequirements,
)
from gatekit.identity.ports import PasswordProvider, RedirectProvider
from gatekit.model.access import Inactive
from gatekit.model.audit import DoorRefused
from gatekit.model.factors import acr_of, reaches
from gatekit.model.oauth import Transaction
from gatekit.model.people import LOCAL
from gatekit.oauth import answers
from gatekit.oauth.bounds import granted_to
from gatekit.oauth.browser import Browser, Run, SignedIn
from gatekit.oauth.code import Codes
from gatekit.oauth.consent import Consents
from gatekit.oauth.core import Core
from gatekit.oauth.documents import Documents
from gatekit.oauth.http import Form, address, form, page, place, query, redirect, request_id
from gatekit.oauth.pages import ProviderButton, SignInView
from gatekit.oauth.passkey_form import passkey_form
from gatekit.oauth.pushed import Opened, Pushed
from gatekit.oauth.readmission import Readmission
from gatekit.oauth.relying import Relying, sign_in_only
from gatekit.oauth.request import AuthorizationRequest, Target, read_request, read_target
from gatekit.platform.limits import KeyedBuckets
from gatekit.platform.vault import token_hash

ACR = "acr:"
"""How they stand in ``Transaction.prompt``."""


class Authorize:
    """GET and POST /authorize, GET /continue, and the dispatcher."""

    def __init__(
        self,
        core: Core,
        browser: Browser,
        consents: Consents,
        codes: Codes,
        documents: Documents,
        pushed: Pushed,
    ) -> None:
        self._core = core
        self._documents = documents
        self._browser = browser
        self._consents = consents
        self._codes = codes
        self._pushed = pushed
        self._relying = Relying(core)
        self._readmission = Readmission(core)
        self._budget = KeyedBuckets(core.settings.authorize_per_address, core.services.clock)

    async def authorize(self, request: Request) -> Response:
        """RFC 6749 §4.1.1. GET is repeatable: it changes nothing but that a page may be waiting."""
        self.spend(request)
        params = await self._params(request)
        await self._documents.for_page(request, params.get("client_id"))
        opened = await self._pushed.opened(params)
        params = opened.form if opened else params
        await self._readmission.consider(request, params)
        target = await read_target(params, self._core.store.clients)
        try:
            if opened is None:
                self._pushed.check_required(target.client)
            wanted = read_request(params, target, self._core.resources)
            return await self.advance(request, await self._start(target, wanted, opened), target)
        except OAuthError as failure:
            return answers.early_error(self._core.settings.issuer, target, failure)

    async def resume(self, request: Request) -> Response:
        """GET /continue?txn=…: where sign-in pages send the browser when they are done.

        ``&switch=1`` asks for another sign-in in the same run: it takes something back and gives nothing.
        """
        fields = query(request)
        run = await self._browser.run(request, fields.get("txn"))
        if fields.get("switch"):
            prompt = {*run.transaction.prompt.split(), "login"}
            run.transaction = msgspec.structs.replace(
                run.transaction, prompt=" ".join(sorted(prompt)), user_id=None
            )
        target = await self.target(run)
        try:
            return await self.advance(request, run, target)
        except OAuthError as failure:
            return answers.early_error(self._core.settings.issuer, target, failure)

    async def advance(self, request: Request, run: Run, target: Target) -> Response:
        """The next page of a run, or its end. Raises ``OAuthError`` to be carried to the client."""
        someone = await self._browser.signed_in(request)
        prompt = run.transaction.prompt.split()
        if not isinstance(someone, SignedIn) or self._must_sign_in(run, prompt, someone):
            if "none" in prompt:
                raise LoginRequired("nobody is signed in")
            refused = "This account may not use this gateway." if isinstance(someone, Inactive) else ""
            return await self.sign_in_page(request, run, target.client.name, error=refused)
        if not _reached(run, someone):  # and this was the sign-in for it
            raise UnmetAuthenticationRequirements("this person cannot sign in as it was asked for")
        offered = self._consents.offered(run.transaction, someone.person)
        alone = sign_in_only(run.transaction.scopes)
        if not offered and not alone:
            await self._record_refusal(request, run, target, someone)
            raise AccessDenied("this account may not use what the application asked for")
        choosing = not run.transaction.resources and not alone
        ask = choosing or "consent" in prompt or "select_account" in prompt
        if not ask and await self._consents.remembered(run.transaction, target, someone.person, offered):
            return await self._codes.finish(run, target, someone, offered)
        if "none" in prompt:
            raise ConsentRequired("the person has not agreed yet")
        return await self._consents.page(request, run, target, someone, offered, self._switch_url(run))

    async def target(self, run: Run) -> Target:
        """Whom the answer of a stored run goes to; raise ``PageProblem`` if the client is gone."""
        transaction = run.transaction
        fields = {"client_id": (transaction.client_id,), "redirect_uri": (transaction.redirect_uri,)}
        found = await read_target(Form(fields), self._core.store.clients)
        return Target(found.client, found.redirect_uri, transaction.state)

    async def sign_in_for(self, request: Request, path: str) -> Response:
        """The sign-in page, which leads to our own page at ``path`` instead of a client."""
        self.spend(request)  # it writes a row for whoever asks
        return await self.sign_in_page(request, self.new_run(path), "")

    def new_run(self, path: str) -> Run:
        """A run that leads to our own page at ``path``, not stored yet."""
        return self._new_run(
            client_id="", redirect_uri=path, state=None, code_challenge="", scopes=(), resources=()
        )

    async def sign_in_page(
        self,
        request: Request,
        run: Run,
        client_name: str,
        *,
        error: str = "",
        username: str = "",
        connection: str = "",
        status: int = 200,
    ) -> Response:
        """Store the run, bind it to this browser and show the ways to sign in; ``connection``: whose password
        form to show, if it is not the usual one."""
        fresh = not run.stored
        await self._browser.keep(run)
        services = self._core.services
        usual = services.passwords.get(LOCAL) or next(iter(services.passwords.values()), None)
        shown = services.passwords.get(connection) or usual
        others: list[PasswordProvider | RedirectProvider] = [*services.passwords.values()]
        others = [provider for provider in others if provider is not shown] + [*services.providers.values()]
        view = SignInView(
            action="/login",
            csrf=self._browser.csrf(run, "login"),
            txn=run.id,
            client_name=client_name,
            password_form=shown is not None,
            connection=shown.name if shown else "",
            connection_title=shown.title if shown else "",
            home="/login/home" if services.homes.has_homes else "",
            providers=tuple(
                ProviderButton(provider.title, f"/go/{provider.name}?{urlencode({'txn': run.id})}")
                for provider in others
            ),
            passkey=passkey_form(self._core, self._browser, run),
            error=error,
            username=username,
        )
        response = page(services.pages.sign_in(view), status)
        if fresh:
            self._browser.bind(request, response, run)
        return response

    def spend(self, request: Request) -> None:
        """For whatever writes a row for somebody who is not signed in. Raises ``PageProblem``."""
        if self._budget.take(place(request)):
            raise PageProblem(429, "Too many sign-ins at once", "Please wait a moment and try again.")

    async def _params(self, request: Request) -> Form:
        if request.method != "POST":
            return query(request)
        # OpenID Connect Core §3.1.2.1: POST is the same request in a body.
        try:
            return await form(request, self._core.settings.form_max_bytes)
        except InvalidRequest as bad:
            raise PageProblem(400, "The link is not usable", bad.description, detail=bad.detail) from bad

    async def _start(self, target: Target, wanted: AuthorizationRequest, opened: Opened | None) -> Run:
        client = target.client
        scopes = granted_to(client, self._relying.scopes(client, wanted))
        resources = wanted.resources
        if not resources and not sign_in_only(scopes):
            resources = self._core.resources.limit(client.servers)
        run = self._new_run(
            client_id=client.id,
            redirect_uri=target.redirect_uri,
            state=target.state,
            code_challenge=wanted.code_challenge,
            scopes=scopes,
            resources=resources,
        )
        prompt = set(wanted.prompt)
        if wanted.max_age is not None:
            prompt.add(f"max_age:{wanted.max_age}")
        prompt |= {ACR + name for name in wanted.acr}
        if hinted := await self._relying.hinted(target.client, wanted):
            prompt.add(f"person:{hinted}")
        run.transaction = msgspec.structs.replace(
            run.transaction,
            prompt=" ".join(sorted(prompt)),
            pushed_hash=opened.uri_hash if opened else "",
            jkt=wanted.jkt,
            nonce=wanted.nonce,
        )
        return run

    def _new_run(
        self,
        *,
        client_id: str,
        redirect_uri: str,
        state: str | None,
        code_challenge: str,
        scopes: tuple[str, ...],
        resources: tuple[str, ...],
    ) -> Run:
        run_id, cookie = self._browser.new_run_id()
        now = self._core.now()
        transaction = Transaction(
            id_hash=token_hash(run_id),
            browser_hash=token_hash(cookie),
            client_id=client_id,
            redirect_uri=redirect_uri,
            state=state,
            code_challenge=code_challenge,
            scopes=scopes,
            resources=resources,
            created_at=now,
            expires_at=now + self._core.settings.transaction_lifetime,
        )
        return Run(id=run_id, cookie=cookie, transaction=transaction)

    def _must_sign_in(self, run: Run, prompt: list[str], someone: SignedIn) -> bool:
        """``id_token_hint``, ``prompt=login``, ``max_age`` and ``acr_values`` (OpenID Connect Core §3.1.2.1);
        all but the first unless it happened in this run."""
        user_id = someone.person.user.id
        if any(item.startswith("person:") and item[7:] != user_id for item in prompt):
            return True  # somebody else is meant
        if run.transaction.user_id == user_id:
            return False
        max_age = next((int(item[8:]) for item in prompt if item.startswith("max_age:")), None)
        age = self._core.now() - someone.session.auth_time
        too_old = max_age is not None and (age > max_age or not max_age)  # 0 is "now", as ``login`` is
        return "login" in prompt or too_old or not _reached(run, someone)

    async def _record_refusal(self, request: Request, run: Run, target: Target, someone: SignedIn) -> None:
        wanted = run.transaction.resources
        asked = ", ".join(wanted) or "anything"
        await self._core.services.audit.write(
            DoorRefused(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=someone.person.user.id,
                principal=someone.person.user.username,
                client_id=target.client.id,
                client=target.client.name,
                address=address(request),
                server=", ".join(self._core.resources.names(wanted)),
                status=403,
                reason=f"authorization asked for what this person may not use: {asked}",
            )
        )

    def _switch_url(self, run: Run) -> str:
        """The same request again, asking for another sign-in."""
        transaction = run.transaction
        if transaction.pushed_hash:  # its name is not ours to show, and may have expired
            return f"/continue?{urlencode({'txn': run.id, 'switch': '1'})}"
        params = [
            ("response_type", "code"),
            ("client_id", transaction.client_id),
            ("redirect_uri", transaction.redirect_uri),
            ("code_challenge", transaction.code_challenge),
            ("code_challenge_method", "S256"),
            ("scope", " ".join(transaction.scopes)),
            ("prompt", "login"),
            *((("state", transaction.state),) if transaction.state is not None else ()),
            *((("dpop_jkt", transaction.jkt),) if transaction.jkt else ()),
            *((("nonce", transaction.nonce),) if transaction.nonce else ()),
            *((("acr_values", " ".join(asked_classes(run))),) if asked_classes(run) else ()),
            *(("resource", resource) for resource in transaction.resources),
        ]
        return f"/authorize?{urlencode(params)}"


def asked_classes(run: Run) -> tuple[str, ...]:
    """Of sign-in, one of which the client wants (``acr_values``); none: any will do."""
    return tuple(item[len(ACR) :] for item in run.transaction.prompt.split() if item.startswith(ACR))


def _reached(run: Run, someone: SignedIn) -> bool:
    asked = asked_classes(run)
    acr = acr_of(someone.session.amr, someone.session.connection)
    return not asked or reaches(acr, asked)


def to_resume(run: Run) -> Response:
    """Send the browser back to the dispatcher."""
    return redirect(f"/continue?{urlencode({'txn': run.id})}")
