"""RFC 6749 §4.4: the client credentials grant."""

from __future__ import annotations

import pytest

from gatekit.model.oauth import Client
from tests.attack.test_service_clients import BOT, allow, ask, changed
from tests.attack.world import World


@pytest.fixture
async def bot(world: World) -> Client:
    await world.configure(BOT)
    allow(world)
    return BOT


async def test_4_4_confidential_clients_only(world: World) -> None:
    """§4.4: 'The client credentials grant type MUST only be used by confidential clients.'"""
    allow(world)
    await world.configure(changed(auth_method="none", secret_hash=None))
    async with world.http() as http:
        fields = {"grant_type": "client_credentials", "client_id": "ci-bot"}
        assert (await http.post("/token", data=fields)).json()["error"] == "unauthorized_client"


async def test_4_4_2_the_client_must_authenticate(world: World, bot: Client) -> None:
    """§4.4.2: 'The authorization server MUST authenticate the client.'"""
    answer = await ask(world, "wrong")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")
    async with world.http() as http:
        fields = {"grant_type": "client_credentials", "client_id": "ci-bot"}
        assert (await http.post("/token", data=fields)).status_code == 401


async def test_4_4_3_the_answer(world: World, bot: Client) -> None:
    """§4.4.3: 'A refresh token SHOULD NOT be included.'; §5.1: the members of an answer."""
    answer = await ask(world)
    body = answer.json()
    assert answer.status_code == 200
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3600)
    assert "refresh_token" not in body
    assert answer.headers["cache-control"] == "no-store"


async def test_3_3_the_scope(world: World, bot: Client) -> None:
    """§3.3: 'If the issued access token scope is different from the one requested by the client, the
    authorization server MUST include the "scope" response parameter'."""
    assert (await ask(world, scope="mcp:read")).json()["scope"] == "mcp:read"
    assert (await ask(world, scope="openid offline_access")).json()["scope"] == "mcp:read mcp:call"
    await world.configure(changed(scope="mcp:read"))
    assert (await ask(world, scope="mcp:call")).json()["scope"] == "mcp:read"


async def test_5_2_unauthorized_client(world: World) -> None:
    """§5.2: '"unauthorized_client" The authenticated client is not authorized to use this authorization grant
    type.'"""
    client = await world.register(token_endpoint_auth_method="client_secret_basic")
    answer = await ask(world, client["client_secret"], client["client_id"])
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")
