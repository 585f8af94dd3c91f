"""Leaving: through whichever door somebody is turned out, everything that they have open closes.

One row for each door, one check for each thing that can be open. What stays open is somebody else's.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatekit.demo.wire import Login
from gatekit.identity.signals import RISC
from gatekit.platform.clock import SystemClock
from tests.emulators.transmitter import AUDIENCE, TRANSMITTER, Transmitter
from tests.support.peers import ROOT
from tests.support.raw import ACCEPT, RawSession
from tests.support.running import RunningGateway, eventually, started

ASKER = (sys.executable, str(ROOT / "tests" / "children" / "asker.py"))
STATELESS = "2026-07-28"
WITHIN = 10.0
"""Generous: how fast it is stands in docs/performance.md, measured by ``benchmarks.leaving``."""


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


@dataclass
class Open:
    """What one person has open, and with which credential."""

    name: str
    token: str
    client_id: str = ""
    streams: dict[str, asyncio.Task[str]] = field(default_factory=dict)
    parked: dict[str, Any] = field(default_factory=dict)


def _meta() -> dict[str, Any]:
    prefix = "io.modelcontextprotocol"
    return {
        f"{prefix}/protocolVersion": STATELESS,
        f"{prefix}/clientInfo": {"name": "raw", "version": "1"},
        f"{prefix}/clientCapabilities": {"elicitation": {"form": {}}},
    }


async def _until_end(
    http: httpx2.AsyncClient, method: str, url: str, began: asyncio.Event, **more: Any
) -> str:
    """Everything that came on a stream, once it has ended. ``began``: its first bytes are here."""
    heard = ""
    async with http.stream(method, url, **more) as answer:
        assert answer.status_code == 200, (await answer.aread()).decode()
        began.set()
        async for text in answer.aiter_text():
            heard += text
    return heard


async def _stateless(
    http: httpx2.AsyncClient, url: str, token: str, method: str, params: dict[str, Any]
) -> httpx2.Response:
    return await http.post(url, **_request(token, method, params))


def _request(token: str, method: str, params: dict[str, Any]) -> dict[str, Any]:
    headers = {
        **ACCEPT,
        "Authorization": f"Bearer {token}",
        "MCP-Protocol-Version": STATELESS,
        "Mcp-Method": method,
    }
    if "name" in params:
        headers["Mcp-Name"] = params["name"]
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": _meta()}}
    return {"headers": headers, "content": json.dumps(body)}


@asynccontextmanager
async def opened(gateway: RunningGateway, mine: Open) -> AsyncIterator[httpx2.AsyncClient]:
    """A stream of a session, a subscription, a call that runs, and one that is parked."""
    url = gateway.endpoint("asker")
    async with httpx2.AsyncClient(timeout=60) as http:
        session = RawSession(http, url, mine.token)
        hello = {
            "protocolVersion": "2025-11-25",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "raw", "version": "1"},
        }
        answer = await session.post({"id": 0, "method": "initialize", "params": hello})
        session.headers |= {
            "MCP-Protocol-Version": "2025-11-25",
            "Mcp-Session-Id": answer.headers["Mcp-Session-Id"],
        }
        await session.post({"method": "notifications/initialized"})
        call = {"name": "steps", "arguments": {"count": 1}}
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call})
        listen = {"notifications": {"toolsListChanged": True}}
        wanted: dict[str, tuple[str, dict[str, Any]]] = {
            "session": ("GET", {"headers": {**session.headers, "Accept": "text/event-stream"}}),
            "subscription": ("POST", _request(mine.token, "subscriptions/listen", listen)),
            "running": ("POST", {"headers": session.headers, "content": body}),
        }
        for name, (method, more) in wanted.items():
            began = asyncio.Event()
            mine.streams[name] = asyncio.create_task(_until_end(http, method, url, began, **more))
            await asyncio.wait_for(began.wait(), WITHIN)
        parked = await _stateless(http, url, mine.token, "tools/call", call)
        mine.parked = parked.json()["result"]
        assert mine.parked["resultType"] == "input_required", parked.text
        yield http
        for task in mine.streams.values():
            task.cancel()
        await asyncio.gather(*mine.streams.values(), return_exceptions=True)


def _processes(gateway: RunningGateway, name: str) -> set[int]:
    events = gateway.audit("--event", "process", "--user", name)
    return {each["pid"] for each in events if each["action"] == "started" and _alive(each["pid"])}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def by_login(gateway: RunningGateway, name: str) -> Open:
    login = Login(gateway.endpoint("asker"))
    login.discover()
    login.register(f"client of {name}")
    login.redeem(login.authorize(gateway.person(name)))
    return Open(name, str(login.token["access_token"]), login.client_id)


def by_key(gateway: RunningGateway, name: str) -> Open:
    gateway.person(name)
    made = json.loads(gateway.gatekit("keys", "create", name, "--name", "leaving", "--json"))
    return Open(name, made["token"], made["id"])


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
    answer = httpx2.post(
        f"{gateway.url}/ssf/acme",
        headers={"Content-Type": "application/secevent+jwt"},
        content=gateway.transmitter.sign(claims).encode(),
        timeout=20,
    )
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


Door = Callable[[RunningGateway, Open], None]
Way = Callable[[RunningGateway, str], Open]


@pytest.mark.parametrize(
    ("door", "way", "whole_person"),
    [
        pytest.param(disable, by_login, True, id="users-disable"),
        pytest.param(disable, by_key, True, id="users-disable-api-key"),
        pytest.param(delete, by_login, True, id="users-delete"),
        pytest.param(revoke_grant, by_login, False, id="grants-revoke"),
        pytest.param(disable_client, by_login, False, id="clients-disable"),
        pytest.param(revoke_key, by_key, False, id="keys-revoke"),
    ],
)
async def test_everything_that_was_open_closes(
    gateway: RunningGateway, door: Door, way: Way, whole_person: bool, request: pytest.FixtureRequest
) -> None:
    """R6, T11: see ``principal_is_active``."""
    await closes(gateway, door, way, whole_person, f"p-{request.node.callspec.id}")


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
    await closes(company, door, provisioned, True, f"q-{request.node.callspec.id}")


async def closes(gateway: RunningGateway, door: Door, way: Way, whole_person: bool, name: str) -> None:
    mine = await asyncio.to_thread(way, gateway, name)
    # Somebody new each time: what the last one had open may still be counted for a while.
    others = await asyncio.to_thread(by_key, gateway, f"bystander-{name}")
    async with opened(gateway, mine) as http, opened(gateway, others):
        pids = await asyncio.to_thread(_processes, gateway, name)
        assert pids
        await asyncio.to_thread(door, gateway, mine)
        done, late = await asyncio.wait(mine.streams.values(), timeout=WITHIN)
        assert not late, [stream for stream, task in mine.streams.items() if task in late]
        assert all(task.exception() is None for task in done)
        if whole_person:
            await asyncio.to_thread(eventually, lambda: not any(map(_alive, pids)), WITHIN)
        retry = {
            "name": "steps",
            "arguments": {"count": 1},
            "requestState": mine.parked["requestState"],
            "inputResponses": {
                key: {"action": "accept", "content": {"name": "Ada"}} for key in mine.parked["inputRequests"]
            },
        }
        refused = await _stateless(http, gateway.endpoint("asker"), mine.token, "tools/call", retry)
        assert refused.status_code in (401, 403), refused.text
        assert not [stream for stream, task in others.streams.items() if task.done()]


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
        pids = await asyncio.to_thread(_processes, apart, "last")
        assert pids
        await asyncio.to_thread(change, apart)
        _, late = await asyncio.wait(mine.streams.values(), timeout=WITHIN)
        assert not late, [stream for stream, task in mine.streams.items() if task in late]
        if change is connection_off:
            await asyncio.to_thread(eventually, lambda: not any(map(_alive, pids)), WITHIN)
