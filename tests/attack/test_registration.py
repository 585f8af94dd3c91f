"""K1–K2 and A1: registration and client authentication."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.audit import ClientEvent
from gatekit.platform.limits import Rate
from tests.attack.world import LOOPBACK, USED_LOOPBACK, World, world_in

CURSOR = [
    "cursor://anysphere.cursor-mcp/oauth/callback",
    "https://www.cursor.com/agents/mcp/oauth/callback",
    "http://localhost:8787/callback",
]


async def test_K1_one_address_has_a_budget(world: World) -> None:
    async with world.http() as http:
        answers = [await http.post("/register", json={"redirect_uris": [LOOPBACK]}) for _ in range(25)]
        assert [answer.status_code for answer in answers] == [201] * 20 + [429] * 5
        assert int(answers[-1].headers["retry-after"]) > 0
        async with world.http("203.0.113.9") as other:
            assert (await other.post("/register", json={"redirect_uris": [LOOPBACK]})).status_code == 201
        world.clock.advance(60)  # ten more a minute
        answers = [await http.post("/register", json={"redirect_uris": [LOOPBACK]}) for _ in range(11)]
        assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert world.trail.named(ClientEvent, action="refused")


async def test_K1_all_addresses_together_have_a_budget(tmp_path: Path) -> None:
    async with world_in(tmp_path, registration_global=Rate(5, 1)) as world:
        codes = []
        for number in range(8):
            async with world.http(f"203.0.113.{number}") as http:
                codes.append((await http.post("/register", json={"redirect_uris": [LOOPBACK]})).status_code)
    assert codes == [201] * 5 + [429] * 3


async def test_K1_unused_registrations_expire_used_ones_stay(world: World) -> None:
    used, unused = await world.register(), await world.register()
    tokens = await world.tokens(used)
    world.clock.advance(86_401)
    await world.server.tidy()
    assert await world.store.clients.get(unused["client_id"]) is None
    assert (await world.refresh(used, tokens["refresh_token"])).status_code == 200


async def forget(world: World, client: Mapping[str, Any]) -> None:
    """The row goes as expiry and a reset of the store take it: without anybody having decided so."""
    world.clock.advance(world.settings.unused_client_lifetime + 1)
    await world.server.tidy()
    assert await world.store.clients.get(client["client_id"]) is None


async def test_a_forgotten_client_is_let_in_again_on_sight(world: World) -> None:
    client = await world.register()
    await forget(world, client)
    tokens = await world.tokens(client)
    assert await world.alive(tokens["access_token"])
    event = world.trail.named(ClientEvent, action="readmitted")[0]
    assert event.client_id == client["client_id"]


async def test_a_forgotten_client_comes_back_with_each_of_its_redirect_uris(world: World) -> None:
    web = "https://app.example.net/callback"
    client = await world.register(redirect_uris=[LOOPBACK, web])
    await forget(world, client)
    browser = world.browser()
    for uri in (USED_LOOPBACK, web):
        page = await browser.visit(world.authorize_url(client, redirect_uri=uri))
        assert page.status_code == 200, page.text


@pytest.mark.parametrize(
    "redirect_uri",
    [
        "http://127.0.0.1:49152/other",
        "http://localhost:49152/callback",
        "https://evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
    ],
)
async def test_only_with_a_redirect_uri_that_it_registered(world: World, redirect_uri: str) -> None:
    client = await world.register()
    await forget(world, client)
    page = await world.browser().visit(world.authorize_url(client, redirect_uri=redirect_uri))
    assert page.status_code == 400
    assert "not known here" in page.text


async def test_a_made_up_identifier_is_not_let_in(world: World) -> None:
    client = await world.register()
    await forget(world, client)
    ident, tag = client["client_id"].split(".")
    other = (await world.register())["client_id"].split(".")[0]
    many = ".".join((ident, *"abcdefghi", tag))
    for forged in (f"{ident}.{tag[::-1]}", f"{other}.{tag}", ident, f"{ident}.", f"{ident}.{tag}=", many):
        page = await world.browser().visit(world.authorize_url({**client, "client_id": forged}))
        assert page.status_code == 400, forged
    assert not world.trail.named(ClientEvent, action="readmitted")


async def test_what_an_administrator_removed_stays_out(world: World) -> None:
    """K3: What an administrator removed stays out."""
    deleted, disabled = await world.register(), await world.register()
    await world.store.clients.delete(deleted["client_id"])
    await world.store.clients.set_disabled(disabled["client_id"], True)
    for client in (deleted, disabled):
        page = await world.browser().visit(world.authorize_url(client))
        assert page.status_code == 400


async def test_a_confidential_client_is_not_let_in_again(world: World) -> None:
    client = await world.register(token_endpoint_auth_method="client_secret_post")
    assert "." not in client["client_id"]
    await forget(world, client)
    assert (await world.browser().visit(world.authorize_url(client))).status_code == 400


async def test_K1_registrations_survive_a_restart(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    await world.boot()
    assert await world.alive(tokens["access_token"])
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 200


async def test_K2_a_client_cannot_choose_what_it_is(world: World) -> None:
    client = await world.register(
        client_id="gkc_mine",
        client_secret="mine",
        client_secret_expires_at=0,
        software_statement="x.y.z",
        source="configured",
        disabled=False,
        grant_types=[
            "authorization_code",
            "implicit",
            "password",
            "client_credentials",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "refresh_token",
        ],
        response_types=["code", "token"],
        scope="openid admin",
        registration_access_token="mine",
    )
    assert client["client_id"] != "gkc_mine"
    assert not client["client_id"].startswith("https://")
    assert client["grant_types"] == ["authorization_code", "refresh_token"]
    assert client["response_types"] == ["code"]
    assert client["scope"] == "mcp:read mcp:call"
    assert not {"client_secret", "software_statement"} & set(client)
    assert client["registration_access_token"] != "mine"
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert row.source == "dynamic"


@pytest.mark.parametrize(
    "metadata",
    [
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "tls_client_auth"},
        {"token_endpoint_auth_method": "NONE"},
        {"grant_types": ["implicit"]},
        {"grant_types": ["urn:ietf:params:oauth:grant-type:jwt-bearer"]},
        {"response_types": ["token"]},
        {"client_name": 1},
    ],
    ids=str,
)
async def test_K2_what_we_do_not_have_is_refused(world: World, metadata: dict[str, object]) -> None:
    async with world.http() as http:
        answer = await http.post("/register", json={"redirect_uris": [LOOPBACK], **metadata})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")


async def test_K2_the_answer_is_what_holds(world: World) -> None:
    client = await world.register(
        redirect_uris=CURSOR,
        application_type="native",
        client_uri="https://vendor.example/",
        software_id="x",
        software_version="1",
        code_challenge_method="S256",
        contacts=["a@b.example"],
    )
    assert client["redirect_uris"] == CURSOR
    assert client["application_type"] == "native"
    assert client["token_endpoint_auth_method"] == "none"
    assert client["client_uri"] == "https://vendor.example/"
    assert client["software_version"] == "1"
    assert None not in client.values()
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    assert list(row.redirect_uris) == CURSOR


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_A1_the_registered_method_and_no_other(world: World, method: str) -> None:
    client = await world.register(token_endpoint_auth_method=method)
    client_id, secret = client["client_id"], client["client_secret"]
    assert client["client_secret_expires_at"] == 0
    fields = {"grant_type": "refresh_token", "refresh_token": "gk_rt_x"}
    basic = {"authorization": "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()}
    async with world.http() as http:
        by_post = await http.post("/token", data={**fields, "client_id": client_id, "client_secret": secret})
        by_basic = await http.post("/token", data=fields, headers=basic)
        nothing = await http.post("/token", data={**fields, "client_id": client_id})
        both = await http.post("/token", data={**fields, "client_secret": secret}, headers=basic)
    good, bad = (by_post, by_basic) if method == "client_secret_post" else (by_basic, by_post)
    assert (good.status_code, good.json()["error"]) == (400, "invalid_grant")
    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")
    assert bad.headers["www-authenticate"].startswith("Basic ")
    assert nothing.status_code == 401
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")


async def test_A1_a_secret_from_a_public_client_is_refused(world: World) -> None:
    client = await world.register()
    refused = await world.refresh(client, "gk_rt_x", client_secret="anything")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize("value", ["!!!", "Zm9v", "Zm9v=", "", "JXp6OnNlY3JldA==", "/w==", "Og=="])
async def test_A1_basic_is_decoded_strictly(world: World, value: str) -> None:
    async with world.http() as http:
        answer = await http.post(
            "/token", data={"grant_type": "refresh_token"}, headers={"authorization": f"Basic {value}"}
        )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_A1_client_id_in_body_and_header_must_agree(world: World) -> None:
    client = await world.register(token_endpoint_auth_method="client_secret_basic")
    pair = f"{client['client_id']}:{client['client_secret']}"
    basic = {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    async with world.http() as http:
        same = await http.post("/token", data={"client_id": client["client_id"]}, headers=basic)
        other = await http.post("/token", data={"client_id": "gkc_other"}, headers=basic)
    assert same.json()["error_description"] == "grant_type is missing"
    assert other.json()["error"] == "invalid_request"
