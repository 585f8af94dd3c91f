"""A protected MCP endpoint and its authorization server, small and strict, with faults to switch on.

Checks PKCE, redirect URIs, ``resource`` and client authentication; rotates refresh tokens and fells the
family when one is used twice; knows the device flow (RFC 8628). ``visit`` is the person's browser.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import urllib.request
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass
class Faults:
    """What this server does wrong or differently."""

    metadata: dict[str, Any] = field(default_factory=dict)
    """Laid over the authorization server's metadata; None removes a member."""
    resource: dict[str, Any] = field(default_factory=dict)
    """The same for the resource's metadata."""
    challenge: bool = True
    """Whether the 401 says where the metadata is."""
    challenged: str = "mcp"
    """The scope that the 401 names; empty: none."""
    no_resource_metadata: bool = False
    iss: str | None = None
    """Another issuer in the authorization response; empty: none."""
    secret: bool = False
    """Registers confidential clients, whatever they ask for."""
    refuses: str = ""
    """An error in place of the code."""
    busy: int = 0
    """How many requests are turned away with 503 first."""
    scope: str = ""
    """What tools/call needs besides what was granted."""


@dataclass
class Seen:
    registrations: list[dict[str, Any]] = field(default_factory=list)
    authorize: list[dict[str, str]] = field(default_factory=list)
    token: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    refused: int = 0


class Protected:
    """The application; ``origin`` is set once it is served."""

    def __init__(self, path: str = "/mcp") -> None:
        self.origin = ""
        self.path = path
        self.faults = Faults()
        self.seen = Seen()
        self.clients: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, str] = {}
        """Valid access token → scope."""
        self.refreshes: dict[str, tuple[bool, str]] = {}
        """Refresh token → (unused, scope)."""
        self.pending = 0
        """How often the device flow says that nobody has agreed yet."""
        self.slow = 0
        self.lifetime = 3600
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route(path, self._endpoint, methods=["POST", "GET", "DELETE"]),
                Route("/.well-known/oauth-protected-resource" + path, self._resource),
                Route("/.well-known/oauth-authorization-server", self._metadata),
                Route("/register", self._register, methods=["POST"]),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
                Route("/device", self._device, methods=["POST"]),
                Route("/revoke", self._revoke, methods=["POST"]),
            ]
        )

    @property
    def url(self) -> str:
        return self.origin + self.path

    # -- the resource ----------------------------------------------------------------------------------------

    async def _endpoint(self, request: Request) -> Response:
        if self.faults.busy:
            self.faults.busy -= 1
            return Response(status_code=503, headers={"retry-after": "0"})
        held = request.headers.get("authorization", "").removeprefix("Bearer ")
        if held not in self.tokens:
            self.seen.refused += 1
            where = f"{self.origin}/.well-known/oauth-protected-resource{self.path}"
            scope = f', scope="{self.faults.challenged}"' if self.faults.challenged else ""
            said = f'Bearer resource_metadata="{where}"{scope}' if self.faults.challenge else "Bearer"
            return Response(status_code=401, headers={"www-authenticate": said})
        if request.method != "POST":
            return Response(status_code=405)
        message = await request.json()
        wanted = self.faults.scope if message["method"] == "tools/call" else ""
        if wanted and wanted not in self.tokens[held].split():
            said = f'Bearer error="insufficient_scope", scope="{wanted}"'
            return Response(status_code=403, headers={"www-authenticate": said})
        return JSONResponse({"jsonrpc": "2.0", "id": message["id"], "result": {"held": held}})

    async def _resource(self, _request: Request) -> Response:
        if self.faults.no_resource_metadata:
            return Response(status_code=404)
        document = {"resource": self.url, "authorization_servers": [self.origin], "scopes_supported": ["mcp"]}
        return JSONResponse(_laid(document, self.faults.resource))

    # -- the authorization server --------------------------------------------------------------------------

    async def _metadata(self, _request: Request) -> Response:
        document = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "registration_endpoint": f"{self.origin}/register",
            "device_authorization_endpoint": f"{self.origin}/device",
            "revocation_endpoint": f"{self.origin}/revoke",
            "grant_types_supported": ["authorization_code", "refresh_token", DEVICE],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse(_laid(document, self.faults.metadata))

    async def _register(self, request: Request) -> Response:
        wanted = await request.json()
        self.seen.registrations.append(wanted)
        client = {**wanted, "client_id": f"client{len(self.seen.registrations)}"}
        if self.faults.secret:
            client |= {"client_secret": "s:e+c r", "token_endpoint_auth_method": "client_secret_basic"}
        self.clients[client["client_id"]] = client
        return JSONResponse(client, 201)

    async def _authorize(self, request: Request) -> Response:
        query = dict(request.query_params)
        self.seen.authorize.append(query)
        client = self.clients[query["client_id"]]
        assert query["redirect_uri"] in client["redirect_uris"]
        assert query["code_challenge_method"] == "S256"
        assert query["resource"] in (self.url, self.faults.resource.get("resource"))
        back = {"state": query["state"], "iss": self.origin if self.faults.iss is None else self.faults.iss}
        if self.faults.refuses:
            back["error"] = self.faults.refuses
        else:
            back["code"] = secrets.token_urlsafe()
            self._codes[back["code"]] = query
        return RedirectResponse(
            f"{query['redirect_uri']}?{urlencode({k: v for k, v in back.items() if v})}", 302
        )

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        if basic:
            form["basic"] = base64.b64decode(basic).decode()
            form["client_id"] = form["basic"].split(":")[0]
        self.seen.token.append(form)
        client = self.clients.get(form.get("client_id", ""))
        if client is None or (
            client.get("client_secret") and form.get("basic") != f"{client['client_id']}:s%3Ae%2Bc%20r"
        ):
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = {"authorization_code": self._code, "refresh_token": self._refresh, DEVICE: self._polled}
        return grant[form["grant_type"]](form)

    def _code(self, form: dict[str, str]) -> Response:
        asked = self._codes.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        if asked is None or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        assert form["redirect_uri"] == asked["redirect_uri"]
        return self._issued(asked.get("scope", ""))

    def _refresh(self, form: dict[str, str]) -> Response:
        unused, scope = self.refreshes.get(form["refresh_token"], (False, ""))
        if not unused:
            self.tokens.clear()  # reuse: the whole family falls
            self.refreshes.clear()
            return JSONResponse({"error": "invalid_grant"}, 400)
        self.refreshes[form["refresh_token"]] = (False, scope)
        return self._issued(scope)

    def _polled(self, form: dict[str, str]) -> Response:
        assert form["device_code"] == "dc"
        if self.slow or self.pending:
            error = "slow_down" if self.slow else "authorization_pending"
            self.slow, self.pending = max(0, self.slow - 1), self.pending - (not self.slow)
            return JSONResponse({"error": error}, 400)
        return self._issued("mcp")

    def _issued(self, scope: str) -> Response:
        access, refresh = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.tokens[access] = scope
        self.refreshes[refresh] = (True, scope)
        answer = {"access_token": access, "refresh_token": refresh, "token_type": "Bearer"}
        return JSONResponse({**answer, "expires_in": self.lifetime}, headers={"cache-control": "no-store"})

    async def _device(self, _request: Request) -> Response:
        answer = {"device_code": "dc", "user_code": "ABCD-EFGH", "verification_uri": f"{self.origin}/code"}
        return JSONResponse({**answer, "expires_in": 60, "interval": 0.01})

    async def _revoke(self, request: Request) -> Response:
        self.seen.revoked.append(dict(parse_qsl((await request.body()).decode()))["token"])
        return Response()


def _laid(document: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**document, **over}.items() if value is not None}


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def visit(url: str) -> bool:
    """A browser in a thread: follows the redirect to the loopback listener."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        answer.read()
    return True


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def visit_later(url: str) -> None:
    await asyncio.to_thread(visit, url)
