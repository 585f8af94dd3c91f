"""The door for reverse proxies: ``/verify`` for their questions, the rest for the browsers they send here.

A browser signs in at our own host (``/forward/…``) and brings a ticket to the application's host
(``/.gatekit/…``, which the proxy sends to us). What all of it means is said in ``oauth.forward``.
"""

from __future__ import annotations

import logging
import re
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gatekit.errors import (
    AuditUnavailable,
    ForwardRefused,
    InsufficientScope,
    InvalidRequest,
    PageProblem,
    StoreError,
    TokenMissing,
)
from gatekit.model.scopes import ALL
from gatekit.oauth.browser import Browser, SignedIn
from gatekit.oauth.forward.judge import Answer, Judge, Passed, SignInFirst
from gatekit.oauth.forward.original import AT_APPLICATION, VERIFY
from gatekit.oauth.forward.passes import Passes
from gatekit.oauth.http import NO_STORE, Form, api_route, json_answer, page_route, query, redirect
from gatekit.oauth.metadata import CACHED
from gatekit.web.own_door import SignInPage
from gatekit.web.pages import HtmlPages

log = logging.getLogger("gatekit.forward")

METADATA = "/.well-known/oauth-protected-resource/verify"
MAX_TO = 2048

# ``to`` is the rest of the query, as it came: whoever writes these links (nginx) cannot encode anything.
_START = re.compile(rb"target=([A-Za-z0-9_.-]{1,64})&to=(/[\x21\x22\x24-\x7e]*)\Z")
_COME = re.compile(rb"way=([A-Za-z0-9_-]{43})&to=(/[\x21\x22\x24-\x7e]*)\Z")


class ForwardAuth:
    """Routes of forward-auth."""

    def __init__(
        self,
        judge: Judge,
        passes: Passes,
        browser: Browser,
        sign_in: SignInPage,
        *,
        issuer: str,
        pages: HtmlPages,
    ) -> None:
        self._judge = judge
        self._passes = passes
        self._browser = browser
        self._sign_in = sign_in
        self._issuer = issuer
        self._pages = pages

    def routes(self) -> list[BaseRoute]:
        return [
            Route(VERIFY, self.verify, methods=["GET"]),
            api_route(f"{METADATA}/{{target}}", self.metadata, ["GET"]),
            page_route("/forward/{target}", self.come, ["GET"], self._pages),
            page_route(f"{AT_APPLICATION}start", self.start, ["GET"], self._pages),
            page_route(f"{AT_APPLICATION}done", self.done, ["GET"], self._pages),
        ]

    # -- proxies -----------------------------------------------------------------------------------------

    async def verify(self, request: Request) -> Response:
        """200 with identity headers, 401 or a redirect to sign in, or 403. ``target``: the application that
        the proxy means; ``redirect=no``: for proxies that understand nothing but a status (nginx)."""
        try:
            asked = query(request)
            answer = await self._judge.judge(request, asked.get("target"))
        except ForwardRefused as refused:
            log.info("refused path=%s detail=%s", VERIFY, refused.detail)
            return json_answer({"error": refused.public}, refused.status)
        except InvalidRequest as bad:
            return json_answer({"error": bad.description}, 400)
        except (StoreError, AuditUnavailable) as failure:
            log.error("failed path=%s error=%s", VERIFY, failure)
            return json_answer({"error": "temporarily_unavailable"}, 503, {"Retry-After": "5"})
        return self._answer(request, asked, answer)

    def _answer(self, request: Request, asked: Form, answer: Answer) -> Response:
        if isinstance(answer, Passed):
            return Response(status_code=200, headers={**NO_STORE, **answer.headers})
        if not isinstance(answer, SignInFirst):
            text = f"{answer.username} may not use {answer.target.title}. Ask whoever runs this gateway.\n"
            return Response(text, 403, NO_STORE, "text/plain; charset=utf-8")
        if asked.get("redirect") != "no" and _is_page(request, answer):
            target, to = answer.target, answer.original.uri
            return redirect(f"{target.origin}{AT_APPLICATION}start?target={target.name}&to={to}", 302)
        challenge = self._challenge(answer)
        content = {
            "error": answer.error.error or "invalid_token",
            "error_description": answer.error.description,
        }
        return json_answer(content, answer.error.status, {"WWW-Authenticate": challenge})

    def _challenge(self, answer: SignInFirst) -> str:
        """RFC 9728 §5.1, RFC 6750 §3."""
        parts = [
            f'resource_metadata="{self._issuer}{METADATA}/{answer.target.name}"',
            f'scope="{" ".join(ALL)}"',
        ]
        if answer.error.error:
            parts.append(f'error="{answer.error.error}"')
        return "Bearer " + ", ".join(parts)

    async def metadata(self, request: Request) -> Response:
        """RFC 9728 §3.2 for an application: its URL is the resource."""
        target = self._judge.target(request.path_params["target"])
        if target is None:
            return json_answer({"error": "not_found"}, 404)
        return json_answer(
            {
                "resource": target.url,
                "authorization_servers": [self._issuer],
                "scopes_supported": list(ALL),
                "bearer_methods_supported": ["header"],
                "resource_name": target.title,
            },
            headers=CACHED,
        )

    # -- browsers ----------------------------------------------------------------------------------------

    async def start(self, request: Request) -> Response:
        """At the application's host: note which browser sets out, and send it to ours."""
        found = _START.match(request.scope["query_string"])
        target = self._judge.target(found[1].decode()) if found else None
        if found is None or target is None or not target.sign_in:
            raise _unusable()
        to = found[2].decode()
        if len(to) > MAX_TO or to.startswith(AT_APPLICATION):
            to = target.path or "/"
        response = redirect("")
        way = self._passes.set_out(request, response, target)
        response.headers["location"] = f"{self._issuer}/forward/{target.name}?way={way}&to={to}"
        return response

    async def come(self, request: Request) -> Response:
        """At our host: sign in if need be, and go back with a ticket."""
        target = self._judge.target(request.path_params["target"])
        found = _COME.match(request.scope["query_string"])
        if target is None or found is None or not target.sign_in or len(found[2]) > MAX_TO:
            raise _unusable()
        way, to = found[1].decode(), found[2].decode()
        someone = await self._browser.signed_in(request)
        if not isinstance(someone, SignedIn):
            # Put together from checked parts: it leads to this very route (checklist D8).
            return await self._sign_in(request, f"/forward/{target.name}?way={way}&to={to}")
        if not await self._judge.may_enter(request, target, to, someone):
            raise PageProblem(
                403,
                "This is not open to you",
                f"You are signed in as {someone.person.user.username}, who may not use {target.title}.",
                "Ask whoever runs this gateway, or sign out and sign in as somebody else.",
                detail=f"target {target.name}",
            )
        ticket = self._passes.ticket(target, someone.session, way, to)
        where = f"{target.origin}{AT_APPLICATION}done"
        return redirect(f"{where}?{urlencode({'target': target.name, 'ticket': ticket})}")

    async def done(self, request: Request) -> Response:
        """At the application's host again: a ticket for a pass."""
        params = query(request)
        target = self._judge.target(params.get("target"))
        if target is None:
            raise _unusable()
        ticket = await self._passes.arrive(request, target, params.get("ticket") or "")
        session = await self._passes.session_of(ticket) if ticket else None
        if ticket is None or session is None:
            raise PageProblem(
                400,
                "This sign-in has ended",
                "It was used already, it took too long, or it was started in another browser.",
                "Go back to the application and try again.",
                detail="no ticket that is good here",
            )
        # The path was checked when the ticket was made; the origin is the operator's (checklist D8).
        response = redirect(f"{target.origin}{ticket.to}")
        self._passes.give(response, target, session)
        return response


def _is_page(request: Request, answer: SignInFirst) -> bool:
    """Whether a person looks at the answer. Programs get a 401 that they understand."""
    return (
        answer.target.sign_in
        and not isinstance(answer.error, InsufficientScope)
        and (isinstance(answer.error, TokenMissing) or "authorization" not in request.headers)
        and answer.original.method in ("GET", "HEAD")
        and "text/html" in request.headers.get("accept", "")
    )


def _unusable() -> PageProblem:
    return PageProblem(
        404, "There is nothing here", "The link is not complete, or the application is not known here."
    )
