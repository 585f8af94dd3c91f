"""RFC 6749 §3.1, §4.1: the authorization endpoint and its answers."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.attack.world import LOOPBACK, USED_LOOPBACK, World, returned


async def test_3_1_parameters_without_a_value_are_absent(world: World) -> None:
    """ "Parameters sent without a value MUST be treated as if they were omitted from the request." """
    client = await world.register()
    async with world.browser() as browser:
        url = world.authorize_url(client, state="", resource="", prompt="", response_mode="", max_age="")
        assert (await browser.get(url)).status_code == 200
        answer = returned(await browser.get(world.authorize_url(client, state="", response_type="")))
    assert answer["error"] == "invalid_request"
    assert "state" not in answer


async def test_3_1_unknown_parameters_are_ignored(world: World) -> None:
    """ "The authorization server MUST ignore unrecognized request parameters." """
    client = await world.register()
    async with world.browser() as browser:
        url = world.authorize_url(client, audience="x", nonce="y", display="page", ui_locales="de", x="1")
        assert (await browser.get(url)).status_code == 200


async def test_3_1_get_is_repeatable_and_post_is_the_same(world: World) -> None:
    """ "The authorization server MUST support the use of the HTTP "GET" method … and MAY support … POST." """
    client = await world.register()
    url = world.authorize_url(client)
    async with world.http() as probe:  # a client that looks first, without cookies
        assert (await probe.get(url)).status_code == 200
    async with world.browser() as browser:
        page = await browser.post("/authorize", data=dict(parse_qsl(urlsplit(url).query)))
        page = await browser.submit(page, username="alice", password="alice-password")
        assert "code" in returned(await world.approve(browser, page))
        assert "code" in returned(await browser.get(url))


async def test_3_1_2_an_existing_query_is_retained(world: World) -> None:
    """ "which MUST be retained when adding additional query parameters" """
    client = await world.register(redirect_uris=["http://127.0.0.1/callback?a=%20b"])
    async with world.browser() as browser:
        url = world.authorize_url(
            client, redirect_uri="http://127.0.0.1:5/callback?a=%20b", response_type="x"
        )
        answer = await browser.get(url)
    assert answer.headers["location"].startswith("http://127.0.0.1:5/callback?a=%20b&error=")


async def test_3_1_2_3_a_single_registered_uri_may_be_left_out(world: World) -> None:
    client = await world.register(redirect_uris=["http://127.0.0.1:7/callback"])
    code = await world.code(client, redirect_uri=None)
    assert (await world.redeem(client, code, redirect_uri=None)).status_code == 200
    several = await world.register(redirect_uris=[LOOPBACK, "http://localhost/callback"])
    async with world.browser() as browser:
        assert (await browser.get(world.authorize_url(several, redirect_uri=None))).status_code == 400


STATES = [
    "x" * 3000,
    "%20%zz%41+&=?#/\\\"'<>",
    "vscode://x/y?z=%7B%22a%22%3A1%7D" + "%25" * 120,
    "üñ😀",
    " a\tb ",
]


@pytest.mark.parametrize("state", STATES, ids=range(len(STATES)))
async def test_4_1_2_state_is_the_exact_value_received(world: World, state: str) -> None:
    """ "REQUIRED if the "state" parameter was present … The exact value received from the client." """
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, state=state))
        assert returned(await world.approve(browser, page))["state"] == state
        failed = await browser.get(world.authorize_url(client, state=state, response_type=None))
        assert returned(failed)["state"] == state


async def test_4_1_2_no_state_no_state(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, state=None, scope=None))
        assert set(returned(await world.approve(browser, page))) == {"code", "iss"}


async def test_4_1_2_1_denial(world: World) -> None:
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client))
        answer = await browser.submit(page, decision="deny")
    assert answer.headers["location"].startswith(USED_LOOPBACK + "?")
    assert set(returned(answer)) == {"error", "error_description", "state", "iss"}
    assert returned(answer)["error"] == "access_denied"


async def test_3_3_the_granted_scope_is_named(world: World) -> None:
    """ "If the issued access token scope is different from the one requested … MUST include "scope"." """
    client = await world.register()
    for asked, granted in (
        (None, "mcp:read mcp:call"),
        ("mcp:read", "mcp:read"),
        ("mcp:call", "mcp:read mcp:call"),
        ("mcp:call mcp:read offline_access", "mcp:read mcp:call"),
        ("mcp", "mcp"),
        ("mcp offline_access", "mcp"),
        ("something else", "mcp:read mcp:call"),
    ):
        assert (await world.tokens(client, scope=asked))["scope"] == granted


async def test_a_malformed_query_is_an_error_page(world: World) -> None:
    async with world.browser() as browser:
        for query in (
            "client_id=%ff%fe",
            "&".join(f"a{n}=1" for n in range(300)),
            urlencode({"client_id": "\0"}),
        ):
            answer = await browser.get(f"/authorize?{query}")
            assert answer.status_code == 400
            assert answer.headers["content-type"].startswith("text/html")
