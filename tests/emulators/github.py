"""GitHub as far as sign-in needs it, with the parts that the npm emulator lacks.

It checks PKCE, pages its lists with Link headers, answers OAuth errors with HTTP 200, knows unverified
addresses, teams, scopes and renamed people, and can be told to misbehave (``Trouble``).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

CLIENT_ID = "Iv1.gatekit"
CLIENT_SECRET = "gh-client-secret-value"


@dataclass
class Account:
    """One person at GitHub."""

    id: int
    login: str
    name: str | None = None
    emails: list[dict[str, Any]] = field(default_factory=list)
    orgs: list[str] = field(default_factory=list)
    teams: list[tuple[str, str]] = field(default_factory=list)
    """(organisation, slug)."""


@dataclass
class Trouble:
    """What goes wrong, by the path it happens on: a status, a body, a delay, or a Link header."""

    status: int = 200
    body: bytes = b""
    delay: float = 0.0
    link: str = ""


@dataclass
class Seen:
    """What a client did."""

    authorize: list[dict[str, str]] = field(default_factory=list)
    token: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    authorization: list[str] = field(default_factory=list)


@dataclass
class _Code:
    account: int
    redirect_uri: str
    challenge: str
    scopes: frozenset[str]


class GitHubEmulator:
    """``app`` is the ASGI application; ``api`` prefixes the API (``/api/v3`` as on an Enterprise Server)."""

    def __init__(self, accounts: Sequence[Account], *, page_size: int = 2, api: str = "") -> None:
        self.accounts = {account.id: account for account in accounts}
        self.signed_in = next(iter(self.accounts), 0)
        self.page_size = page_size
        self.cancels = False
        self.trouble: dict[str, Trouble] = {}
        self.seen = Seen()
        self.tokens: dict[str, tuple[int, frozenset[str]]] = {}
        self._codes: dict[str, _Code] = {}
        api_routes = [
            Route("/user", self._user),
            Route("/user/emails", self._emails),
            Route("/user/orgs", self._orgs),
            Route("/user/teams", self._teams),
        ]
        self.app = Starlette(
            routes=[
                Route("/login/oauth/authorize", self._authorize),
                Route("/login/oauth/access_token", self._token, methods=["POST"]),
                Mount(api, routes=api_routes) if api else Mount("", routes=api_routes),
            ]
        )

    def rename(self, account_id: int, login: str) -> None:
        """GitHub lets people change their login, and gives the old one away."""
        self.accounts[account_id].login = login

    # -- the browser's part ---------------------------------------------------------

    async def _authorize(self, request: Request) -> Response:
        params = dict(request.query_params)
        self.seen.authorize.append(params)
        if params.get("client_id") != CLIENT_ID:
            return HTMLResponse("<h1>404</h1>", 404)
        answer = {"state": params.get("state", "")}
        if self.cancels:
            answer |= {"error": "access_denied", "error_description": "The user has denied your application"}
        else:
            code = secrets.token_hex(10)
            self._codes[code] = _Code(
                self.signed_in,
                params["redirect_uri"],
                params.get("code_challenge", ""),
                frozenset(params.get("scope", "").split()),
            )
            answer["code"] = code
        return RedirectResponse(f"{params['redirect_uri']}?{urlencode(answer)}", 302)

    # -- the token endpoint ------------------------------------------------------------

    async def _token(self, request: Request) -> Response:
        if trouble := await self._misbehave("/login/oauth/access_token"):
            return trouble
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.seen.token.append(form)
        if "application/json" not in request.headers.get("accept", ""):
            return Response("access_token=form-encoded", media_type="application/x-www-form-urlencoded")
        code = self._codes.pop(form.get("code", ""), None)
        if form.get("client_id") != CLIENT_ID or form.get("client_secret") != CLIENT_SECRET:
            return _error("incorrect_client_credentials", "The client_id and/or client_secret are incorrect.")
        if code is None or not _proves(form.get("code_verifier", ""), code.challenge):
            return _error("bad_verification_code", "The code passed is incorrect or expired.")
        if form.get("redirect_uri") != code.redirect_uri:
            return _error("redirect_uri_mismatch", "The redirect_uri must match the registered one.")
        token = "gho_" + secrets.token_hex(18)
        self.tokens[token] = (code.account, code.scopes)
        scope = ",".join(sorted(code.scopes))
        return JSONResponse({"access_token": token, "token_type": "bearer", "scope": scope})

    # -- the API ---------------------------------------------------------------------

    async def _user(self, request: Request) -> Response:
        account, refused = await self._who(request, "/user", "")
        if account is None:
            return refused
        return JSONResponse(
            # The address here is the public one, verified or not: nothing may be decided by it.
            {"id": account.id, "login": account.login, "name": account.name, "email": "public@example.org"}
        )

    async def _emails(self, request: Request) -> Response:
        account, refused = await self._who(request, "/user/emails", "user:email")
        return self._page(request, account.emails) if account else refused

    async def _orgs(self, request: Request) -> Response:
        account, refused = await self._who(request, "/user/orgs", "read:org")
        return self._page(request, [{"login": org} for org in account.orgs]) if account else refused

    async def _teams(self, request: Request) -> Response:
        account, refused = await self._who(request, "/user/teams", "read:org")
        if account is None:
            return refused
        teams = [{"slug": slug, "organization": {"login": org}} for org, slug in account.teams]
        return self._page(request, teams)

    async def _who(self, request: Request, path: str, scope: str) -> tuple[Account | None, Response]:
        self.seen.paths.append(f"{path}?{request.url.query}" if request.url.query else path)
        authorization = request.headers.get("authorization", "")
        self.seen.authorization.append(authorization)
        if trouble := await self._misbehave(path):
            return None, trouble
        granted = self.tokens.get(authorization.removeprefix("Bearer "))
        if granted is None:
            return None, JSONResponse({"message": "Bad credentials"}, 401)
        if scope and scope not in granted[1]:
            return None, JSONResponse({"message": "Not Found"}, 404)
        return self.accounts[granted[0]], Response()

    def _page(self, request: Request, items: Sequence[Any]) -> Response:
        number = int(request.query_params.get("page", "1"))
        size = min(int(request.query_params.get("per_page", "30")), self.page_size)
        start = (number - 1) * size
        links = []
        if start + size < len(items):
            following = request.url.include_query_params(page=number + 1)
            last = request.url.include_query_params(page=-(-len(items) // size))
            links = [f'<{following}>; rel="next"', f'<{last}>; rel="last"']
        headers = {"Link": ", ".join(links)} if links else {}
        trouble = self.trouble.get(request.url.path)
        if trouble is not None and trouble.link:
            headers = {"Link": trouble.link}
        return JSONResponse(list(items[start : start + size]), headers=headers)

    async def _misbehave(self, path: str) -> Response | None:
        trouble = self.trouble.get(path)
        if trouble is None or trouble.link:
            return None
        await asyncio.sleep(trouble.delay)
        if trouble.status == 200 and not trouble.body:
            return None
        return Response(trouble.body, trouble.status, media_type="application/json")


def _proves(verifier: str, challenge: str) -> bool:
    """RFC 7636 §4.6, S256 only; a code without a challenge proves nothing here."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return bool(challenge) and digest == challenge


def _error(error: str, description: str) -> Response:
    """As GitHub does it: HTTP 200."""
    return JSONResponse({"error": error, "error_description": description})
