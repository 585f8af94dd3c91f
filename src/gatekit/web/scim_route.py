"""Where SCIM lies. What answers there is made at the first request: most gateways never see one."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gatekit.oauth.http import Endpoint

PREFIX = "/scim/v2"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def scim_routes(make: Callable[[], Endpoint]) -> list[BaseRoute]:
    """One route for all of it: nothing under it may be reached without passing the token's check first."""
    made: list[Endpoint] = []

    async def handle(request: Request) -> Response:
        if not made:
            made.append(make())
        return await made[0](request)

    return [Route(f"{PREFIX}/{{rest:path}}", handle, methods=list(METHODS))]
