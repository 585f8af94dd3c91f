"""F5: the steps of a real sign-in, each tried before the one that comes first (CVE-2026-49448)."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from gatekit.model.audit import ConsentGiven, SignIn
from tests.attack.world import Browser, World, form_of, provider_link

DECISIONS: tuple[dict[str, str], ...] = (
    {},
    {"decision": "approve"},
    {"decision": "approve", "csrf": ""},
    {"decision": "approve", "username": "alice"},
)
"""What is posted beside the run: nothing, and whatever might be taken for an answer."""


async def begun(
    world: World, browser: Browser, **changes: str | None
) -> tuple[httpx2.Response, dict[str, Any]]:
    """The sign-in page of a new run of this browser, and the fields of its form: the run, and its token."""
    page = await browser.visit(world.authorize_url(await world.register(), **changes))
    return page, form_of(page.text, "/login")[1]


async def ends_at_the_sign_in(browser: Browser, answer: httpx2.Response) -> bool:
    """Whether it is refused, or leads to the page that asks for name and password, and to no code."""
    while answer.is_redirect:
        where = answer.headers["location"]
        assert where.startswith("/"), where
        answer = await browser.get(where)
    return answer.status_code in (400, 403) or 'name="password"' in answer.text


@pytest.mark.parametrize("decision", DECISIONS, ids=str)
async def test_F5_nobody_consents_before_the_sign_in(world: World, decision: dict[str, str]) -> None:
    """F5: the run is real and its browser the right one; who agrees is missing."""
    async with world.browser() as browser:
        _, run = await begun(world, browser)
        for fields in ({"txn": run["txn"], **decision}, {**run, **decision}):
            assert await ends_at_the_sign_in(browser, await browser.post("/consent", data=fields))
        assert await ends_at_the_sign_in(browser, await browser.get("/continue?txn=" + run["txn"]))
    assert world.trail.named(ConsentGiven) == []


@pytest.mark.parametrize("decision", DECISIONS, ids=str)
@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": "0"}], ids=str)
async def test_F5_a_session_is_not_the_sign_in_that_was_asked_for(
    world: World, asked: dict[str, str], decision: dict[str, str]
) -> None:
    """F5, B8: a browser that is signed in skips neither a password that is asked for again, nor the page."""
    async with world.browser() as browser:
        await world.code(await world.register(), browser)
        given = len(world.trail.named(ConsentGiven))
        world.clock.advance(5)
        _, run = await begun(world, browser, **asked)
        for fields in ({"txn": run["txn"], **decision}, {**run, **decision}):
            assert await ends_at_the_sign_in(browser, await browser.post("/consent", data=fields))
        assert await ends_at_the_sign_in(browser, await browser.get("/continue?txn=" + run["txn"]))
    assert len(world.trail.named(ConsentGiven)) == given


async def test_F5_an_empty_password_is_no_sign_in(world: World) -> None:
    """F5: the form as it came, with nothing or half of it filled in; then the step after it."""
    async with world.browser() as browser:
        _, run = await begun(world, browser)
        for filled in ({}, {"username": "alice"}, {"username": "alice", "password": ""}, {"password": "x"}):
            answer = await browser.post("/login", data={**run, **filled})
            assert (answer.status_code, 'name="password"' in answer.text) == (403, True)
            assert await ends_at_the_sign_in(browser, await browser.get("/continue?txn=" + run["txn"]))
    assert world.trail.named(SignIn, outcome="ok") == []


async def test_F5_nobody_comes_back_from_a_provider_without_its_word(world: World) -> None:
    """F5: the leg is real; the provider's answer is missing, or there was no leg at all."""
    async with world.browser() as browser:
        page, run = await begun(world, browser)
        assert (await browser.get("/callback/github?code=good-alice")).status_code == 400
        assert (await browser.get("/callback/github?state=&code=good-alice")).status_code == 400
        assert (await browser.get(f"/callback/github?state={run['txn']}&code=good-alice")).status_code == 400
        leg = await browser.get(provider_link(page.text, "github"))
        state = leg.headers["location"].split("state=")[1].split("&")[0]
        assert (await browser.get(f"/callback/github?state={state}")).status_code == 403
        # That leg is over now, and what the provider says later does not count.
        assert (await browser.get(f"/callback/github?state={state}&code=good-alice")).status_code == 400
        assert await ends_at_the_sign_in(browser, await browser.get("/continue?txn=" + run["txn"]))
    assert world.trail.named(SignIn, outcome="ok") == []


async def test_F5_no_device_is_let_in_before_its_page_was_shown(world: World) -> None:
    """F5, U3: a person who is signed in, a code that waits, and no page in between."""
    device = await world.register(grant_types=["urn:ietf:params:oauth:grant-type:device_code"])
    async with world.http() as http:
        started = {"client_id": device["client_id"], "resource": world.files}
        waiting = (await http.post("/device_authorization", data=started)).json()
    code = {"user_code": waiting["user_code"]}
    async with world.browser() as stranger, world.browser() as browser:
        for decision in DECISIONS:
            answer = await stranger.post("/device/decide", data={**code, **decision})
            assert await ends_at_the_sign_in(stranger, answer)
        page = await world.sign_in(browser, "/device")
        entering = form_of(page.text, "/device")[1]
        for decision in DECISIONS:
            assert (await browser.post("/device/decide", data={**code, **decision})).status_code == 403
        shown = await browser.post("/device/decide", data={**entering, **code, "decision": "approve"})
        assert shown.status_code == 403
    assert world.trail.named(ConsentGiven) == []
