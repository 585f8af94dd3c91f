"""The page on which a person lets one client act for them, and what is remembered of it.

Bound to the browser (run cookie), to the person and to what the page showed (CSRF token over all of it), and
asked anew whenever person, client, redirect URI, scopes or resources differ (checklist B1, B3, B8).
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import AccessDenied, PageProblem
from gatekit.identity.standing import Upright
from gatekit.model.audit import ConsentGiven
from gatekit.model.oauth import Consent, Transaction
from gatekit.model.scopes import may_call, read_only
from gatekit.oauth.browser import START_AGAIN, Browser, Run, SignedIn
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, address, page, request_id
from gatekit.oauth.pages import ConsentView, ServerChoice
from gatekit.oauth.redirects import display_host, is_loopback, match
from gatekit.oauth.relying import sign_in_only
from gatekit.oauth.request import Target


class Consents:
    """Shows the page, judges what comes back, remembers."""

    def __init__(self, core: Core, browser: Browser) -> None:
        self._core = core
        self._browser = browser

    def offered(self, transaction: Transaction, person: Upright) -> tuple[str, ...]:
        """What the client asked for and this person may use now; all of that if the client named nothing."""
        if sign_in_only(transaction.scopes):
            return ()
        rights = self._core.services.policy().rights(person.principal)
        return self._core.resources.offered(transaction.resources, rights)

    async def remembered(
        self, transaction: Transaction, target: Target, person: Upright, offered: tuple[str, ...]
    ) -> bool:
        """Whether this person agreed to exactly this before."""
        found = await self._core.store.transactions.consent(
            person.user.id,
            target.client.id,
            registered(target),
            transaction.scopes,
            tuple(sorted(offered)),
        )
        return found is not None

    async def page(
        self,
        request: Request,
        run: Run,
        target: Target,
        someone: SignedIn,
        offered: tuple[str, ...],
        switch_url: str,
    ) -> Response:
        """Note whom the page is for, and show it."""
        user = someone.person.user
        fresh = not run.stored
        run.transaction = msgspec.structs.replace(run.transaction, user_id=user.id)
        await self._browser.keep(run)
        resources = self._core.resources
        view = ConsentView(
            action="/consent",
            csrf=self._browser.csrf(run, "consent", user.id, *offered),
            txn=run.id,
            username=user.username,
            client_name=target.client.name,
            client_id=target.client.id,
            client_uri_host=urlsplit(target.client.client_uri).netloc,
            document_host=urlsplit(target.client.id).netloc if target.client.source == "document" else "",
            redirect_host=display_host(target.redirect_uri),
            loopback=is_loopback(target.redirect_uri),
            resources=tuple(
                ServerChoice(resource=url, name=name, title=title)
                for url, name, title in resources.shown(offered)
            ),
            choosing=not run.transaction.resources and not sign_in_only(run.transaction.scopes),
            learns=learned(run.transaction.scopes),
            scopes=run.transaction.scopes,
            may_call=may_call(run.transaction.scopes),
            elsewhere=resources.elsewhere(offered) is not None,
            switch_url=switch_url,
        )
        response = page(self._core.services.pages.consent(view))
        if fresh:
            self._browser.bind(request, response, run)
        return response

    def judge(self, form: Form, run: Run, someone: SignedIn) -> tuple[str, ...]:
        """The resources that the form approves; none if it denies. Raises ``PageProblem``.

        The person may give less than was asked for; then the run goes on with the scopes that are left.
        """
        user = someone.person.user
        if run.transaction.user_id != user.id:
            raise PageProblem(
                403,
                "Somebody else is signed in now",
                "The page was shown to another account.",
                START_AGAIN,
                detail="account switched during consent",  # checklist B8
            )
        offered = self.offered(run.transaction, someone.person)
        self._browser.check_csrf(run, form.get("csrf"), "consent", user.id, *offered)
        if form.get("decision") != "approve":
            return ()
        if form.get("read_only") and may_call(run.transaction.scopes):
            run.transaction = msgspec.structs.replace(
                run.transaction, scopes=read_only(run.transaction.scopes)
            )
        if run.transaction.resources:
            return offered
        chosen = form.all("resource")
        return tuple(resource for resource in offered if resource in chosen)

    async def record(
        self,
        request: Request,
        run: Run,
        target: Target,
        someone: SignedIn,
        approved: tuple[str, ...],
        agreed: bool,
    ) -> None:
        """Audit the answer first, then remember an approval."""
        user, client = someone.person.user, target.client
        await self._core.services.audit.write(
            ConsentGiven(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=user.id,
                principal=user.username,
                client_id=client.id,
                client=client.name,
                address=address(request),
                decision="approve" if agreed else "deny",
                resources=approved or run.transaction.resources,
                scopes=run.transaction.scopes,
                redirect_host=display_host(target.redirect_uri),
            )
        )
        if agreed and (run.transaction.resources or sign_in_only(run.transaction.scopes)):
            await self._core.store.transactions.remember_consent(
                Consent(
                    user_id=user.id,
                    client_id=client.id,
                    redirect_uri=registered(target),
                    scopes=run.transaction.scopes,
                    resources=tuple(sorted(approved)),
                    created_at=self._core.now(),
                )
            )


def agrees(form: Form, run: Run, approved: tuple[str, ...]) -> bool:
    """Whether a form that was judged says yes to anything: to resources, or to being known."""
    return bool(approved) or (form.get("decision") == "approve" and sign_in_only(run.transaction.scopes))


def learned(scopes: tuple[str, ...]) -> tuple[str, ...]:
    """What a relying party learns about the person, in words."""
    return tuple(_LEARNED[scope] for scope in scopes if scope in _LEARNED)


_LEARNED = {
    "openid": "that it is you",
    "profile": "your name",
    "email": "your e-mail address",
    "groups": "your groups",
}


def denied() -> AccessDenied:
    """What the client hears when the person says no."""
    return AccessDenied("the person did not agree")


def registered(target: Target) -> str:
    """The registered redirect URI that the used one means: a desktop client's port changes at each start."""
    return match(target.client.redirect_uris, target.redirect_uri) or target.redirect_uri
