"""Signing in with a passkey: one form beside the others on the sign-in page.

The challenge is not stored but made from the run, the browser's cookie for it and a nonce on the page, with a
key that only we have; each nonce counts once (checklist U4). So an answer is good for one run in one browser.
"""

from __future__ import annotations

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import SignInRefused
from gatekit.identity.passkeys import REFUSED, RelyingParty, credential_of
from gatekit.model.factors import HARDWARE_KEY, MFA, SOFTWARE_KEY
from gatekit.model.people import LOCAL, User
from gatekit.oauth.authorize import Authorize
from gatekit.oauth.browser import Browser, Run
from gatekit.oauth.core import Core
from gatekit.oauth.entry import Entry
from gatekit.oauth.http import form, page_route
from gatekit.oauth.passkey_form import PATH, PURPOSE, usable


class _Proven(Struct, frozen=True):
    user: User
    amr: str


class PasskeySignIn:
    """POST /login/passkey."""

    def __init__(self, core: Core, browser: Browser, authorize: Authorize, entry: Entry) -> None:
        self._core = core
        self._browser = browser
        self._authorize = authorize
        self._entry = entry
        self._party = RelyingParty(core.settings.issuer)

    def routes(self) -> list[Route]:
        return [page_route(PATH, self.sign_in, ["POST"], self._core.services.pages)]

    async def sign_in(self, request: Request) -> Response:
        """Fields ``txn``, ``nonce``, ``credential``. The signed challenge makes the form this run's."""
        fields = await form(request, self._core.settings.form_max_bytes)
        run = await self._browser.run(request, fields.get("txn"))
        self._authorize.spend(request)
        try:
            proven = await self._proven(run, fields.get("nonce") or "", fields.get("credential") or "")
        except SignInRefused as refused:
            await self._entry.record(request, run, LOCAL, None, refused.detail)
            return await self._entry.again(request, run, refused.public)
        return await self._entry.welcome(request, run, proven.user, LOCAL, amr=proven.amr)

    async def _proven(self, run: Run, nonce: str, answer: str) -> _Proven:
        """Whose passkey it is. Raises ``SignInRefused``, with one public text whatever was wrong (U1)."""
        core = self._core
        if not usable(core, self._party):
            raise SignInRefused(REFUSED, "passkeys are not possible here")
        challenge = self._browser.csrf(run, PURPOSE, nonce)
        first = await core.store.replays.first(PURPOSE, challenge, run.transaction.expires_at, core.now())
        if not first:
            raise SignInRefused(REFUSED, "the passkey's challenge was used before")
        passkey = await core.store.passkeys.get(credential_of(answer))
        user = await core.store.users.get(passkey.user_id) if passkey else None
        if passkey is None or user is None or user.connection != LOCAL:
            raise SignInRefused(REFUSED, "the passkey is not known")
        shown = await self._party.shown(answer, challenge, passkey.public_key, user.id)
        if not await core.store.passkeys.used(passkey.id, shown.count, core.now()):
            raise SignInRefused(REFUSED, f"a passkey of {user.username} counts backwards: is there a copy?")
        return _Proven(user, f"{SOFTWARE_KEY if shown.synced else HARDWARE_KEY} {MFA}")
