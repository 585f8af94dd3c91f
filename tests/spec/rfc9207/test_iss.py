"""RFC 9207: the issuer in the authorization response."""

from __future__ import annotations

from tests.attack.world import World, returned


async def test_2_in_success_and_error_alike(world: World) -> None:
    """ "In authorization responses to the client, including error responses, an authorization server
    supporting this specification MUST indicate its identity by including the "iss" parameter." """
    client = await world.register()
    async with world.browser() as browser:
        async with world.http() as http:
            issuer = (await http.get("/.well-known/oauth-authorization-server")).json()["issuer"]
        assert returned(await browser.get(world.authorize_url(client, prompt="none")))["iss"] == issuer
        page = await world.sign_in(browser, world.authorize_url(client))
        assert returned(await world.approve(browser, page))["iss"] == issuer
