"""Requests and answers of the authorization server: strict forms, headers that every answer needs, CORS."""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from gatekit.errors import (
    AuditUnavailable,
    InvalidClient,
    InvalidRequest,
    OAuthError,
    PageProblem,
    PayloadTooLarge,
    ProofNonceWanted,
    StoreError,
    TooManyRegistrations,
)
from gatekit.identity.backoff import network_of
from gatekit.oauth.pages import Pages

log = logging.getLogger("gatekit.oauth")

Endpoint = Callable[[Request], Awaitable[Response]]

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}  # RFC 6749 §5.1

OPENER = {"Cross-Origin-Opener-Policy": "unsafe-none"}
"""Clients that live in a web page open us in a popup and hear from their callback page through its opener;
any stricter policy, even on the way, cuts that tie for good (HTML §7.1.3)."""

PAGE_HEADERS = {
    **NO_STORE,
    # No form-action: Chromium applies it to the redirect that follows a form as well, and that one goes to
    # the client. Everything else is closed.
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "script-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    **OPENER,
}

MAX_FIELDS = 200


class Form(Struct, frozen=True):
    """Decoded parameters. A parameter without a value counts as absent (RFC 6749 §3.1)."""

    fields: Mapping[str, tuple[str, ...]]

    def get(self, name: str) -> str | None:
        values = self.fields.get(name)
        return values[0] if values and values[0] else None

    def all(self, name: str) -> tuple[str, ...]:
        return tuple(value for value in self.fields.get(name, ()) if value)

    def repeated(self) -> str | None:
        """A parameter that came more than once, ``resource`` (RFC 8707 §2) aside."""
        return next(
            (name for name, values in self.fields.items() if len(values) > 1 and name != "resource"), None
        )


def decode_form(data: bytes) -> Form:
    """Parse ``application/x-www-form-urlencoded``; raise ``InvalidRequest``."""
    try:
        pairs = parse_qsl(
            data.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as bad:
        raise InvalidRequest("the parameters are not well-formed", str(bad)) from bad
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields)


def query(request: Request) -> Form:
    """The query parameters, repeated ones included."""
    return decode_form(request.scope["query_string"])


async def body(request: Request, limit: int) -> bytes:
    """The whole body; raise ``PayloadTooLarge`` as soon as it is clear that it exceeds ``limit`` bytes."""
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > limit:
        raise PayloadTooLarge("the request is too large")
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > limit:
                raise PayloadTooLarge("the request is too large")
    except ClientDisconnect as gone:  # nobody hears the answer, but nothing went wrong here either
        raise InvalidRequest("the body was cut off") from gone
    return bytes(chunks)


async def form(request: Request, limit: int) -> Form:
    """A form body in which no parameter is repeated; raise ``InvalidRequest`` (RFC 6749 §3.2)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise InvalidRequest("the body must be application/x-www-form-urlencoded")
    decoded = decode_form(await body(request, limit))
    if name := decoded.repeated():
        raise InvalidRequest("a parameter is repeated", f"repeated parameter {name[:50]!r}")
    return decoded


def json_answer(
    content: Mapping[str, Any] | bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON that nobody may cache, unless ``headers`` says otherwise."""
    payload = content if isinstance(content, bytes) else json.dumps(content, separators=(",", ":")).encode()
    return Response(payload, status, {**NO_STORE, **(headers or {})}, "application/json")


def error_answer(error: OAuthError) -> Response:
    """RFC 6749 §5.2."""
    content = {"error": error.error}
    if error.description:
        content["error_description"] = error.description
    headers = {}
    if isinstance(error, InvalidClient):
        headers["WWW-Authenticate"] = 'Basic realm="gatekit", charset="UTF-8"'
    if isinstance(error, ProofNonceWanted):
        headers["DPoP-Nonce"] = error.nonce  # RFC 9449 §8
    if isinstance(error, TooManyRegistrations):
        headers["Retry-After"] = str(error.retry_after)
    return json_answer(content, error.status, headers)


def page(html: str, status: int = 200) -> Response:
    """An HTML answer with everything a browser must be told."""
    return Response(html, status, PAGE_HEADERS, "text/html; charset=utf-8")


def redirect(url: str, status: int = 303) -> Response:
    """RFC 9700 §4.12: 303, so that a form's content is never sent on."""
    answer = RedirectResponse(url, status, {**NO_STORE, **OPENER, "Referrer-Policy": "no-referrer"})
    answer.headers["location"] = url  # as it is: Starlette would re-quote the client's own URI
    return answer


def api_route(path: str, endpoint: Endpoint, methods: Sequence[str]) -> Route:
    """A JSON endpoint that scripts of any web page may call, without cookies (clients.md §5.25)."""

    async def handler(request: Request) -> Response:
        if request.method == "OPTIONS":
            return _with_cors(request, Response(status_code=204), methods)
        return _with_cors(request, await _answer_api(endpoint, request), methods)

    return Route(path, handler, methods=[*methods, "OPTIONS"])


def page_route(path: str, endpoint: Endpoint, methods: Sequence[str], pages: Pages) -> Route:
    """A page for people: failures become pages as well."""

    async def handler(request: Request) -> Response:
        try:
            return await endpoint(request)
        except PageProblem as problem:
            return problem_page(pages, request, problem)
        except OAuthError as error:
            log.info("refused path=%s error=%s detail=%s", path, error.error, error.detail)
            return problem_page(pages, request, _as_problem(error))
        except (StoreError, AuditUnavailable) as failure:
            log.error("failed path=%s error=%s", path, failure)
            return problem_page(pages, request, _UNAVAILABLE)

    return Route(path, handler, methods=list(methods))


def problem_page(pages: Pages, request: Request, problem: PageProblem) -> Response:
    """The page that ends an interaction."""
    log.info("page problem status=%d detail=%s", problem.status, problem.detail)
    html = pages.problem(
        title=problem.title, message=problem.message, remedy=problem.remedy, reference=request_id(request)
    )
    return page(html, problem.status)


def request_id(request: Request) -> str:
    """What the edge calls this request; empty if nothing in front of us names requests."""
    state = request.scope.get("state") or {}
    return str(state.get("request_id", ""))


def address(request: Request) -> str:
    """Network peer, as the server in front of us vouches for it."""
    return request.client.host if request.client else ""


def place(request: Request) -> str:
    """Whose budget a request spends: an IPv4 address, or the /64 of an IPv6 address, because one household
    has 2^64 of those."""
    return network_of(address(request))


async def _answer_api(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except OAuthError as error:
        log.info("refused path=%s error=%s detail=%s", request.scope["path"], error.error, error.detail)
        return error_answer(error)
    except (StoreError, AuditUnavailable) as failure:
        log.error("failed path=%s error=%s", request.scope["path"], failure)
        return json_answer(
            {"error": "temporarily_unavailable", "error_description": "try again later"},
            503,
            {"Retry-After": "5"},
        )


def _with_cors(request: Request, response: Response, methods: Sequence[str]) -> Response:
    origin = request.headers.get("origin")
    if origin is None or origin == "null":  # an opaque origin is nobody (checklist D10)
        return response
    headers = response.headers
    # Never with credentials, so "*" gives a page nothing that it could not fetch from its own server.
    headers["Access-Control-Allow-Origin"] = "*"
    headers["Access-Control-Expose-Headers"] = "WWW-Authenticate, Retry-After, DPoP-Nonce"
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = ", ".join([*methods, "OPTIONS"])
        asked = request.headers.get("access-control-request-headers", "")
        # Echoed, because "*" does not cover Authorization (Fetch §4.9).
        headers["Access-Control-Allow-Headers"] = asked[:1000] or "authorization, content-type, dpop"
        headers["Access-Control-Max-Age"] = "600"
        headers["Vary"] = "Access-Control-Request-Headers"
    return response


def _as_problem(error: OAuthError) -> PageProblem:
    return PageProblem(
        error.status, "This request cannot be used", error.description or error.error, detail=error.detail
    )


_UNAVAILABLE = PageProblem(503, "Not available right now", "Please try again in a moment.")
