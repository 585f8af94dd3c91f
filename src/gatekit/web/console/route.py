"""Where the pages of administrators lie. What answers is made at the first visit: a gateway that is run from
the command line starts without it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from gatekit.oauth.http import Endpoint, page_route
from gatekit.oauth.pages import Pages

PATH = "/admin"
OVERVIEW = PATH
PEOPLE = f"{PATH}/people"
NEW_PERSON = f"{PATH}/people/new"
PERSON = f"{PATH}/person"
ACT = f"{PATH}/person/{{act}}"
GROUPS = f"{PATH}/groups"
GROUP = f"{PATH}/group"
CONNECTIONS = f"{PATH}/connections"
CONNECTION = f"{PATH}/connection"
KEYS = f"{PATH}/keys"
CLIENTS = f"{PATH}/clients"
CLIENT = f"{PATH}/client"
SERVICES = f"{PATH}/service-accounts"
PROVISIONING = f"{PATH}/provisioning"
RULES = f"{PATH}/rules"
RULE = f"{PATH}/rule"
PINS = f"{PATH}/pins"
APPROVALS = f"{PATH}/approvals"
REQUESTS = f"{PATH}/requests"
PIN = f"{PATH}/pin"
EXPORT = f"{PATH}/export"
IMPORT = f"{PATH}/import"
DEED = f"{PATH}/do/{{deed}}"

DOORS = (
    (OVERVIEW, "GET"),
    (PEOPLE, "GET"),
    (NEW_PERSON, "GET"),
    (NEW_PERSON, "POST"),
    (PERSON, "GET"),
    (ACT, "GET"),
    (ACT, "POST"),
    (GROUPS, "GET"),
    (GROUP, "GET"),
    (CONNECTIONS, "GET"),
    (CONNECTION, "GET"),
    (KEYS, "GET"),
    (CLIENTS, "GET"),
    (CLIENT, "GET"),
    (SERVICES, "GET"),
    (PROVISIONING, "GET"),
    (RULES, "GET"),
    (RULE, "GET"),
    (PINS, "GET"),
    (APPROVALS, "GET"),
    (REQUESTS, "GET"),
    (PIN, "GET"),
    (EXPORT, "GET"),
    (IMPORT, "GET"),
    (IMPORT, "POST"),
    (DEED, "GET"),
    (DEED, "POST"),
)

Answer = Callable[[Request], Awaitable[Response]]
Made = Callable[[], Callable[[str, str], Answer]]
"""Puts the pages together; then (path, method) → what answers there."""


def console_routes(make: Made, pages: Pages) -> list[BaseRoute]:
    """One route for each of ``DOORS``."""
    made: list[Callable[[str, str], Answer]] = []

    def endpoint(path: str, method: str) -> Endpoint:
        async def handle(request: Request) -> Response:
            if not made:
                made.append(make())
            return await made[0](path, method)(request)

        return handle

    return [page_route(path, endpoint(path, method), [method], pages) for path, method in DOORS]
