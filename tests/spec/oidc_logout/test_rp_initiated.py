"""OpenID Connect RP-Initiated Logout 1.0 §2, §3."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.attack import relying
from tests.attack.world import Browser, World, form_of

BYE = "https://wiki.example/bye?kept=1"


def end_session(**params: str) -> str:
    return "/end_session?" + urlencode(params)


async def is_signed_in(browser: Browser) -> bool:
    return "alice" in (await browser.get("/")).text


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_2_an_id_token_of_this_session_signs_out_and_leads_back(world: World, method: str) -> None:
    """ "OPs MUST support the use of the HTTP GET and POST methods"; state "MUST be included"."""
    await relying.enter(world, post_logout_redirect_uris=[BYE])
    browser = world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    params = {"id_token_hint": hint, "post_logout_redirect_uri": BYE, "state": "s %&"}
    if method == "GET":
        answer = await browser.get(end_session(**params))
    else:
        answer = await browser.post("/end_session", data=params)
    assert answer.status_code == 303
    parts = urlsplit(answer.headers["location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == "https://wiki.example/bye"
    assert dict(parse_qsl(parts.query)) == {"kept": "1", "state": "s %&"}
    assert not await is_signed_in(browser)


async def test_2_an_expired_hint_still_counts(world: World) -> None:
    """ "The OP SHOULD accept ID Tokens ... even when the exp time has passed", with a current session."""
    await relying.enter(world)
    browser = world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    world.clock.advance(3600)
    assert (await browser.get(end_session(id_token_hint=hint))).status_code == 200
    assert not await is_signed_in(browser)


async def test_2_without_a_hint_the_person_is_asked(world: World) -> None:
    """No id_token_hint: "the OP MUST ask the End-User whether to log out of the OP as well"."""
    await relying.enter(world, post_logout_redirect_uris=[BYE])
    browser = world.browser()
    await relying.tokens(world, browser)
    page = await browser.get(end_session(client_id="wiki", post_logout_redirect_uri=BYE, state="x"))
    assert page.status_code == 200
    assert await is_signed_in(browser)
    stay = await browser.submit(page, decision="stay")
    assert stay.status_code == 200
    assert await is_signed_in(browser)
    answer = await browser.submit(page, decision="sign_out")
    assert answer.headers["location"] == "https://wiki.example/bye?kept=1&state=x"
    assert not await is_signed_in(browser)


async def test_2_a_hint_of_another_session_asks_as_well(world: World) -> None:
    """ "... or if the End-User is different": whoever is here is not signed out by another's id_token."""
    await relying.enter(world)
    alices, others = world.browser(), world.browser()
    await relying.tokens(world, alices)
    hint = (await relying.tokens(world, others, username="alice"))["id_token"]
    page = await alices.get(end_session(id_token_hint=hint))
    assert form_of(page.text, "/end_session/confirm")
    assert await is_signed_in(alices)
    assert await is_signed_in(others)


async def test_2_client_id_must_fit_the_hint(world: World) -> None:
    """ "the OP MUST verify that the Client Identifier matches the one used when issuing the ID Token"."""
    await relying.enter(world)
    await relying.enter(world, "board")
    browser = world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    assert (await browser.get(end_session(id_token_hint=hint, client_id="board"))).status_code == 400
    assert await is_signed_in(browser)


async def test_3_a_form_of_another_site_is_understood_without_our_cookie(world: World) -> None:
    """A cross-site POST carries no SameSite cookie: the id_token names the session; without it, who is there
    is asked where there is a cookie."""
    await relying.enter(world, post_logout_redirect_uris=[BYE])
    browser, bare = world.browser(), world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    onward = await bare.post("/end_session", data={"client_id": "wiki", "post_logout_redirect_uri": BYE})
    assert onward.status_code == 303
    assert onward.headers["location"].startswith("/end_session?client_id=wiki&")
    assert await is_signed_in(browser)
    answer = await bare.post("/end_session", data={"id_token_hint": hint, "post_logout_redirect_uri": BYE})
    assert answer.headers["location"] == BYE
    assert not await is_signed_in(browser)


async def test_4_discovery(world: World) -> None:
    """RP-Initiated Logout §2.1 and Back-Channel Logout §2.1: told only where it works."""
    for works in (False, True):
        if works:
            await relying.listening(world)
        async with world.http() as http:
            document = (await http.get("/.well-known/openid-configuration")).json()
        assert document["end_session_endpoint"] == f"{world.issuer}/end_session"
        assert document["backchannel_logout_supported"] is works
        assert document["backchannel_logout_session_supported"] is works
