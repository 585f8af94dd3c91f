"""OpenID Connect Back-Channel Logout 1.0 §2."""

from __future__ import annotations

import base64
import json

from gatekit.errors import OutboundRefused
from tests.attack import relying
from tests.attack.relying import Told
from tests.attack.world import World

HEAR = "https://wiki.example/backchannel"


async def set_up(world: World) -> Told:
    told = await relying.listening(world)
    await relying.enter(world, backchannel_logout_uri=HEAR)
    return told


async def test_2_4_the_logout_token(world: World) -> None:
    """iss, aud, iat, exp, jti, events: "REQUIRED"; sub and/or sid; "nonce PROHIBITED"; typ logout+jwt."""
    told = await set_up(world)
    browser = world.browser()
    id_token = await relying.claims(world, (await relying.tokens(world, browser))["id_token"])
    await browser.submit(await browser.get("/"))
    assert await world.server.notices.deliver() == 1
    ((url, token),) = told.heard
    assert url == HEAR
    header = json.loads(base64.urlsafe_b64decode(token.partition(".")[0] + "=="))
    assert (header["typ"], header["alg"]) == ("logout+jwt", "ES256")
    claims = await relying.claims(world, token)
    assert claims["iss"] == world.issuer
    assert claims["aud"] == "wiki"
    assert claims["sub"] == id_token["sub"]
    assert claims["sid"] == id_token["sid"]
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert claims["iat"] == int(world.clock.now())
    assert claims["exp"] - claims["iat"] <= 120  # "preferably at most two minutes"
    assert claims["jti"]
    assert "nonce" not in claims


async def test_2_5_every_way_a_session_ends_is_told(world: World) -> None:
    """Sign-out everywhere, an operator who disables somebody, a session that is ended in another process."""
    told = await set_up(world)
    user, now = world.people["alice"], int(world.clock.now())
    first, second = world.browser(), world.browser()
    await relying.tokens(world, first)
    await relying.tokens(world, second)
    await world.store.browser_sessions.end_all(user.id, now)
    assert await world.server.notices.deliver() == 2
    assert len({token for _, token in told.heard}) == 2
    assert await world.server.notices.deliver() == 0


async def test_2_5_the_deletion_of_a_person_is_told(world: World) -> None:
    """Their grants and sessions are gone; what the party knows them by is still in the token."""
    told = await set_up(world)
    id_token = await relying.claims(world, (await relying.tokens(world, world.browser()))["id_token"])
    await world.store.users.delete(world.people["alice"].id)
    told.answers = [OutboundRefused("down")]
    assert await world.server.notices.deliver() == 1
    world.clock.advance(31)
    assert await world.server.notices.deliver() == 1
    (_, _), (_, token) = told.heard
    claims = await relying.claims(world, token)
    assert (claims["sub"], claims["sid"]) == (id_token["sub"], id_token["sid"])
    world.clock.advance(31)
    assert await world.server.notices.deliver() == 0


async def test_2_5_only_those_who_signed_somebody_in_are_told(world: World) -> None:
    told = await set_up(world)
    await relying.enter(world, "board", backchannel_logout_uri="https://board.example/hear")
    browser, other = world.browser(), world.browser()
    await relying.tokens(world, browser)
    await relying.tokens(world, other, {**relying.WIKI, "client_id": "board"})
    await browser.submit(await browser.get("/"))
    await world.server.notices.deliver()
    assert [url for url, _ in told.heard] == [HEAR]


async def test_2_8_a_party_that_does_not_answer_is_asked_again_and_not_for_ever(world: World) -> None:
    told = await set_up(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    told.answers = [OutboundRefused("down"), 503, OutboundRefused("down"), 200]
    page = await browser.submit(await browser.get("/"))
    assert page.status_code == 200, "nobody waits for it"
    for _ in range(8):
        await world.server.notices.deliver()
        await world.server.notices.deliver()  # not before its time
        world.clock.advance(31)
    assert len(told.heard) == 4
    again = world.browser()
    await relying.tokens(world, again)
    told.heard.clear()
    told.answers = [OutboundRefused("down")] * 50
    await again.submit(await again.get("/"))
    for _ in range(12):
        await world.server.notices.deliver()
        world.clock.advance(31)
    assert len(told.heard) == 5


async def test_2_8_a_refusal_is_an_answer(world: World) -> None:
    """ "400 Bad Request" says that the logout token was understood and refused."""
    told = await set_up(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    told.answers = [400]
    await browser.submit(await browser.get("/"))
    for _ in range(3):
        await world.server.notices.deliver()
        world.clock.advance(31)
    assert len(told.heard) == 1


async def test_2_7_refresh_tokens_of_the_session_end(world: World) -> None:
    """ "Refresh tokens issued without the offline_access property to a session being logged out SHOULD be
    revoked"; connected applications stay connected until the person disconnects them."""
    await set_up(world)
    browser = world.browser()
    alone = await relying.tokens(world, browser)
    both = await relying.tokens(world, browser, scope="openid mcp", resource=world.files)
    await browser.submit(await browser.get("/"))
    await world.server.notices.deliver()
    assert (await world.refresh(relying.WIKI, alone["refresh_token"])).status_code == 400
    async with world.http() as http:
        headers = {"authorization": f"Bearer {alone['access_token']}"}
        assert (await http.get("/userinfo", headers=headers)).status_code == 401
    assert (await world.refresh(relying.WIKI, both["refresh_token"])).status_code == 200


async def test_signing_in_anew_signs_nobody_out(world: World) -> None:
    """A relying party that asks for the password again (``prompt=login``) does not end its own session, and
    is told under the name it knows when the person signs out later."""
    told = await set_up(world)
    browser = world.browser()
    first = await relying.claims(world, (await relying.tokens(world, browser))["id_token"])
    world.clock.advance(5)
    second = await relying.claims(world, (await relying.tokens(world, browser, prompt="login"))["id_token"])
    assert await world.server.notices.deliver() == 0
    await browser.submit(await browser.get("/"))
    assert await world.server.notices.deliver() == 2
    sids = {(await relying.claims(world, token))["sid"] for _, token in told.heard}
    assert sids == {first["sid"], second["sid"]}


async def test_another_person_in_the_same_browser_is_the_end_of_the_first_ones_session(world: World) -> None:
    told = await set_up(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    await browser.submit(await browser.get("/login"), username="bob", password="bob-password")
    assert await world.server.notices.deliver() == 1
    claims = await relying.claims(world, told.heard[0][1])
    assert claims["sub"] == world.people["alice"].id
