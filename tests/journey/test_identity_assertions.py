"""Enterprise-managed authorization: the official SDK brings an identity assertion and calls a tool.

The identity provider is the certified one: its metadata and keys are real. It cannot make identity assertions
itself, so the test signs them with its key.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import RSAKey
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from gatekit.demo.browser import Browser, Person
from tests.emulators.issuer import segment
from tests.support.provider import Provider
from tests.support.running import ECHO, RunningGateway, started
from tests.support.sdk import Application, text

KEY = RSAKey.generate_key(2048, auto_kid=True)
SECRET = "a secret that only the office agent has"


@pytest.fixture(scope="module")
def corp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    provider = Provider(tmp_path_factory.mktemp("corp"), keys={"keys": [KEY.as_dict(private=True)]})
    try:
        provider.start()
        yield provider
    finally:
        provider.stop()


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory, corp: Provider) -> Iterator[RunningGateway]:
    """``echo`` for the company's group eng and for nobody else; people with passwords sign in as ever."""
    servers = {"echo": {"command": list(ECHO), "users": ["corp:group:eng"]}}
    running = RunningGateway(tmp_path_factory.mktemp("managed"), servers)
    running.groups = {}
    running.proxy = {
        "auth": {
            "provider": "local",
            "identity_assertions": {
                "corp": {"issuer": corp.issuer, "username_claim": "email", "groups_claim": "groups"}
            },
            "clients": {
                "agent": {
                    "secret": SECRET,
                    "auth_method": "client_secret_post",
                    "grant_types": ["jwt_bearer"],
                }
            },
        }
    }
    with started(running):
        yield running


class Desk:
    """What the office agent gets from its identity provider, for one person."""

    def __init__(self, issuer: str, name: str, groups: list[str]) -> None:
        self.issuer = issuer
        self.name = name
        self.groups = groups
        self.fetched = 0

    async def assertion(self, audience: str, resource: str) -> str:
        self.fetched += 1
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": f"id of {self.name}",
            "aud": audience,
            "client_id": "agent",
            "resource": resource,
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + 120,
            "email": f"{self.name}@corp.example",
            "groups": self.groups,
        }
        header = {"typ": "oauth-id-jag+jwt", "alg": "RS256", "kid": KEY.kid}
        signed = f"{segment(header)}.{segment(claims)}"
        return f"{signed}.{segment(jws.JWSRegistry.algorithms['RS256'].sign(signed.encode(), KEY))}"


async def call(gateway: RunningGateway, desk: Desk, mode: Any = "auto") -> str:
    nobody = Application(Person("nobody", "", Browser()))  # keeps tokens; there is no browser in this
    auth = IdentityAssertionOAuthProvider(
        server_url=gateway.endpoint("echo"),
        storage=nobody,
        client_id="agent",
        client_secret=SECRET,
        issuer=gateway.url,
        assertion_provider=desk.assertion,
    )
    async with (
        httpx2.AsyncClient(auth=auth, timeout=60) as http,
        Client(streamable_http_client(gateway.endpoint("echo"), http_client=http), mode=mode) as client,
    ):
        return text(await client.call_tool("echo", {"message": f"I am {desk.name}"}))


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_sdk(managed: RunningGateway, corp: Provider, mode: str) -> None:
    desk = Desk(corp.issuer, "ann", ["eng"])
    assert "I am ann" in await call(managed, desk, mode)
    assert desk.fetched == 1


async def test_whom_no_list_names(managed: RunningGateway, corp: Provider) -> None:
    with pytest.raises(BaseExceptionGroup):
        await call(managed, Desk(corp.issuer, "cook", ["kitchen"]))
    assert "cook" not in managed.gatekit("users", "list")


async def test_who_was_disabled(managed: RunningGateway, corp: Provider) -> None:
    """R6: an operator's word against the identity provider's; within a second, and for new assertions too."""
    desk = Desk(corp.issuer, "ben", ["eng"])
    assert "I am ben" in await call(managed, desk)
    managed.gatekit("users", "disable", "ben@corp.example")
    with pytest.raises(BaseExceptionGroup):
        await call(managed, desk)
    managed.gatekit("users", "enable", "ben@corp.example")
    assert "I am ben" in await call(managed, desk)
    issued = [e for e in managed.audit() if e["event"] == "token" and e.get("subject") == "id of ben"]
    assert {e["action"] for e in issued} == {"issued"}
    assert issued[0]["issuer"] == corp.issuer
    assert issued[0]["client_id"] == "agent"
