"""What we answer at the places of an authorization server while another one is in charge.

Clients that know nothing of RFC 9728 guess /authorize, /token and /register at our origin. They get a 404
that says where to go, and never a redirect: no code or refresh token may be carried to another host.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.oauth.http import api_route, json_answer

PLACES = (
    "/authorize",
    "/token",
    "/register",
    "/revoke",
    "/device_authorization",
    "/par",
    "/introspect",
    "/userinfo",
    "/end_session",
    "/jwks",
)


def routes(issuer: str) -> list[Route]:
    """404s that name ``issuer``."""

    async def elsewhere(_request: Request) -> Response:
        text = f"this gateway issues no tokens; its authorization server is {issuer}"
        return json_answer({"error": "not_found", "error_description": text}, 404)

    return [api_route(path, elsewhere, ["GET", "POST"]) for path in (*PLACES, "/.well-known/{rest:path}")]
