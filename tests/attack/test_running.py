"""Attacks on a gateway that runs as an operator starts it, over its socket, by many at the same moment."""

from __future__ import annotations

import gzip
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, TypeVar

import pytest
from joserfc.jwk import ECKey

from gatekit.demo.browser import Browser, Person
from gatekit.demo.wire import REDIRECT_URI, Answer, Login, fetch
from tests.attack.signing import TYPE, sign
from tests.support.raw import ACCEPT, HANDSHAKE
from tests.support.running import ECHO, RunningGateway, started

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
T = TypeVar("T")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    servers = {
        "echo": {"command": list(ECHO), "users": ["developers"]},
        "private": {"command": list(ECHO), "allowed_users": ["alice"]},
    }
    gateway = RunningGateway(tmp_path_factory.mktemp("attacked"), servers)
    gateway.groups = {"developers": ["alice", "bob"]}
    gateway.proxy = {
        "auth": {
            "enabled": True,
            "provider": "local",
            "allowed_users": ["group:developers"],
            "registration": {"metadata_documents": True},
        }
    }
    with started(gateway):
        yield gateway


@pytest.fixture(scope="module")
def people(running: RunningGateway) -> dict[str, Person]:
    return {name: running.person(name) for name in ("alice", "bob")}


def at_once(many: int, act: Callable[[int], T]) -> list[T]:
    """``act`` in as many threads, all let go in the same moment."""
    gate = threading.Barrier(many)

    def wait(number: int) -> T:
        gate.wait(30)
        return act(number)

    with ThreadPoolExecutor(many) as pool:
        return list(pool.map(wait, range(many)))


def signed_in(gateway: RunningGateway, person: Person, server: str = "echo") -> tuple[Login, dict[str, str]]:
    """A client's login up to the code."""
    login = Login(gateway.endpoint(server))
    login.discover()
    login.register("a client under attack")
    return login, login.authorize(person)


def post(url: str, fields: Mapping[str, str], _: int = 0) -> Answer:
    return fetch(url, urllib.parse.urlencode(fields).encode(), FORM)


def initialize(gateway: RunningGateway, token: str, server: str = "echo") -> Answer:
    params = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    return rpc(gateway, server, json.dumps(body), {"Authorization": f"Bearer {token}"})


def knock(gateway: RunningGateway, token: str) -> Answer:
    """A request without the session that it needs."""
    ping = {"Authorization": f"Bearer {token}", "MCP-Protocol-Version": HANDSHAKE}
    return rpc(gateway, "echo", '{"jsonrpc":"2.0","id":1,"method":"ping"}', ping)


def rpc(gateway: RunningGateway, server: str, body: str | bytes, headers: Mapping[str, str]) -> Answer:
    data = body.encode() if isinstance(body, str) else body
    return fetch(gateway.endpoint(server), data, {**ACCEPT, **headers})


def test_twenty_redeem_one_code(running: RunningGateway, people: dict[str, Person]) -> None:
    """C1, C2: At most one answer has tokens; and since a code that comes twice is stolen, they are dead."""
    for _ in range(2):
        login, back = signed_in(running, people["alice"])
        fields = {
            "grant_type": "authorization_code",
            "code": back["code"],
            "redirect_uri": REDIRECT_URI,
            "client_id": login.client_id,
            "code_verifier": login._verifier,
        }
        answers = at_once(20, partial(post, login.server["token_endpoint"], fields))
        good = [answer.json() for answer in answers if answer.status == 200]
        assert len(good) <= 1
        assert {answer.status for answer in answers} <= {200, 400}
        for tokens in good:
            assert initialize(running, tokens["access_token"]).status == 401
            renewal = {
                "grant_type": "refresh_token",
                "refresh_token": tokens["refresh_token"],
                "client_id": login.client_id,
            }
            assert post(login.server["token_endpoint"], renewal).json()["error"] == "invalid_grant"


def test_sixteen_windows_refresh_one_token(running: RunningGateway, people: dict[str, Person]) -> None:
    """R1, R3: Nobody is locked out, and one chain lives."""
    login, back = signed_in(running, people["alice"])
    login.redeem(back)
    token = login.token["refresh_token"]
    for _ in range(2):
        fields = {"grant_type": "refresh_token", "refresh_token": token, "client_id": login.client_id}
        answers = at_once(16, partial(post, login.server["token_endpoint"], fields))
        assert {answer.status for answer in answers} == {200}
        [token] = {answer.json()["refresh_token"] for answer in answers}
        # Without a session there is no process to wait for: 400 says that the token was good.
        knocks = [knock(running, answer.json()["access_token"]) for answer in answers]
        assert {each.status for each in knocks} == {400}
        assert knock(running, "x" + answers[0].json()["access_token"]).status == 401


def test_one_consent_page_sent_ten_times(running: RunningGateway, people: dict[str, Person]) -> None:
    """B3, C2: One run, one code, however often the button is pressed."""
    login = Login(running.endpoint("echo"))
    login.discover()
    login.register("a client whose page is sent often")
    challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    query = {
        "response_type": "code",
        "client_id": login.client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "resource": running.endpoint("echo"),
    }
    url = f"{login.server['authorization_endpoint']}?{urllib.parse.urlencode(query)}"
    browser = people["bob"].browser
    page = browser.follow(url)
    if not isinstance(page, str) and any(form.has("password") for form in page.forms):
        filled = {"username": "bob", "password": people["bob"].password}
        page = browser.submit(page, page.forms[0], filled, "", REDIRECT_URI)
    assert not isinstance(page, str)
    shown = page
    form = next(form for form in shown.forms if any(each.value == "approve" for each in form.buttons))
    jar = browser.jar

    def press(_: int) -> str:
        another = Browser()
        for cookie in jar:
            another.jar.set_cookie(cookie)
        answer = another.submit(shown, form, {}, "approve", REDIRECT_URI)
        return answer if isinstance(answer, str) else f"{answer.status}"

    answers = at_once(10, press)
    assert sum("code=" in answer for answer in answers) == 1
    assert {answer for answer in answers if "code=" not in answer} == {"400"}


@pytest.mark.parametrize(
    "body",
    [
        '{"jsonrpc":"2.0","id":2,"method":"tools/list","method":"tools/call","params":{"name":"echo"}}',
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"x","name":"echo","arguments":{}}}',
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"a":1,"\\u0061":2}}}',
        '[{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}]',
        "\ufeff{}",
        '{"jsonrpc":"2.0","id":2,"method":"tools/list"}{"jsonrpc":"2.0","id":3,"method":"tools/list"}',
    ],
    ids=["method", "name", "escaped", "batch", "bom", "two"],
)
def test_bodies_that_two_parsers_read_differently(
    running: RunningGateway, people: dict[str, Person], body: str
) -> None:
    """I16, I17: Refused before anything is judged by them."""
    headers = _session(running, running.token(people["alice"], "echo"))
    answer = rpc(running, "echo", body, headers)
    assert answer.status == 400
    assert "result" not in answer.json()


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json;charset=utf-8;charset=utf-16",
        "text/plain",
        "application/json, text/plain",
        "application/jsonx",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_content_of_another_kind(running: RunningGateway, people: dict[str, Person], kind: str) -> None:
    """I18: One media type and one charset; a form that a foreign page could send is not one of them."""
    headers = _session(running, running.token(people["alice"], "echo"))
    body = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}'
    assert rpc(running, "echo", body, {**headers, "Content-Type": kind}).status == 415


def test_an_encoded_body_is_not_decoded(running: RunningGateway, people: dict[str, Person]) -> None:
    """I18: Nothing unpacks what the judge has not seen."""
    headers = _session(running, running.token(people["alice"], "echo"))
    body = gzip.compress(b'{"jsonrpc":"2.0","id":2,"method":"tools/list"}')
    answer = rpc(running, "echo", body, {**headers, "Content-Encoding": "gzip"})
    assert answer.status in (400, 415)


def test_sessions_of_others(running: RunningGateway, people: dict[str, Person]) -> None:
    """I5, T11: An identifier opens nothing: not without a token, not with another person's, not elsewhere."""
    mine = _session(running, running.token(people["alice"], "echo"))
    ping = '{"jsonrpc":"2.0","id":2,"method":"ping"}'
    assert rpc(running, "echo", ping, mine).status == 200
    bare = {name: value for name, value in mine.items() if name != "Authorization"}
    assert rpc(running, "echo", ping, bare).status == 401
    bob = {**mine, "Authorization": f"Bearer {running.token(people['bob'], 'echo')}"}
    assert rpc(running, "echo", ping, bob).status == 404
    elsewhere = {**mine, "Authorization": f"Bearer {running.token(people['alice'], 'private')}"}
    assert rpc(running, "private", ping, elsewhere).status == 404
    guess = {**mine, "Mcp-Session-Id": mine["Mcp-Session-Id"][:-1] + "A"}
    assert rpc(running, "echo", ping, guess).status in (200 if guess == mine else 404, 404)
    assert rpc(running, "echo", ping, mine).status == 200


@pytest.mark.parametrize(
    "spoofed",
    [
        {"X-User": "alice"},
        {"X_User": "alice", "X-Forwarded-User": "alice"},
        {"X-Auth-Request-User": "alice"},
        {"Remote-User": "alice"},
        {"X-Gatekit-User": "alice"},
        {"X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1"},
        {"Cookie": "gk_session=gk_bs_alice; user=alice"},
        {"Authorization": "Basic YWxpY2U6YWxpY2U="},
        {"Authorization": "Bearer alice"},
        {"Authorization": "Bearer null"},
        {"Authorization": "Bearer undefined"},
        {"User-Agent": "kube-probe/1.30"},
        {"X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz"},
    ],
    ids=str,
)
def test_nobody_is_somebody_by_a_header(running: RunningGateway, spoofed: dict[str, str]) -> None:
    """I12, I15, T10, F4: Names in headers, cookies of pages and health checks open nothing at an endpoint."""
    for server in ("echo", "private", ""):
        assert rpc(running, server, '{"jsonrpc":"2.0","id":1,"method":"ping"}', spoofed).status == 401
    assert fetch(f"{running.url}/account", headers=spoofed).body.count(b'name="password"') == 1


@pytest.mark.parametrize(
    "path",
    [
        "/s/private/mcp/",
        "/s/private/mcp/../mcp",
        "/s/echo/../private/mcp",
        "/s/echo%2f..%2fprivate/mcp",
        "/s/./private/mcp",
        "//s/private/mcp",
        "/S/private/mcp",
        "/s/private/mcp;x=1",
        "/s/private%00/mcp",
        "/s/x%0d%0aset-cookie:%20a=b/mcp",
        "/s/x%22,%20error=%22/mcp",
        "/s/PRIVATE/mcp",
        "/s/private/mcp%20",
        "/s/priv%61te/mcp",
        "/static/../s/private/mcp",
        "/.well-known/../s/private/mcp",
        "/healthz/../s/private/mcp",
    ],
)
def test_no_spelling_of_a_path_slips_past_the_door(
    running: RunningGateway, people: dict[str, Person], path: str
) -> None:
    """F4, I12, T3: The path that is judged is the path that is used."""
    token = running.token(people["bob"], "echo")
    body = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    for headers in (ACCEPT, {**ACCEPT, "Authorization": f"Bearer {token}"}):
        answer = fetch(f"{running.url}{path}", body, dict(headers))
        assert answer.status in (401, 403, 404, 405), path
        assert b'"result"' not in answer.body
        assert "set-cookie" not in answer.headers
        assert "%" not in answer.headers.get("www-authenticate", "")


def test_a_command_comes_from_the_file_only(running: RunningGateway, people: dict[str, Person]) -> None:
    """I13: Nothing that is sent starts a program: there is no such route, and no method that takes one."""
    token = running.token(people["alice"], "echo")
    config = {"command": "touch", "args": [str(running.folder / "pwned")], "transport": "stdio"}
    for path in (
        "/mcp-rest/test/connection",
        "/test",
        "/api/servers",
        "/servers",
        "/s",
        "/s/new/mcp",
        "/register",
    ):
        answer = fetch(
            f"{running.url}{path}",
            json.dumps(config).encode(),
            {**ACCEPT, "Authorization": f"Bearer {token}"},
        )
        assert 400 <= answer.status < 500, path
    headers = _session(running, token)
    for method in ("servers/add", "server/test", "initialize"):
        rpc(
            running,
            "echo",
            json.dumps({"jsonrpc": "2.0", "id": 3, "method": method, "params": config}),
            headers,
        )
    assert not (running.folder / "pwned").exists()


@pytest.mark.parametrize("path", ["/login", "/consent", "/device/decide", "/logout", "/account/keys/create"])
def test_an_empty_post_skips_no_step(running: RunningGateway, people: dict[str, Person], path: str) -> None:
    """F5: Whoever is signed in and sends nothing gets nothing (authentik CVE-2026-49448)."""
    for body in (b"", b"txn=", b"decision=approve", b"csrf=&txn=&decision=approve"):
        request_headers = {**FORM, "Cookie": _cookies(people["alice"])}
        answer = fetch(f"{running.url}{path}", body, request_headers)
        assert answer.status in (303, 400, 403), (path, body)
        assert "code=" not in answer.headers.get("location", "")
        assert b"gk_key_" not in answer.body


@pytest.fixture
def canary() -> Iterator[tuple[str, list[object]]]:
    """(host and port on loopback, who connected there). A connection is enough, and a TLS hello is one."""
    came: list[object] = []

    class Canary(BaseRequestHandler):
        def handle(self) -> None:
            came.append(self.client_address)

    server = ThreadingTCPServer(("127.0.0.1", 0), Canary)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}", came
    server.shutdown()
    server.server_close()
    thread.join(10)


def described(address: str, **more: Any) -> dict[str, Any]:
    """What a client says of itself when every address in it is inside."""
    names = ("logo_uri", "client_uri", "jwks_uri", "backchannel_logout_uri", "frontchannel_logout_uri",
             "sector_identifier_uri", "initiate_login_uri", "policy_uri", "tos_uri")  # fmt: skip
    return {
        **{name: f"https://{address}/{name}" for name in names},
        "redirect_uris": [REDIRECT_URI],
        "request_uris": [f"https://{address}/request"],
        **more,
    }


def registered(gateway: RunningGateway, document: Mapping[str, Any]) -> str:
    headers = {"Content-Type": "application/json"}
    answer = fetch(f"{gateway.url}/register", json.dumps(document).encode(), headers)
    assert answer.status == 201, answer.body
    return str(answer.json()["client_id"])


def asks(gateway: RunningGateway, person: Person, client_id: str, **more: str) -> None:
    """As this client, in a browser and at the token endpoint."""
    query = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": REDIRECT_URI,
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "code_challenge_method": "S256",
        "scope": "openid",
        **more,
    }
    person.browser.follow(f"{gateway.url}/authorize?{urllib.parse.urlencode(query)}", REDIRECT_URI)
    code = {"grant_type": "authorization_code", "client_id": client_id, "code": "x"}
    assert post(f"{gateway.url}/token", code).status in (400, 401)


def test_nothing_that_a_client_says_of_itself_is_fetched(
    running: RunningGateway, people: dict[str, Person], canary: tuple[str, list[object]]
) -> None:
    """F6, M2, I2: Logos, request objects, descriptions at an address inside: nobody calls there."""
    address, came = canary
    client_id = registered(running, described(address))
    asks(running, people["bob"], client_id)
    asks(running, people["bob"], client_id, request_uri=f"https://{address}/request")
    document = f"https://{address}/client"
    for identifier in (document, f"http://{address}/client"):
        asks(running, people["bob"], identifier)
    assert came == []
    # It was about to: what kept it back is the judgement of the address, and not a missing feature.
    said = running.audit("--event", "client")
    reasons = [event["reason"] for event in said if event.get("client_id") == document]
    assert reasons
    assert all("127.0.0.1" in reason for reason in reasons), reasons


def test_the_key_set_of_a_client_inside_is_not_fetched(
    running: RunningGateway, canary: tuple[str, list[object]]
) -> None:
    """F6, A2: A client that signs is judged by the keys it names, and those are not looked for inside."""
    address, came = canary
    client_id = registered(running, described(address, token_endpoint_auth_method="private_key_jwt"))
    now = int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": running.url,
        "jti": "one",
        "iat": now,
        "exp": now + 60,
    }
    proof = sign(
        ECKey.generate_key("P-256", {"kid": "k"}), {"alg": "ES256", "kid": "k", "typ": "JWT"}, claims
    )
    fields = {"grant_type": "refresh_token", "refresh_token": "x", "client_assertion_type": TYPE}
    answer = post(f"{running.url}/token", {**fields, "client_assertion": proof})
    assert came == []
    assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable"), answer.body


def _cookies(person: Person) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in person.browser.jar)


def _session(gateway: RunningGateway, token: str, server: str = "echo") -> dict[str, Any]:
    """Headers of an open session; one for each token, because each has a process."""
    kept: dict[str, dict[str, Any]] = gateway.__dict__.setdefault("sessions_of_tests", {})
    if token not in kept:
        opened = initialize(gateway, token, server)
        assert opened.status == 200, opened.body
        headers = {"Authorization": f"Bearer {token}", "Mcp-Session-Id": opened.headers["mcp-session-id"]}
        headers["MCP-Protocol-Version"] = HANDSHAKE
        rpc(gateway, server, '{"jsonrpc":"2.0","method":"notifications/initialized"}', headers)
        kept[token] = headers
    return kept[token]
