"""The pages to which a person brings a device's code (RFC 8628 §3.3): sign in, enter it, agree.

Nothing is approved by a link: the code in ``verification_uri_complete`` only fills the field, and what may be
done in whose name is always asked (RFC 8628 §5.4, checklist U3).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import PageProblem
from gatekit.model.audit import ConsentGiven
from gatekit.model.oauth import Client, DeviceAuthorization, Grant
from gatekit.model.scopes import may_call, read_only
from gatekit.oauth.authorize import Authorize
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.core import Core
from gatekit.oauth.departures import stays
from gatekit.oauth.device import PAGE, as_shown, letters_of, user_code_hash
from gatekit.oauth.http import Form, address, form, page, place, query, redirect, request_id
from gatekit.oauth.pages import DeviceConsentView, DeviceView, DoneView, ServerChoice
from gatekit.platform.limits import KeyedBuckets

DECIDE = "/device/decide"
_SHOWN = 20
_UNKNOWN = "No device waits with this code. It may have expired; start again on the device."


class Verification:
    """GET and POST /device, POST /device/decide."""

    def __init__(self, core: Core, browser: Browser, authorize: Authorize) -> None:
        self._core = core
        self._browser = browser
        self._authorize = authorize
        self._attempts = KeyedBuckets(core.settings.device_attempts, core.services.clock)

    async def enter(self, request: Request) -> Response:
        """The field for the code; the sign-in page before it, if nobody is signed in."""
        someone = await self._browser.signed_in(request)
        code = (query(request).get("user_code") or "")[:_SHOWN]
        if not isinstance(someone, SignedIn):
            # Only letters of codes: where a sign-in leads to is never the browser's to say (checklist D8).
            back = f"{PAGE}?user_code={letters_of(code)}" if code else PAGE
            return await self._authorize.sign_in_for(request, back)
        return self._form(request, someone, code, "")

    async def entered(self, request: Request) -> Response:
        """A code: whose device is it, and what does it want?"""
        fields = await form(request, self._core.settings.form_max_bytes)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return redirect(PAGE)
        self._browser.check_session_csrf(request, fields.get("csrf"), "device")
        self._spend(request, someone)
        code = (fields.get("user_code") or "")[:_SHOWN]
        found = await self._find(code)
        if found is None:
            return self._form(request, someone, code, _UNKNOWN, 400)
        run, client = found
        offered = self._offered(run, someone)
        if not offered:
            raise PageProblem(
                403,
                "Nothing here is open to you",
                "This account may not use what the device asked for.",
                "Ask your administrator.",
            )
        resources = self._core.resources
        view = DeviceConsentView(
            action=DECIDE,
            csrf=self._browser.session_csrf(request, "decide", run.device_hash, *offered),
            username=someone.person.user.username,
            user_code=as_shown(code),
            client_name=client.name,
            client_id=client.id,
            address=run.address,
            resources=tuple(
                ServerChoice(resource=url, name=name, title=title)
                for url, name, title in resources.shown(offered)
            ),
            choosing=not run.resources,
            scopes=run.scopes,
            may_call=may_call(run.scopes),
            elsewhere=resources.elsewhere(offered) is not None,
        )
        return page(self._core.services.pages.device_consent(view))

    async def decide(self, request: Request) -> Response:
        """The person's answer."""
        fields = await form(request, self._core.settings.form_max_bytes)
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            return redirect(PAGE)
        self._spend(request, someone)
        found = await self._find(fields.get("user_code") or "")
        if found is None:
            raise PageProblem(400, "This code has ended", _UNKNOWN)
        run, client = found
        offered = self._offered(run, someone)
        self._browser.check_session_csrf(request, fields.get("csrf"), "decide", run.device_hash, *offered)
        approved = self._approved(fields, run, offered)
        if fields.get("read_only") and may_call(run.scopes):
            run = replace(run, scopes=read_only(run.scopes))
        await self._record(request, someone, run, client, approved)
        grant = self._grant(run, someone, approved) if approved else None
        if not await self._core.store.device_authorizations.decide(run.device_hash, self._core.now(), grant):
            raise PageProblem(400, "This code has ended", "It was used already, or it has expired.")
        if grant is not None:
            await stays(self._core, someone.session, grant)
        if grant is None:
            done = DoneView(title="Denied", message="The device gets nothing. You can close this page.")
        else:
            done = DoneView(
                title="Connected", message="Go back to your device: it goes on by itself in a few seconds."
            )
        return page(self._core.services.pages.done(done))

    # -- parts -----------------------------------------------------------------------------------------------

    def _form(
        self, request: Request, someone: SignedIn, code: str, error: str, status: int = 200
    ) -> Response:
        view = DeviceView(
            action=PAGE,
            csrf=self._browser.session_csrf(request, "device"),
            username=someone.person.user.username,
            user_code=as_shown(code),
            error=error,
        )
        return page(self._core.services.pages.device(view), status)

    def _spend(self, request: Request, someone: SignedIn) -> None:
        keys = (f"person {someone.person.user.id}", f"address {place(request)}")
        if any([self._attempts.take(key) for key in keys]):
            raise PageProblem(429, "Too many codes", "Please wait a minute and try again.")

    async def _find(self, code: str) -> tuple[DeviceAuthorization, Client] | None:
        store = self._core.store
        run = await store.device_authorizations.pending(user_code_hash(self._core, code), self._core.now())
        client = await store.clients.get(run.client_id) if run else None
        if run is None or client is None or client.disabled:
            return None
        return run, client

    def _offered(self, run: DeviceAuthorization, someone: SignedIn) -> tuple[str, ...]:
        rights = self._core.services.policy().rights(someone.person.principal)
        return self._core.resources.offered(run.resources, rights)

    def _approved(self, fields: Form, run: DeviceAuthorization, offered: Sequence[str]) -> tuple[str, ...]:
        if fields.get("decision") != "approve":
            return ()
        chosen = fields.all("resource") if not run.resources else offered
        return tuple(resource for resource in offered if resource in chosen)

    def _grant(self, run: DeviceAuthorization, someone: SignedIn, approved: tuple[str, ...]) -> Grant:
        now = self._core.now()
        return Grant(
            id=self._core.services.entropy.ident("gkg_"),
            user_id=someone.person.user.id,
            client_id=run.client_id,
            resources=approved,
            scopes=run.scopes,
            auth_time=someone.session.auth_time,
            amr=someone.session.amr,
            created_at=now,
            expires_at=now + self._core.settings.grant_lifetime,
            connection=someone.session.connection,
        )

    async def _record(
        self,
        request: Request,
        someone: SignedIn,
        run: DeviceAuthorization,
        client: Client,
        approved: tuple[str, ...],
    ) -> None:
        user = someone.person.user
        await self._core.services.audit.write(
            ConsentGiven(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=user.id,
                principal=user.username,
                client_id=client.id,
                client=client.name,
                address=address(request),
                decision="approve" if approved else "deny",
                resources=approved or run.resources,
                scopes=run.scopes,
                redirect_host=f"device at {run.address}",
            )
        )
