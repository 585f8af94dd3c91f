"""RFC 6749 §3.2, §4.1.3, §5, §6: the token endpoint."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from tests.attack.world import World


async def test_5_1_the_successful_answer(world: World) -> None:
    client = await world.register()
    response = await world.redeem(client, await world.code(client))
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["pragma"] == "no-cache"
    body = response.json()
    assert body["token_type"] == "Bearer"
    assert body["expires_in"] == 3600
    assert isinstance(body["expires_in"], int)
    assert body["scope"] == "mcp"
    assert set(body) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}


async def test_5_1_no_refresh_token_for_a_client_without_that_grant(world: World) -> None:
    client = await world.register(grant_types=["authorization_code"])
    assert "refresh_token" not in await world.tokens(client)
    refused = await world.refresh(client, "gk_rt_x")
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, "unauthorized_client"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "x"}, "invalid_grant"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "invalid_grant"),
    ],
)
async def test_5_2_errors(world: World, fields: dict[str, str], error: str) -> None:
    client = await world.register()
    refused = await world.token(client, **fields)
    assert (refused.status_code, refused.json()["error"]) == (400, error)
    assert refused.headers["cache-control"] == "no-store"
    description = refused.json()["error_description"]
    assert all(" " <= char <= "~" and char not in '"\\' for char in description)


async def test_2_3_1_basic_credentials_are_form_encoded(world: World) -> None:
    """Both parts are encoded with "application/x-www-form-urlencoded" before base64."""
    client = await world.register(token_endpoint_auth_method="client_secret_basic")
    code = await world.code(client)
    pair = ":".join(quote(client[name], safe="") for name in ("client_id", "client_secret"))
    escaped = pair.replace("_", "%5F")
    async with world.http() as http:
        for credentials, status in ((escaped, 200), (pair, 400)):  # 400: the code is used up by then
            response = await http.post(
                "/token",
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "code_verifier": "v" * 20 + "-._~" + "A1b2" * 10,
                    "redirect_uri": "http://127.0.0.1:49152/callback",
                },
                headers={"authorization": "Basic " + base64.b64encode(credentials.encode()).decode()},
            )
            assert response.status_code == status, response.text


async def test_3_2_only_post(world: World) -> None:
    """ "The client MUST use the HTTP "POST" method when making access token requests." """
    async with world.http() as http:
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            assert (await http.request(method, "/token")).status_code == 405


async def test_6_refresh_without_resource_and_with_the_same_scope(world: World) -> None:
    client = await world.register()
    first = await world.tokens(client)
    second = (await world.refresh(client, first["refresh_token"])).json()
    third = (await world.refresh(client, second["refresh_token"], scope="mcp", resource=world.files)).json()
    assert len({first["refresh_token"], second["refresh_token"], third["refresh_token"]}) == 3
    assert await world.alive(third["access_token"])
