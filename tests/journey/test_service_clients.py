"""Programs that act for themselves, with the official SDK, at a running gateway whose file changes."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from joserfc.jwk import ECKey
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from gatekit.demo.browser import Person
from tests.support.node import run
from tests.support.peers import CLIENTS
from tests.support.running import ECHO, RunningGateway, started
from tests.support.sdk import text

SECRET = secrets.token_hex(16)
KEY = ECKey.generate_key("P-256", {"kid": "k1"})


class Memory:
    """What the SDK stores: nothing but the token."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        pass


def clients() -> dict[str, Any]:
    return {
        "ci-bot": {"name": "Nightly build", "secret": "${file:bot.secret}", "servers": ["echo"]},
        "signer": {"jwks": {"keys": [dict(KEY.as_dict(private=False))]}},
    }


def declare(gateway: RunningGateway, named: dict[str, Any]) -> None:
    """Write the file with these clients."""
    auth = {"enabled": True, "provider": "local", "allowed_users": ["group:bots"], "clients": named}
    gateway.proxy = {"auth": auth}
    gateway.groups = {"bots": [f"client:{name}" for name in named]}
    gateway.write()


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[RunningGateway]:
    running = RunningGateway(tmp_path / "gateway", {"echo": {"command": list(ECHO), "users": ["bots"]}})
    (running.folder / "bot.secret").write_text(SECRET)
    declare(running, clients())
    with started(running):
        yield running


@asynccontextmanager
async def connected(url: str, auth: httpx2.Auth) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(auth=auth, timeout=30) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


def by_secret(gateway: RunningGateway, memory: Memory) -> httpx2.Auth:
    return ClientCredentialsOAuthProvider(
        gateway.endpoint("echo"), memory, "ci-bot", SECRET, issuer=gateway.url
    )


def by_key(gateway: RunningGateway, memory: Memory) -> httpx2.Auth:
    parameters = SignedJWTParameters(
        issuer="signer",
        subject="signer",
        signing_key=KEY.as_pem(private=True).decode(),
        signing_algorithm="ES256",
    )
    return PrivateKeyJWTOAuthProvider(
        gateway.endpoint("echo"),
        memory,
        "signer",
        parameters.create_assertion_provider(),
        issuer=gateway.url,
    )


@pytest.mark.parametrize(("way", "name"), [(by_secret, "ci-bot"), (by_key, "signer")])
async def test_the_official_sdk_acts_for_itself(gateway: RunningGateway, way: Any, name: str) -> None:
    memory = Memory()
    async with connected(gateway.endpoint("echo"), way(gateway, memory)) as client:
        assert text(await client.call_tool("echo", {"message": "by night"})) == "by night"
    assert memory.tokens is not None
    assert memory.tokens.refresh_token is None
    calls = [event for event in gateway.audit() if event["event"] == "call"]
    assert {event["principal"] for event in calls} == {f"client:{name}"}
    assert {event["client_id"] for event in calls} == {name}


@pytest.mark.parametrize("library", ["oauth4webapi", "openid-client"])
@pytest.mark.parametrize(("way", "name"), [("basic", "ci-bot"), ("key", "signer")])
def test_certified_libraries_act_for_themselves(
    gateway: RunningGateway, tmp_path: Path, library: str, way: str, name: str
) -> None:
    """A2: proofs as certified clients make them; each request has one of its own."""
    printed = run(
        [str(CLIENTS / "oauth_service.mjs"), gateway.endpoint("echo"), library, name, way],
        tmp_path / "home",
        Person("nobody", "no password"),
        GATEKIT_CLIENT_SECRET=SECRET,
        GATEKIT_CLIENT_KEY=json.dumps(KEY.as_dict(private=True)),
    )
    found = json.loads(printed.strip().splitlines()[-1])
    assert found == {"works": 200, "refresh": False, "scope": "mcp:read", "revoked": 401}


async def test_the_file_gives_and_takes(gateway: RunningGateway) -> None:
    """K2, R6: removed from the file, refused within moments; disabled by hand, refused though listed."""
    memory = Memory()
    async with connected(gateway.endpoint("echo"), by_secret(gateway, memory)) as client:
        await client.call_tool("echo", {"message": "x"})
    assert memory.tokens is not None
    headers = {"Authorization": f"Bearer {memory.tokens.access_token}"}

    async def becomes(status: int, path: str = "/s/echo/mcp", **form: str) -> None:
        async with asyncio.timeout(10), httpx2.AsyncClient(base_url=gateway.url) as http:
            while True:
                answer = (
                    await http.post(path, data=form, auth=("ci-bot", SECRET))
                    if form
                    else await http.get(path, headers=headers)
                )
                if answer.status_code == status:
                    return
                await asyncio.sleep(0.05)

    grant = {"path": "/token", "grant_type": "client_credentials"}
    shown = gateway.gatekit("clients", "list", "--data-dir", str(gateway.data))
    assert "ci-bot" in shown
    assert "file" in shown
    assert SECRET not in shown + gateway.gatekit("check", "--config", str(gateway.config))
    facts = json.loads(gateway.gatekit("clients", "show", "ci-bot", "--json"))
    assert (facts["auth_method"], facts["source"]) == ("client_secret_basic", "configured")
    gateway.gatekit("clients", "disable", "ci-bot")
    await becomes(401, **grant)
    await becomes(401)
    gateway.gatekit("clients", "enable", "ci-bot")
    await becomes(200, **grant)
    gateway.gatekit("users", "disable", "client:ci-bot")
    await becomes(400, **grant)
    gateway.gatekit("users", "enable", "client:ci-bot")
    await becomes(200, **grant)
    declare(gateway, {"signer": clients()["signer"]})
    await becomes(401, **grant)
    await becomes(401)
    assert "ci-bot" not in gateway.gatekit("clients", "list", "--data-dir", str(gateway.data))
    declare(gateway, clients())
    await becomes(200, **grant)
