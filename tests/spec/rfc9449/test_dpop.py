"""RFC 9449, DPoP: what honest clients get. What thieves get stands in ``tests/attack/test_proofs``."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gatekit.oauth.dpop import ALGORITHMS, normal_target
from gatekit.platform.foreign import ASYMMETRIC
from tests.arch.tree import PACKAGE
from tests.attack import relying
from tests.attack.bound import call, proof_for, redeem, refresh, token_request, tokens
from tests.attack.test_service_clients import BOT, SECRET, allow
from tests.attack.world import VERIFIER, World, form_of, returned, world_in
from tests.support.proofs import Holder

MCP = "/s/files/mcp"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
async def client(world: World) -> dict[str, Any]:
    return await world.register()


def claims_of(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA", "PS256", "RS256"])
async def test_5_the_whole_way(world: World, client: dict[str, Any], algorithm: str) -> None:
    """ "A token_type of DPoP MUST be included in the access token response" (§5)."""
    holder = Holder(algorithm)
    first = await tokens(world, client, holder)
    assert first["token_type"] == "DPoP"
    assert claims_of(first["access_token"])["cnf"] == {"jkt": holder.jkt}
    second = (await refresh(world, client, first["refresh_token"], holder)).json()
    for token in (first["access_token"], second["access_token"]):
        proof = proof_for(world, holder, MCP, token)
        assert (await call(world, token, [proof])).status_code == 200


async def test_5_without_a_proof_nothing_changes(world: World, client: dict[str, Any]) -> None:
    found = await world.tokens(client)
    assert found["token_type"] == "Bearer"
    assert "cnf" not in claims_of(found["access_token"])
    async with world.http() as http:  # a header that nobody asked for does no harm (§7.2)
        headers = {"authorization": f"Bearer {found['access_token']}", "dpop": "x"}
        assert (await http.post(MCP, headers=headers)).status_code == 200


def test_4_2_only_asymmetric_algorithms_are_offered() -> None:
    """ "It MUST NOT be none or an identifier for a symmetric algorithm (MAC)." """
    assert set(ALGORITHMS) <= ASYMMETRIC


async def test_5_opaque_tokens_are_bound_as_well(tmp_path: Any, template: Any) -> None:
    async with world_in(tmp_path, template, access_token_format="opaque") as world:
        holder = Holder()
        token = (await tokens(world, await world.register(), holder))["access_token"]
        assert (await call(world, token, [proof_for(world, holder, MCP, token)])).status_code == 200
        assert (await call(world, token, [], scheme="Bearer")).status_code == 401


async def test_5_refresh_tokens_of_confidential_clients_are_not_bound(world: World) -> None:
    """ "Refresh tokens issued to confidential clients … are not bound to the DPoP proof public key" """
    keeper = await world.register(token_endpoint_auth_method="client_secret_post")
    code = await world.code(keeper)
    secret = {"client_secret": keeper["client_secret"]}
    one, two = Holder(), Holder()
    first = await token_request(
        world,
        keeper,
        proof_for(world, one),
        grant_type="authorization_code",
        code=code,
        redirect_uri="http://127.0.0.1:49152/callback",
        code_verifier=VERIFIER,
        **secret,
    )
    token = first.json()["refresh_token"]
    second = await token_request(
        world, keeper, proof_for(world, two), grant_type="refresh_token", refresh_token=token, **secret
    )
    access = second.json()["access_token"]
    assert claims_of(access)["cnf"] == {"jkt": two.jkt}
    assert (await call(world, access, [proof_for(world, two, MCP, access)])).status_code == 200


async def test_5_a_public_client_may_begin_to_use_a_key(world: World, client: dict[str, Any]) -> None:
    """Its next refresh token is bound from then on."""
    plain, holder = await world.tokens(client), Holder()
    bound = (await refresh(world, client, plain["refresh_token"], holder)).json()
    assert bound["token_type"] == "DPoP"
    assert (await refresh(world, client, bound["refresh_token"], None)).status_code == 400
    assert (await refresh(world, client, bound["refresh_token"], holder)).status_code == 200


async def test_5_the_device_grant(world: World) -> None:
    device = await world.register(
        redirect_uris=[], grant_types=[DEVICE_CODE, "refresh_token"], response_types=[]
    )
    async with world.http() as http:
        run = (
            await http.post(
                "/device_authorization", data={"client_id": device["client_id"], "resource": world.files}
            )
        ).json()
    browser = world.browser()
    page = await world.sign_in(browser, "/device")
    page = await browser.submit(page, user_code=run["user_code"])
    action, hidden = form_of(page.text, "/device/decide")
    await browser.post(action, data={**hidden, "decision": "approve"})
    world.clock.advance(6)
    holder = Holder()
    found = await token_request(
        world, device, proof_for(world, holder), grant_type=DEVICE_CODE, device_code=run["device_code"]
    )
    assert found.json()["token_type"] == "DPoP"
    again = found.json()["refresh_token"]
    assert (await refresh(world, device, again, None)).status_code == 400
    assert (await refresh(world, device, again, holder)).status_code == 200


async def test_5_1_the_algorithms_are_announced(world: World) -> None:
    async with world.http() as http:
        server = (await http.get("/.well-known/oauth-authorization-server")).json()
        resource = (await http.get(f"/.well-known/oauth-protected-resource{MCP}")).json()
    assert server["dpop_signing_alg_values_supported"] == list(ALGORITHMS)
    assert resource["dpop_signing_alg_values_supported"] == list(ALGORITHMS)  # RFC 9728 §2
    assert "dpop_bound_access_tokens_required" not in resource


async def test_5_2_a_client_can_ask_to_be_held_to_it(world: World) -> None:
    """ "the authorization server MUST reject token requests from the client that do not contain the DPoP
    header" """
    client = await world.register(dpop_bound_access_tokens=True)
    assert client["dpop_bound_access_tokens"] is True
    code, holder = await world.code(client), Holder()
    refused = await redeem(world, client, code, None)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_dpop_proof")
    assert (await redeem(world, client, code, holder)).json()["token_type"] == "DPoP"


async def test_7_1_the_challenge_names_algorithms(world: World, client: dict[str, Any]) -> None:
    token = (await tokens(world, client, Holder()))["access_token"]
    challenge = (await call(world, token, [])).headers["www-authenticate"]
    assert f'algs="{" ".join(ALGORITHMS)}"' in challenge


async def test_7_1_the_scheme_is_read_in_any_case(world: World, client: dict[str, Any]) -> None:
    """ "a case-insensitive token to identify the authentication scheme" (RFC 9110 §11.1)"""
    holder = Holder()
    token = (await tokens(world, client, holder))["access_token"]
    for scheme in ("dpop", "DPOP"):
        proof = proof_for(world, holder, MCP, token)
        assert (await call(world, token, [proof], scheme=scheme)).status_code == 200


async def test_7_1_others_read_the_challenge_that_they_know(world: World) -> None:
    """Who never spoke of DPoP is told nothing of it: some clients read the first challenge only."""
    async with world.http() as http:
        for headers in ({}, {"authorization": "Bearer gk_at_x"}):
            challenge = (await http.post(MCP, headers=headers)).headers["www-authenticate"]
            assert challenge.startswith("Bearer ")
            assert "DPoP" not in challenge


async def test_10_the_code_is_bound(world: World, client: dict[str, Any]) -> None:
    """“verifies that it matches the dpop_jkt parameter value in the authorization request. If they do not
    match, it MUST reject the request.”"""
    holder = Holder()
    code = await world.code(client, dpop_jkt=holder.jkt)
    assert (await redeem(world, client, code, holder)).status_code == 200


async def test_10_a_binding_survives_the_choice_of_another_account(
    world: World, client: dict[str, Any]
) -> None:
    holder, browser = Holder(), world.browser()
    page = await world.sign_in(browser, world.authorize_url(client, dpop_jkt=holder.jkt))
    link = next(part.split('"')[0] for part in page.text.split('href="') if part.startswith("/authorize?"))
    assert dict(parse_qsl(urlsplit(link.replace("&amp;", "&")).query))["dpop_jkt"] == holder.jkt


@pytest.mark.parametrize("how", ["proof", "parameter", "both"])
async def test_10_1_a_pushed_request_binds_the_code(world: World, client: dict[str, Any], how: str) -> None:
    """“Both mechanisms MUST be supported by an authorization server that supports PAR and DPoP.”"""
    holder = Holder()
    fields = dict(parse_qsl(urlsplit(world.authorize_url(client)).query))
    if how != "proof":
        fields["dpop_jkt"] = holder.jkt
    headers = {"dpop": proof_for(world, holder, "/par")} if how != "parameter" else {}
    async with world.http() as http:
        pushed = await http.post("/par", data=fields, headers=headers)
    assert pushed.status_code == 201, pushed.text
    browser = world.browser()
    url = f"/authorize?client_id={client['client_id']}&request_uri={pushed.json()['request_uri']}"
    code = returned(await world.approve(browser, await world.sign_in(browser, url)))["code"]
    assert (await redeem(world, client, code, None)).status_code == 400
    assert (await redeem(world, client, code, holder)).status_code == 200


async def test_10_1_two_keys_contradict_each_other(world: World, client: dict[str, Any]) -> None:
    """ "the authorization server MUST reject the request if the JWK Thumbprint in dpop_jkt does not match the
    public key in the DPoP header" """
    fields = dict(parse_qsl(urlsplit(world.authorize_url(client, dpop_jkt=Holder().jkt)).query))
    async with world.http() as http:
        answer = await http.post("/par", data=fields, headers={"dpop": proof_for(world, Holder(), "/par")})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


async def test_scripts_in_web_pages_can_use_it(world: World) -> None:
    """§8, §9: a page sees ``DPoP-Nonce`` only if it is exposed, and may send ``DPoP`` only if allowed."""
    headers = {
        "origin": "https://inspector.example",
        "access-control-request-headers": "dpop,content-type",
    }
    async with world.http() as http:
        preflight = await http.options("/token", headers=headers)
        answer = await http.post("/token", headers=headers)
    assert "dpop" in preflight.headers["access-control-allow-headers"]
    assert "DPoP-Nonce" in answer.headers["access-control-expose-headers"]


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://a.example", "https://a.example/"),
        ("HTTPS://A.example:443/b?c#d", "https://a.example/b"),
        ("http://localhost:8080/s/x/mcp", "http://localhost:8080/s/x/mcp"),
        ("http://[::1]:80/x", "http://[::1]/x"),
        ("https://a.example/%7Eb/%2f/%41", "https://a.example/~b/%2F/A"),
        ("https://a.example/b/./c/../d/%2e%2e/e", "https://a.example/b/e"),
        ("https://a.example/../../b/..", "https://a.example/"),
        ("https://a.example/b//c/.", "https://a.example/b//c/"),
    ],
)
def test_4_3_addresses_are_normalised(url: str, normal: str) -> None:
    assert normal_target(url) == normal


async def test_5_clients_that_act_for_themselves(world: World) -> None:
    await world.configure(BOT)
    allow(world)
    holder = Holder()
    form = {"grant_type": "client_credentials", "client_id": BOT.id}
    headers = {"dpop": proof_for(world, holder)}
    async with world.http() as http:
        found = (await http.post("/token", data=form, auth=(BOT.id, SECRET), headers=headers)).json()
    assert found["token_type"] == "DPoP"
    assert claims_of(found["access_token"])["cnf"] == {"jkt": holder.jkt}


async def test_7_userinfo_is_a_protected_resource_as_well(world: World) -> None:
    """OpenID Connect Core §5.3, with a token that is bound to a key."""
    wiki, holder = await relying.enter(world), Holder()
    code = await relying.code(world, world.browser(), wiki)
    fields = {"redirect_uri": relying.REDIRECT, "code_verifier": VERIFIER, "code": code}
    answer = await token_request(
        world, wiki, proof_for(world, holder), grant_type="authorization_code", **fields
    )
    token = answer.json()["access_token"]
    proof = proof_for(world, holder, "/userinfo", token)
    found = await call(world, token, [proof], path="/userinfo")
    assert found.json()["sub"] == world.people["alice"].id
    for headers in (
        {"authorization": f"Bearer {token}"},
        {"authorization": f"DPoP {token}"},
        {"authorization": f"DPoP {token}", "dpop": proof},
        {"authorization": f"DPoP {token}", "dpop": proof_for(world, Holder(), "/userinfo", token)},
        {"authorization": f"DPoP {token}", "dpop": proof_for(world, holder, MCP, token)},
    ):
        async with world.http() as http:
            refused = await http.post("/userinfo", headers=headers)
        assert refused.status_code == 401, headers


def test_5_no_grant_type_forgets_the_key() -> None:
    """Whatever makes an access token at the token endpoint binds it to the key that was proven there."""
    grants = {path.name: path.read_text(encoding="utf-8") for path in (PACKAGE / "oauth/grants").glob("*.py")}
    makers = {name for name, text in grants.items() if ".access_token(" in text}
    assert "authorization_code.py" in makers
    assert {name for name in makers if "proven_key(request)" not in grants[name]} == set()
