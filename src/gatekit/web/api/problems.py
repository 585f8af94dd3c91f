"""Errors as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import logging

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    AdminError,
    ApiProblem,
    ApiUnavailable,
    AuditUnavailable,
    BadApiRequest,
    ConfigError,
    Conflict,
    Forbidden,
    GatekitError,
    InConflict,
    KeyRefused,
    NoSuchThing,
    NotAcceptable,
    NotFound,
    NotPermitted,
    StoreError,
    TooManyRequests,
)
from gatekit.oauth.http import NO_STORE, request_id

log = logging.getLogger("gatekit.api")

TYPE = "urn:gatekit:problem:"
MEDIA = "application/problem+json"
_COMMAND = "; `gatekit "
"""Where a use case tells an operator which command helps; of no use to a program."""


class Problem(Struct, frozen=True):
    """What went wrong (RFC 9457). `type` is stable, `detail` is for people."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str = ""
    """As in the header `X-Request-Id`, and in the log."""


def translated(error: GatekitError) -> ApiProblem:
    """The same thing in the words of the interface."""
    match error:
        case ApiProblem():
            return error
        case NotFound():
            return NoSuchThing(_plain(error))
        case Conflict():
            return InConflict(_plain(error))
        case Forbidden():
            return NotPermitted(_plain(error))
        case AdminError() | ConfigError():
            return NotAcceptable(_plain(error))
        case StoreError() | AuditUnavailable():
            log.error("failed error=%s", error)
            return ApiUnavailable("nothing was answered; try again later")
        case _:
            raise error


def answer(request: Request, problem: ApiProblem) -> Response:
    """RFC 9457 §3."""
    headers = dict(NO_STORE)
    if isinstance(problem, KeyRefused):
        headers["WWW-Authenticate"] = 'Bearer realm="gatekit admin"'  # RFC 9110 §11.6.1
    if isinstance(problem, TooManyRequests):
        headers["Retry-After"] = str(problem.retry_after)
    if isinstance(problem, ApiUnavailable):
        headers["Retry-After"] = "5"
    body = Problem(TYPE + problem.kind, problem.title, problem.status, problem.detail, request_id(request))
    return Response(msgspec.json.encode(body), problem.status, headers, MEDIA)


def bad(error: msgspec.MsgspecError | ValueError) -> BadApiRequest:
    """What msgspec says of a query or body; it names the place and never quotes a value of text."""
    return BadApiRequest(str(error)[:300])


def _plain(error: GatekitError) -> str:
    return str(error).partition(_COMMAND)[0]
