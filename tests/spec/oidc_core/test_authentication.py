"""OpenID Connect Core 1.0 §2 and §3.1: the authorization code flow for relying parties."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.attack import relying
from tests.attack.world import World, returned


async def test_2_the_id_token_has_every_required_claim(world: World) -> None:
    """iss, sub, aud, exp, iat: "REQUIRED"; nonce: "passed through unmodified"; auth_time: "REQUIRED" when
    max_age is asked for."""
    await relying.enter(world)
    signed_in_at = int(world.clock.now())
    found = await relying.tokens(world, world.browser(), nonce="a b%20“c”", max_age="3600")
    claims = await relying.claims(world, found["id_token"])
    assert claims["iss"] == world.issuer
    assert claims["sub"] == world.people["alice"].id
    assert claims["aud"] == "wiki"
    assert claims["nonce"] == "a b%20“c”"
    assert claims["auth_time"] == signed_in_at
    assert claims["iat"] <= world.clock.now() < claims["exp"]
    assert found["scope"] == "openid"
    assert found["token_type"] == "Bearer"


async def test_3_1_2_1_without_openid_it_is_not_an_authentication_request(world: World) -> None:
    """ "If the openid scope value is not present, the behavior is entirely unspecified": plain OAuth."""
    client = await relying.enter(world)
    found = await world.tokens(client, scope="mcp")
    assert "id_token" not in found


async def test_3_1_2_1_a_nonce_that_was_not_sent_is_not_invented(world: World) -> None:
    await relying.enter(world)
    found = await relying.tokens(world, world.browser(), nonce=None)
    assert "nonce" not in await relying.claims(world, found["id_token"])


async def test_3_1_2_1_the_request_may_be_posted(world: World) -> None:
    """ "Authorization Servers MUST support the use of the HTTP GET and POST methods"."""
    await relying.enter(world)
    query = relying.url(world).partition("?")[2]
    async with world.browser() as browser:
        form = {"content-type": "application/x-www-form-urlencoded"}
        page = await browser.post("/authorize", content=query, headers=form)
    assert page.status_code == 200
    assert 'name="password"' in page.text


async def test_3_1_2_1_prompt_none_shows_nothing(world: World) -> None:
    """ "MUST NOT display any authentication or consent user interface pages"; an error instead."""
    await relying.enter(world)
    browser = world.browser()
    answer = returned(await browser.visit(relying.url(world, prompt="none")))
    assert answer["error"] == "login_required"
    await world.sign_in(browser, "/login")
    answer = returned(await browser.visit(relying.url(world, prompt="none")))
    assert answer["error"] == "consent_required"
    await relying.tokens(world, browser)
    answer = returned(await browser.visit(relying.url(world, prompt="none")))
    assert answer["code"]


async def test_3_1_2_1_prompt_none_stands_alone(world: World) -> None:
    """ "If this parameter contains none with any other value, an error is returned." """
    await relying.enter(world)
    answer = returned(await world.browser().visit(relying.url(world, prompt="none login")))
    assert answer["error"] == "invalid_request"


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}, {"max_age": "60"}])
async def test_3_1_2_1_whoever_is_signed_in_signs_in_again(world: World, asked: dict[str, Any]) -> None:
    """ "login: SHOULD prompt the End-User for reauthentication"; max_age: "MUST attempt to actively
    re-authenticate". Then auth_time is the new one."""
    await relying.enter(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    world.clock.advance(61)
    page = await browser.visit(relying.url(world, **asked))
    assert 'name="password"' in page.text
    found = await relying.tokens(world, browser, **asked)
    assert (await relying.claims(world, found["id_token"]))["auth_time"] == int(world.clock.now())


async def test_3_1_2_1_consent_is_asked_again_if_the_client_wants_it(world: World) -> None:
    """ "consent: SHOULD prompt the End-User for consent before returning information"."""
    await relying.enter(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    assert (await browser.visit(relying.url(world))).is_redirect
    for prompt in ("consent", "select_account"):
        page = await browser.visit(relying.url(world, prompt=prompt))
        assert page.status_code == 200
        assert "alice" in page.text


async def test_3_1_2_1_a_hint_at_somebody_else_is_not_answered_with_whoever_is_here(world: World) -> None:
    """ "If the End-User identified by the ID Token is already logged in ... otherwise, it MUST return an
    error, such as login_required." """
    await relying.enter(world)
    alices, bobs = world.browser(), world.browser()
    hint = (await relying.tokens(world, alices))["id_token"]
    await relying.tokens(world, bobs, username="bob")
    fine = returned(await alices.visit(relying.url(world, prompt="none", id_token_hint=hint)))
    assert fine["code"]
    answer = returned(await bobs.visit(relying.url(world, prompt="none", id_token_hint=hint)))
    assert answer["error"] == "login_required"
    page = await bobs.visit(relying.url(world, id_token_hint=hint))
    assert 'name="password"' in page.text
    answer = returned(await bobs.visit(relying.url(world, id_token_hint="x.y.z")))
    assert answer["error"] == "invalid_request"


async def test_6_1_request_objects_are_refused_by_name(world: World) -> None:
    """ "request_not_supported" where the parameter is not supported."""
    await relying.enter(world)
    answer = returned(await world.browser().visit(relying.url(world, request="eyJhbGciOiJub25lIn0.e30.")))
    assert answer["error"] == "request_not_supported"


async def test_5_3_userinfo_says_what_the_scopes_allow(world: World) -> None:
    """ "The sub Claim MUST always be returned" and equals the id_token's."""
    await relying.enter(world)
    browser = world.browser()
    little = await relying.tokens(world, browser)
    much = await relying.tokens(world, browser, scope="openid profile email groups")
    async with world.http() as http:
        for method in ("GET", "POST"):  # §5.3.1: "MUST support the use of the HTTP GET and HTTP POST methods"
            headers = {"authorization": f"Bearer {little['access_token']}"}
            answer = await http.request(method, "/userinfo", headers=headers)
            assert answer.json() == {"sub": world.people["alice"].id}
        headers = {"authorization": f"Bearer {much['access_token']}"}
        answer = await http.get("/userinfo", headers=headers)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "sub": (await relying.claims(world, much["id_token"]))["sub"],
        "name": "alice",
        "preferred_username": "alice",
        "groups": ["developers"],
    }


async def test_5_3_3_userinfo_refuses_as_rfc_6750_says(world: World) -> None:
    client = await world.register()
    token = (await world.tokens(client))["access_token"]
    async with world.http() as http:
        none = await http.get("/userinfo")
        bad = await http.get("/userinfo", headers={"authorization": "Bearer nonsense"})
        scope = await http.get("/userinfo", headers={"authorization": f"Bearer {token}"})
    assert (none.status_code, bad.status_code, scope.status_code) == (401, 401, 403)
    assert "error" not in none.headers["www-authenticate"]
    assert 'error="invalid_token"' in bad.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in scope.headers["www-authenticate"]


async def test_discovery_tells_the_truth(world: World) -> None:
    """OpenID Connect Discovery §3; what is left out has a default that may be wrong."""
    async with world.http() as http:
        document = (await http.get("/.well-known/openid-configuration")).json()
        plain = (await http.get("/.well-known/oauth-authorization-server")).json()
        resource = (await http.get("/.well-known/oauth-protected-resource/s/files/mcp")).json()
    assert document["userinfo_endpoint"] == f"{world.issuer}/userinfo"
    assert document["request_parameter_supported"] is False
    assert document["request_uri_parameter_supported"] is False
    assert "openid" in document["scopes_supported"]
    assert "openid" not in plain["scopes_supported"]
    assert "openid" not in resource["scopes_supported"]


async def test_mcp_clients_see_no_difference(world: World) -> None:
    """A client that registered itself may send ``openid`` and gets what it always got."""
    client = await world.register(scope="openid profile mcp")
    found = await world.tokens(client, scope="openid profile offline_access", nonce="n", resource=world.files)
    assert "id_token" not in found
    assert "openid" not in found["scope"]
    assert await world.alive(found["access_token"])


async def test_a_relying_party_may_ask_for_servers_as_well(world: World) -> None:
    await relying.enter(world)
    found = await relying.tokens(world, world.browser(), scope="openid mcp", resource=world.files)
    assert found["id_token"]
    assert await world.alive(found["access_token"])


async def test_an_operator_may_keep_openid_from_a_client(world: World) -> None:
    """A client whose entry names its scopes gets no others."""
    client = await relying.enter(world)
    row = await world.store.clients.get("wiki")
    assert row is not None
    await world.store.clients.delete("wiki")

    await world.store.clients.add(msgspec.structs.replace(row, id="wiki2", scope="mcp"))
    found = await world.tokens({**client, "client_id": "wiki2"}, scope="openid mcp")
    assert "id_token" not in found
