"""Lets requests in: key, permission, shape, then the operation; and routes for all of the table.

The order matters. Who asks comes first, so that a stranger learns nothing about what is there; whether they
may comes before what they sent, so that nothing is decoded for who may not.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from hashlib import sha256
from math import ceil
from typing import Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Receive, Scope, Send

from gatekit.admin.entry import Admitted, Entry, Turned
from gatekit.admin.permissions import Permission, permitted
from gatekit.errors import (
    BadApiRequest,
    BodyTooLarge,
    GatekitError,
    InvalidRequest,
    KeyRefused,
    MediaTypeRefused,
    MethodNotAllowed,
    NoSuchThing,
    NotPermitted,
    PayloadTooLarge,
    PreconditionFailed,
    TooManyRequests,
)
from gatekit.model.audit import DoorRefused
from gatekit.model.ports import Clock
from gatekit.oauth.http import NO_STORE, address, body, place, query, request_id
from gatekit.oauth.refusals import Refusals
from gatekit.platform.limits import KeyedBuckets, Rate
from gatekit.web.api.desks import Desks
from gatekit.web.api.openapi import MAX_PLACE, PREFIX
from gatekit.web.api.operation import Operation, Wanted
from gatekit.web.api.problems import answer, bad, translated
from gatekit.web.api.replies import Replies, Reply

log = logging.getLogger("gatekit.api")

PER_KEY = Rate(600, 1200)
"""Requests of one admin key."""
PER_PLACE = Rate(600, 300)
"""Keys that are no good, from one network."""
MAX_BODY = 64 * 1024
_FLEETING = frozenset({"last_seen_at", "last_used_at"})
"""What changes without anybody changing it; an ``ETag`` that moved with it would refuse every change."""


class ApiDoor:
    """``routes`` is everything that there is below ``/api``; ``Elsewhere`` answers for the rest."""

    def __init__(
        self,
        operations: Sequence[Operation],
        description: Callable[[], bytes],
        desks: Desks,
        entry: Entry,
        replies: Replies,
        audit: Refusals,
        clock: Clock,
    ) -> None:
        """``description``: the OpenAPI document."""
        self._operations = operations
        self._describe_all = description
        self._description = b""
        self._desks = desks
        self._entry = entry
        self._replies = replies
        self._audit = audit
        self._clock = clock
        self._keys = KeyedBuckets(PER_KEY, clock)
        self._places = KeyedBuckets(PER_PLACE, clock)
        self._turn = asyncio.Lock()
        """One change at a time, so that ``If-Match`` is judged and acted on without anybody in between."""

    def routes(self) -> list[BaseRoute]:
        found: list[BaseRoute] = [Route(f"{PREFIX}/openapi.json", self._describe, methods=["GET"])]
        return found + [self._route(operation) for operation in self._operations]

    def _route(self, operation: Operation) -> Route:
        async def handler(request: Request) -> Response:
            try:
                return await self._serve(operation, request)
            except GatekitError as error:
                problem = translated(error)
                log.info(
                    "refused operation=%s kind=%s detail=%s", operation.name, problem.kind, problem.detail
                )
                return answer(request, problem)

        return Route(PREFIX + operation.path, handler, methods=[operation.method], name=operation.name)

    async def _describe(self, request: Request) -> Response:  # noqa: ARG002
        self._description = self._description or self._describe_all()  # strangers may ask, so only once
        return Response(
            self._description, headers={"Cache-Control": "no-cache"}, media_type="application/json"
        )

    async def _serve(self, operation: Operation, request: Request) -> Response:
        admitted = await self._admitted(request)
        if wait := self._keys.take(admitted.key.id):
            raise TooManyRequests("this key asks too often", ceil(wait))
        await self._check(operation.permission, admitted, request)
        wanted = await self._wanted(operation, admitted, request)
        if not operation.changes:
            return _response(await self._carry_out(operation, wanted, ""))
        name = request.headers.get("idempotency-key") if operation.method == "POST" else None
        matching = request.headers.get("if-match", "") if operation.current is not None else ""
        async with self._turn:
            if name is None:
                return _response(await self._carry_out(operation, wanted, matching))
            reply = await self._replies.once(
                admitted,
                name,
                _sameness(operation, wanted),
                int(self._clock.now()),
                lambda: self._carry_out(operation, wanted, matching),
            )
            return _response(reply)

    # -- who asks, and whether they may --------------------------------------------------------------------

    async def _admitted(self, request: Request) -> Admitted:
        """Raises ``KeyRefused``, ``TooManyRequests``."""
        judged = await self._entry.judge(_bearer(request), address(request), request_id(request))
        if isinstance(judged, Admitted):
            return judged
        if wait := self._places.take(place(request)):  # not counted for who is let in
            raise TooManyRequests("too many keys that are no good", ceil(wait))
        await self._refused(request, 401, judged)
        raise KeyRefused("an admin key that is good now: Authorization: Bearer gk_adm_…")

    async def _check(self, permission: Permission | None, admitted: Admitted, request: Request) -> None:
        """Raises ``NotPermitted``. The use case asks again; this tells before anything is looked up."""
        actor = admitted.actor
        if permission is None:
            return
        reason = ""
        if actor.scopes is not None and permission not in actor.scopes:
            reason = f"the key has not the scope {permission}"
        elif not permitted(actor.role, permission):
            reason = f"its owner may not {permission} (role {actor.role})"
        if reason:
            await self._refused(request, 403, Turned(reason, actor.id, actor.name, admitted.key.id))
            raise NotPermitted(reason)

    async def _refused(self, request: Request, status: int, turned: Turned) -> None:
        """Raises ``AuditUnavailable``."""
        await self._audit.write(
            DoorRefused(
                at=self._clock.now(),
                request_id=request_id(request),
                principal_id=turned.user_id,
                principal=turned.username,
                address=address(request),
                status=status,
                reason=f"{turned.reason} (/api{', ' + turned.key_id if turned.key_id else ''})",
            )
        )

    # -- what they want ------------------------------------------------------------------------------------

    async def _wanted(self, operation: Operation, admitted: Admitted, request: Request) -> Wanted:
        places = {name: str(value) for name, value in request.path_params.items()}
        if any(not 0 < len(value) <= MAX_PLACE or not value.isprintable() for value in places.values()):
            raise NoSuchThing("nothing is called like this")
        sent = await _read(request)
        if operation.body is None and sent:
            raise BadApiRequest("this request has no body")
        decoded = None
        if operation.body is not None:
            media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media != "application/json":
                raise MediaTypeRefused("the body must be application/json")
            decoded = _decoded(sent, operation.body)
        return Wanted(admitted.actor, places, _parameters(request, operation.query), decoded, admitted.key)

    async def _carry_out(self, operation: Operation, wanted: Wanted, matching: str) -> Reply:
        if matching and operation.current is not None:
            now = await operation.current(self._desks, wanted.looking)
            if not _matches(matching, tag_of(now)):
                raise PreconditionFailed("it is not any more what If-Match names")
        found = await operation.run(self._desks, wanted)
        if operation.answer is None:
            return Reply(204)
        return Reply(
            operation.status,
            msgspec.json.encode(found).decode(),
            tag_of(found) if operation.tagged else "",
        )


class Elsewhere:
    """Paths that are none, and methods that a path has not. An ASGI application, so that it takes every
    method."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        near = [r for r in self._routes if isinstance(r, Route) and r.matches(scope)[0] is not Match.NONE]
        # The first one is meant: a longer path stands before the shorter one that would take it for a name.
        same = [route for route in near if route.path == near[0].path]
        methods = {method for route in same for method in route.methods or ()}
        if not methods:
            response = answer(request, NoSuchThing("there is no such path; /api/v1/openapi.json lists them"))
        else:
            response = answer(request, MethodNotAllowed("this path has other methods"))
            response.headers["Allow"] = ", ".join(sorted(methods))  # RFC 9110 §15.5.6
        await response(scope, receive, send)


def tag_of(state: Struct) -> str:
    """A strong entity tag (RFC 9110 §8.8.3) of everything in ``state`` that somebody can change."""
    fields = msgspec.to_builtins(state)
    kept = {name: value for name, value in fields.items() if name not in _FLEETING}
    return f'"{sha256(msgspec.json.encode(kept, order="sorted")).hexdigest()[:32]}"'


def _matches(header: str, tag: str) -> bool:
    """RFC 9110 §13.1.1: strong comparison, so a weak tag matches nothing."""
    return header.strip() == "*" or tag in [part.strip() for part in header.split(",")]


def _bearer(request: Request) -> str:
    """The key; empty if there is none, or more than one (checklist T9)."""
    lines = request.headers.getlist("authorization")
    scheme, _, token = lines[0].partition(" ") if len(lines) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else ""


async def _read(request: Request) -> bytes:
    try:
        return await body(request, MAX_BODY)
    except PayloadTooLarge:
        raise BodyTooLarge(f"a body may have at most {MAX_BODY} bytes") from None
    except InvalidRequest as cut:
        raise BadApiRequest(cut.description) from None


def _decoded(sent: bytes, kind: type[Struct]) -> Any:
    """Strict: a field that is not described is refused, so that nothing unknown is thought to have had an
    effect; so is one that is there twice (checklist I17). Raises ``BadApiRequest``."""
    try:
        found = msgspec.json.decode(sent, type=kind)
        json.loads(sent, object_pairs_hook=_once)  # the shapes are flat, so there is no depth to fear here
    except (msgspec.MsgspecError, ValueError) as error:
        raise bad(error) from None
    return found


def _once(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a field is there twice")


def _parameters(request: Request, kind: type[Struct]) -> Any:
    try:
        form = query(request)
        fields = {name: values[0] for name, values in form.fields.items() if len(values) == 1}
        if len(fields) != len(form.fields):
            raise BadApiRequest("a parameter is repeated")
        return msgspec.convert(fields, type=kind, strict=False)
    except InvalidRequest as error:
        raise BadApiRequest(error.description) from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise bad(error) from None


def _sameness(operation: Operation, wanted: Wanted) -> bytes:
    """All that makes two requests the same."""
    return msgspec.json.encode((operation.name, sorted(wanted.path.items()), wanted.query, wanted.body))


def _response(reply: Reply) -> Response:
    headers = {**NO_STORE, **({"ETag": reply.tag} if reply.tag else {})}
    if reply.status == 204:
        return Response(status_code=204, headers=headers)
    return Response(reply.body, reply.status, headers, "application/json")
