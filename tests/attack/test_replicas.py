"""Two gateways over one database: what must happen once happens once between processes, too (C2, R3, T7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.model.oauth import Client
from tests.attack.world import World, prepare, world_in


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[World, World]]:
    await prepare(tmp_path)
    async with world_in(tmp_path, tmp_path) as one, world_in(tmp_path, tmp_path) as two:
        yield one, two


async def test_C2_one_code_at_two_gateways(pair: tuple[World, World]) -> None:
    one, two = pair
    client = await one.register()
    for _ in range(5):
        code = await one.code(client)
        answers = await asyncio.gather(*(world.redeem(client, code) for world in (one, two) * 4))
        assert sum(answer.status_code == 200 for answer in answers) <= 1


async def test_R3_one_refresh_token_at_two_gateways(pair: tuple[World, World]) -> None:
    one, two = pair
    client = await one.register()
    token = (await one.tokens(client))["refresh_token"]
    for _ in range(5):
        answers = await asyncio.gather(*(world.refresh(client, token) for world in (one, two) * 4))
        assert {answer.status_code for answer in answers} == {200}
        [token] = {answer.json()["refresh_token"] for answer in answers}


async def test_T6_each_gateway_believes_the_others_tokens(pair: tuple[World, World]) -> None:
    one, two = pair
    client = await one.register()
    assert await two.alive((await one.tokens(client))["access_token"])
    assert await one.alive((await two.tokens(client))["access_token"])


async def test_B2_a_login_may_wander_between_gateways(pair: tuple[World, World]) -> None:
    """Behind a plain round-robin balancer each request of one login may reach another process."""
    one, two = pair
    client = await one.register()
    async with one.browser() as first, two.browser() as second:
        page = await first.get(one.authorize_url(client))
        second.cookies = first.cookies
        page = await second.submit(page, username="alice", password="alice-password")
        first.cookies = second.cookies
        answer = await one.approve(first, page)
        assert answer.status_code == 303
    stored = await two.store.clients.get(client["client_id"])
    assert isinstance(stored, Client)
