"""How SCIM looks on the wire (RFC 7644 §3.1, §3.12): bodies, answers, errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    InvalidRequest,
    PayloadTooLarge,
    ScimBusy,
    ScimError,
    ScimSyntax,
    ScimTooLarge,
    ScimUnknown,
)
from gatekit.oauth.http import body

MEDIA_TYPE = "application/scim+json"
ACCEPTED = frozenset({MEDIA_TYPE, "application/json"})
ERROR_URN = "urn:ietf:params:scim:api:messages:2.0:Error"
MAX_DEPTH = 20


class MethodRefused(ScimUnknown):
    """There is something, but not for that method."""

    status = 405

    def __init__(self, *allowed: str) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"only {self.allowed} here")


def answer(content: Mapping[str, Any] | None, status: int = 200, **headers: str) -> Response:
    """Nobody may keep it. Header names are written with underscores."""
    sent = {"Cache-Control": "no-store", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if content is None:
        return Response(None, status, sent)
    return Response(msgspec.json.encode(content), status, sent, MEDIA_TYPE)


def problem(status: int, scim_type: str, detail: str) -> dict[str, Any]:
    """RFC 7644 §3.12."""
    shown = {"schemas": [ERROR_URN], "status": str(status), "detail": detail}
    return {**shown, "scimType": scim_type} if scim_type else shown


def refusal(error: ScimError) -> Response:
    headers = {}
    if isinstance(error, MethodRefused):
        headers["Allow"] = error.allowed
    if isinstance(error, ScimBusy):
        headers["Retry_After"] = str(error.retry_after)
    return answer(problem(error.status, error.scim_type, str(error)), error.status, **headers)


async def read_json(request: Request, limit: int) -> dict[str, Any]:
    """The body, an object. Raise ``ScimSyntax`` or ``ScimTooLarge``."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in ACCEPTED:
        raise ScimSyntax(f"the body must be {MEDIA_TYPE}")
    try:
        data = msgspec.json.decode(await body(request, limit))
    except PayloadTooLarge:
        raise ScimTooLarge(f"the body may have {limit} bytes") from None
    except InvalidRequest as error:
        raise ScimSyntax(error.description) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ScimSyntax("the body is no JSON") from None
    if not isinstance(data, dict):
        raise ScimSyntax("the body must be an object")
    _check_depth(data)
    return data


def _check_depth(data: dict[str, Any]) -> None:
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each.values()
            elif isinstance(each, list):
                below += each
        level = [each for each in below if isinstance(each, dict | list)]
        if not level:
            return
    raise ScimSyntax(f"the body may be nested {MAX_DEPTH} deep")
