"""What a browser carries between the application's host and ours.

A *ticket* travels once, in a redirect from our host to the application's; a *pass* is a cookie there. Both
are sealed, name one application, and point at the browser session here: when that ends, every pass of it is
worth nothing from the next request on (checklist B7). Neither is good for anything at our own host, so that
an application that reads its cookies learns nothing it could use here.
"""

from __future__ import annotations

import json
from hashlib import sha256
from hmac import compare_digest

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import VaultError
from gatekit.model.people import BrowserSession
from gatekit.model.target import Target
from gatekit.oauth.core import Core
from gatekit.platform.segments import encode_segment

TICKET_LIFETIME = 60
WAY_LIFETIME = 600
"""Seconds that a browser may take to sign in."""
MAX_SEALED = 16 * 1024
"""Characters of a ticket or pass; a path of 8 KiB fits."""


class Sealed(Struct, frozen=True, kw_only=True):
    """What a ticket or pass says."""

    target: str
    session: str
    """``BrowserSession.token_hash``."""
    expires_at: int
    ident: str
    way: str = ""
    """Of a ticket: which browser it is for."""
    to: str = ""
    """Of a ticket: where the browser wanted to go."""


class Passes:
    """Seals and reads them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- the way there -----------------------------------------------------------------------------------

    def set_out(self, request: Request, response: Response, target: Target) -> str:
        """Give the browser a cookie at the application's host; return what stands for it in URLs. Only the
        browser that set out can arrive: nobody is signed in with somebody else's ticket. It keeps the one it
        has, because several tabs may be on their way at once."""
        value = request.cookies.get(self._way_cookie(target)) or self._core.services.entropy.token("gk_fw_")
        self._set(response, self._way_cookie(target), value, WAY_LIFETIME, target)
        return way_of(value)

    def ticket(self, target: Target, session: BrowserSession, way: str, to: str) -> str:
        """For a person who is signed in here and may use ``target``."""
        return self._seal(
            "forward-ticket",
            target,
            session,
            self._core.now() + TICKET_LIFETIME,
            way=way,
            to=to,
        )

    async def arrive(self, request: Request, target: Target, ticket: str) -> Sealed | None:
        """The ticket if it is good here, now, in this browser, and for the first time."""
        found = self._open("forward-ticket", ticket, target)
        cookie = request.cookies.get(self._way_cookie(target), "")
        # A browser that never set out has no cookie, and nothing must not match what stands for nothing.
        if found is None or not cookie or not compare_digest(way_of(cookie), found.way):
            return None
        replays = self._core.store.replays
        first = await replays.first("forward-ticket", found.ident, found.expires_at, self._core.now())
        return found if first else None

    # -- the pass ----------------------------------------------------------------------------------------

    def give(self, response: Response, target: Target, session: BrowserSession) -> None:
        """A new pass. What says that the browser is on its way ends by itself: another tab may be, too."""
        value = self._seal("forward-pass", target, session, session.expires_at)
        self._set(response, self._pass_cookie(target), value, session.expires_at - self._core.now(), target)

    async def session(self, request: Request, target: Target) -> BrowserSession | None:
        """The browser session behind the pass of this request, if both are still good."""
        value = request.cookies.get(self._pass_cookie(target), "")
        found = self._open("forward-pass", value, target)
        if found is None:
            return None
        return await self._core.store.browser_sessions.get(found.session, self._core.now())

    async def session_of(self, ticket: Sealed) -> BrowserSession | None:
        return await self._core.store.browser_sessions.get(ticket.session, self._core.now())

    # -- parts -------------------------------------------------------------------------------------------

    def _seal(
        self, purpose: str, target: Target, session: BrowserSession, until: int, way: str = "", to: str = ""
    ) -> str:
        ident = self._core.services.entropy.token("", 16)
        facts = {"a": target.url, "t": target.name, "s": session.token_hash, "e": until, "i": ident}
        plain = json.dumps({**facts, "w": way, "u": to}, separators=(",", ":"))
        return self._core.services.vault.seal(plain, purpose)

    def _open(self, purpose: str, value: str, target: Target) -> Sealed | None:
        if not value or len(value) > MAX_SEALED:
            return None
        try:
            facts = json.loads(self._core.services.vault.open(value, purpose))
        except VaultError:
            return None
        if (facts["a"], facts["t"]) != (target.url, target.name) or facts["e"] <= self._core.now():
            return None
        return Sealed(
            target=facts["t"],
            session=facts["s"],
            expires_at=facts["e"],
            ident=facts["i"],
            way=facts["w"],
            to=facts["u"],
        )

    def _way_cookie(self, target: Target) -> str:
        return f"{_prefix(target)}gk_way_{target.name}"

    def _pass_cookie(self, target: Target) -> str:
        return f"{_prefix(target)}gk_pass_{target.name}"

    def _set(self, response: Response, name: str, value: str, max_age: int, target: Target) -> None:
        response.set_cookie(
            name, value, max_age, path="/", secure=target.secure, httponly=True, samesite="lax"
        )


def way_of(cookie: str) -> str:
    """What stands for the cookie of a way in URLs."""
    return encode_segment(sha256(cookie.encode()).digest())


def _prefix(target: Target) -> str:
    # RFC 6265bis §4.1.3.2: __Host- needs TLS; plain names are for http on loopback only.
    return "__Host-" if target.secure else ""
