"""RFC 8252: desktop clients."""

from __future__ import annotations

from tests.attack.world import World, returned


async def test_7_3_any_port_at_the_time_of_the_request(world: World) -> None:
    """ "The authorization server MUST allow any port to be specified at the time of the request for loopback
    IP redirect URIs." """
    client = await world.register(
        redirect_uris=["http://127.0.0.1/cb", "http://[::1]/cb", "http://localhost/cb"]
    )
    async with world.browser() as browser:
        await world.sign_in(browser, "/login")
        for host in ("127.0.0.1:1", "127.0.0.1:65535", "[::1]:4000", "localhost:4000", "localhost"):
            uri = f"http://{host}/cb"
            page = await browser.visit(world.authorize_url(client, redirect_uri=uri))
            answer = page if page.is_redirect else await world.approve(browser, page)
            assert answer.headers["location"].startswith(uri + "?")
            assert "code" in returned(answer)


async def test_7_1_private_use_schemes_of_known_applications(world: World) -> None:
    uris = [
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "http://localhost:8787/callback",
    ]
    client = await world.register(redirect_uris=uris, application_type="web")
    assert client["redirect_uris"] == uris
    tokens = await world.tokens(client)
    assert await world.alive(tokens["access_token"])
    async with world.browser() as browser:
        assert (
            await browser.get(world.authorize_url(client, redirect_uri=uris[0] + "/x"))
        ).status_code == 400
