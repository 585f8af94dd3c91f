"""RFC 9126, pushed authorization requests: one test per MUST, and what a stranger may try."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest

from gatekit.platform.limits import Rate
from tests.attack.world import USED_LOOPBACK, World, form_of, returned, world_in

URN = "urn:ietf:params:oauth:request_uri:"


@pytest.fixture
async def client(world: World) -> dict[str, Any]:
    return await world.register()


async def push(world: World, client: Mapping[str, Any], **changes: str | None) -> httpx2.Response:
    """Push what the client would have sent through the browser."""
    query = urlsplit(world.authorize_url(client, **changes)).query
    async with world.http() as http:
        return await http.post("/par", data=dict(parse_qsl(query, keep_blank_values=True)))


async def pushed(world: World, client: Mapping[str, Any], **changes: str | None) -> str:
    """The path that the browser is sent to."""
    answer = await push(world, client, **changes)
    assert answer.status_code == 201, answer.text
    return opened_by(client, answer.json()["request_uri"])


def opened_by(client: Mapping[str, Any], uri: str, **more: str) -> str:
    return "/authorize?" + urlencode({"client_id": client["client_id"], "request_uri": uri, **more})


async def test_the_whole_way(world: World, client: dict[str, Any]) -> None:
    browser = world.browser()
    page = await world.sign_in(browser, await pushed(world, client))
    answer = returned(await world.approve(browser, page))
    assert (answer["state"], answer["iss"]) == ("s%41 +&=?", world.issuer)
    tokens = (await world.redeem(client, answer["code"])).json()
    assert await world.alive(tokens["access_token"])


async def test_2_2_the_answer_is_201_with_a_name_and_its_life(world: World, client: dict[str, Any]) -> None:
    """“the server MUST generate a request URI and provide it in the response with a 201”."""
    answers = [await push(world, client) for _ in range(2)]
    uris = {answer.json()["request_uri"] for answer in answers}
    assert {answer.status_code for answer in answers} == {201}
    assert len(uris) == 2
    assert all(uri.startswith(URN) and len(uri) >= len(URN) + 43 for uri in uris)
    assert answers[0].json()["expires_in"] == 90
    assert answers[0].headers["cache-control"] == "no-store"


async def test_2_it_accepts_forms_by_post_only(world: World, client: dict[str, Any]) -> None:
    """“accepts HTTP POST requests with parameters … using the application/x-www-form-urlencoded format”."""
    async with world.http() as http:
        assert (await http.get("/par")).status_code == 405
        body = await http.post("/par", json={"client_id": client["client_id"]})
        huge = await http.post("/par", data={"client_id": client["client_id"], "state": "x" * 20_000})
    assert (body.status_code, body.json()["error"]) == (400, "invalid_request")
    assert huge.status_code == 413


async def test_2_1_the_client_authenticates_as_at_the_token_endpoint(world: World) -> None:
    """“the rules for client authentication … for token endpoint requests apply”."""
    keeper = await world.register(token_endpoint_auth_method="client_secret_basic")
    query = dict(parse_qsl(urlsplit(world.authorize_url(keeper)).query))
    async with world.http() as http:
        without = await http.post("/par", data=query)
        wrong = await http.post("/par", data=query, auth=(keeper["client_id"], "wrong"))
        posted = await http.post("/par", data={**query, "client_secret": keeper["client_secret"]})
        del query["client_id"]  # the header names it
        good = await http.post("/par", data=query, auth=(keeper["client_id"], keeper["client_secret"]))
        unknown = await http.post("/par", data={**query, "client_id": "gkc_nobody"})
    for refused in (without, wrong, posted, unknown):
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert good.status_code == 201
    page = await world.sign_in(world.browser(), opened_by(keeper, good.json()["request_uri"]))
    assert form_of(page.text, "/consent")


async def test_2_1_no_secret_of_the_client_is_kept(world: World) -> None:
    keeper = await world.register(token_endpoint_auth_method="client_secret_post")
    query = dict(parse_qsl(urlsplit(world.authorize_url(keeper)).query))
    async with world.http() as http:
        answer = await http.post("/par", data={**query, "client_secret": keeper["client_secret"]})
    assert answer.status_code == 201
    await world.store.close()
    kept = b"".join(path.read_bytes() for path in world.directory.glob("gatekit.db*"))
    assert b"code_challenge_method" in kept
    assert keeper["client_secret"].encode() not in kept
    assert answer.json()["request_uri"].encode() not in kept
    await world.open()


@pytest.mark.parametrize("name", ["request_uri", "request"])
async def test_2_1_a_request_uri_must_not_be_pushed(world: World, client: dict[str, Any], name: str) -> None:
    """“The request_uri authorization request parameter is one exception, and it MUST NOT be provided.”"""
    answer = await push(world, client, **{name: f"{URN}x"})
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://evil.example/cb"}, "invalid_request"),
        ({"redirect_uri": "http://127.0.0.1.evil.example/callback"}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"resource": "https://gate.example/s/none/mcp"}, "invalid_target"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"dpop_jkt": "short"}, "invalid_request"),
        ({"state": "x" * 5000}, "invalid_request"),
    ],
)
async def test_2_1_it_is_checked_as_at_the_authorization_endpoint(
    world: World, client: dict[str, Any], changes: dict[str, str | None], error: str
) -> None:
    """D1: “Validates the pushed request as it would an authorization request sent to the authorization
    endpoint”; the client hears it, not the browser."""
    answer = await push(world, client, **changes)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    if "redirect_uri" in changes:
        assert "redirect_uri" in answer.json()["error_description"]


async def test_2_1_a_repeated_parameter_is_refused(world: World, client: dict[str, Any]) -> None:
    """D7: two values of one parameter, one for each reader."""
    query = urlsplit(world.authorize_url(client)).query
    async with world.http() as http:
        answer = await http.post(
            "/par",
            content=f"{query}&redirect_uri=https://evil.example",
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


async def test_2_2_it_is_bound_to_its_client(world: World, client: dict[str, Any]) -> None:
    """“The request_uri value MUST be bound to the client that posted the authorization request.”"""
    uri = (await push(world, client)).json()["request_uri"]
    other = await world.register()
    for path in (opened_by(other, uri), f"/authorize?{urlencode({'request_uri': uri})}"):
        page = await world.browser().get(path)
        assert page.status_code == 400
        assert "location" not in page.headers
    twice = f"{opened_by(client, uri)}&client_id={other['client_id']}"
    assert (await world.browser().get(twice)).status_code == 400
    assert (await world.browser().visit(opened_by(client, uri))).status_code == 200


async def test_4_it_expires(world: World, client: dict[str, Any]) -> None:
    """“An expired request_uri MUST be rejected as invalid.” A sign-in that has begun may go on."""
    path = await pushed(world, client)
    browser = world.browser()
    begun = await browser.visit(path)
    world.clock.advance(91)
    assert (await world.browser().get(path)).status_code == 400
    page = await browser.submit(begun, username="alice", password="alice-password")
    assert returned(await world.approve(browser, page))["code"]


async def test_4_nothing_beside_it_counts(world: World, client: dict[str, Any]) -> None:
    """D1: “MUST only use the parameters in the Request Object” (RFC 9101 §6.3); the browser adds nothing."""
    uri = (await push(world, client, state="mine")).json()["request_uri"]
    path = opened_by(
        client, uri, redirect_uri="https://evil.example/cb", state="theirs", scope="x", prompt="none"
    )
    browser = world.browser()
    page = await world.sign_in(browser, path)
    done = await world.approve(browser, page)
    assert done.headers["location"].startswith(USED_LOOPBACK)
    assert returned(done)["state"] == "mine"


async def test_4_it_leads_to_one_code(world: World, client: dict[str, Any]) -> None:
    """“SHOULD treat request_uri values as one-time use but MAY allow for duplicate requests due to a user
    reloading/refreshing their user agent.”"""
    path = await pushed(world, client)
    first, second = world.browser(), world.browser()
    pages = [await world.sign_in(first, path), await world.sign_in(second, path)]
    done = await asyncio.gather(world.approve(first, pages[0]), world.approve(second, pages[1]))
    assert sorted(answer.status_code for answer in done) == [303, 400]
    for browser in (first, second):  # agreed and remembered by now, so this would be a code at once
        assert (await browser.get(path)).status_code == 400


async def test_4_parallel_openings_of_one_browser_get_one_code(world: World, client: dict[str, Any]) -> None:
    browser = world.browser()
    await world.code(client, browser)
    path = await pushed(world, client)
    answers = await asyncio.gather(*(browser.get(path) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * 7


async def test_4_a_refusal_uses_it_up_as_well(world: World, client: dict[str, Any]) -> None:
    path = await pushed(world, client)
    browser = world.browser()
    action, hidden = form_of((await world.sign_in(browser, path)).text, "/consent")
    denied = await browser.post(action, data={**hidden, "decision": "deny"})
    assert returned(denied)["error"] == "access_denied"
    assert (await browser.get(path)).status_code == 400


async def test_another_account_can_be_chosen(world: World, client: dict[str, Any]) -> None:
    """The consent page's link to another account works without the name of the request."""
    browser = world.browser()
    page = await world.sign_in(browser, await pushed(world, client, resource=None))
    world.clock.advance(91)
    link = next(part.split('"')[0] for part in page.text.split('href="') if part.startswith("/continue?"))
    again = await browser.visit(link.replace("&amp;", "&"))
    page = await browser.submit(again, username="bob", password="bob-password")
    assert "bob" in page.text
    assert form_of(page.text, "/consent")


async def test_5_the_endpoint_is_announced(world: World) -> None:
    async with world.http() as http:
        document = (await http.get("/.well-known/oauth-authorization-server")).json()
    assert document["pushed_authorization_request_endpoint"] == f"{world.issuer}/par"
    assert document["require_pushed_authorization_requests"] is False


async def test_5_a_server_can_require_it_of_everybody(tmp_path: Any, template: Any) -> None:
    """“the authorization server accepts authorization request data only via PAR”."""
    async with world_in(tmp_path, template, require_pushed=True) as world:
        client = await world.register()
        async with world.http() as http:
            document = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert document["require_pushed_authorization_requests"] is True
        refused = returned(await world.browser().get(world.authorize_url(client)))
        assert (refused["error"], refused["iss"]) == ("invalid_request", world.issuer)
        assert (await world.browser().visit(await pushed(world, client))).status_code == 200


async def test_6_a_client_can_require_it_of_itself(world: World) -> None:
    """“whether the only means of initiating an authorization request the client is allowed to use is PAR”."""
    client = await world.register(require_pushed_authorization_requests=True)
    assert client["require_pushed_authorization_requests"] is True
    refused = returned(await world.browser().get(world.authorize_url(client)))
    assert refused["error"] == "invalid_request"
    assert (await world.browser().visit(await pushed(world, client))).status_code == 200
    async with world.http() as http:
        odd = await http.post(
            "/register",
            json={"redirect_uris": [USED_LOOPBACK], "require_pushed_authorization_requests": "yes"},
        )
    assert (odd.status_code, odd.json()["error"]) == (400, "invalid_client_metadata")


async def test_a_forgotten_client_is_let_in_again(world: World, client: dict[str, Any]) -> None:
    world.clock.advance(2 * 86_400)
    await world.server.tidy()
    assert await world.store.clients.get(client["client_id"]) is None
    assert (await push(world, client)).status_code == 201


async def test_a_disabled_client_is_refused_at_both_ends(world: World, client: dict[str, Any]) -> None:
    """R6: at the authorization endpoint and at this one."""
    path = await pushed(world, client)
    await world.store.clients.set_disabled(client["client_id"], True)
    assert (await world.browser().get(path)).status_code == 400
    assert (await push(world, client)).status_code == 401


async def test_it_has_a_budget_and_is_tidied(tmp_path: Any, template: Any) -> None:
    async with world_in(tmp_path, template, authorize_per_address=Rate(3, 1)) as world:
        client = await world.register()
        answers = [await push(world, client) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 429]
        assert int(answers[3].headers["retry-after"]) > 0
        world.clock.advance(90 + 600)
        await world.server.tidy()
        rows = await world.store.pushed_requests._database.all("SELECT uri_hash FROM pushed_requests")
        assert rows == []


async def test_everybody_together_has_a_budget_as_well(tmp_path: Any, template: Any) -> None:
    async with world_in(tmp_path, template, pushed_global=Rate(2, 1)) as world:
        client = await world.register()
        body = dict(parse_qsl(urlsplit(world.authorize_url(client)).query))
        answers = []
        for number in range(3):
            async with world.http(f"198.51.100.{number}") as http:
                answers.append((await http.post("/par", data=body)).status_code)
        assert answers == [201, 201, 429]
