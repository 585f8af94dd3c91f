"""RFC 7591: dynamic client registration."""

from __future__ import annotations

import pytest

from tests.attack.world import LOOPBACK, World


async def test_3_2_1_the_answer(world: World) -> None:
    async with world.http() as http:
        response = await http.post("/register", json={"redirect_uris": [LOOPBACK]})
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    assert response.headers["cache-control"] == "no-store"
    body = response.json()
    # §2: left out means client_secret_basic, so there is a secret and an end to it (0: none).
    assert body["token_endpoint_auth_method"] == "client_secret_basic"
    assert body["client_secret"]
    assert body["client_secret_expires_at"] == 0
    assert body["client_id_issued_at"] == int(world.clock.now())
    assert body["redirect_uris"] == [LOOPBACK]


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": [None]}, "invalid_redirect_uri"),
        ({"redirect_uris": [LOOPBACK] * 1 + ["http://localhost/x"] * 21}, "invalid_redirect_uri"),
        ({"redirect_uris": [LOOPBACK], "token_endpoint_auth_method": "x"}, "invalid_client_metadata"),
        ({"redirect_uris": [LOOPBACK], "grant_types": [1]}, "invalid_client_metadata"),
        ({"redirect_uris": [LOOPBACK], "scope": ["mcp"]}, "invalid_client_metadata"),
    ],
)
async def test_3_2_2_errors(world: World, metadata: dict[str, object], error: str) -> None:
    async with world.http() as http:
        response = await http.post("/register", json=metadata)
    assert (response.status_code, response.json()["error"]) == (400, error)
    assert response.headers["cache-control"] == "no-store"


async def test_2_unknown_members_are_ignored(world: World) -> None:
    """ "The authorization server MUST ignore any client metadata sent by the client that it does not
    understand." """
    client = await world.register(x_unknown={"deep": [1]}, code_challenge_method="S256", jwks={"keys": []})
    assert not {"x_unknown", "code_challenge_method", "jwks"} & set(client)


async def test_only_json(world: World) -> None:
    async with world.http() as http:
        response = await http.post("/register", data={"redirect_uris": LOOPBACK})
        assert response.json()["error"] == "invalid_client_metadata"
        assert (await http.get("/register")).status_code == 405


async def test_a_client_without_a_name_gets_one(world: World) -> None:
    client = await world.register(client_name="\u202e\u0000 \n")
    assert client["client_name"] == "Unnamed client"


async def test_secrets_differ_and_are_stored_as_hashes(world: World) -> None:
    first = await world.register(token_endpoint_auth_method="client_secret_post")
    second = await world.register(token_endpoint_auth_method="client_secret_post")
    assert first["client_secret"] != second["client_secret"]
    row = await world.store.clients.get(first["client_id"])
    assert row is not None
    assert row.secret_hash not in (None, first["client_secret"])
