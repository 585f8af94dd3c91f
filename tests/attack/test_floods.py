"""What a stranger can make us store, record and compute, however many requests and addresses they have."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gatekit.errors import AuditUnavailable
from gatekit.model.audit import ClientEvent, SignIn, TokenEvent
from gatekit.oauth.refusals import PER_PLACE
from gatekit.platform.limits import Rate
from tests.attack.world import LOOPBACK, World, form_of, provider_link, world_in

REGISTRATION = {"redirect_uris": [LOOPBACK]}


async def test_refused_registrations_do_not_fill_the_record(world: World) -> None:
    """K1: Being refused is free for a stranger, so it must not cost us a record each time."""
    async with world.http() as http:
        answers = [(await http.post("/register", json=REGISTRATION)).status_code for _ in range(200)]
    assert answers == [201] * 20 + [429] * 180
    assert len(world.trail.named(ClientEvent, action="registered")) == 20
    assert len(world.trail.named(ClientEvent, action="refused")) == PER_PLACE.burst
    world.clock.advance(1)
    async with world.http() as http:
        await http.post("/register", json=REGISTRATION)
    [*_, last] = world.trail.named(ClientEvent, action="refused")
    assert isinstance(last, ClientEvent)
    assert last.reason == "registration budget spent (and 120 more, not recorded)"


async def test_the_front_turns_away_what_would_neither_be_taken_nor_recorded(world: World) -> None:
    """K1: What is refused before it is read is counted like the rest, and only the place that spent its
    budget is refused."""
    [judge] = world.server.turned_away().values()
    async with world.http("203.0.113.1") as http:
        assert [judge("203.0.113.1") for _ in range(30)] == [0] * 30  # asking takes nothing
        for _ in range(20 + PER_PLACE.burst):
            assert judge("203.0.113.1") == 0  # to be taken, or to be refused and recorded
            await http.post("/register", json=REGISTRATION)
        assert [judge("203.0.113.1") for _ in range(50)] == [6] * 50
        assert judge("203.0.113.2") == 0
        world.clock.advance(6)  # as long as it was told
        assert judge("203.0.113.1") == 0
        assert (await http.post("/register", json=REGISTRATION)).status_code == 201
        await http.post("/register", json=REGISTRATION)
    [*_, last] = world.trail.named(ClientEvent, action="refused")
    assert isinstance(last, ClientEvent)
    assert last.reason == "registration budget spent (and 50 more, not recorded)"


async def test_a_budget_of_all_that_is_spent_costs_nobody_their_own(tmp_path: Path) -> None:
    """K1: Who is refused because others were quick has not used up what is theirs."""
    async with world_in(
        tmp_path, registration_global=Rate(1, 60), registration_per_address=Rate(2, 0.01)
    ) as world:
        async with world.http("203.0.113.9") as http:
            assert (await http.post("/register", json=REGISTRATION)).status_code == 201
        async with world.http("203.0.113.1") as http:
            codes = [(await http.post("/register", json=REGISTRATION)).status_code for _ in range(5)]
            assert codes == [429] * 5
            world.clock.advance(1)
            assert (await http.post("/register", json=REGISTRATION)).status_code == 201


async def test_refused_codes_do_not_fill_the_record(world: World) -> None:
    """K1: A public client is anybody: made-up codes have a budget, what was given is always recorded."""
    client = await world.register()
    for _ in range(150):
        assert (await world.redeem(client, "gk_ac_made_up")).status_code == 400
    tokens = await world.tokens(client)
    refreshed = await world.refresh(client, tokens["refresh_token"])
    assert refreshed.status_code == 200
    assert len(world.trail.named(TokenEvent, action="refused")) == PER_PLACE.burst
    assert world.trail.named(TokenEvent, action="issued")
    assert world.trail.named(TokenEvent, action="refreshed")


async def test_refused_passwords_do_not_fill_the_record(world: World) -> None:
    """K1, U1: One sign-in page can be sent any number of times."""
    async with world.browser() as browser:
        page = await browser.get("/login")
        action, fields = form_of(page.text, "/login")
        for _ in range(150):
            answer = await browser.post(action, data={**fields, "username": "alice", "password": "wrong"})
            assert answer.status_code == 403
    assert len(world.trail.named(SignIn, outcome="refused")) == PER_PLACE.burst


async def test_a_refusal_that_cannot_be_recorded_is_counted(world: World) -> None:
    """B9: With a record that fails nothing is answered, and the next one tells how many it stands for."""
    client = await world.register()
    world.trail.failure = AuditUnavailable("full")
    for _ in range(3):
        assert (await world.redeem(client, "gk_ac_made_up")).status_code == 503
    world.trail.failure = None
    await world.redeem(client, "gk_ac_made_up")
    [event] = world.trail.named(TokenEvent, action="refused")
    assert isinstance(event, TokenEvent)
    assert event.reason.endswith("(and 3 more, not recorded)")


async def test_one_ipv6_network_is_one_place(world: World) -> None:
    """K1: A household has 2^64 addresses; they share one budget, and leave the others theirs."""
    codes = []
    for number in range(30):
        async with world.http(f"2001:db8:1:2::{number:x}") as http:
            codes.append((await http.post("/register", json=REGISTRATION)).status_code)
    assert codes == [201] * 20 + [429] * 10
    async with world.http("2001:db8:1:3::1") as http:
        assert (await http.post("/register", json=REGISTRATION)).status_code == 201


async def test_one_ipv6_network_is_one_place_at_the_pages(world: World) -> None:
    """K1: The same at the pages that write a row."""
    codes = set()
    for number in range(130):
        async with world.http(f"2001:db8:1:2::{number:x}") as http:
            codes.add((await http.get("/login")).status_code)
    assert codes == {200, 429}


async def test_trips_to_a_provider_have_a_budget(world: World) -> None:
    """K1, B2: Each trip writes a row; one run cannot start them without end."""
    client = await world.register()
    async with world.browser() as browser:
        page = await browser.get(world.authorize_url(client))
        link = provider_link(page.text, "github")
        codes = [(await browser.get(link)).status_code for _ in range(130)]
    assert codes[:119] == [302] * 119
    assert set(codes[120:]) == {429}


async def test_what_unused_registrations_take_is_bounded(tmp_path: Path) -> None:
    """K1: However many addresses there are, a day has so many registrations of so many bytes."""
    async with world_in(tmp_path, registration_daily=Rate(8, 0.01), registration_max_bytes=2048) as world:
        codes = []
        for number in range(20):
            async with world.http(f"203.0.113.{number}") as http:
                filler = "A" * (1700 if number % 2 else 4000)
                body = {**REGISTRATION, "client_name": filler, "contacts": [filler[:10]]}
                codes.append((await http.post("/register", json=body)).status_code)
        assert codes.count(201) == 4
        kept = [client for client in await world.store.clients.list() if client.source == "dynamic"]
        assert len(kept) == 4
        assert all(len(client.name) + len(client.metadata) < 2048 for client in kept)


async def test_a_flood_at_once_spends_one_budget(world: World) -> None:
    """K1: Requests of the same moment do not slip past the budget together."""
    async with world.http() as http:
        answers = await asyncio.gather(*(http.post("/register", json=REGISTRATION) for _ in range(60)))
    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [429] * 40


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_with_thousands_of_parameters(world: World, method: str) -> None:
    """D7: Parameters are counted before they are kept."""
    many = "&".join(f"p{number}=1" for number in range(5000))
    async with world.http() as http:
        form = {"content-type": "application/x-www-form-urlencoded"}
        if method == "GET":
            answer = await http.get(f"/authorize?{many}")
        else:
            answer = await http.post("/token", content=many, headers=form)
    assert answer.status_code == 400
