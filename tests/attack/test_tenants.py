"""Two organisations in one process, with the same names for everything: nothing of one is worth anything at
the other."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace
from starlette.routing import Route

from gatekit.app import Application
from gatekit.config.model import Config
from gatekit.config.tenants import load_tenant, load_tenants
from gatekit.demo.browser import Browser
from gatekit.demo.wire import REDIRECT_URI, Login, McpClient
from tests.support.raw import ACCEPT, RawSession
from tests.support.running import descendants, eventually
from tests.support.tenants import House, OneTenant, house

MADE_UP = "gk_at_" + "A" * 43


class Inside:
    """Alice in one of the two, and all that she holds there."""

    def __init__(self, tenant: OneTenant) -> None:
        self.tenant = tenant
        self.alice = tenant.person("alice")
        self.login = Login(tenant.endpoint("echo"))
        self.login.discover()
        self.login.register("a client")
        self.login.redeem(self.login.authorize(self.alice))
        self.access = str(self.login.token["access_token"])
        self.refresh = str(self.login.token["refresh_token"])
        self.code = self.login.authorize(self.alice)
        self.key = self._printed("keys", "create", "alice", "--name", "k", "--json")
        self.admin_key = self._printed(
            "admin-keys", "create", "alice", "--name", "a", "--scope", "people:read", "--json"
        )

    def _printed(self, *command: str) -> str:
        found = json.loads(self.tenant.gatekit(*command))
        return next(
            str(value) for value in found.values() if isinstance(value, str) and value.startswith("gk_")
        )

    @property
    def cookies(self) -> dict[str, str]:
        return {cookie.name: cookie.value or "" for cookie in self.alice.browser.jar}


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("tenants"), "acme", "beta") as built:
        yield built


@pytest.fixture(scope="module")
def acme(two: House) -> Inside:
    return Inside(two.tenants["acme"])


@pytest.fixture(scope="module")
def beta(two: House) -> Inside:
    return Inside(two.tenants["beta"])


async def routes_of(built: House, name: str) -> list[tuple[str, str]]:
    """(method, path) of everything but the MCP endpoints."""
    common = load_tenants(built.config)
    entry = next(one for one in common.tenants if one.name == name)
    config = load_tenant(entry, common).outcome
    assert isinstance(config, Config)
    # Of the same configuration, with a data directory of its own.
    (built.folder / "scratch").mkdir(exist_ok=True)
    application = await Application.open(replace(config, data_dir=built.folder / "scratch"))
    try:
        return [
            (method, _filled(route.path))
            for route in application.routes
            if isinstance(route, Route)
            for method in sorted((route.methods or {"GET"}) - {"HEAD"})
        ]
    finally:
        await application.close()


def _filled(path: str) -> str:
    return "/".join("x" if part.startswith("{") else part for part in path.split("/"))


async def test_every_route_takes_a_foreign_credential_for_a_made_up_one(
    two: House, acme: Inside, beta: Inside
) -> None:
    """N1: Whatever opens something at one tenant is at every route of the other what a made-up one is."""
    routes = await routes_of(two, "beta")
    assert len(routes) > 40
    base = beta.tenant.url
    foreign = {"access": acme.access, "key": acme.key, "admin": acme.admin_key, "refresh": acme.refresh}
    async with AsyncExitStack() as open_clients:

        async def elsewhere(number: int) -> httpx2.AsyncClient:
            """Of another address: these are more requests than one may send."""
            place = f"127.0.{number // 250}.{2 + number % 250}"
            transport = httpx2.AsyncHTTPTransport(verify=False, local_address=place)
            return await open_clients.enter_async_context(httpx2.AsyncClient(transport=transport, timeout=60))

        http = await elsewhere(0)

        async def status(method: str, path: str, headers: dict[str, str]) -> int:
            answer = await http.request(method, f"{base}{path}", headers=headers)
            assert answer.status_code != 429, (method, path)
            return answer.status_code

        for number, (method, path) in enumerate(routes, 1):
            if path in ("/register", "/logout"):
                continue  # open to everybody, and the next test's
            http = await elsewhere(number)
            plain = await status(method, path, {"Authorization": f"Bearer {MADE_UP}"})
            for name, credential in foreign.items():
                got = await status(method, path, {"Authorization": f"Bearer {credential}"})
                assert got == plain or 400 <= got < 500, (method, path, name, got, plain)
            jar = "; ".join(f"{name}={value}" for name, value in acme.cookies.items())
            false = "; ".join(f"{name}={'A' * 43}" for name in acme.cookies)
            plain = await status(method, path, {"Cookie": false})
            got = await status(method, path, {"Cookie": jar})
            assert got == plain, (method, path, "cookie", got, plain)
        own = await status("GET", "/api/v1/people", {"Authorization": f"Bearer {beta.admin_key}"})
        assert own == 200  # the walk is not refused for some other reason
        other = await status("GET", "/api/v1/people", {"Authorization": f"Bearer {acme.admin_key}"})
        assert other == 401


async def test_tokens_and_keys_at_the_endpoints(acme: Inside, beta: Inside) -> None:
    """N1: The MCP endpoints, one server and all of them, both eras' ways of opening."""
    async with httpx2.AsyncClient(timeout=60) as http:
        for server in ("echo", ""):
            url = beta.tenant.endpoint(server)
            for credential in (acme.access, acme.key, acme.admin_key, acme.refresh):
                for method in ("POST", "GET", "DELETE"):
                    headers = {**ACCEPT, "Authorization": f"Bearer {credential}"}
                    answer = await http.request(method, url, headers=headers, content=b"{}")
                    assert answer.status_code == 401, (server, method, answer.text)
    assert McpClient(beta.tenant.endpoint("echo"), beta.access).initialize()
    assert McpClient(acme.tenant.endpoint("echo"), acme.access).initialize()


async def test_sessions(acme: Inside, beta: Inside) -> None:
    """N1: A session's id and its resumption points exist at one tenant only, for the same person there."""
    async with httpx2.AsyncClient(timeout=60) as http:
        mine = RawSession(http, acme.tenant.endpoint("echo"), acme.access)
        await mine.initialize()
        theirs = RawSession(http, beta.tenant.endpoint("echo"), beta.access)
        await theirs.initialize()
        stolen = {**theirs.headers, "Mcp-Session-Id": mine.session}
        listing = json.dumps({"jsonrpc": "2.0", "id": 5, "method": "tools/list"})
        assert (await http.post(theirs.url, headers=stolen, content=listing)).status_code == 404
        resumed = {**stolen, "Accept": "text/event-stream", "Last-Event-ID": "1"}
        assert (await http.get(theirs.url, headers=resumed)).status_code == 404
        assert (await http.delete(theirs.url, headers=stolen)).status_code == 404
        assert "tools" in (await mine.post({"id": 6, "method": "tools/list"})).text


def _token(at: Inside, **form: str) -> httpx2.Response:
    return httpx2.post(f"{at.tenant.url}/token", data=form, timeout=60)


def test_codes_refresh_tokens_and_clients(acme: Inside, beta: Inside) -> None:
    """N1: At the token endpoint, under both clients' names; and what was tried leaves the owner unharmed."""
    verifier = acme.login._verifier
    for client in (acme.login.client_id, beta.login.client_id):
        redeem = {"grant_type": "authorization_code", "code": acme.code["code"], "client_id": client}
        answer = _token(beta, **redeem, redirect_uri=REDIRECT_URI, code_verifier=verifier)
        assert answer.status_code in (400, 401), answer.text
        answer = _token(beta, grant_type="refresh_token", refresh_token=acme.refresh, client_id=client)
        assert answer.status_code in (400, 401), answer.text
    acme.login.redeem(acme.code)
    page = Browser().open(
        f"{beta.tenant.url}/authorize?response_type=code&client_id={acme.login.client_id}"
        f"&redirect_uri={REDIRECT_URI}&code_challenge={'A' * 43}&code_challenge_method=S256&state=s"
    )
    assert page.status == 400
    assert "location" not in page.headers


def test_a_password_of_the_other(two: House, acme: Inside, beta: Inside) -> None:
    """N1: People with one name are two people, and an invitation of one is none of the other."""
    link = acme.tenant.invite("carol")
    page = Browser().open(link.replace(acme.tenant.url, beta.tenant.url))
    assert page.status in (400, 404, 410)
    people = {name: two.tenants[name].gatekit("users", "list", "--json") for name in ("acme", "beta")}
    assert "carol" in people["acme"]
    assert "carol" not in people["beta"]


def test_trails_and_keys_are_apart(acme: Inside, beta: Inside) -> None:
    """N2: What one does stands in its own trail only; signing keys, master keys and issuers differ."""
    urls = {one.tenant.url for one in (acme, beta)}
    assert len(urls) == 2
    for mine, other in ((acme, beta), (beta, acme)):
        trail = json.dumps(mine.tenant.audit())
        assert mine.login.client_id in trail
        assert other.login.client_id not in trail
        assert other.tenant.host not in trail
    for path in ("jwks.json", "jwks"):
        found = [httpx2.get(f"{one.tenant.url}/{path}") for one in (acme, beta)]
        if found[0].status_code == 200:
            names = [{key["kid"] for key in answer.json()["keys"]} for answer in found]
            assert not names[0] & names[1]
    masters = [(one.tenant.data / "master.key").read_bytes() for one in (acme, beta)]
    assert masters[0] != masters[1]


def raw(port: int, text: bytes) -> bytes:
    """One request as it stands, and all of its answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as wire:
        wire.sendall(text)
        found = b""
        while part := wire.recv(65536):
            found += part
        return found


METADATA = b"GET /.well-known/oauth-authorization-server HTTP/1.1\r\n%sConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("head", "status", "whose"),
    [
        (b"Host: acme.localhost\r\n", 200, "acme"),
        (b"Host: ACME.LocalHost:80\r\n", 200, "acme"),
        (b"Host: acme.localhost\r\nX-Forwarded-Host: beta.localhost\r\n", 200, "acme"),
        (b'Host: acme.localhost\r\nForwarded: host="beta.localhost"\r\n', 200, "acme"),
        (b"Host: acme.localhost.\r\n", 421, ""),
        (b"Host: acme.localhost, beta.localhost\r\n", 421, ""),
        (b"Host: beta.localhost@acme.localhost\r\n", 421, ""),
        (b"Host: acme.localhost:x\r\n", 421, ""),
        (b"Host: gamma.localhost\r\n", 421, ""),
        (b"Host: localhost\r\n", 421, ""),
        (b"Host: 127.0.0.1\r\n", 421, ""),
        (b"Host: acme.localhost\r\nHost: beta.localhost\r\n", 400, ""),
        (b"Host: acme.localhost\r\nHost: acme.localhost\r\n", 400, ""),
        (b"Host:\r\n", 421, ""),
    ],
)
def test_tricks_with_the_host_header(two: House, head: bytes, status: int, whose: str) -> None:
    """N3, D9: One name, exactly; and who is there is not told to those who guess."""
    answer = raw(two.port, METADATA % head)
    assert answer.startswith(b"HTTP/1.1 %d" % status), answer[:200]
    for name in two.tenants:
        assert (b'"issuer":"http://%s.localhost' % name.encode() in answer) == (name == whose)
        assert (name.encode() in answer) == (name == whose)


def test_an_address_in_the_request_line(two: House) -> None:
    """N3: The host in the target of an absolute request chooses nobody."""
    request = (METADATA % b"Host: acme.localhost\r\n").replace(b"GET /", b"GET http://beta.localhost/")
    assert b"beta" not in raw(two.port, request)


def test_one_connection_many_names(two: House, acme: Inside, beta: Inside) -> None:
    """N3: Each request of a connection is judged by itself, on the short way as well."""
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    text = b""
    for host in (b"acme", b"beta", b"acme", b"beta"):
        text += (
            b"POST /s/echo/mcp HTTP/1.1\r\nHost: %s.localhost\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
            b"Mcp-Session-Id: none\r\nContent-Length: %d\r\n\r\n%s"
            % (host, acme.access.encode(), len(body), body)
        )
    text += METADATA % b"Host: gamma.localhost\r\n"
    found = raw(two.port, text)
    statuses = [int(part[:3]) for part in found.split(b"HTTP/1.1 ")[1:]]
    assert statuses[1] == statuses[3] == 401
    assert 401 not in (statuses[0], statuses[2])
    assert statuses[4] == 421


def test_lines_of_the_log_say_whose_they_are(two: House, acme: Inside, beta: Inside) -> None:
    """N3: one log for all; what is about one of them names that one and no other."""
    for inside, other in ((acme, beta), (beta, acme)):
        good = inside.tenant.config.read_text(encoding="utf-8")
        inside.tenant.config.write_text("no such key: 1\n", encoding="utf-8")
        mark, wrong = f" tenant={inside.tenant.name}", f"tenant={other.tenant.name}"
        try:

            def about(mark: str = mark) -> list[str]:
                lines = two.log.read_text(encoding="utf-8").splitlines()
                return [line for line in lines if line.endswith(mark) and "no such key" in line]

            eventually(lambda: bool(about()), 20.0)
            assert not [line for line in about() if wrong in line]
        finally:
            inside.tenant.config.write_text(good, encoding="utf-8")


def test_probes_count_and_name_nobody(two: House) -> None:
    """N3: Anybody can ask for them."""
    answer = httpx2.get(f"{two.url}/readyz")
    assert answer.json() == {"status": "ready", "tenants": {"running": 2, "out_of_order": 0}}
    assert httpx2.get(f"{two.url}/healthz").json()["status"] == "alive"


def _call(at: Inside) -> Any:
    client = McpClient(at.tenant.endpoint("echo"), at.access)
    client.initialize()
    return client.request("tools/list")


def test_one_ends_and_the_other_does_not_notice(tmp_path_factory: pytest.TempPathFactory) -> None:
    """N4: Switched off, broken, mended, its name given away: it ends, the other's session goes on."""
    with house(tmp_path_factory.mktemp("ending"), "acme", "beta") as built:
        acme, beta = Inside(built.tenants["acme"]), Inside(built.tenants["beta"])
        assert built.process is not None
        pid = built.process.pid
        theirs = McpClient(beta.tenant.endpoint("echo"), beta.access)
        theirs.initialize()
        theirs.request("tools/list")
        alone = descendants(pid)
        _call(acme)
        assert descendants(pid) > alone

        built.entries["acme"]["enabled"] = False
        built.write()
        probe = f"{acme.tenant.url}/healthz"
        eventually(lambda: httpx2.get(probe).status_code == 421)
        eventually(lambda: descendants(pid) <= alone)
        assert theirs.request("tools/list")

        built.entries["acme"]["enabled"] = True
        good = acme.tenant.config.read_text(encoding="utf-8")
        acme.tenant.config.write_text("servers: [", encoding="utf-8")
        built.write()
        eventually(lambda: httpx2.get(probe).status_code == 503)
        counted = httpx2.get(f"{built.url}/readyz").json()
        assert counted == {"status": "ready", "tenants": {"running": 1, "out_of_order": 1}}
        assert theirs.request("tools/list")

        acme.tenant.config.write_text(good, encoding="utf-8")
        eventually(lambda: httpx2.get(probe).status_code == 200, within=30)
        assert _call(acme)

        before = built.config.read_text(encoding="utf-8")
        built.config.write_text(before.replace("beta.localhost", "acme.localhost"), encoding="utf-8")
        eventually(lambda: "common file refused" in built.log.read_text(encoding="utf-8"))
        assert _call(acme)  # a common file that cannot be used changes nothing
        assert theirs.request("tools/list")
