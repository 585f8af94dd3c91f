"""B1–B9: consent and browser session."""

from __future__ import annotations

import asyncio
import logging
import re
from pathlib import Path

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.model.audit import ConsentGiven, SignIn, SignOut
from tests.attack.world import (
    LOOPBACK,
    Browser,
    World,
    form_of,
    provider_link,
    returned,
    world_in,
)

OUR_SCRIPT = r'<script src="/static/passkeys\.js\?v=\w+" defer>'
"""The only one there is: a file of ours, no text in the page."""
SCRIPT = '<script>alert(1)</script>"onload=x'


def consent_shown(page: httpx2.Response) -> bool:
    return page.status_code == 200 and 'name="decision"' in page.text


async def test_B1_each_client_asks_for_itself(world: World) -> None:
    """I8: Confused deputy: earlier consent for one client says nothing about another."""
    honest, hostile = await world.register(), await world.register(client_name="Test client")
    async with world.browser() as browser:
        await world.code(honest, browser)
        page = await browser.visit(world.authorize_url(hostile))
        assert consent_shown(page)
        assert hostile["client_id"] in page.text
        page = await browser.visit(world.authorize_url(hostile))  # looking at it is not agreeing
        assert consent_shown(page)


@pytest.mark.parametrize(
    "changes",
    [
        {"resource": "https://gate.example/s/clock/mcp"},
        {"resource": None},
        {"redirect_uri": "http://localhost:1/other"},
        {"prompt": "consent"},
    ],
    ids=str,
)
async def test_B1_whatever_differs_asks_again(world: World, changes: dict[str, str | None]) -> None:
    client = await world.register(redirect_uris=[LOOPBACK, "http://localhost/other"])
    async with world.browser() as browser:
        await world.code(client, browser, redirect_uri="http://127.0.0.1:1/callback")
        same = await browser.get(world.authorize_url(client, redirect_uri="http://127.0.0.1:2/callback"))
        assert "code" in returned(same)  # a desktop client's new port is not a new place
        page = await browser.visit(
            world.authorize_url(client, **{"redirect_uri": "http://127.0.0.1:1/callback", **changes})
        )
        assert consent_shown(page)


async def test_B1_another_scope_asks_again(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        await world.code(client, browser, scope="mcp:read")
        assert "code" in returned(await browser.get(world.authorize_url(client, scope="mcp:read")))
        for larger in ("mcp:read mcp:call", "mcp:call", "mcp", None):
            assert consent_shown(await browser.visit(world.authorize_url(client, scope=larger)))


async def test_B1_another_person_asks_again(world: World) -> None:
    client = await world.register()
    clock = f"{world.issuer}/s/clock/mcp"
    async with world.browser() as browser:
        await world.code(client, browser, resource=clock)
        page = await world.sign_in(
            browser, world.authorize_url(client, resource=clock, prompt="login"), "bob"
        )
        assert consent_shown(page)
        assert "bob" in page.text


async def test_B2_the_run_belongs_to_the_browser_that_started_it(world: World) -> None:
    """I8: The run belongs to the browser that started it."""
    client = await world.register()
    async with world.browser() as attacker, world.browser() as victim:
        page = await attacker.get(world.authorize_url(client))
        leg = await attacker.get(provider_link(page.text, "github"))
        state = leg.headers["location"].split("state=")[1].split("&")[0]
        await world.code(client, victim)  # the victim has cookies of their own
        for stolen in (
            f"/callback/github?code=good-victim&state={state}",
            provider_link(page.text, "github"),
            "/continue?txn=" + form_of(page.text)[1]["txn"],
        ):
            answer = await victim.get(stolen)
            assert answer.status_code == 403, stolen
            assert "location" not in answer.headers
        action, fields = form_of(page.text, "/login")
        login = await victim.post(action, data={**fields, "username": "alice", "password": "alice-password"})
        assert login.status_code == 403
        # The true owner is not disturbed by any of it.
        assert consent_or_error(await attacker.visit(f"/callback/github?code=good-carol&state={state}"))


def consent_or_error(page: httpx2.Response) -> bool:
    """carol may use no server that was asked for, so her run ends at the client; that is still her run."""
    return consent_shown(page) or "error" in returned(page)


async def test_B2_cookies_are_host_bound_and_expire(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        answer = await browser.get(world.authorize_url(client))
        [cookie] = answer.headers.get_list("set-cookie")
        name, _, rest = cookie.partition("=")
        assert name.startswith("__Host-")
        attributes = {part.strip().lower() for part in rest.split(";")[1:]}
        assert {"httponly", "secure", "samesite=lax", "path=/", "max-age=600"} <= attributes
        assert not any(part.startswith("domain") for part in attributes)
        world.clock.advance(601)
        page = await browser.submit(answer, username="alice", password="alice-password")
        assert page.status_code == 400


async def test_B2_plain_names_on_http_loopback(tmp_path: Path) -> None:
    async with world_in(tmp_path, issuer="http://127.0.0.1:8080") as world:
        client = await world.register()
        world.files = "http://127.0.0.1:8080/s/files/mcp"
        async with world.browser() as browser:
            page = await world.sign_in(browser, world.authorize_url(client))
            assert consent_shown(page)
            names = [cookie.name for cookie in browser.cookies.jar]
            assert "gk_session" in names
            assert not any(name.startswith("__") for name in names)
            assert not any(cookie.secure for cookie in browser.cookies.jar)


async def test_B3_forms_without_their_token_do_nothing(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client))
        _, fields = form_of(page.text, "/login")
        person = {"username": "alice", "password": "alice-password"}
        for csrf in (None, "", "x", "ü", fields["csrf"][:-1]):
            forged = (
                {**fields, **person, "csrf": csrf} if csrf is not None else {"txn": fields["txn"], **person}
            )
            assert (await browser.post("/login", data=forged)).status_code == 403
        page = await browser.submit(page, **person)
        _, fields = form_of(page.text, "/consent")
        for csrf in ("", "x"):
            forged = {**fields, "decision": "approve", "csrf": csrf}
            assert (await browser.post("/consent", data=forged)).status_code == 403
        assert (await browser.post("/logout", data={"csrf": "x"})).status_code == 403
        assert world.trail.named(ConsentGiven) == []
        assert "code" in returned(await world.approve(browser, page))


async def test_B3_a_login_token_is_no_consent_token(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        login = await browser.get(world.authorize_url(client))
        stale = form_of(login.text)[1]["csrf"]
        page = await browser.submit(login, username="alice", password="alice-password")
        _, fields = form_of(page.text, "/consent")
        forged = {**fields, "csrf": stale, "decision": "approve"}
        assert (await browser.post("/consent", data=forged)).status_code == 403


async def test_B3_get_never_approves(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        _, fields = form_of(page.text, "/consent")
        query = "&".join(f"{name}={value}" for name, value in fields.items())
        assert (await browser.get(f"/consent?{query}&decision=approve")).status_code == 405
        again = await browser.get(world.authorize_url(client) + "&decision=approve&csrf=" + fields["csrf"])
        assert consent_shown(again)


async def test_B3_two_tabs_at_once_both_work(world: World) -> None:
    """A client with several servers opens several tabs in the same moment, none with a cookie yet."""
    first, second = await world.register(), await world.register()
    async with world.browser() as browser:
        pages = await asyncio.gather(
            browser.get(world.authorize_url(first)), browser.get(world.authorize_url(second))
        )
        consents = [await browser.submit(page, username="alice", password="alice-password") for page in pages]
        answers = [returned(await world.approve(browser, page)) for page in reversed(consents)]
    assert all("code" in answer for answer in answers)


async def test_B3_a_run_ends_once(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        answers = await asyncio.gather(*(world.approve(browser, page) for _ in range(5)))
        assert sorted(answer.status_code for answer in answers) == [303, 400, 400, 400, 400]


async def test_B3_many_tabs_do_not_grow_the_cookie_header_for_ever(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        for _ in range(50):
            page = await browser.get(world.authorize_url(client))
        assert len(list(browser.cookies.jar)) <= 21
        assert consent_shown(await browser.submit(page, username="alice", password="alice-password"))


async def test_B4_B9_every_page_says_what_a_browser_must_know(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        pages = [await browser.get(world.authorize_url(client))]
        pages.append(await browser.submit(pages[0], username="alice", password="wrong"))
        pages.append(await browser.submit(pages[0], username="alice", password="alice-password"))
        pages += [await browser.get(path) for path in ("/", "/login", "/authorize", "/continue", "/invite/x")]
    assert [page.status_code for page in pages] == [200, 403, 200, 200, 200, 400, 400, 404]
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "form-action" not in policy  # Chromium would block the redirect to the client
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        scripts = re.findall(r"<script[^>]*>[^<]*", page.text)  # our own file, nothing between the tags
        assert all(re.fullmatch(OUR_SCRIPT, script) for script in scripts)
        assert " style=" not in page.text


async def test_B5_names_from_strangers_are_text(world: World) -> None:
    client = await world.register(
        client_name=SCRIPT + "\u202e\u0007" + "A" * 300,
        client_uri="javascript:alert(1)",
        logo_uri="https://evil.example/x.svg",
        redirect_uris=[LOOPBACK],
    )
    assert len(client["client_name"]) <= 100
    assert "\u202e" not in client["client_name"]
    assert "client_uri" not in client
    async with world.browser() as browser:
        url = world.authorize_url(client, state=SCRIPT, login_hint=SCRIPT, scope=SCRIPT)
        login = await browser.get(url)
        wrong = await browser.submit(login, username=SCRIPT, password=SCRIPT)
        consent = await browser.submit(login, username="alice", password="alice-password")
        assert consent_shown(consent)
        problem = await browser.get(world.authorize_url(client, client_id=SCRIPT))
        refused = await browser.get(f"/callback/{SCRIPT.replace('/', '')}?error_description={SCRIPT}")
        for page in (login, wrong, consent, problem, refused):
            assert "<script>" not in page.text
            assert '"onload' not in page.text
            assert "evil.example" not in page.text  # a stranger's logo is never shown
        assert returned(await world.approve(browser, consent))["state"] == SCRIPT


async def test_B5_a_100_kB_name_is_refused(world: World) -> None:
    async with world.http() as http:
        answer = await http.post(
            "/register", json={"client_name": "A" * 100_000, "redirect_uris": [LOOPBACK]}
        )
    assert answer.status_code == 413


async def test_B5_a_providers_display_name_is_text(world: World) -> None:
    client = await world.register()
    clock = f"{world.issuer}/s/clock/mcp"
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client, resource=clock))
        leg = await browser.get(provider_link(page.text, "github"))
        state = leg.headers["location"].split("state=")[1].split("&")[0]
        consent = await browser.visit(f"/callback/github?code=good-carol&state={state}")
        assert consent_shown(consent)
        assert "<script>" not in consent.text


async def test_B6_the_page_shows_where_the_answer_goes(world: World) -> None:
    """I10: The page shows where the answer goes."""
    local = await world.register()
    remote = await world.register(
        redirect_uris=["https://app.example.com/cb"], client_uri="https://vendor.example/about"
    )
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(local))
        assert "127.0.0.1:49152" in page.text
        assert "on your own computer" in page.text
        page = await browser.visit(world.authorize_url(remote))
        assert "app.example.com" in page.text
        assert "vendor.example" in page.text


async def test_B7_the_session_is_new_at_each_sign_in_and_ends_on_the_server(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        browser.cookies.set("__Host-gk_session", "gk_bs_planted", domain="gate.example", path="/")
        page = await world.sign_in(browser, world.authorize_url(client))
        first = _session(browser)
        assert first != "gk_bs_planted"
        assert consent_shown(page)
        await world.sign_in(browser, world.authorize_url(client, prompt="login"))
        second = _session(browser)
        assert first != second
        assert not await _signed_in(world, first)
        assert await _signed_in(world, second)
        home = await browser.get("/")
        action, fields = form_of(home.text, "/logout")
        out = await browser.post(action, data=fields)
        assert out.status_code == 303
        assert not await _signed_in(world, second)
    assert world.trail.named(SignOut, principal="alice")


async def test_B7_a_disabled_persons_session_is_worth_nothing(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        await world.code(client, browser)
        await world.store.users.update(replace(world.people["alice"], disabled=True))
        page = await browser.get(world.authorize_url(client))
        assert 'name="password"' in page.text
        assert "alice" not in (await browser.get("/")).text


async def test_B8_prompt_none_never_shows_a_page(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        answer = returned(await browser.get(world.authorize_url(client, prompt="none")))
        assert answer["error"] == "login_required"
        page = await world.sign_in(browser, world.authorize_url(client))
        answer = returned(await browser.get(world.authorize_url(client, prompt="none")))
        assert answer["error"] == "consent_required"
        await world.approve(browser, page)
        assert "code" in returned(await browser.get(world.authorize_url(client, prompt="none")))
        answer = returned(await browser.get(world.authorize_url(client, prompt="none login")))
        assert answer["error"] == "invalid_request"
        answer = returned(await browser.get(world.authorize_url(client, prompt="none", max_age="60")))
        assert "code" in answer
        world.clock.advance(10)
        answer = returned(await browser.get(world.authorize_url(client, prompt="none", max_age="5")))
        assert answer["error"] == "login_required"


async def test_B8_prompt_login_and_max_age_ask_for_the_password(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        await world.code(client, browser)
        for changes in ({"prompt": "login"}, {"max_age": "5"}):
            world.clock.advance(10)
            page = await browser.visit(world.authorize_url(client, **changes))
            assert 'name="password"' in page.text
            done = await browser.submit(page, username="alice", password="alice-password")
            assert "code" in returned(done)


async def test_B8_auth_time_is_the_sign_in_not_the_consent(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        world.clock.advance(100)
        await world.approve(browser, page)
    [grant] = await world.store.grants.list(client_id=client["client_id"])
    assert grant.auth_time == int(world.clock.now()) - 100


async def test_B8_account_switch_in_another_tab_refuses_the_consent(world: World) -> None:
    client = await world.register()
    clock = f"{world.issuer}/s/clock/mcp"
    async with world.browser() as browser:
        alices = await world.sign_in(browser, world.authorize_url(client, resource=clock))
        bobs = await world.sign_in(
            browser, world.authorize_url(client, resource=clock, prompt="login"), "bob"
        )
        refused = await world.approve(browser, alices)
        assert refused.status_code == 403
        assert "location" not in refused.headers
        assert "code" in returned(await world.approve(browser, bobs))
    assert len(world.trail.named(ConsentGiven)) == 1


async def test_B8_a_page_shown_to_one_account_cannot_be_answered_by_the_next(world: World) -> None:
    """The same run, resumed by bob after alice saw it."""
    client = await world.register()
    clock = f"{world.issuer}/s/clock/mcp"
    async with world.browser() as browser:
        alices = await world.sign_in(browser, world.authorize_url(client, resource=clock))
        await world.sign_in(browser, "/login", "bob")
        resumed = await browser.visit("/continue?txn=" + form_of(alices.text, "/consent")[1]["txn"])
        assert "bob" in resumed.text
        assert (await world.approve(browser, alices)).status_code == 403
        assert "code" in returned(await world.approve(browser, resumed))


async def test_B8_rights_that_changed_meanwhile_void_the_page(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, resource=None))
        await world.store.groups.remove(await _membership(world))
        world.directory_of_people.forget()
        assert (await world.approve(browser, page)).status_code == 403


async def test_B9_secrets_are_neither_logged_nor_stored(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = await world.register(token_endpoint_auth_method="client_secret_post")
    secret = client["client_secret"]
    async with world.browser() as browser:
        code = await world.code(client, browser)
        session = _session(browser)
    tokens = (await world.redeem(client, code, client_secret=secret)).json()
    await world.refresh(client, tokens["refresh_token"], client_secret=secret)
    await world.redeem(client, code, client_secret=secret)
    await world.use(tokens["access_token"])
    secrets = [code, secret, session, tokens["refresh_token"], tokens["access_token"], "alice-password"]
    written = caplog.text + repr(world.trail.events)
    stored = b"".join(path.read_bytes() for path in world.directory.glob("gatekit.db*"))
    assert stored
    for value in secrets:
        assert value not in written
        assert value.encode() not in stored
    assert b"PRIVATE KEY" not in stored


async def test_B9_answers_with_secrets_are_not_kept_anywhere(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        answer = await world.approve(browser, page)
    response = await world.redeem(client, returned(answer)["code"])
    for kept in (answer, response, await world.redeem(client, "gk_ac_x")):
        assert kept.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_sign_ins_are_on_record(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client), "nobody")
        assert page.status_code == 403
        await browser.submit(page, username="alice", password="alice-password")
    [refused, fine] = world.trail.named(SignIn)
    assert isinstance(refused, SignIn)
    assert isinstance(fine, SignIn)
    assert (refused.outcome, fine.outcome, fine.principal) == ("refused", "ok", "alice")


def _session(browser: Browser) -> str:
    return next(cookie.value or "" for cookie in browser.cookies.jar if cookie.name.endswith("gk_session"))


async def _signed_in(world: World, session: str) -> bool:
    async with world.browser() as other:
        home = await other.get("/", headers={"cookie": f"__Host-gk_session={session}"})
        return "alice" in home.text


async def _membership(world: World):  # type: ignore[no-untyped-def]
    [membership] = await world.store.groups.of_user(world.people["alice"].id)
    return membership
