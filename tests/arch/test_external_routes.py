"""Every route × a stranger, where another authorization server is in charge: what is left of ours.

``test_routes`` is the same for the usual case. A new route fails here until it has a row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from starlette.routing import Route

from gatekit.app import Application
from gatekit.config.load import load
from gatekit.demo.gateway import free_port
from gatekit.oauth.external.elsewhere import PLACES
from gatekit.web.api.openapi import PREFIX
from gatekit.web.api.operations import OPERATIONS
from tests.support.administration import opened
from tests.support.raw import ACCEPT
from tests.support.running import ECHO, RunningGateway, started

ELSEWHERE = 404
"""With the name of the server that is in charge."""
DOCUMENT = "/.well-known/oauth-protected-resource"

WALK = {
    ("GET", "/healthz"): 200,
    ("GET", "/readyz"): 200,
    ("GET", "/static/gatekit.css"): 200,
    ("GET", "/static/passkeys.js"): 200,
    ("GET", "/static/icon.svg"): 200,
    ("GET", "/favicon.ico"): 200,
    ("GET", f"{DOCUMENT}/s/{{server}}/mcp"): 200,
    ("GET", f"{DOCUMENT}/mcp"): 200,
    ("GET", f"{DOCUMENT}/s/{{server}}/sse"): 200,
    ("GET", f"{DOCUMENT}/sse"): 200,
    # No proxy is answered: the configuration refuses forward_auth here, where nobody can sign in.
    ("GET", "/verify"): 403,
    ("GET", f"{DOCUMENT}/verify/{{target}}"): 404,
    ("GET", "/forward/{target}"): 404,
    ("GET", "/.gatekit/start"): 404,
    ("GET", "/.gatekit/done"): 404,
    **{
        (method, path): ELSEWHERE
        for path in (*PLACES, "/.well-known/{rest:path}")
        for method in ("GET", "POST")
    },
    # People are known here as soon as they were seen, and administrated by programs as everywhere.
    ("GET", f"{PREFIX}/openapi.json"): 200,
    **{(row.method, PREFIX + row.path): 401 for row in OPERATIONS},
}
MCP = [
    (method, path)
    for path in ("/mcp", "/s/echo/mcp", "/s/no-such-server/mcp", "/sse", "/s/echo/sse")
    for method in ("GET", "HEAD", "POST", "DELETE", "PUT")
]
OURS = (
    "/", "/login", "/consent", "/continue", "/logout", "/account", "/account/keys/create", "/device",
    "/device/decide", "/end_session/confirm", "/invite/x", "/callback/idp", "/go/idp", "/register/x",
)  # fmt: skip
"""What there is only where people sign in here."""


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Nothing answers at the issuer, which is no reason to let anybody in."""
    servers = {"echo": {"command": list(ECHO), "users": ["idp:group:eng"]}}
    running = RunningGateway(tmp_path_factory.mktemp("elsewhere"), servers)
    running.groups = {}
    issuer = f"http://127.0.0.1:{free_port(0)}"
    running.proxy = {"legacy_sse": True, "auth": {"external": {"name": "idp", "issuer": issuer}}}
    with started(running):
        yield running


def issuer_of(running: RunningGateway) -> str:
    return str(running.proxy["auth"]["external"]["issuer"])


def filled(path: str) -> str:
    path = path.replace("{server}", "echo").replace("{target}", "wiki").replace("{rest:path}", "probe")
    return re.sub(r"\{[^}]*\}", "probe", path)


async def test_every_route_has_a_row(trusting: RunningGateway, tmp_path: Path) -> None:
    """I12: The table above and the routes of the application are the same set."""
    text = trusting.config.read_text(encoding="utf-8").replace('"data"', f'"{tmp_path / "data"}"')
    (tmp_path / "gatekit.yaml").write_text(text, encoding="utf-8")
    application = await Application.open(load(tmp_path / "gatekit.yaml"))
    try:
        routes = [inner for route in application.routes for inner in opened(route)]
        known = {
            (method, route.path)
            for route in routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if method not in {"HEAD", "OPTIONS"}
        }
        assert all(isinstance(route, Route) for route in routes)
    finally:
        await application.close()
    assert known == set(WALK)


async def test_a_stranger_gets_nowhere(trusting: RunningGateway) -> None:
    """I12: Every route, with nothing in hand; and no code or token is sent on to another host."""
    wrong = []
    async with httpx2.AsyncClient(base_url=trusting.url, timeout=20) as http:
        for (method, path), status in WALK.items():
            answer = await http.request(
                method, filled(path), data={"code": "x"} if method == "POST" else None
            )
            if answer.status_code != status or "location" in answer.headers:
                wrong.append(f"{method} {path}: {answer.status_code}, expected {status}")
        for method, path in MCP:
            answer = await http.request(method, path, headers=ACCEPT)
            challenge = answer.headers.get("WWW-Authenticate", "")
            if answer.status_code != 401 or not challenge.startswith("Bearer resource_metadata="):
                wrong.append(f"{method} {path}: {answer.status_code} {challenge}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [*PLACES, "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"],
)
def test_a_client_that_guesses_is_told_where_to_go(trusting: RunningGateway, path: str, method: str) -> None:
    answer = httpx2.request(method, trusting.url + path)
    assert answer.status_code == ELSEWHERE
    assert issuer_of(trusting) in answer.json()["error_description"]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", OURS)
def test_there_are_no_pages_here(trusting: RunningGateway, path: str, method: str) -> None:
    assert httpx2.request(method, trusting.url + path).status_code == 404
