"""Every route × everybody who should not get far.

Over HTTP against a running gateway, with real sign-ins and real credentials:

- ``stranger`` sends nothing.
- ``other`` is bob, who may use ``echo`` and nothing else: cookies of his session, and a token for ``echo``.
  At MCP endpoints and at /verify he sends an API key instead, good wherever he may go: the door opens and
  the rules decide.
- ``disabled`` is carol: password, token and browser session from before an operator disabled her.
- ``audience`` is alice, who may use everything, with a token for ``echo`` alone and no cookies.
- ``expired`` is alice with a genuine token whose time has passed, and the cookies of a session that
  has ended so.

A new route fails here until it has a row that says what each of them gets.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest
from msgspec.structs import replace
from starlette.routing import Route

from gatekit.app import Application
from gatekit.config.load import load
from gatekit.oauth.keys import KeyRing
from gatekit.platform.clock import SystemClock
from gatekit.platform.vault import Vault, load_master_key
from gatekit.store.sql.store import open_store
from gatekit.web.api.openapi import PREFIX
from gatekit.web.api.operations import OPERATIONS
from gatekit.web.console.route import DOORS
from tests.support.administration import opened
from tests.support.raw import ACCEPT, HANDSHAKE
from tests.support.running import ECHO, RunningGateway, started


class Row(NamedTuple):
    """HTTP status for each; ``why`` where it is not a refusal. ``audience`` and ``expired``: as the stranger,
    unless the row says otherwise."""

    stranger: int
    other: int
    disabled: int
    why: str = ""
    audience: int = 0
    expired: int = 0

    def expected(self, who: str) -> int:
        return int(getattr(self, who)) or self.stranger


def same(status: int, why: str = "") -> Row:
    return Row(status, status, status, why)


EVERYBODY = ("stranger", "other", "disabled", "audience", "expired")

HOW = """
Add a row to WALK for each, with the status that stranger, other and disabled get (audience= and expired=
where they differ from the stranger), and a reason where that is not a refusal. Who they are is said at the
top of the file. A route that is off by default is turned on in the fixture `guarded`."""


PUBLIC = "public by its specification, tells nothing about a person"
FORM = "a form without the page's own token does nothing"

OWN = "what he may use, which is something"
NOT_HERE = "nothing is behind this method without a session"

CONSOLE = Row(200, 403, 200, "the sign-in page; a member has no part in administration")
CONSOLE_FORM = Row(303, 403, 303, FORM + "; leads to the sign-in page")

MCP = {
    ("GET", "/s/private/sse"): Row(401, 403, 401),
    ("HEAD", "/s/private/sse"): Row(401, 405, 401, NOT_HERE),
    ("POST", "/s/private/sse"): Row(401, 405, 401, NOT_HERE),
    ("DELETE", "/s/private/sse"): Row(401, 405, 401, NOT_HERE),
    ("GET", "/sse"): Row(401, 200, 401, OWN),
    ("POST", "/sse"): Row(401, 405, 401, NOT_HERE),
    # The token comes before everything else (clients.md §5.1).
    # A server that one may not use looks like one that does not exist.
    ("GET", "/s/private/mcp"): Row(401, 405, 401, NOT_HERE),
    ("HEAD", "/s/private/mcp"): Row(401, 405, 401, NOT_HERE),
    ("POST", "/s/private/mcp"): Row(401, 403, 401),
    ("DELETE", "/s/private/mcp"): Row(401, 405, 401, NOT_HERE),
    ("PUT", "/s/private/mcp"): Row(401, 405, 401, NOT_HERE),
    ("GET", "/s/no-such-server/mcp"): Row(401, 405, 401, NOT_HERE),
    ("POST", "/s/no-such-server/mcp"): Row(401, 403, 401),
    ("GET", "/mcp"): Row(401, 405, 401, NOT_HERE),
    ("HEAD", "/mcp"): Row(401, 405, 401, NOT_HERE),
    ("POST", "/mcp"): Row(401, 200, 401, OWN),
    ("DELETE", "/mcp"): Row(401, 405, 401, NOT_HERE),
}

WALK = {
    ("GET", "/healthz"): same(200, PUBLIC),
    ("GET", "/readyz"): same(200, PUBLIC),
    ("GET", "/static/gatekit.css"): same(200, PUBLIC),
    ("GET", "/static/passkeys.js"): same(200, PUBLIC),
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
    ("GET", "/register/{client_id}"): same(401),
    ("PUT", "/register/{client_id}"): same(401),
    ("DELETE", "/register/{client_id}"): same(401),
    ("POST", "/token"): same(401),
    ("POST", "/par"): same(401),
    ("POST", "/revoke"): same(401),
    ("GET", "/end_session"): same(200, "signs nobody out without asking"),
    ("POST", "/end_session"): Row(303, 200, 303, "asks; where there is no cookie, by a GET that has one"),
    ("POST", "/end_session/confirm"): Row(200, 403, 200, FORM),
    ("GET", "/verify"): Row(401, 403, 401),
    ("GET", "/forward/{target}"): Row(200, 403, 200, "the sign-in page"),
    ("GET", "/.gatekit/start"): same(303, "sends a browser to sign in at our own host"),
    ("GET", "/.gatekit/done"): same(400, "there is no ticket like this"),
    ("GET", "/.well-known/oauth-protected-resource/verify/{target}"): same(200, PUBLIC),
    ("GET", "/userinfo"): Row(401, 403, 401, "a token without the scope openid", audience=403),
    ("POST", "/userinfo"): Row(401, 403, 401, audience=403),
    ("POST", "/introspect"): same(401),
    ("POST", "/device_authorization"): same(401),
    ("GET", "/device"): same(200, "the field for a device's code, or the sign-in page before it"),
    ("POST", "/device"): Row(303, 403, 303, FORM),
    ("POST", "/device/decide"): Row(303, 400, 303, FORM),
    ("GET", "/authorize"): same(400, "no client: a page, never a redirect"),
    ("POST", "/authorize"): same(400),
    ("GET", "/continue"): same(400),
    ("GET", "/login"): same(200, "the sign-in page"),
    ("POST", "/login"): same(400, FORM),
    ("POST", "/login/home"): same(400, FORM),
    ("POST", "/login/passkey"): same(400, FORM),
    ("POST", "/login/code"): same(400, FORM),
    ("POST", "/login/setup"): same(400, FORM),
    ("POST", "/consent"): same(400, FORM),
    ("GET", "/go/{connection}"): same(404),
    ("GET", "/callback/{connection}"): same(404),
    ("POST", "/saml/{connection}/acs"): same(404),
    ("POST", "/backchannel-logout/{connection}"): same(404),
    ("GET", "/signed-out/{connection}"): same(400),
    ("POST", "/ssf/{connection}"): same(404),
    ("GET", "/saml/{connection}/metadata"): same(404),
    ("GET", "/saml/{connection}/slo"): same(404),
    ("GET", "/invite/{token}"): same(404),
    ("POST", "/invite/{token}"): same(404),
    ("GET", "/api/v1/openapi.json"): same(200, PUBLIC),
    ("GET", "/account"): same(200, "what is one's own, or the sign-in page"),
    ("POST", "/account/apps/revoke"): Row(303, 403, 303, FORM),
    ("POST", "/account/keys/create"): Row(303, 403, 303, FORM),
    ("POST", "/account/keys/revoke"): Row(303, 403, 303, FORM),
    ("POST", "/account/sessions/end"): Row(303, 403, 303, FORM),
    ("POST", "/account/sessions/end-all"): Row(303, 403, 303, FORM),
    ("GET", "/account/passkeys"): same(200, "what is one's own, or the sign-in page"),
    ("GET", "/account/passkeys/again"): same(200, "the sign-in page"),
    ("POST", "/account/passkeys/add"): Row(303, 403, 303, FORM),
    ("POST", "/account/passkeys/remove"): Row(303, 403, 303, FORM),
    ("GET", "/account/second-factor"): same(200, "what is one's own, or the sign-in page"),
    ("GET", "/account/second-factor/again"): same(200, "the sign-in page"),
    ("POST", "/account/second-factor/begin"): Row(303, 403, 303, FORM),
    ("POST", "/account/second-factor/confirm"): Row(303, 403, 303, FORM),
    ("POST", "/account/second-factor/codes"): Row(303, 403, 303, FORM),
    ("POST", "/account/second-factor/remove"): Row(303, 403, 303, FORM),
    ("GET", "/account/again"): same(200, "the sign-in page"),
    ("GET", "/account/access"): same(200, "the sign-in page, or what may be asked for"),
    ("POST", "/account/access/ask"): Row(303, 403, 303, FORM),
    ("POST", "/account/access/withdraw"): Row(303, 403, 303, FORM),
    **{(method, path): CONSOLE if method == "GET" else CONSOLE_FORM for path, method in DOORS},
    ("GET", "/admin/approvals"): same(200, "the sign-in page; a member sees what he may approve: nothing"),
    **{(method, "/scim/v2/{rest:path}"): same(401) for method in ("GET", "POST", "PUT", "PATCH", "DELETE")},
    ("GET", "/"): same(200, "shows what is one's own, and nothing to a stranger"),
    ("POST", "/logout"): Row(303, 403, 303, FORM + "; nobody is signed in otherwise"),
}
WALK |= {(row.method, PREFIX + row.path): same(401) for row in OPERATIONS}
"""Programs of administrators have keys of their own: neither a session nor a token opens anything there. How
far such a key reaches: ``tests/attack/test_admin_api.py``."""

INITIALIZE = json.dumps(
    {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": HANDSHAKE,
            "capabilities": {},
            "clientInfo": {"name": "walk", "version": "1"},
        },
    }
).encode()
FORM_BODY = {"Content-Type": "application/x-www-form-urlencoded"}
VALUES = {
    "{server}": "private",
    "{rest:path}": "probe",
    "{connection}": "github",
    "{token}": "gk_inv_none",
    "{target}": "wiki",
}
ASKS = {
    "/forward/{target}": f"?way={'w' * 43}&to=/",
    "/.gatekit/start": "?target=wiki&to=/",
    "/.gatekit/done": "?target=wiki&ticket=none",
    "/verify": "?target=wiki",
}
"""What has to be asked for, so that nothing but who asks decides."""
PROXIED = {
    "X-Forwarded-Method": "GET",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "wiki.example.com",
    "X-Forwarded-Uri": "/",
    "X-Forwarded-For": "192.0.2.1",
}
"""What the operator's proxy says at /verify. The tests come from its address."""


def filled(path: str) -> str:
    """The path of a route with values in its places, and with the query that it needs."""
    asks = ASKS.get(path, "")
    for placeholder, value in VALUES.items():
        path = path.replace(placeholder, value)
    return re.sub(r"\{[^}]*\}", "probe", path) + asks


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """``echo`` for everybody here, ``private`` and the application ``wiki`` for alice alone."""
    servers = {
        "echo": {"command": list(ECHO), "users": ["developers"]},
        "private": {"command": list(ECHO), "allowed_users": ["alice"]},
    }
    running = RunningGateway(tmp_path_factory.mktemp("routes"), servers)
    running.groups = {"developers": ["alice", "bob", "carol"]}
    running.allowed = ["group:developers"]
    running.proxy = {
        "legacy_sse": True,
        "trusted_proxies": ["127.0.0.1/32"],
        "forward_auth": {"wiki": {"url": "https://wiki.example.com", "allowed_users": ["alice"]}},
    }
    with started(running):
        yield running


@pytest.fixture(scope="module")
def identities(guarded: RunningGateway) -> dict[str, dict[str, str]]:
    """Headers of each, and of ``other`` at MCP endpoints."""
    found: dict[str, dict[str, str]] = {"stranger": {}}
    people = {name: guarded.person(name) for name in ("alice", "bob", "carol")}
    for who, name in (("other", "bob"), ("disabled", "carol"), ("audience", "alice")):
        person = people[name]
        token = guarded.token(person, "echo")
        cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.browser.jar)
        assert cookies, "the browser kept no session"
        found[who] = {"Authorization": f"Bearer {token}", "Cookie": cookies}
    of_alice = found["audience"].pop("Cookie")
    late = expired_token(guarded.data, guarded.token(people["alice"], "private"))
    found["expired"] = {"Authorization": f"Bearer {late}", "Cookie": of_alice}
    expire_sessions(guarded.data, "alice")
    key = json.loads(guarded.gatekit("keys", "create", "bob", "--name", "walk", "--json"))["token"]
    found["other at MCP"] = {**found["other"], "Authorization": f"Bearer {key}"}
    guarded.gatekit("users", "disable", "carol")
    return found


def expired_token(data: Path, token: str) -> str:
    """``token`` again, signed with the same key, but of two hours ago."""

    async def signed() -> str:
        store = await open_store(data / "gatekit.db")
        try:
            keys = KeyRing(store.signing_keys, Vault(load_master_key(data)), SystemClock(), 3600)
            await keys.load()
            claims = keys.verify(token)
            return keys.sign(replace(claims, iat=claims.iat - 7200, exp=claims.iat - 3600))
        finally:
            await store.close()

    return asyncio.run(signed())


def expire_sessions(data: Path, username: str) -> None:
    """The browser sessions of this person ended an hour ago."""
    with closing(sqlite3.connect(data / "gatekit.db")) as database, database:
        changed = database.execute(
            "UPDATE browser_sessions SET expires_at = created_at - 3600"
            " WHERE user_id IN (SELECT id FROM users WHERE username = ?)",
            (username,),
        )
        assert changed.rowcount


async def test_every_route_has_a_row(guarded: RunningGateway, tmp_path: Path) -> None:
    """I12: The table above and the routes of the application are the same set."""
    text = guarded.config.read_text(encoding="utf-8").replace('"data"', f'"{tmp_path / "data"}"')
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
    assert not known - set(WALK), f"routes without a row: {sorted(known - set(WALK))}{HOW}"
    assert not set(WALK) - known, f"rows without a route: {sorted(set(WALK) - known)}"


@pytest.mark.parametrize("who", EVERYBODY)
async def test_walk(guarded: RunningGateway, identities: dict[str, dict[str, str]], who: str) -> None:
    """I12: Everybody who should not get far, at every route."""
    wrong = []
    own = httpx2.AsyncHTTPTransport(local_address=f"127.0.0.{10 + EVERYBODY.index(who)}")
    async with (
        httpx2.AsyncClient(base_url=guarded.url, timeout=20) as http,
        httpx2.AsyncClient(base_url=guarded.url, timeout=20, transport=own) as apart,
    ):
        for (method, path), row in {**WALK, **MCP}.items():
            at_mcp = (method, path) in MCP
            by_token = at_mcp or path == "/verify"
            kind, data = (ACCEPT, INITIALIZE) if at_mcp else (FORM_BODY, b"a=b")
            body = b"" if method in {"GET", "HEAD", "DELETE"} else data
            headers = {**kind, **identities.get(f"{who} at MCP" if by_token else who, identities[who])}
            way = http if path == "/verify" else apart  # the sign-in pages of one address are limited
            if path == "/verify":
                headers |= PROXIED
            async with way.stream(method, filled(path), headers=headers, content=body) as answer:
                pass  # an event stream has no end
            if answer.status_code != row.expected(who):
                wrong.append(f"{method} {path}: {answer.status_code}, expected {row.expected(who)}")
            if answer.status_code == 401 and at_mcp:
                assert answer.headers["WWW-Authenticate"].startswith("Bearer resource_metadata=")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", EVERYBODY)
async def test_home_shows_only_what_is_ones_own(
    guarded: RunningGateway, identities: dict[str, dict[str, str]], who: str
) -> None:
    async with httpx2.AsyncClient(base_url=guarded.url, timeout=20) as http:
        page = (await http.get("/", headers=identities[who])).text
    assert ("echo" in page) == (who == "other")
    assert "private" not in page


async def test_a_foreign_host_is_refused_on_every_route(guarded: RunningGateway) -> None:
    """I3: DNS rebinding, on by default and everywhere; the probes alone answer to any name. The operator's
    own proxies may ask under another name, so these requests come from an address that is none of them."""
    let_through = []
    way = httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx2.AsyncClient(base_url=guarded.url, timeout=20, transport=way) as http:
        for method, path in {**WALK, **MCP}:
            answer = await http.request(method, filled(path), headers={"Host": "evil.example"})
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
