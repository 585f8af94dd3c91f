"""Leaving: through whichever door somebody is turned out, everything that they have open closes.

One row for each door, one check for each thing that can be open. What stays open is somebody else's.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import httpx2
import pytest

from gatekit.demo.browser import Page
from gatekit.demo.wire import Login
from gatekit.identity.signals import CAEP, RISC
from gatekit.platform.clock import SystemClock
from tests.emulators.transmitter import AUDIENCE, TRANSMITTER, Transmitter
from tests.support.companies import CLIENT, Employee
from tests.support.opened import ASKER, WITHIN, Door, Open, Way, alive, by_key, closes, opened, processes
from tests.support.provider import Provider
from tests.support.running import RunningGateway, eventually, started


def _made(folder: Path) -> RunningGateway:
    made = RunningGateway(folder, {"asker": {"command": list(ASKER), "users": ["everybody"]}})
    made.allowed = ["*"]
    made.groups = {"everybody": ["*"]}
    return made


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with started(_made(tmp_path_factory.mktemp("leaving"))) as running:
        yield running


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    with served() as (jwks_uri, transmitter):
        made = Company(tmp_path_factory.mktemp("company"), jwks_uri, transmitter)
        with started(made):
            yield made


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[RunningGateway]:
    """One whose file a test may change."""
    with started(_made(tmp_path / "gateway")) as running:
        yield running


SCIM_TOKEN = "a-token-of-at-least-thirty-two-characters"


class Company(RunningGateway):
    """With a connection whose provider keeps people here and pushes events about them."""

    def __init__(self, folder: Path, jwks_uri: str, transmitter: Transmitter) -> None:
        super().__init__(folder, {"asker": {"command": list(ASKER), "users": ["everybody"]}})
        self.transmitter = transmitter
        self.allowed, self.groups = ["*"], {"everybody": ["*"]}
        acme = {
            "type": "github",
            "client_id": "x",
            "client_secret": "y",
            "provisioning": {"token": SCIM_TOKEN},
            "ssf": {"issuer": TRANSMITTER, "audience": AUDIENCE, "jwks_uri": jwks_uri},
        }
        providers: dict[str, Any] = {"local": {}, "acme": acme}
        self.proxy = {"auth": {"providers": providers, "allowed_users": ["*"]}}
        self.idents: dict[str, str] = {}
        """Username → what the provider calls them."""


@contextmanager
def served() -> Iterator[tuple[str, Transmitter]]:
    """A provider that publishes its keys on this machine."""
    transmitter = Transmitter(SystemClock())

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(transmitter.jwks()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks", transmitter
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def by_login(gateway: RunningGateway, name: str) -> Open:
    login = Login(gateway.endpoint("asker"))
    login.discover()
    login.register(f"client of {name}")
    login.redeem(login.authorize(gateway.person(name)))
    return Open(name, str(login.token["access_token"]), login.client_id)


def disable(gateway: RunningGateway, mine: Open) -> None:
    gateway.gatekit("users", "disable", mine.name)


def delete(gateway: RunningGateway, mine: Open) -> None:
    gateway.gatekit("users", "delete", mine.name, "--yes")


def revoke_grant(gateway: RunningGateway, mine: Open) -> None:
    [grant] = json.loads(gateway.gatekit("grants", "list", "--user", mine.name, "--json"))
    gateway.gatekit("grants", "revoke", grant["id"], "--yes")


def disable_client(gateway: RunningGateway, mine: Open) -> None:
    gateway.gatekit("clients", "disable", mine.client_id)


def revoke_key(gateway: RunningGateway, mine: Open) -> None:
    gateway.gatekit("keys", "revoke", mine.client_id, "--yes")


def provisioned(gateway: RunningGateway, name: str) -> Open:
    """Somebody whom the provider has put here, with an API key."""
    assert isinstance(gateway, Company)
    body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name}
    made = _scim(gateway, "POST", "Users", body)
    gateway.idents[name] = made["id"]
    key = json.loads(gateway.gatekit("keys", "create", name, "--name", "leaving", "--json"))
    return Open(name, key["token"], key["id"])


def _scim(gateway: Company, method: str, path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {SCIM_TOKEN}", "Content-Type": "application/scim+json"}
    answer = httpx2.request(
        method,
        f"{gateway.url}/scim/v2/{path}",
        headers=headers,
        content=json.dumps(body).encode(),
        timeout=20,
    )
    assert answer.is_success, answer.text
    return answer.json()


def deactivate(gateway: RunningGateway, mine: Open) -> None:
    assert isinstance(gateway, Company)
    body = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "path": "active", "value": False}],
    }
    _scim(gateway, "PATCH", f"Users/{gateway.idents[mine.name]}", body)


def push(gateway: RunningGateway, mine: Open) -> None:
    assert isinstance(gateway, Company)
    about = {"format": "iss_sub", "iss": "scim", "sub": gateway.idents[mine.name]}
    claims = gateway.transmitter.claims({f"{RISC}account-disabled": {}}, sub_id=about, jti=mine.name)
    _pushed(gateway, gateway.transmitter.sign(claims))


def _pushed(gateway: RunningGateway, event: str) -> None:
    headers = {"Content-Type": "application/secevent+jwt"}
    answer = httpx2.post(f"{gateway.url}/ssf/acme", headers=headers, content=event.encode(), timeout=20)
    assert answer.status_code == 202, answer.text


def by_rest(gateway: RunningGateway, mine: Open) -> None:
    gateway.gatekit("users", "add", f"admin-of-{mine.name}")
    gateway.gatekit("users", "role", f"admin-of-{mine.name}", "owner")
    made = gateway.gatekit(
        "admin-keys", "create", f"admin-of-{mine.name}", "--name", "x", "--scope", "people:write", "--json"
    )
    answer = httpx2.post(
        f"{gateway.url}/api/v1/people/{mine.name}/disable",
        headers={"Authorization": f"Bearer {json.loads(made)['token']}"},
        timeout=20,
    )
    assert answer.is_success, answer.text


@pytest.mark.parametrize(
    ("door", "way"),
    [
        pytest.param(disable, by_login, id="users-disable"),
        pytest.param(disable, by_key, id="users-disable-api-key"),
        pytest.param(delete, by_login, id="users-delete"),
        pytest.param(revoke_grant, by_login, id="grants-revoke"),
        pytest.param(disable_client, by_login, id="clients-disable"),
        pytest.param(revoke_key, by_key, id="keys-revoke"),
    ],
)
async def test_everything_that_was_open_closes(
    gateway: RunningGateway, door: Door, way: Way, request: pytest.FixtureRequest
) -> None:
    """R6, T11: see ``principal_is_active``."""
    await closes(gateway, door, way, f"p-{request.node.callspec.id}")


@pytest.mark.parametrize(
    "door",
    [
        pytest.param(deactivate, id="scim-active-false"),
        pytest.param(push, id="event-account-disabled"),
        pytest.param(by_rest, id="rest-disable"),
    ],
)
async def test_what_a_provider_or_a_program_ends_closes(
    company: Company, door: Door, request: pytest.FixtureRequest
) -> None:
    """R6, T11: the doors that other programs come through."""
    await closes(company, door, provisioned, f"q-{request.node.callspec.id}")


def off_the_lists(gateway: RunningGateway) -> None:
    gateway.groups["everybody"] = ["alice"]
    gateway.write()


def connection_off(gateway: RunningGateway) -> None:
    gateway.proxy = {"auth": {"providers": {"local": {"enabled": False}}, "allowed_users": ["*"]}}
    gateway.write()


@pytest.mark.parametrize("change", [off_the_lists, connection_off])
async def test_what_the_file_takes_away_closes(
    apart: RunningGateway, change: Callable[[RunningGateway], None]
) -> None:
    """F2: an inactive provider opens nothing, and neither does a list that somebody was taken off."""
    mine = await asyncio.to_thread(by_login, apart, "last")
    async with opened(apart, mine):
        pids = await asyncio.to_thread(processes, apart, "last")
        assert pids
        await asyncio.to_thread(change, apart)
        _, late = await asyncio.wait(mine.streams.values(), timeout=WITHIN)
        assert not late, [stream for stream, task in mine.streams.items() if task in late]
        if change is connection_off:
            await asyncio.to_thread(eventually, lambda: not any(map(alive, pids)), WITHIN)


# -- people who come over a provider that goes on telling about them -------------------------------------


class Federated(RunningGateway):
    """Signs people in with the certified provider, and hears of their end from it: in all three ways."""

    def __init__(self, folder: Path, jwks_uri: str, transmitter: Transmitter) -> None:
        super().__init__(folder, {"asker": {"command": list(ASKER), "users": ["everybody"]}})
        self.transmitter = transmitter
        self.gone = folder / "gone"
        """Whoever has a file of their name here has no account at the provider any more."""
        self.gone.mkdir()
        client = {
            **CLIENT,
            "redirect_uris": [f"{self.url}/callback/acme"],
            "grant_types": ["authorization_code", "refresh_token"],
            "backchannel_logout_uri": f"{self.url}/backchannel-logout/acme",
        }
        self.provider = Provider(folder / "provider", clients=[client], gone=str(self.gone))
        acme = {
            "type": "oidc",
            "issuer": self.provider.issuer,
            **CLIENT,
            "recheck": "5m",
            "ssf": {"issuer": TRANSMITTER, "audience": AUDIENCE, "jwks_uri": jwks_uri},
        }
        self.allowed, self.groups = ["*"], {"everybody": ["*"]}
        self.proxy = {"auth": {"providers": {"local": {}, "acme": acme}, "allowed_users": ["*"]}}
        self.employees: dict[str, Employee] = {}


@pytest.fixture(scope="module")
def federated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federated]:
    with served() as (jwks_uri, transmitter):
        made = Federated(tmp_path_factory.mktemp("federated"), jwks_uri, transmitter)
        made.provider.start()
        try:
            with started(made):
                yield made
        finally:
            made.provider.stop()


def by_provider(gateway: RunningGateway, name: str) -> Open:
    assert isinstance(gateway, Federated)
    gateway.employees[name] = Employee(name, "", connection="acme")
    login = Login(gateway.endpoint("asker"))
    login.discover()
    login.register(f"client of {name}")
    login.redeem(login.authorize(gateway.employees[name]))
    return Open(name, str(login.token["access_token"]), login.client_id, str(login.token["refresh_token"]))


def _refreshed(gateway: RunningGateway, mine: Open) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": mine.refresh, "client_id": mine.client_id}
    return httpx2.post(f"{gateway.url}/token", data=form, timeout=20)


def sign_out_there(gateway: RunningGateway, mine: Open) -> None:
    """At the provider's own page: Gatekit hears of it from the provider alone."""
    assert isinstance(gateway, Federated)
    browser = gateway.employees[mine.name].browser
    asks = browser.follow(f"{gateway.provider.issuer}/session/end")
    assert isinstance(asks, Page)
    fields = {field.name: field.value for field in asks.forms[0].fields}
    agreed = browser.open(urljoin(asks.url, asks.forms[0].action), {**fields, "logout": "yes"})
    assert agreed.status == 303


def revoke_session(gateway: RunningGateway, mine: Open) -> None:
    assert isinstance(gateway, Federated)
    about = {"format": "iss_sub", "iss": gateway.provider.issuer, "sub": mine.name}
    claims = gateway.transmitter.claims({f"{CAEP}session-revoked": {}}, sub_id=about, jti=mine.name)
    _pushed(gateway, gateway.transmitter.sign(claims))


def refuse_at_refresh(gateway: RunningGateway, mine: Open) -> None:
    """The account there is gone, and nobody says so until somebody asks."""
    assert isinstance(gateway, Federated)
    (gateway.gone / mine.name).touch()
    refused = _refreshed(gateway, mine)
    assert refused.json()["error"] == "invalid_grant", refused.text


@pytest.mark.parametrize(
    "door",
    [
        pytest.param(sign_out_there, id="back-channel-logout"),
        pytest.param(revoke_session, id="event-session-revoked"),
        pytest.param(refuse_at_refresh, id="refused-at-refresh"),
    ],
)
async def test_what_the_provider_that_signed_them_in_ends_closes(
    federated: Federated, door: Door, request: pytest.FixtureRequest
) -> None:
    """R6, T11, F7: a provider ends what came over it; who is still in its books may sign in again."""
    name = f"r-{request.node.callspec.id}"
    await closes(federated, door, by_provider, name)
    if door is not refuse_at_refresh:
        assert (await asyncio.to_thread(by_provider, federated, name)).token
