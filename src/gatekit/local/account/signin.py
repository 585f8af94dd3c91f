"""One sign-in from the first refusal to tokens: in a browser, or with a code typed on another device."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from msgspec import Struct

from gatekit.errors import ChannelError
from gatekit.local.account.discover import Challenge, Fetch, Issuer, Resource, issuer_of, resource_of
from gatekit.local.account.exchange import DEVICE_GRANT, Denied, device, register, token
from gatekit.local.account.keep import Kept
from gatekit.local.account.loopback import Loopback
from gatekit.model.ports import Clock, Entropy

_log = logging.getLogger("gatekit.local")

Browse = Callable[[str], bool]
"""Show a URL to the person; False if there is no browser. May block."""
Tell = Callable[[str], None]
"""Say something to the person, in the terminal or the client's log."""

SIGN_IN_SECONDS = 300.0
OFFLINE = "offline_access"
_SLOW_DOWN = 5.0
_DEVICE_INTERVAL = 5.0


class Wishes(Struct, frozen=True, kw_only=True):
    """What the command line was told."""

    client_id: str = ""
    client_secret: str = ""
    client_metadata_url: str = ""
    """Where the person has published what describes the bridge as a client; its URL is the client id."""
    scope: str = ""
    port: int = 0
    """Where the browser brings its answer; 0: wherever there is room."""
    device: bool = False
    browser: bool = True
    """Whether there is one on this machine; without, the code on another device is tried first."""


class SignIn:
    """Carries out sign-ins for one URL. ``where`` names what the person has to open, while one runs."""

    def __init__(
        self,
        fetch: Fetch,
        url: str,
        clock: Clock,
        entropy: Entropy,
        browse: Browse,
        tell: Tell,
        wishes: Wishes,
    ) -> None:
        self._fetch = fetch
        self._url = url
        self._clock = clock
        self._entropy = entropy
        self._browse = browse
        self._tell = tell
        self._wishes = wishes
        self.where = ""

    async def run(self, kept: Kept, challenge: Challenge) -> None:
        """Fill ``kept`` with tokens. Raises ``ChannelError``."""
        resource = await resource_of(self._fetch, self._url, challenge)
        issuer = await issuer_of(self._fetch, resource)
        _adopt(kept, issuer, resource, self._wishes)
        scope = self._scope(challenge, resource, issuer, kept)
        try:
            await self._signed_in(kept, issuer, scope)
        except Denied as denied:
            if denied.error not in ("invalid_client", "unauthorized_client") or self._given(kept):
                raise
            # The registration is gone over there (expired, cleaned up): register anew, once.
            _log.info("the registration is not known any more; registering anew issuer=%s", issuer.issuer)
            kept.client_id = kept.client_secret = ""
            await self._signed_in(kept, issuer, scope)
        finally:
            self.where = ""

    def _given(self, kept: Kept) -> bool:
        """Whether the client is one that the command line named: nothing to replace by a registration."""
        return kept.client_id != "" and kept.client_id in (
            self._wishes.client_id,
            self._wishes.client_metadata_url,
        )

    def _scope(self, challenge: Challenge, resource: Resource, issuer: Issuer, kept: Kept) -> str:
        """What the challenge names, else everything the resource lists (MCP, Scope Selection Strategy).

        What was granted already is asked for again, or a step up would lose it. ``offline_access`` is added
        where the issuer lists it (MCP 2026-07-28, Refresh Tokens): some give a refresh token only then. Not
        where nothing else is asked for, or it would take the place of the issuer's usual scopes."""
        asked = self._wishes.scope or challenge.scope or resource.scopes
        granted = kept.scope if challenge.error == "insufficient_scope" else ""
        lasting = asked and not self._wishes.scope and OFFLINE in issuer.scopes_supported
        return " ".join(dict.fromkeys([*granted.split(), *asked.split(), *([OFFLINE] if lasting else ())]))

    async def _signed_in(self, kept: Kept, issuer: Issuer, scope: str) -> None:
        offered = bool(issuer.device_authorization_endpoint) and DEVICE_GRANT in issuer.grant_types_supported
        if self._wishes.device or (offered and not self._wishes.browser):
            if not offered:
                raise ChannelError(f"{issuer.issuer} offers no device sign-in: leave out --device")
            await self._with_device(kept, issuer, scope)
        else:
            await self._with_browser(kept, issuer, scope)

    # -- with a browser here -------------------------------------------------------------------------------

    async def _with_browser(self, kept: Kept, issuer: Issuer, scope: str) -> None:
        state, verifier = self._entropy.token("", 24), self._entropy.token("", 48)
        async with self._listening(kept, state) as loopback:
            if not kept.client_id:
                await register(self._fetch, issuer, kept, loopback.redirect_uri)
            # With a client that was named by hand, the port is whatever is free (RFC 8252 §7.3).
            url = _authorization_url(kept, issuer, loopback.redirect_uri, scope, state, verifier)
            self.where = url
            self._tell(f"Sign in to {self._url}: {url}")
            shown = asyncio.get_running_loop().run_in_executor(None, self._browse, url)
            shown.add_done_callback(_seen)
            try:
                async with asyncio.timeout(SIGN_IN_SECONDS):
                    back = await loopback.answer()
            except TimeoutError:
                raise ChannelError("nobody signed in: make the call again and open the URL in time") from None
        _check(back, issuer)
        form = {
            "grant_type": "authorization_code",
            "code": back["code"],
            "redirect_uri": loopback.redirect_uri,
            "code_verifier": verifier,
        }
        kept.refresh_token, kept.scope = "", scope  # RFC 6749 §5.1: no scope in the answer means this one
        await token(self._fetch, kept, form, self._clock.now())

    def _listening(self, kept: Kept, state: str) -> Loopback:
        if self._wishes.port:
            loopback = Loopback(state, self._wishes.port)
            if not self._given(kept) and kept.redirect_uri != loopback.redirect_uri:
                kept.client_id = ""  # it was registered for another port
            return loopback
        port = urlsplit(kept.redirect_uri).port or 0
        try:
            return Loopback(state, port if kept.client_id else 0)
        except ChannelError:
            if self._given(kept):
                raise
            kept.client_id = ""  # its redirect URI names a port that somebody else has now
            return Loopback(state)

    # -- with a code on another device -----------------------------------------------------------------------

    async def _with_device(self, kept: Kept, issuer: Issuer, scope: str) -> None:
        if not kept.client_id:
            await register(self._fetch, issuer, kept, "http://127.0.0.1/callback")
        begun = await device(self._fetch, issuer, kept, scope)
        complete = begun.get("verification_uri_complete")
        self.where = complete if isinstance(complete, str) else begun["verification_uri"]
        there, code = begun["verification_uri"], begun["user_code"]
        self._tell(f"Sign in to {self._url}: open {there} and enter the code {code}")
        pause = _number(begun.get("interval"), _DEVICE_INTERVAL)
        deadline = self._clock.monotonic() + _number(begun.get("expires_in"), SIGN_IN_SECONDS)
        form = {"grant_type": DEVICE_GRANT, "device_code": begun["device_code"]}
        kept.refresh_token, kept.scope = "", scope
        while self._clock.monotonic() < deadline:
            await asyncio.sleep(pause)
            try:
                await token(self._fetch, kept, form, self._clock.now())
            except Denied as denied:  # RFC 8628 §3.5
                if denied.error == "slow_down":
                    pause += _SLOW_DOWN
                elif denied.error != "authorization_pending":
                    raise
            else:
                return
        raise ChannelError("nobody signed in: the code has expired; make the call again")


def _adopt(kept: Kept, issuer: Issuer, resource: Resource, wishes: Wishes) -> None:
    if kept.issuer != issuer.issuer:
        if wishes.client_id and kept.client_id == wishes.client_id:
            # MCP 2026-07-28, Authorization Server Binding: its secret is for the one it signed in at.
            raise ChannelError(
                f"the server now names {issuer.issuer} for signing in, and the client {wishes.client_id} "
                f"belongs to {kept.issuer}: if that is right, sign out with 'gatekit bridge logout' first"
            )
        kept.client_id = kept.client_secret = kept.redirect_uri = kept.scope = ""
        kept.access_token = kept.refresh_token = ""
    kept.issuer, kept.resource = issuer.issuer, resource.resource
    kept.token_endpoint, kept.revocation_endpoint = issuer.token_endpoint, issuer.revocation_endpoint
    if wishes.client_id:
        kept.client_id, kept.client_secret = wishes.client_id, wishes.client_secret
        kept.auth_method = "client_secret_basic" if wishes.client_secret else "none"
    elif wishes.client_metadata_url and issuer.client_id_metadata_document_supported:
        # MCP 2025-11-25, Client Registration Approaches: before registering, after a client known over there.
        kept.client_id, kept.client_secret, kept.redirect_uri = wishes.client_metadata_url, "", ""
        kept.auth_method = "none"


def _authorization_url(
    kept: Kept, issuer: Issuer, redirect_uri: str, scope: str, state: str, verifier: str
) -> str:
    endpoint = issuer.authorization_endpoint
    if urlsplit(endpoint).scheme not in ("https", "http"):
        # It goes to the person's browser, which opens more kinds of URL than is good (CVE-2025-6514).
        raise ChannelError(f"{issuer.issuer} names a page to sign in at that is no web page")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = {
        "response_type": "code",
        "client_id": kept.client_id,
        "redirect_uri": redirect_uri,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "state": state,
        "resource": kept.resource,
        **({"scope": scope} if scope else {}),
    }
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"


def _check(back: dict[str, str], issuer: Issuer) -> None:
    """RFC 9207 §2.4: an answer of another authorization server than the one that was asked is none."""
    named = "iss" in back or issuer.authorization_response_iss_parameter_supported
    if named and back.get("iss") != issuer.issuer:
        raise ChannelError(f"the sign-in was answered by {back.get('iss')!r}, not by {issuer.issuer!r}")
    if "error" in back or "code" not in back:
        said = ": ".join(back[key] for key in ("error", "error_description") if back.get(key))
        raise ChannelError(f"the sign-in was refused: {said or 'no code came back'}")


def _number(value: object, usual: float) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else usual


def _seen(shown: asyncio.Future[bool]) -> None:
    if not shown.cancelled():
        shown.exception()  # a browser that cannot be opened: the URL was told all the same
