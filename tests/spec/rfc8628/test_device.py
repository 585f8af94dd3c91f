"""RFC 8628, device authorization grant: one test per MUST, and checklist U3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from msgspec.structs import replace

from gatekit.model.audit import ConsentGiven, TokenEvent
from tests.attack.world import Browser, World, form_of

DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture
async def client(world: World) -> dict[str, Any]:
    return await world.register(
        client_name="Terminal",
        redirect_uris=[],
        grant_types=[DEVICE_CODE, "refresh_token"],
        response_types=[],
    )


async def ask(world: World, client: Mapping[str, Any], **fields: str) -> httpx2.Response:
    async with world.http() as http:
        return await http.post(
            "/device_authorization",
            data={"client_id": client["client_id"], "resource": world.files, **fields},
        )


async def started(world: World, client: Mapping[str, Any], **fields: str) -> dict[str, Any]:
    answer = await ask(world, client, **fields)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def poll(world: World, client: Mapping[str, Any], run: Mapping[str, Any], wait: float = 6) -> Any:
    world.clock.advance(wait)
    return await world.token(client, grant_type=DEVICE_CODE, device_code=run["device_code"])


async def entered(world: World, browser: Browser, code: str, username: str = "alice") -> httpx2.Response:
    """Sign in and enter ``code``: the page that asks."""
    page = await world.sign_in(browser, "/device", username)
    assert page.status_code == 200, page.text
    return await browser.submit(page, user_code=code)


async def decide(browser: Browser, page: httpx2.Response, decision: str, **fields: str) -> httpx2.Response:
    action, hidden = form_of(page.text, "/device/decide")
    return await browser.post(action, data={**hidden, **fields, "decision": decision})


async def test_3_1_the_endpoint_is_announced(world: World) -> None:
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert document["device_authorization_endpoint"] == f"{world.issuer}/device_authorization"
    assert DEVICE_CODE in document["grant_types_supported"]


async def test_3_2_the_answer_has_every_member(world: World, client: dict[str, Any]) -> None:
    answer = await ask(world, client)
    run = answer.json()
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", run["user_code"])
    assert run["verification_uri"] == f"{world.issuer}/device"
    assert run["verification_uri_complete"] == f"{world.issuer}/device?user_code={run['user_code']}"
    assert (run["expires_in"], run["interval"]) == (600, 5)


async def test_the_whole_way(world: World, client: dict[str, Any]) -> None:
    run = await started(world, client)
    waiting = await poll(world, client, run)
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
    browser = world.browser()
    page = await entered(world, browser, run["user_code"].lower().replace("-", " "))
    assert all(text in page.text for text in ("Terminal", "198.51.100.7", "Files"))
    done = await decide(browser, page, "approve")
    assert done.status_code == 200
    assert "Connected" in done.text
    tokens = (await poll(world, client, run)).json()
    assert await world.alive(tokens["access_token"])
    assert not await world.alive(tokens["access_token"], "clock")  # only what was asked for
    assert (await world.refresh(client, tokens["refresh_token"])).status_code == 200
    assert world.trail.named(ConsentGiven, decision="approve", client_id=client["client_id"])
    assert world.trail.named(TokenEvent, action="issued", grant_type=DEVICE_CODE)


async def test_a_device_that_names_no_server_gets_what_its_person_picks(
    world: World, client: dict[str, Any]
) -> None:
    run = await started(world, client, resource="")
    browser = world.browser()
    page = await entered(world, browser, run["user_code"])
    clock = f"{world.issuer}/s/clock/mcp"
    action, hidden = form_of(page.text, "/device/decide")
    await browser.post(action, data={**hidden, "resource": clock, "decision": "approve"})
    tokens = (await poll(world, client, run)).json()
    assert await world.alive(tokens["access_token"], "clock")
    assert not await world.alive(tokens["access_token"])


async def test_3_3_the_link_fills_the_field_and_approves_nothing(
    world: World, client: dict[str, Any]
) -> None:
    """U3, B3: The link fills the field and approves nothing."""
    run = await started(world, client)
    browser = world.browser()
    page = await world.sign_in(browser, f"/device?user_code={run['user_code']}")
    assert f'value="{run["user_code"]}"' in page.text
    assert (await poll(world, client, run)).json()["error"] == "authorization_pending"


async def test_3_5_denied(world: World, client: dict[str, Any]) -> None:
    run = await started(world, client)
    browser = world.browser()
    denied = await decide(browser, await entered(world, browser, run["user_code"]), "deny")
    assert "Denied" in denied.text
    answer = await poll(world, client, run)
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")


async def test_3_5_expired(world: World, client: dict[str, Any]) -> None:
    run = await started(world, client)
    answer = await poll(world, client, run, wait=601)
    assert (answer.status_code, answer.json()["error"]) == (400, "expired_token")
    browser = world.browser()
    assert "No device waits" in (await entered(world, browser, run["user_code"])).text


async def test_3_5_who_asks_too_fast_is_slowed_down(world: World, client: dict[str, Any]) -> None:
    """U3: Who asks too fast is slowed down."""
    run = await started(world, client)
    errors = [(await poll(world, client, run, wait)).json()["error"] for wait in (0, 1, 6, 16)]
    assert errors == ["authorization_pending", "slow_down", "slow_down", "authorization_pending"]


async def test_a_code_is_redeemed_once(world: World, client: dict[str, Any]) -> None:
    """U3: A code is redeemed once."""
    run = await started(world, client)
    browser = world.browser()
    await decide(browser, await entered(world, browser, run["user_code"]), "approve")
    assert (await poll(world, client, run)).status_code == 200
    assert (await poll(world, client, run)).json()["error"] == "invalid_grant"


async def test_another_client_gets_nothing(world: World, client: dict[str, Any]) -> None:
    """U3: Another client gets nothing."""
    run = await started(world, client)
    browser = world.browser()
    await decide(browser, await entered(world, browser, run["user_code"]), "approve")
    thief = await world.register(redirect_uris=[], grant_types=[DEVICE_CODE], response_types=[])
    assert (await poll(world, thief, run)).json()["error"] == "invalid_grant"
    assert (await poll(world, client, run)).status_code == 200


async def test_a_client_must_be_registered_for_it(world: World) -> None:
    web = await world.register()
    assert (await ask(world, web)).json()["error"] == "unauthorized_client"
    assert (await world.token(web, grant_type=DEVICE_CODE, device_code="x")).json()[
        "error"
    ] == "unauthorized_client"


async def test_unknown_resource_and_client(world: World, client: dict[str, Any]) -> None:
    assert (await ask(world, client, resource="https://evil.example/mcp")).json()["error"] == "invalid_target"
    assert (await ask(world, {"client_id": "gkc_none"})).status_code == 401


async def test_U3_codes_cannot_be_tried_at_will(world: World, client: dict[str, Any]) -> None:
    browser = world.browser()
    page = await world.sign_in(browser, "/device")
    statuses = [(await browser.submit(page, user_code="BBBB-BBBB")).status_code for _ in range(12)]
    assert statuses[:10] == [400] * 10
    assert statuses[10:] == [429] * 2
    run = await started(world, client)
    assert (await browser.submit(page, user_code=run["user_code"])).status_code == 429


async def test_U3_the_decision_is_bound_to_the_session_that_saw_the_page(
    world: World, client: dict[str, Any]
) -> None:
    run = await started(world, client)
    mallory, victim = world.browser(), world.browser("203.0.113.9")
    page = await entered(world, mallory, run["user_code"], "bob")
    assert page.status_code == 403  # bob may not use it, so there is nothing to agree to
    run = await started(world, client, resource="")
    page = await mallory.submit(await mallory.visit("/device"), user_code=run["user_code"])
    await world.sign_in(victim, "/login")
    forged = await decide(victim, page, "approve")
    assert forged.status_code == 403
    assert (await poll(world, client, run)).json()["error"] == "authorization_pending"


async def test_R6_a_disabled_person_gets_no_tokens(world: World, client: dict[str, Any]) -> None:
    """F3: A disabled person gets no tokens."""
    run = await started(world, client)
    browser = world.browser()
    await decide(browser, await entered(world, browser, run["user_code"]), "approve")
    await world.store.users.update(replace(world.people["alice"], disabled=True))
    world.directory_of_people.forget()
    assert (await poll(world, client, run)).json()["error"] == "invalid_grant"


async def test_the_way_back_after_sign_in_is_ours_alone(world: World) -> None:
    """D8: The way back after sign in is ours alone."""
    browser = world.browser()
    page = await browser.visit("/device?user_code=//evil.example/%0d%0aX")
    answer = await browser.post(
        form_of(page.text)[0],
        data={**form_of(page.text)[1], "username": "alice", "password": "alice-password"},
    )
    assert answer.headers["location"] == "/device?user_code=VLXMPLX"


async def test_the_person_may_let_a_device_read_only(world: World, client: dict[str, Any]) -> None:
    """ "The authorization server MAY … ignore the scope requested by the client" (RFC 6749 §3.3)."""
    run = await started(world, client)
    async with world.browser() as browser:
        page = await entered(world, browser, run["user_code"])
        assert (await decide(browser, page, "approve", read_only="yes")).status_code == 200
    assert (await poll(world, client, run)).json()["scope"] == "mcp:read"
    assert world.trail.named(ConsentGiven)[-1].scopes == ("mcp:read",)
