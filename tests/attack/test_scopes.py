"""Scopes: what the person leaves out stays out, and more is only given for a new consent (T5, B1, R5)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gatekit.admin.desk import Actor, operator
from gatekit.admin.grants import Grants
from gatekit.admin.keys import Keys
from gatekit.model.audit import ConsentGiven, KeyEvent
from tests.attack.world import World, form_of, returned

BOTH = "mcp:read mcp:call"


@pytest.mark.parametrize("asked", [BOTH, "mcp", "mcp:call", None])
async def test_T5_the_person_may_give_less_than_was_asked_for(world: World, asked: str | None) -> None:
    """T5: the token answer names what was granted (RFC 6749 §3.3), and the grant yields no more."""
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, scope=asked))
        assert form_of(page.text, "/consent")[1].get("read_only") is None, "less is a choice"
        answer = returned(await world.approve(browser, page, read_only="yes"))
    tokens = (await world.redeem(client, answer["code"])).json()
    assert tokens["scope"] == "mcp:read"
    assert world.trail.named(ConsentGiven)[-1].scopes == ("mcp:read",)
    assert await world.alive(tokens["access_token"])
    access = world.server.bearer.cached(f"Bearer {tokens['access_token']}".encode())
    assert access is not None
    assert not access.may_call
    for wider in (BOTH, "mcp", None):
        tokens = (await world.refresh(client, tokens["refresh_token"], scope=wider)).json()
        assert tokens["scope"] == "mcp:read"


async def test_B1_less_that_was_given_is_no_consent_to_more(world: World) -> None:
    """B1, T5: a client that comes back for the larger set is never waved through; what it asked for less
    is remembered."""
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, scope=BOTH))
        returned(await world.approve(browser, page, read_only="yes"))
        same = await browser.get(world.authorize_url(client, scope="mcp:read"))
        code = returned(same)["code"]
        assert (await world.redeem(client, code)).json()["scope"] == "mcp:read"
        stepping_up = await browser.visit(world.authorize_url(client, scope=BOTH))
        assert "Call the tools" in stepping_up.text
        code = returned(await world.approve(browser, stepping_up))["code"]
        assert (await world.redeem(client, code)).json()["scope"] == BOTH
        # And after that, the larger set is remembered too.
        assert "code" in returned(await browser.get(world.authorize_url(client, scope=BOTH)))


async def test_T5_what_was_not_asked_for_is_not_on_the_page(world: World) -> None:
    """T5: a client that wants to read only is shown so, and no field of the form adds to it."""
    client = await world.register()
    async with world.browser() as browser:
        page = await world.sign_in(browser, world.authorize_url(client, scope="mcp:read"))
        assert "Call the tools" not in page.text
        answer = returned(await world.approve(browser, page, scope=BOTH, read_only="", may_call="yes"))
    assert (await world.redeem(client, answer["code"])).json()["scope"] == "mcp:read"


async def test_T5_a_token_of_the_first_releases_is_good_for_everything(world: World) -> None:
    """T5: ``mcp`` was the only scope there was; who asks for it by name gets it as ever."""
    client = await world.register()
    tokens = await world.tokens(client, scope="mcp")
    assert tokens["scope"] == "mcp"
    assert await world.alive(tokens["access_token"])
    access = world.server.bearer.cached(f"Bearer {tokens['access_token']}".encode())
    assert access is not None
    assert access.may_call


async def test_T5_a_key_may_be_for_reading_only(world: World) -> None:
    """T5: It reads and calls nothing, and nobody is sent to sign in for it."""
    keys = Keys(world.store, world.trail, world.clock, world.entropy)
    for read_only in (True, False):
        issued = await keys.create(operator("ops"), "alice", name="x", read_only=read_only)
        assert await world.alive(issued.token)
        access = world.server.bearer.cached(f"Bearer {issued.token}".encode())
        assert access is not None
        assert (access.may_call, access.more) == (not read_only, False)
    assert [event.read_only for event in world.trail.named(KeyEvent)] == [True, False]


async def test_T5_a_client_that_the_file_limits_is_not_asked_to_come_back(world: World) -> None:
    """T5: Whoever may never have more hears no challenge that promises it."""
    client = await world.register()
    row = await world.store.clients.get(client["client_id"])
    assert row is not None
    for scope, more in (("mcp:read", False), ("mcp:read mcp:call", True)):
        limited = replace(row, id=f"limited-{more}", source="configured", scope=scope)
        await world.store.clients.add(limited)
        tokens = await world.tokens({**client, "client_id": limited.id}, scope="mcp:read")
        assert await world.alive(tokens["access_token"])
        access = world.server.bearer.cached(f"Bearer {tokens['access_token']}".encode())
        assert access is not None
        assert access.more == more


async def test_B1_an_application_that_was_disconnected_asks_again(world: World) -> None:
    """B1: Revoking forgets the approval; else the client would be back without a question."""
    client = await world.register()
    async with world.browser() as browser:
        tokens = (await world.redeem(client, await world.code(client, browser))).json()
        assert "code" in returned(await browser.get(world.authorize_url(client)))
        grants = Grants(world.store, world.trail, world.clock, world.entropy)
        alice = Actor("alice", "page", world.people["alice"].id)
        ended = await grants.revoke_all(alice, "alice", client["client_id"])
        world.server.bearer.forget()  # what the watcher of the change feed does
        assert not await world.alive(tokens["access_token"])
        assert (await world.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"
        assert 'name="decision"' in (await browser.visit(world.authorize_url(client))).text
    revoked = [await world.store.grants.get(view.grant.id) for view in ended]
    assert {grant.revoke_reason for grant in revoked if grant} == {"revoked by its person"}
