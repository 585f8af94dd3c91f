"""The real nginx and the real Caddy in front of an application, with the snippets of docs/forward-auth.md."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from gatekit.demo.wire import fetch
from gatekit.oauth.forward.identity import HEADERS
from tests.support.peers import PROXIES, ROOT
from tests.support.running import RunningGateway, eventually, started

DOCS = (ROOT / "docs" / "forward-auth.md").read_text(encoding="utf-8")
FORGED = {name: "forged" for name in HEADERS}


class Application:
    """What stands behind a proxy: remembers the headers of every request that reaches it."""

    def __init__(self) -> None:
        self.requests: list[list[tuple[str, str]]] = []
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.headers.items())
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"hello")

            do_POST = do_GET

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def seen(self, name: str) -> list[str]:
        """Values of a header of the last request, in any spelling that a WSGI program would take for it."""
        folded = name.lower()
        return [value for key, value in self.requests[-1] if key.lower().replace("_", "-") == folded]


class Door:
    """One proxy in front of one application, and how a client reaches it."""

    def __init__(
        self, name: str, target: str, port: int, gateway: RunningGateway, application: Application
    ) -> None:
        self.name, self.target, self.port = name, target, port
        self.gateway, self.application = gateway, application
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, *headers: tuple[str, str], method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest(method, path)
        for name, value in headers:
            connection.putheader(name, value)
        if method == "POST":
            connection.putheader("Content-Length", "4")
        connection.endheaders(b"body" if method == "POST" else None)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def identity(self) -> dict[str, Any]:
        """What the application reads in the signed header of the last request."""
        keys = KeySet.import_key_set({"keys": fetch(f"{self.gateway.url}/jwks").json()["keys"]})
        (value,) = self.application.seen("X-Gatekit-Identity")
        return dict(jwt.decode(value, keys, algorithms=["ES256"]).claims)


def snippet(language: str, replaced: dict[str, str]) -> str:
    """A block of the page that people copy from, with other addresses."""
    found = re.search(rf"```{language}\n(.*?)```", DOCS, re.S)
    assert found
    text = found[1]
    for old, new in replaced.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[None]:
    environment = {
        **os.environ,
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)

    def up() -> bool:
        assert process.poll() is None, (folder / "log").read_text(encoding="utf-8")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        eventually(up, 20, "the proxy does not listen")
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def nginx(folder: Path, port: int, gateway: int, application: int) -> Iterator[None]:
    server = snippet(
        "nginx",
        {
            "listen 80;": f"listen 127.0.0.1:{port};",
            "server_name wiki.example.com;": "server_name 127.0.0.1;",
            "127.0.0.1:8080": f"127.0.0.1:{gateway}",
            "127.0.0.1:3000": f"127.0.0.1:{application}",
            "target=wiki": "target=nginx",
        },
    )
    scratch = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr warn; events {{}}\n"
        f"http {{ access_log off; {scratch}\n{server}\n}}\n",
        encoding="utf-8",
    )
    command = [str(PROXIES / "nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    with running(command, port, folder):
        yield


@contextmanager
def caddy(folder: Path, port: int, gateway: int, application: int) -> Iterator[None]:
    site = snippet(
        "caddyfile",
        {
            "wiki.example.com {": f"http://127.0.0.1:{port} {{",
            "127.0.0.1:8080": f"127.0.0.1:{gateway}",
            "127.0.0.1:3000": f"127.0.0.1:{application}",
            "target=wiki": "target=caddy",
        },
    )
    (folder / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + site, encoding="utf-8")
    command = [str(PROXIES / "caddy"), "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with running(command, port, folder):
        yield


PROGRAMS = {"nginx": nginx, "caddy": caddy}


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """One gateway, and each proxy with an application of its own."""
    folder = tmp_path_factory.mktemp("forward")
    gateway = RunningGateway(folder / "gateway", {})
    gateway.url = f"http://localhost:{gateway.port}"  # another host name than the applications'
    ports = {name: free_port(0) for name in PROGRAMS}
    gateway.allowed = ["*"]
    gateway.proxy = {
        "trusted_proxies": ["127.0.0.1"],
        "forward_auth": {
            name: {"url": f"http://127.0.0.1:{port}", "allowed_users": ["alice", "bob"]}
            for name, port in ports.items()
        },
    }
    made: dict[str, Door] = {}
    with started(gateway):
        for name, port in ports.items():
            application = Application()
            threading.Thread(target=application.server.serve_forever, daemon=True).start()
            made[name] = Door(name, name, port, gateway, application)
        (folder / "nginx").mkdir()
        (folder / "caddy").mkdir()
        with (
            nginx(folder / "nginx", ports["nginx"], gateway.port, made["nginx"].application.port),
            caddy(folder / "caddy", ports["caddy"], gateway.port, made["caddy"].application.port),
        ):
            yield made
        for door in made.values():
            door.application.server.shutdown()
            door.application.server.server_close()


@pytest.fixture(scope="module")
def people(doors: dict[str, Door]) -> dict[str, Person]:
    gateway = next(iter(doors.values())).gateway
    return {name: gateway.person(name) for name in ("alice", "bob", "carol")}


@pytest.fixture(scope="module")
def keys(doors: dict[str, Door], people: dict[str, Person]) -> dict[str, str]:
    """An API key for each."""
    gateway = next(iter(doors.values())).gateway
    return {
        name: json.loads(gateway.gatekit("keys", "create", name, "--name", "journey", "--json"))["token"]
        for name in people
    }


@pytest.fixture(params=list(PROGRAMS))
def door(request: pytest.FixtureRequest, doors: dict[str, Door]) -> Door:
    return doors[request.param]


def test_a_person_signs_in_once_and_the_application_knows_who(door: Door, people: dict[str, Person]) -> None:
    alice = people["alice"]
    page = alice.browser.follow(f"{door.url}/page?a=1&b=/x")
    assert not isinstance(page, str)
    assert (page.status, page.text, page.url) == (200, "hello", f"{door.url}/page?a=1&b=/x")
    claims = door.identity()
    assert claims["aud"] == door.url
    assert claims["preferred_username"] == "alice"
    assert door.application.seen("X-Auth-Request-Preferred-Username") == ["alice"]
    own = [value for value in door.application.seen("Cookie") if "gk_session" in value]
    assert not own, "the application sees the gateway's own cookie"


def test_a_key_passes_and_is_not_passed_on(door: Door, keys: dict[str, str]) -> None:
    answer = door.get("/api", ("Authorization", f"Bearer {keys['bob']}"))
    assert answer.status == 200
    assert door.identity()["preferred_username"] == "bob"
    assert door.application.seen("Authorization") in ([], [""])
    answer = door.get("/api", ("Authorization", f"Bearer {keys['bob']}"), method="POST")
    assert answer.status == 200


def test_forged_headers_never_reach_the_application(door: Door, keys: dict[str, str]) -> None:
    """F4, T10: neither beside a good token nor instead of one, in no spelling; bob has no address and no
    group, so there is nothing but emptiness to write over what he forged."""
    bearer = ("Authorization", f"Bearer {keys['bob']}")
    answer = door.get("/x", bearer, *FORGED.items())
    assert answer.status == 200
    assert door.identity()["preferred_username"] == "bob"
    for name in HEADERS:
        assert "forged" not in "".join(door.application.seen(name)), name
        assert len([value for value in door.application.seen(name) if value]) <= 1, name
    before = len(door.application.requests)
    assert door.get("/x", *FORGED.items()).status == 401
    for name in HEADERS:
        for spelling in (name.replace("-", "_"), name.replace("-", "_", 1), name.upper().replace("-", "_")):
            answer = door.get("/x", bearer, (spelling, "forged"))
            if answer.status == 200:  # nginx drops such headers on the way
                assert "forged" not in "".join(door.application.seen(name)), spelling
    for _, headers in enumerate(door.application.requests[before:]):
        assert "forged" not in {value for _, value in headers}


def test_what_a_client_says_about_its_request_changes_nothing(door: Door, keys: dict[str, str]) -> None:
    """F4, D9: X-Forwarded-* of a client are not the proxy's."""
    bearer = ("Authorization", f"Bearer {keys['carol']}")
    before = len(door.application.requests)
    lies = (
        ("X-Forwarded-Uri", "/.gatekit/start"),
        ("X-Forwarded-Host", "localhost"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("X-Original-Url", "/healthz"),
        ("User-Agent", "GoogleHC/1.0"),
    )
    for lie in lies:
        assert door.get("/private", lie).status in (400, 401), lie
        assert door.get("/private", bearer, lie).status in (400, 403), lie
    assert len(door.application.requests) == before


def test_who_may_not_is_turned_away(door: Door, keys: dict[str, str], people: dict[str, Person]) -> None:
    before = len(door.application.requests)
    assert door.get("/", ("Authorization", f"Bearer {keys['carol']}")).status == 403
    page = people["carol"].browser.follow(f"{door.url}/")
    assert not isinstance(page, str)
    assert page.status == 403
    assert len(door.application.requests) == before
    denied = door.gateway.audit("--event", "forward", "--user", "carol", "--denied")
    assert {(each["server"], each["decision"]) for each in denied} >= {(door.target, "deny")}


def test_a_program_is_told_where_to_get_a_token(door: Door) -> None:
    for method in ("GET", "POST"):
        answer = door.get("/api", method=method)
        assert answer.status == 401
        challenge = answer.getheader("WWW-Authenticate") or ""
        where = challenge.partition('resource_metadata="')[2].partition('"')[0]
        assert fetch(where).json()["resource"] == door.url


def test_signing_out_ends_it_everywhere(doors: dict[str, Door], people: dict[str, Person]) -> None:
    """B7: the browser keeps its cookies, and they are worth nothing."""
    alice = people["alice"]
    for door in doors.values():
        page = alice.browser.follow(f"{door.url}/")
        assert not isinstance(page, str)
        assert page.text == "hello"
    gateway = next(iter(doors.values())).gateway
    home = alice.browser.open(f"{gateway.url}/")
    alice.browser.submit(home, home.forms[0], {}, "", "")
    for door in doors.values():
        page = alice.browser.follow(f"{door.url}/")
        assert not isinstance(page, str)
        assert any(form.has("password") for form in page.forms), page.summary()


def test_somebody_who_is_disabled_is_out_everywhere_within_a_second(
    doors: dict[str, Door], people: dict[str, Person], keys: dict[str, str]
) -> None:
    """R6: by a command of another process; for keys and for browsers that are signed in."""
    bob = people["bob"]
    for door in doors.values():
        page = bob.browser.follow(f"{door.url}/")
        assert not isinstance(page, str)
        assert page.text == "hello"
    next(iter(doors.values())).gateway.gatekit("users", "disable", "bob")
    for door in doors.values():
        bearer = ("Authorization", f"Bearer {keys['bob']}")
        eventually(lambda door=door, bearer=bearer: door.get("/", bearer).status == 401)  # type: ignore[misc]
        page = bob.browser.follow(f"{door.url}/")
        assert not isinstance(page, str)
        assert page.text != "hello"
