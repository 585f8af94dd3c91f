"""What programs hold at one of two organisations in one process, tried at the other: as good as
what somebody made up. (``test_tenants.py`` has the routes, tokens and sessions.)"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from gatekit.demo.browser import Page
from gatekit.identity.scim.schema import USER_URN
from tests.support.opened import ASKER, stateless
from tests.support.peers import NODE, npm_server
from tests.support.raw import RawSession, message
from tests.support.tenants import OneTenant, house

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
QUERY = {"name": "simulate-research-query", "arguments": {"topic": "bees"}, "task": {"ttl": 60000}}
STEPS = {"name": "steps", "arguments": {"count": 1}}


class Holder:
    """Alice of one of the two, with an API key that opens all servers there."""

    def __init__(self, tenant: OneTenant) -> None:
        self.tenant = tenant
        self.alice = tenant.person("alice")
        made = json.loads(tenant.gatekit("keys", "create", "alice", "--name", "k", "--json"))
        self.key = str(made["token"])


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Holder, Holder]]:
    servers: dict[str, Any] = {
        "asker": {"command": list(ASKER), "users": ["*"]},
        "everything": {"command": [str(NODE), str(npm_server("everything")), "stdio"], "users": ["*"]},
    }
    hub = {"type": "github", "client_id": "x", "client_secret": "y", "provisioning": {}}
    with house(tmp_path_factory.mktemp("tenants"), "acme", "beta", servers=servers, hub=hub) as built:
        yield Holder(built.tenants["acme"]), Holder(built.tenants["beta"])


def test_tokens_for_provisioning(two: tuple[Holder, Holder]) -> None:
    """N1: Connections of one name are two connections; a token of one keeps nobody of the other."""
    acme, beta = (one.tenant for one in two)
    create = ("connections", "scim-token", "create", "hub", "--config")
    tokens = {one.name: one.gatekit(*create, str(one.config)).strip() for one in (acme, beta)}

    def asked(at: OneTenant, token: str, method: str, path: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        body = json.dumps({"schemas": [USER_URN], "userName": "planted"}) if method == "POST" else ""
        return httpx2.request(method, f"{at.url}/scim/v2/{path}", headers=headers, content=body, timeout=30)

    made_up = "gk_scim_" + "A" * 43
    for method, path in (("GET", "Users"), ("POST", "Users"), ("GET", "Groups"), ("PATCH", "Users/x")):
        stolen, plain = (asked(beta, token, method, path) for token in (tokens["acme"], made_up))
        assert stolen.status_code == plain.status_code == 401, (method, path, stolen.text)
        assert stolen.content == plain.content
    assert asked(beta, tokens["beta"], "GET", "Users").json()["totalResults"] == 0
    made = asked(acme, tokens["acme"], "POST", "Users")
    assert made.status_code == 201, made.text
    of_beta = asked(beta, tokens["beta"], "GET", f"Users/{made.json()['id']}")
    assert of_beta.status_code == 404


def test_codes_of_devices(two: tuple[Holder, Holder]) -> None:
    """N1: Neither what the device waits with nor what the person types; the owner is unharmed."""
    acme, beta = (one.tenant for one in two)
    clients = {}
    for one in (acme, beta):
        wanted = {"client_name": "tv", "grant_types": [DEVICE_GRANT], "token_endpoint_auth_method": "none"}
        clients[one.name] = httpx2.post(f"{one.url}/register", json=wanted, timeout=30).json()["client_id"]
    begun = httpx2.post(f"{acme.url}/device_authorization", data={"client_id": clients["acme"]}, timeout=30)
    codes = begun.json()

    def polled(at: OneTenant, client: str, code: str) -> tuple[int, Any]:
        form = {"grant_type": DEVICE_GRANT, "device_code": code, "client_id": client}
        answer = httpx2.post(f"{at.url}/token", data=form, timeout=30)
        return answer.status_code, answer.json()

    for client in clients.values():
        plain = polled(beta, client, "gk_dc_" + "A" * 43)
        assert plain[0] in (400, 401)
        assert polled(beta, client, codes["device_code"]) == plain
    shown = [_typed(two[1], code) for code in (codes["user_code"], "BCDF-GHJK")]
    assert shown[0] == shown[1]
    assert _typed(two[0], codes["user_code"]) != shown[0]
    assert polled(acme, clients["acme"], codes["device_code"])[1]["error"] == "authorization_pending"


def _typed(at: Holder, code: str) -> tuple[int, str]:
    """What the page of the device says to a code, the code apart."""
    browser = at.alice.browser
    page = browser.follow(f"{at.tenant.url}/device")
    assert isinstance(page, Page)
    if page.forms[0].has("password"):
        filled = {"username": at.alice.name, "password": at.alice.password}
        page = browser.submit(page, page.forms[0], filled, "", "")
        assert isinstance(page, Page)
    form = next(form for form in page.forms if any(each.name == "user_code" for each in form.fields))
    said = browser.submit(page, form, {"user_code": code}, "", "")
    assert isinstance(said, Page)
    return said.status, said.summary().replace(code, "")


async def test_states_of_parked_calls(two: tuple[Holder, Holder]) -> None:
    """N1: ``requestState`` goes on where it was given, for whom it was given."""
    acme, beta = two
    async with httpx2.AsyncClient(timeout=60) as http:

        async def called(at: Holder, **more: Any) -> httpx2.Response:
            return await stateless(http, at.tenant.endpoint("asker"), at.key, "tools/call", {**STEPS, **more})

        parked = message(await called(acme))["result"]
        accept = {"action": "accept", "content": {"name": "Ada"}}
        answers = {key: accept for key in parked["inputRequests"]}
        state = parked["requestState"]
        stolen, plain = [
            await called(beta, requestState=each, inputResponses=answers)
            for each in (state, state[:-8] + "AAAAAAAA")
        ]
        assert stolen.status_code == plain.status_code
        assert message(stolen)["error"] == message(plain)["error"]
        done = message(await called(acme, requestState=state, inputResponses=answers))
        assert done["result"]["resultType"] == "complete", done


async def test_tasks(two: tuple[Holder, Holder]) -> None:
    """N1: A task's id names nothing at the other, to look at, to wait for, to stop."""
    async with httpx2.AsyncClient(timeout=60) as http:
        acme, beta = (RawSession(http, one.tenant.endpoint("everything"), one.key) for one in two)
        for session in (acme, beta):
            await session.initialize()
        made = message(await acme.post({"id": 1, "method": "tools/call", "params": QUERY}))
        ident = made["result"]["task"]["taskId"]
        unknown = "".join("0" if char.isalnum() else char for char in ident)
        for method in ("tasks/get", "tasks/result", "tasks/cancel"):
            stolen, plain = [
                message(await beta.post({"id": 2, "method": method, "params": {"taskId": each}}))["error"]
                for each in (ident, unknown)
            ]
            assert json.dumps(stolen).replace(ident, "") == json.dumps(plain).replace(unknown, ""), method
        listed = message(await beta.post({"id": 3, "method": "tasks/list"}))
        assert listed["result"]["tasks"] == []
        own = message(await acme.post({"id": 4, "method": "tasks/get", "params": {"taskId": ident}}))
        assert own["result"]["status"] in ("working", "completed")
