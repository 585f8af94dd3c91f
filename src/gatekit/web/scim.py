"""The door for directories: SCIM 2.0 (RFC 7644) at ``/scim/v2``.

The bearer token says which connection asks; its name may stand in the path as well (``/scim/v2/okta/Users``)
and then has to be the same. Nothing here is for browsers: no cookie counts, and there is no CORS. Whatever is
asked, the token comes first, so that a stranger learns nothing, not even what there is.
"""

from __future__ import annotations

import logging
import re
from typing import Protocol

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from gatekit.admin.desk import Actor
from gatekit.admin.permissions import Permission
from gatekit.admin.provisioned_groups import ProvisionedGroups
from gatekit.admin.provisioning import Provider, ProvisionedPeople
from gatekit.admin.scim_tokens import ScimBearer
from gatekit.errors import (
    AuditUnavailable,
    Forbidden,
    InvalidRequest,
    ScimBusy,
    ScimError,
    ScimForbidden,
    StoreError,
)
from gatekit.identity.scim.discovery import MAX_BULK_BYTES
from gatekit.model.audit import AuditEvent, DoorRefused
from gatekit.model.ports import Clock
from gatekit.oauth.http import address, place, query, request_id
from gatekit.platform.limits import KeyedBuckets, Rate
from gatekit.web.scim_answers import answer, problem, read_json, refusal
from gatekit.web.scim_requests import Asked, ScimRequests
from gatekit.web.scim_route import PREFIX

log = logging.getLogger("gatekit.scim")

MAX_TOKEN = 512
BUSY = 5
"""Seconds after which to try again what could not be done now."""

_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]+)", re.ASCII | re.IGNORECASE)
_CONNECTION = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}", re.ASCII)
"""As the configuration writes names of connections; all that SCIM itself has begins with a capital."""
_MAY: frozenset[Permission] = frozenset({"people:read", "people:write", "groups:read", "groups:write"})


class Rates(Struct, frozen=True):
    """How often something may be asked."""

    connection: Rate = Rate(2000, 12_000)
    """Requests of one connection. A full synchronisation of ten thousand people takes about a minute."""
    stranger: Rate = Rate(60, 60)
    """Requests from one place whose token opens nothing."""


class Audit(Protocol):
    """``audit.recorder.Recorder``."""

    async def write(self, event: AuditEvent) -> None: ...


class ScimDoor:
    """Answers everything under ``/scim/v2``."""

    def __init__(
        self,
        bearer: ScimBearer,
        people: ProvisionedPeople,
        groups: ProvisionedGroups,
        audit: Audit,
        clock: Clock,
        *,
        issuer: str,
        rates: Rates | None = None,
    ) -> None:
        """``issuer``: our own origin, for the addresses of resources."""
        rates = rates or Rates()
        self._bearer = bearer
        self._requests = ScimRequests(people, groups)
        self._audit = audit
        self._clock = clock
        self._issuer = issuer
        self._per_minute = rates.connection.per_minute
        self._per_connection = KeyedBuckets(rates.connection, clock)
        self._per_stranger = KeyedBuckets(rates.stranger, clock)

    async def handle(self, request: Request) -> Response:
        try:
            connection = await self._connection(request)
            if connection is None:
                return await self._turned_away(request)
            self._spend(connection, 1)
            return await self._requests.handle(self._asked(request, connection))
        except ScimError as error:
            return refusal(error)
        except Forbidden as error:
            return refusal(ScimForbidden(str(error)))
        except (StoreError, AuditUnavailable) as failure:
            log.error("failed path=%s error=%s", request.scope["path"], failure)
            return answer(problem(503, "", "not available right now"), 503, Retry_After=str(BUSY))

    def _spend(self, connection: str, requests: int) -> None:
        """All or none: several in one that are refused must not use up what they wait for."""
        for taken in range(requests):
            if (wait := self._per_connection.take(connection)) > 0:
                for _ in range(taken):
                    self._per_connection.give_back(connection)
                raise _later(wait + (requests - taken - 1) * 60 / self._per_minute)

    async def _connection(self, request: Request) -> str | None:
        given = request.headers.getlist("authorization")
        match = _BEARER.fullmatch(given[0].strip()) if len(given) == 1 else None
        if match is None or len(match[1]) > MAX_TOKEN:
            return None
        return await self._bearer.connection_of(match[1])

    async def _turned_away(self, request: Request) -> Response:
        """401 (RFC 6750 §3), on record unless somebody fills the record with it."""
        if (wait := self._per_stranger.take(place(request))) > 0:
            raise _later(wait)
        given = "authorization" in request.headers
        if given:
            await self._audit.write(
                DoorRefused(
                    at=self._clock.now(),
                    request_id=request_id(request),
                    address=address(request),
                    status=401,
                    reason="a token that opens no provisioning",
                )
            )
        challenge = 'Bearer realm="scim"' + (', error="invalid_token"' if given else "")
        return answer(problem(401, "", "a token of a connection is needed"), 401, WWW_Authenticate=challenge)

    def _asked(self, request: Request, connection: str) -> Asked:
        path = tuple(part for part in str(request.path_params["rest"]).split("/") if part)
        base = f"{self._issuer}{PREFIX}"
        if path and _CONNECTION.fullmatch(path[0]):
            if path[0] != connection:
                raise ScimForbidden("this token belongs to another connection")
            base, path = f"{base}/{connection}", path[1:]
        try:
            params = query(request)
        except InvalidRequest as error:
            raise ScimError(error.description) from None
        actor = Actor(f"scim:{connection}", "scim", role="owner", scopes=_MAY)
        return Asked(
            provider=Provider(actor, connection, base),
            method=request.method,
            path=path,
            params={name: values[0] for name, values in params.fields.items()},
            body=lambda: read_json(request, MAX_BULK_BYTES),
            spend=lambda requests: self._spend(connection, requests),
            if_match=request.headers.get("if-match", ""),
            if_none_match=request.headers.get("if-none-match", ""),
        )


def _later(wait: float) -> ScimBusy:
    return ScimBusy(int(wait) + 1)
