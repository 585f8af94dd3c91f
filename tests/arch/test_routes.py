"""Every route × everybody who should not get far: a stranger, another person, a disabled person.

A new route fails here until it has a row that says what each of them gets. The walk goes over HTTP against a
running gateway with real sign-ins: *other* may not use the server ``private``, *disabled* had a password, a
token and a browser session before an operator disabled him.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from starlette.routing import Route

from gatekit.app import Application
from gatekit.config.load import load
from tests.support.raw import ACCEPT
from tests.support.running import ECHO, RunningGateway


class Row(NamedTuple):
    """HTTP status for each; ``why`` where it is not a refusal."""

    stranger: int
    other: int
    disabled: int
    why: str = ""


def same(status: int, why: str = "") -> Row:
    return Row(status, status, status, why)


PUBLIC = "public by its specification, tells nothing about a person"
FORM = "a form without the page's own token does nothing"

MCP = {
    ("GET", "/s/private/sse"): same(401),
    ("HEAD", "/s/private/sse"): same(401),
    ("POST", "/s/private/sse"): same(401),
    ("DELETE", "/s/private/sse"): same(401),
    ("GET", "/sse"): same(401),
    ("POST", "/sse"): same(401),
    # The token comes before everything else (clients.md §5.1). other: a token for another server.
    ("GET", "/s/private/mcp"): same(401),
    ("HEAD", "/s/private/mcp"): same(401),
    ("POST", "/s/private/mcp"): same(401),
    ("DELETE", "/s/private/mcp"): same(401),
    ("PUT", "/s/private/mcp"): same(401),
    ("GET", "/s/no-such-server/mcp"): same(401),
    ("POST", "/s/no-such-server/mcp"): same(401),
    ("GET", "/mcp"): same(401),
    ("HEAD", "/mcp"): same(401),
    ("POST", "/mcp"): same(401),
    ("DELETE", "/mcp"): same(401),
}

WALK = {
    ("GET", "/healthz"): same(200, PUBLIC),
    ("GET", "/readyz"): same(200, PUBLIC),
    ("GET", "/static/gatekit.css"): same(200, PUBLIC),
    ("GET", "/static/icon.svg"): same(200, PUBLIC),
    ("GET", "/favicon.ico"): same(200, PUBLIC),
    ("GET", "/.well-known/oauth-authorization-server"): same(200, PUBLIC),
    ("GET", "/.well-known/openid-configuration"): same(200, PUBLIC),
    ("GET", "/.well-known/oauth-protected-resource/s/{server}/mcp"): same(200, PUBLIC),
    ("GET", "/.well-known/oauth-protected-resource/mcp"): same(200, PUBLIC),
    ("GET", "/.well-known/oauth-protected-resource/s/{server}/sse"): same(200, PUBLIC),
    ("GET", "/.well-known/oauth-protected-resource/sse"): same(200, PUBLIC),
    ("GET", "/.well-known/{rest:path}"): same(404),
    ("GET", "/jwks"): same(200, PUBLIC),
    ("POST", "/register"): same(400, "open registration (RFC 7591); an empty one is refused"),
    ("POST", "/token"): same(401),
    ("POST", "/revoke"): same(401),
    ("POST", "/device_authorization"): same(401),
    ("GET", "/device"): same(200, "the field for a device's code, or the sign-in page before it"),
    ("POST", "/device"): Row(303, 403, 303, FORM),
    ("POST", "/device/decide"): Row(303, 400, 303, FORM),
    ("GET", "/authorize"): same(400, "no client: a page, never a redirect"),
    ("POST", "/authorize"): same(400),
    ("GET", "/continue"): same(400),
    ("GET", "/login"): same(200, "the sign-in page"),
    ("POST", "/login"): same(400, FORM),
    ("POST", "/consent"): same(400, FORM),
    ("GET", "/go/{connection}"): same(404),
    ("GET", "/callback/{connection}"): same(404),
    ("GET", "/invite/{token}"): same(404),
    ("POST", "/invite/{token}"): same(404),
    ("GET", "/account"): same(200, "what is one's own, or the sign-in page"),
    ("POST", "/account/apps/revoke"): Row(303, 403, 303, FORM),
    ("POST", "/account/keys/create"): Row(303, 403, 303, FORM),
    ("POST", "/account/keys/revoke"): Row(303, 403, 303, FORM),
    ("POST", "/account/sessions/end"): Row(303, 403, 303, FORM),
    ("GET", "/"): same(200, "shows what is one's own, and nothing to a stranger"),
    ("POST", "/logout"): Row(303, 403, 303, FORM + "; nobody is signed in otherwise"),
}

FORM_BODY = {"Content-Type": "application/x-www-form-urlencoded"}
VALUES = {"{server}": "private", "{rest:path}": "probe", "{connection}": "github", "{token}": "gk_inv_none"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """``echo`` for everybody here, ``private`` for alice alone."""
    servers = {
        "echo": {"command": list(ECHO), "users": ["developers"]},
        "private": {"command": list(ECHO), "allowed_users": ["alice"]},
    }
    running = RunningGateway(tmp_path_factory.mktemp("routes"), servers)
    running.groups = {"developers": ["alice", "bob", "carol"]}
    running.allowed = ["group:developers"]
    running.proxy = {"legacy_sse": True}
    running.write()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def identities(guarded: RunningGateway) -> dict[str, dict[str, str]]:
    """Headers of each: nothing, or a token for ``echo`` and the browser's cookies."""
    found: dict[str, dict[str, str]] = {"stranger": {}}
    for kind, name in (("other", "bob"), ("disabled", "carol")):
        person = guarded.person(name)
        token = guarded.token(person, "echo")
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.browser.jar)
        assert cookies, "the browser kept no session"
        found[kind] = {"Authorization": f"Bearer {token}", "Cookie": cookies}
    guarded.gatekit("users", "disable", "carol")
    return found


async def test_every_route_has_a_row(guarded: RunningGateway, tmp_path: Path) -> None:
    """I12: The table above and the routes of the application are the same set."""
    text = guarded.config.read_text(encoding="utf-8").replace('"data"', f'"{tmp_path / "data"}"')
    (tmp_path / "gatekit.yaml").write_text(text, encoding="utf-8")
    application = await Application.open(load(tmp_path / "gatekit.yaml"))
    try:
        known = {
            (method, route.path)
            for route in application.routes
            if isinstance(route, Route)
            for method in route.methods or ()
            if method not in {"HEAD", "OPTIONS"}
        }
        assert all(isinstance(route, Route) for route in application.routes)
    finally:
        await application.close()
    assert known == set(WALK)


@pytest.mark.parametrize("who", ["stranger", "other", "disabled"])
async def test_walk(guarded: RunningGateway, identities: dict[str, dict[str, str]], who: str) -> None:
    """I12: Everybody who should not get far, at every route."""
    wrong = []
    async with httpx2.AsyncClient(base_url=guarded.url, timeout=20) as http:
        for (method, path), row in {**WALK, **MCP}.items():
            for placeholder, value in VALUES.items():
                path = path.replace(placeholder, value)
            kind = ACCEPT if (method, path) in MCP else FORM_BODY
            body = b"" if method in {"GET", "HEAD", "DELETE"} else b"{}" if kind is ACCEPT else b"a=b"
            answer = await http.request(method, path, headers={**kind, **identities[who]}, content=body)
            if answer.status_code != getattr(row, who):
                wrong.append(f"{method} {path}: {answer.status_code}, expected {getattr(row, who)}")
            if (method, path) in MCP:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer resource_metadata=")
    assert not wrong


@pytest.mark.parametrize(("who", "sees"), [("stranger", False), ("other", True), ("disabled", False)])
async def test_home_shows_only_what_is_ones_own(
    guarded: RunningGateway, identities: dict[str, dict[str, str]], who: str, sees: bool
) -> None:
    async with httpx2.AsyncClient(base_url=guarded.url, timeout=20) as http:
        page = (await http.get("/", headers=identities[who])).text
    assert ("echo" in page) == sees
    assert "private" not in page


async def test_a_foreign_host_is_refused_on_every_route(guarded: RunningGateway) -> None:
    """I3: DNS rebinding, on by default and everywhere; the probes alone answer to any name."""
    let_through = []
    async with httpx2.AsyncClient(base_url=guarded.url, timeout=20) as http:
        for method, path in {**WALK, **MCP}:
            for placeholder, value in VALUES.items():
                path = path.replace(placeholder, value)
            answer = await http.request(method, path, headers={"Host": "evil.example"})
            if answer.status_code != 403 and path not in {"/healthz", "/readyz"}:
                let_through.append(f"{method} {path}: {answer.status_code}")
    assert not let_through


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_a_foreign_page_is_refused_even_with_a_token(
    guarded: RunningGateway, identities: dict[str, dict[str, str]], method: str
) -> None:
    """I3: A foreign page is refused even with a token."""
    headers = {**ACCEPT, **identities["other"], "Origin": "http://evil.example"}
    async with httpx2.AsyncClient(base_url=guarded.url, timeout=20) as http:
        answer = await http.request(method, "/s/echo/mcp", headers=headers, content=b"{}")
    assert answer.status_code == 403
