"""Attacks on signing in with Gatekit: tokens in the wrong place, sessions that stay, the wrong person."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from gatekit.errors import OutboundRefused
from gatekit.outgoing import logout_send
from gatekit.platform.clock import SystemClock
from tests.attack import relying
from tests.attack.world import World, form_of, returned


async def test_an_id_token_opens_nothing(world: World) -> None:
    """R4, T2: an id_token is no access token, no refresh token and no code."""
    client = await relying.enter(world)
    found = await relying.tokens(world, world.browser(), scope="openid mcp", resource=world.files)
    id_token = found["id_token"]
    assert not await world.alive(id_token)
    async with world.http() as http:
        refused = await http.get("/userinfo", headers={"authorization": f"Bearer {id_token}"})
    assert refused.status_code == 401
    assert (await world.refresh(client, id_token)).status_code == 400
    assert (await world.redeem(client, id_token)).status_code == 400
    # … and an access token is no id_token.
    answer = returned(await world.browser().visit(relying.url(world, id_token_hint=found["access_token"])))
    assert answer["error"] == "invalid_request"


async def test_a_sign_in_alone_opens_no_server(world: World) -> None:
    """T3: an access token of a relying party that asked who somebody is reaches no MCP endpoint."""
    await relying.enter(world)
    found = await relying.tokens(world, world.browser())
    for server in ("files", "clock", ""):
        assert (await world.use(found["access_token"], server)).status_code in (401, 403)
    wider = await world.refresh(relying.WIKI, found["refresh_token"], scope="openid mcp")
    assert wider.status_code == 400
    wider = await world.refresh(relying.WIKI, found["refresh_token"], resource=world.files)
    assert wider.status_code == 400


async def test_a_person_who_was_disabled_is_nobody_to_a_relying_party(world: World) -> None:
    """R6: no id_token for a code, no claims for a token."""
    await relying.enter(world)
    browser = world.browser()
    found = await relying.tokens(world, browser)
    late = await relying.code(world, browser)
    user = world.people["alice"]
    await world.store.users.update(msgspec.structs.replace(user, disabled=True))
    world.directory_of_people.forget()
    world.server.bearer.forget()
    assert (await world.redeem(relying.WIKI, late)).json()["error"] == "invalid_grant"
    async with world.http() as http:
        headers = {"authorization": f"Bearer {found['access_token']}"}
        assert (await http.get("/userinfo", headers=headers)).status_code == 401
    answer = returned(await browser.visit(relying.url(world, prompt="none")))
    assert answer["error"] == "login_required"


async def test_prompt_none_never_shows_a_page(world: World) -> None:
    """B8: whatever stands in the way, a client that asked for silence gets an error and no page."""
    await relying.enter(world)
    browser = world.browser()
    requests: tuple[dict[str, Any], ...] = (
        {},
        {"max_age": "0"},
        {"scope": "openid mcp", "resource": world.files},
    )
    for asked in requests:
        answer = returned(await browser.visit(relying.url(world, prompt="none", **asked)))
        assert answer["error"] in ("login_required", "consent_required"), asked
    await world.sign_in(browser, "/login", "bob")
    vault = f"{world.issuer}/s/vault/mcp"
    answer = returned(
        await browser.visit(relying.url(world, prompt="none", scope="openid mcp", resource=vault))
    )
    assert answer["error"] == "access_denied"


async def test_max_age_and_login_cannot_be_met_by_an_old_session(world: World) -> None:
    """B8: going back to the run without signing in leads to the sign-in page again."""
    await relying.enter(world)
    browser = world.browser()
    await relying.tokens(world, browser)
    world.clock.advance(100)
    page = await browser.visit(relying.url(world, max_age="10"))
    run = page.text.partition('name="txn" value="')[2].partition('"')[0]
    assert run
    again = await browser.visit(f"/continue?txn={run}")
    assert 'name="password"' in again.text
    assert not again.is_redirect


async def test_an_account_switch_in_another_tab_refuses_the_consent(world: World) -> None:
    """B8: what alice was shown, bob does not approve."""
    await relying.enter(world)
    browser = world.browser()
    page = await world.sign_in(browser, relying.url(world))
    assert "alice" in page.text
    await world.sign_in(browser, "/login", "bob")
    refused = await world.approve(browser, page)
    assert refused.status_code == 403


async def test_the_claims_of_one_client_do_not_name_the_browser_to_another(world: World) -> None:
    """Two relying parties cannot tell by ``sid`` that they share a browser."""
    first, second = await relying.enter(world), await relying.enter(world, "board")
    browser = world.browser()
    sids = [
        (await relying.claims(world, (await relying.tokens(world, browser, client))["id_token"]))["sid"]
        for client in (first, second)
    ]
    again = await relying.claims(world, (await relying.tokens(world, browser, first))["id_token"])
    assert sids[0] != sids[1]
    assert again["sid"] == sids[0]


# -- logout ------------------------------------------------------------------------------------------------

BYE = "https://wiki.example/bye"


@pytest.mark.parametrize(
    "uri",
    [
        "https://wiki.example/bye/",
        "https://wiki.example/bye?x=1",
        "https://wiki.example/bye#x",
        "https://wiki.example/BYE",
        "https://wiki.example/bye/../bye",
        "https://wiki.example/%62ye",
        "HTTPS://wiki.example/bye",
        "https://wiki.example:443/bye",
        "https://wiki.example@evil.example/bye",
        "https://evil.example/?https://wiki.example/bye",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://wiki.example/callback",
        " https://wiki.example/bye",
    ],
)
async def test_signing_out_leads_nowhere_but_where_the_operator_said(world: World, uri: str) -> None:
    """D8: exactly the entered address, for whoever asks and in whatever state the browser is; and a request
    that names another one signs nobody out."""
    await relying.enter(world, post_logout_redirect_uris=[BYE])
    await relying.enter(world, "board")
    browser = world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    for params in (
        {"id_token_hint": hint},
        {"client_id": "wiki"},
        {"client_id": "board"},
        {"client_id": "nobody"},
        {},
    ):
        query = urlencode({**params, "post_logout_redirect_uri": uri})
        for who in (browser, world.browser()):
            answer = await who.get(f"/end_session?{query}")
            assert answer.status_code == 400
            posted = await who.post("/end_session", data={**params, "post_logout_redirect_uri": uri})
            assert posted.status_code == 400
    assert "alice" in (await browser.get("/")).text


async def test_clients_that_registered_themselves_send_nobody_anywhere(world: World) -> None:
    """D8: a registration may name addresses; only an operator's count here."""
    client = await world.register(post_logout_redirect_uris=["https://evil.example/"])
    query = urlencode({"client_id": client["client_id"], "post_logout_redirect_uri": "https://evil.example/"})
    assert (await world.browser().get(f"/end_session?{query}")).status_code == 400


async def test_nobody_is_signed_out_by_a_link(world: World) -> None:
    """B3, D8: without an id_token of this session it takes the page's own form, of this session and for what
    the page showed."""
    await relying.enter(world, post_logout_redirect_uris=[BYE])
    browser, other = world.browser(), world.browser()
    await relying.tokens(world, browser)
    await relying.tokens(world, other, username="bob")
    for path in ("/end_session", "/end_session?client_id=wiki", "/end_session?id_token_hint=x.y.z"):
        assert (await browser.get(path)).status_code == 200
    assert (await browser.get("/end_session/confirm")).status_code == 405
    page = await browser.get(
        f"/end_session?{urlencode({'client_id': 'wiki', 'post_logout_redirect_uri': BYE})}"
    )
    action, fields = form_of(page.text, "/end_session/confirm")
    yes = {**fields, "decision": "sign_out"}
    for changed in ({**yes, "csrf": ""}, {**yes, "state": "x"}, {**yes, "client_id": ""}):
        assert (await browser.post(action, data=changed)).status_code in (400, 403)
    assert (await other.post(action, data=yes)).status_code == 403, "the form of another session"
    assert "alice" in (await browser.get("/")).text
    assert (await browser.post(action, data=yes)).status_code == 303


async def test_what_is_not_an_id_token_of_ours_is_no_hint(world: World) -> None:
    """T2, R4: access tokens, logout tokens and tokens of others name no session."""
    told = await relying.listening(world)
    await relying.enter(world, backchannel_logout_uri="https://wiki.example/hear")
    gone, browser = world.browser(), world.browser()
    await relying.tokens(world, gone)
    await gone.submit(await gone.get("/"))
    await world.server.notices.deliver()
    found = await relying.tokens(world, browser)
    for token in (found["access_token"], told.heard[0][1], found["id_token"][:-2] + "AA"):
        page = await browser.get(f"/end_session?{urlencode({'id_token_hint': token})}")
        assert form_of(page.text, "/end_session/confirm")
    assert "alice" in (await browser.get("/")).text


async def test_a_logout_token_opens_nothing(world: World) -> None:
    """T2: neither an MCP server nor /userinfo."""
    told = await relying.listening(world)
    await relying.enter(world, backchannel_logout_uri="https://wiki.example/hear")
    browser = world.browser()
    await relying.tokens(world, browser)
    await browser.submit(await browser.get("/"))
    await world.server.notices.deliver()
    token = told.heard[0][1]
    assert not await world.alive(token)
    async with world.http() as http:
        answer = await http.get("/userinfo", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 401


async def test_a_cookie_from_before_is_worth_nothing_afterwards(world: World) -> None:
    """B7: signing out ends the session on the server; a stolen cookie is worth nothing from then on."""
    await relying.enter(world)
    browser, thief = world.browser(), world.browser()
    hint = (await relying.tokens(world, browser))["id_token"]
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
    assert "alice" in (await thief.get("/", headers={"cookie": cookies})).text
    await browser.get(f"/end_session?{urlencode({'id_token_hint': hint})}")
    assert "alice" not in (await thief.get("/", headers={"cookie": cookies})).text


async def test_two_processes_tell_a_party_once(world: World) -> None:
    """Replicas share the store: what is owed is taken by one of them."""
    told = await relying.listening(world)
    await relying.enter(world, backchannel_logout_uri="https://wiki.example/hear")
    browsers = [world.browser() for _ in range(6)]
    for browser in browsers:
        await relying.tokens(world, browser)
    await world.store.browser_sessions.end_all(world.people["alice"].id, int(world.clock.now()))
    await asyncio.gather(*(world.server.notices.deliver() for _ in range(4)))
    assert len(told.heard) == 6
    assert len({token for _, token in told.heard}) == 6


async def test_nobody_else_makes_us_send_a_logout_anywhere(world: World) -> None:
    """F6, M2: a client that registered itself, or describes itself, names an address for logout tokens in
    vain; only what an operator entered is spoken to."""
    told = await relying.listening(world)
    client = await world.register(
        scope="openid mcp", backchannel_logout_uri="http://169.254.169.254/latest/meta-data/"
    )
    browser = world.browser()
    await world.tokens(client, browser, scope="openid mcp")
    await browser.submit(await browser.get("/"))
    for _ in range(3):
        await world.server.notices.deliver()
    assert told.heard == []


async def test_a_logout_token_goes_to_the_entered_address_and_no_further() -> None:
    """F6, M2: redirects are not followed, and addresses of cloud metadata are refused even to operators."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    send = logout_send(SystemClock())
    try:
        status = await send(f"http://127.0.0.1:{server.server_address[1]}/hear", {"logout_token": "x"})
    finally:
        server.shutdown()
        server.server_close()
    assert (status, seen) == (307, ["/hear"])
    with pytest.raises(OutboundRefused):
        await send("http://169.254.169.254/hear", {"logout_token": "x"})
