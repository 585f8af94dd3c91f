"""``gatekit doctor`` at a healthy gateway, and at the set-ups that people get wrong, with a real nginx."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from gatekit.doctor.examine import Examination, Order, Result
from gatekit.doctor.signin import Somebody
from gatekit.doctor.table import NAMES, chosen
from gatekit.platform.clock import SystemClock, SystemEntropy
from tests.emulators.serving import serving
from tests.support.nginx import GOOD, Nginx
from tests.support.running import ECHO, RunningGateway, started
from tests.support.tls import certificate_for

MAY_PASS = ("python-sdk", "codex", "chatgpt", "claude-ai", "gemini-cli", "vscode-web", "copilot-cli")
"""A handful that differ in all that matters; every client is walked once, in the healthy case."""


def doctor(
    gateway: RunningGateway, *arguments: str, person: Person | None = None
) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON."""
    environment = {**os.environ, "GATEKIT_CONFIG": str(gateway.config)}
    if person is not None:
        environment["GATEKIT_DOCTOR_PASSWORD"] = person.password
        arguments = (*arguments, "--user", person.name)
    done = subprocess.run(
        [sys.executable, "-m", "gatekit", "doctor", "--json", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout, done.stderr
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return done.returncode, found


def only(*names: str) -> list[str]:
    return [word for name in names for word in ("--client", name)]


def codes(found: dict[str, Any]) -> dict[str, list[str]]:
    """Code → the clients that it hits."""
    return {each["code"]: each["clients"] for each in found["findings"]}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    servers = {"echo": {"command": list(ECHO), "users": ["developers"]}}
    running = RunningGateway(tmp_path_factory.mktemp("doctor"), servers)
    with started(running):
        yield running


@pytest.fixture(scope="module")
def alice(healthy: RunningGateway) -> Person:
    return healthy.person("alice")


@pytest.fixture(scope="module")
def published(healthy: RunningGateway, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway whose public URL is a proxy's, which each test makes anew."""
    folder = tmp_path_factory.mktemp("published")
    running = RunningGateway(folder, healthy.servers)
    registration = {"per_minute_per_address": 1000, "per_minute": 1000}
    auth = {"enabled": True, "provider": "local", "allowed_users": ["group:developers"]}
    running.proxy["auth"] = {**auth, "registration": registration}
    running.proxy["public_url"] = f"http://127.0.0.1:{free_port(0)}"
    running.proxy["trusted_proxies"] = ["127.0.0.1/32"]
    with started(running):
        yield running


@pytest.fixture
def through(published: RunningGateway, tmp_path: Path) -> Iterator[Callable[..., Nginx]]:
    """``through(location, server)``: nginx at the public URL of ``published``."""
    made: list[Nginx] = []

    def make(location: str = GOOD, server: str = "") -> Nginx:
        port = int(str(published.proxy["public_url"]).rpartition(":")[2])
        made.append(Nginx(tmp_path, published.port, location, server, port))
        made[-1].start()
        return made[-1]

    yield make
    for each in made:
        each.stop()


async def examined(published: RunningGateway, *names: str, somebody: Somebody | None = None) -> Result:
    """As ``gatekit doctor`` with the configuration at hand, without the price of a process."""
    order = Order(
        url=f"{published.proxy['public_url']}/mcp",
        profiles=chosen(names),
        local=published.url,
        somebody=somebody,
    )
    clock = SystemClock()
    return await Examination(order, clock, SystemEntropy(), asyncio.sleep, lambda _: None).run()


def failed(result: Result) -> set[str]:
    return {course.profile.name for course in result.courses if not course.ok}


def test_everybody_gets_into_a_healthy_gateway(healthy: RunningGateway) -> None:
    """Every client of the table, from the outside; the order is the table's."""
    code, found = doctor(healthy, healthy.endpoint("echo"))
    assert found["findings"] == []
    assert code == 0
    assert [each["name"] for each in found["clients"]] == list(NAMES)
    assert all(each["ok"] and each["steps"][-1] == "token endpoint" for each in found["clients"])
    assert found["registrations_left"] == 0
    assert "gatekit doctor" not in healthy.gatekit("clients", "list")


def test_somebody_signs_in_and_nothing_is_left(healthy: RunningGateway, alice: Person) -> None:
    code, found = doctor(healthy, *only("mcpc", "fastmcp"), person=alice)
    assert (code, found["findings"]) == (0, [])
    for client in found["clients"]:
        assert client["steps"][-4:] == ["sign-in", "call", "event stream", "refresh"]
    assert found["registrations_left"] == 0
    grants = json.loads(healthy.gatekit("grants", "list", "--json"))
    assert not [each for each in grants if "doctor" in str(each) and not each.get("revoked")]


def test_a_wrong_password_is_said(healthy: RunningGateway, alice: Person) -> None:
    wrong = Person(alice.name, "not the password")
    code, found = doctor(healthy, *only("codex"), person=wrong)
    assert code == 1
    assert list(codes(found)) == ["sign-in-failed"]


async def test_good_proxy(published: RunningGateway, through: Callable[..., Nginx]) -> None:
    through()
    code, found = doctor(published, *only(*MAY_PASS))
    assert (code, codes(found)) == (0, {})
    assert found["url"] == f"{published.proxy['public_url']}/mcp"
    assert not found["past_the_proxy"]


BROKEN = {
    "challenge-missing": (GOOD + "proxy_hide_header WWW-Authenticate;", "", {"chatgpt", "claude-ai"}),
    "early": (GOOD, 'if ($request_method = "DELETE") { return 405; }', {"codex"}),
    "turned-away": (
        GOOD,
        'if ($http_user_agent = "") { return 403; }',
        {"python-sdk", "chatgpt", "copilot-cli"},
    ),
    "resource-missing": (GOOD, "location /.well-known/ { return 404; }", set(MAY_PASS)),
    "metadata-garbled": (
        GOOD,
        "location /.well-known/oauth-authorization-server { default_type text/html; return 200 '<html>'; }",
        set(MAY_PASS),
    ),
    "cors-missing": (GOOD + "proxy_hide_header Access-Control-Expose-Headers;", "", {"vscode-web"}),
    "cors-doubled": (GOOD + "add_header Access-Control-Allow-Origin * always;", "", {"vscode-web"}),
    "cors-preflight": (GOOD, "if ($request_method = OPTIONS) { return 405; }", {"vscode-web"}),
    "host-rejected": (
        "proxy_pass http://127.0.0.1:{gateway}; proxy_set_header Host internal.example;",
        "",
        set(MAY_PASS),
    ),
    "redirected": (GOOD, "location = /mcp { return 301 /mcp/; }", set(MAY_PASS)),
    "registration-refused": (GOOD, "location = /register { return 413; }", set(MAY_PASS)),
    "form-action": (
        GOOD + "add_header Content-Security-Policy \"form-action 'self'\";",
        "",
        set(MAY_PASS),
    ),
    "cookie-lost": (GOOD + "proxy_hide_header Set-Cookie;", "", set(MAY_PASS)),
    "token-odd": (
        GOOD + "proxy_intercept_errors on; error_page 400 /sorry;",
        "location = /sorry { internal; default_type text/html; return 400 '<h1>Sorry</h1>'; }",
        set(MAY_PASS),
    ),
}
"""What the doctor says → nginx inside ``location /``, nginx beside it, who is hit."""


DISCOVERY = {"challenge-missing", "early", "turned-away", "resource-missing", "metadata-garbled"}
DISCOVERY |= {"host-rejected", "redirected"}
"""What is looked at from inside as well, so that the doctor knows who is to blame."""


@pytest.mark.parametrize("code", BROKEN)
async def test_broken_proxies(published: RunningGateway, through: Callable[..., Nginx], code: str) -> None:
    location, server, hit = BROKEN[code]
    through(location, server)
    result = await examined(published, *MAY_PASS)
    assert not result.ok
    assert failed(result) == hit
    finding = next(each for each in result.findings if each.ailment.code == code)
    assert finding.clients
    assert "?" not in finding.ailment.title + finding.ailment.why, "a fact is missing"
    assert finding.between == (code in DISCOVERY)


async def test_an_event_stream_that_is_held_back(
    published: RunningGateway, through: Callable[..., Nginx]
) -> None:
    """nginx gathers what it compresses; clients that ask for compression would wait for each event."""
    through(GOOD + "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 0;")
    person = published.person("alice")
    result = await examined(published, "codex", somebody=Somebody(person.name, person.password))
    assert [each.ailment.code for each in result.findings] == ["stream-held"]
    assert "compressed" in result.findings[0].ailment.why


async def test_a_certificate_that_nobody_knows(tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("nothing is sent to a server that cannot prove its name")

    async with serving(app, certificate=certificate_for("localhost", tmp_path), host="127.0.0.1") as origin:
        order = Order(url=f"{origin}/mcp", profiles=chosen(("codex", "vscode")))
        clock = SystemClock()
        result = await Examination(order, clock, SystemEntropy(), asyncio.sleep, lambda _: None).run()
    assert [(each.ailment.code, each.clients) for each in result.findings] == [("tls", ("Codex",))]
    assert "certificate" in result.findings[0].ailment.why.lower()


async def test_a_proxy_whose_word_is_not_taken(
    published: RunningGateway, through: Callable[..., Nginx], tmp_path: Path
) -> None:
    """Only the configuration shows it: the same gateway, read from a file without trusted_proxies."""
    through()
    document = json.loads(published.config.read_text(encoding="utf-8"))
    del document["proxy"]["trusted_proxies"]
    (tmp_path / "gatekit.yaml").write_text(json.dumps(document), encoding="utf-8")
    code, found = doctor(published, "--config", str(tmp_path / "gatekit.yaml"), *only("codex"))
    assert (code, codes(found)) == (0, {"one-address": []})
    assert found["findings"][0]["level"] == "warning"


async def test_a_key_in_place_of_a_sign_in(published: RunningGateway, through: Callable[..., Nginx]) -> None:
    """For gateways whose people sign in elsewhere: the way of tokens and streams all the same."""
    through(GOOD + "proxy_set_header Authorization '';")
    published.person("bob")
    made = json.loads(published.gatekit("keys", "create", "bob", "--name", "doctor", "--json"))
    order = Order(
        url=f"{published.proxy['public_url']}/mcp",
        profiles=chosen(("codex", "claude-code")),
        api_key=made["token"],
    )
    assert made["token"] not in repr(order)
    clock = SystemClock()
    lost = await Examination(order, clock, SystemEntropy(), asyncio.sleep, lambda _: None).run()
    assert [(each.ailment.code, len(each.clients)) for each in lost.findings] == [("call-failed", 2)]
    through_well = replace(order, url=f"{published.url}/mcp")
    right = await Examination(through_well, clock, SystemEntropy(), asyncio.sleep, lambda _: None).run()
    assert "call-failed" not in {each.ailment.code for each in right.findings}


async def test_a_name_that_is_not_the_public_url(published: RunningGateway) -> None:
    """Past the proxy, at an address that nobody was told: to clients it is another server."""
    code, found = doctor(published, published.endpoint(), *only("claude-code", "codex"))
    assert code == 1
    assert codes(found) == {"challenge-elsewhere": ["Claude Code", "Codex"]}
    assert "public_url" in found["findings"][0]["mend"]


async def test_a_proxy_without_a_gateway_behind(
    published: RunningGateway, through: Callable[..., Nginx]
) -> None:
    through("return 502;")
    code, found = doctor(published, f"{published.proxy['public_url']}/mcp")
    assert code == 1
    assert list(codes(found)) == ["gateway-down"]
    assert len(found["clients"]) == 1, "one is enough to know"


def test_a_gateway_that_is_wrong_about_itself(healthy: RunningGateway, tmp_path: Path) -> None:
    """From inside there is no way to the public URL, which is usual: the gateway is looked at past the proxy.
    People who type http where it says https are told so."""
    other = RunningGateway(tmp_path, healthy.servers)
    other.proxy["public_url"] = f"https://127.0.0.1:{other.port}"
    with started(other):
        code, inside = doctor(other, *only("claude-code", "mcporter"))
        _, outside = doctor(other, other.endpoint(), *only("mcporter", "codex"))
    assert (code, codes(inside)) == (0, {"one-way": []})
    assert inside["past_the_proxy"]
    assert codes(outside) == {"resource-scheme": ["Codex", "mcporter"]}


async def test_documents_announced_where_none_can_be_fetched(tmp_path: Path, healthy: RunningGateway) -> None:
    """Claude Code uses its document as soon as it is announced, and never falls back."""
    other = RunningGateway(tmp_path, healthy.servers)
    auth = {"enabled": True, "provider": "local", "allowed_users": ["group:developers"]}
    other.proxy["auth"] = {**auth, "registration": {"metadata_documents": True}}
    claude, mcporter = chosen(("claude-code", "mcporter"))
    nowhere = replace(claude, document="https://gatekit.invalid/client.json")
    order = Order(url=other.endpoint(), profiles=(nowhere, mcporter), documents=True)
    with started(other):
        clock = SystemClock()
        result = await Examination(order, clock, SystemEntropy(), asyncio.sleep, lambda _: None).run()
    assert [(each.ailment.code, each.clients) for each in result.findings] == [
        ("document-unreachable", ("Claude Code",))
    ]


def test_people_read_it_without_colours(healthy: RunningGateway) -> None:
    said = healthy.gatekit("doctor", *only("codex"))
    assert "✓  Codex  gets to the sign-in page" in said
    assert "1 of 1 clients get in" in said
    assert "\x1b" not in said
    listed = healthy.gatekit("doctor", "--list").splitlines()
    assert [line.split()[0] for line in listed] == list(NAMES)


def test_wrong_words(healthy: RunningGateway) -> None:
    for arguments in (
        ("--client", "nobody"),
        ("ftp://example.com",),
        ("--config", "/nowhere/gatekit.yaml"),
        ("http://gatekit.invalid", "--user", "alice"),  # a password would be overheard
    ):
        done = subprocess.run(
            [sys.executable, "-m", "gatekit", "doctor", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done
        assert "Traceback" not in done.stderr
