"""RFC 8707: resource indicators."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.attack.test_tokens import claims_of
from tests.attack.world import World, returned


async def test_2_1_the_audience_is_what_was_asked_for(world: World) -> None:
    client = await world.register()
    for resource in (world.files, world.files + "/", world.files.replace("https://gate", "HTTPS://GATE")):
        assert claims_of((await world.tokens(client, resource=resource))["access_token"])["aud"] == [
            world.files
        ]


async def test_2_1_several_resources(world: World) -> None:
    client = await world.register()
    clock = f"{world.issuer}/s/clock/mcp"
    async with world.browser() as browser:
        page = await world.sign_in(
            browser, world.authorize_url(client) + "&" + urlencode({"resource": clock})
        )
        code = returned(await world.approve(browser, page))["code"]
    tokens = (await world.redeem(client, code)).json()
    assert claims_of(tokens["access_token"])["aud"] == [world.files, clock]
    assert await world.alive(tokens["access_token"], "clock")


@pytest.mark.parametrize(
    "resource", ["https://elsewhere.example/mcp", "x", "https://gate.example/s/files/mcp#x"]
)
async def test_2_unknown_resources_are_invalid_target(world: World, resource: str) -> None:
    client = await world.register()
    async with world.browser() as browser:
        answer = returned(await browser.get(world.authorize_url(client, resource=resource)))
    assert answer["error"] == "invalid_target"
    code = await world.code(client)
    refused = await world.redeem(client, code, resource=resource)
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_target")


async def test_2_2_the_token_request_may_narrow(world: World) -> None:
    client = await world.register()
    code = await world.code(client, resource=None)
    tokens = (await world.redeem(client, code, resource=world.files)).json()
    assert claims_of(tokens["access_token"])["aud"] == [world.files]
    again = (await world.refresh(client, tokens["refresh_token"])).json()
    assert len(claims_of(again["access_token"])["aud"]) == 4
