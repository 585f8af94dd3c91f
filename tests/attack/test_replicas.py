"""Two gateways over one database: what must happen once happens once between them, too (C2, R3, T7, P1)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from gatekit.errors import VaultError
from gatekit.model.oauth import Client
from gatekit.oauth.jws import new_private_key, signer_key
from gatekit.oauth.keys import SEAL, new_key
from gatekit.platform.vault import Vault
from gatekit.store.follow import follow, newest
from tests.attack.bound import call, proof_for, tokens
from tests.attack.world import World, prepare, world_in
from tests.support.proofs import Holder


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


@pytest.fixture
async def following(pair: tuple[World, World]) -> AsyncIterator[tuple[World, World]]:
    """Both follow the feed of changes, as running gateways do."""

    async def watch(world: World) -> asyncio.Task[None]:
        async def changed(_: Sequence[str]) -> None:
            await world.changed()

        seen = await newest(world.store.changes)
        return asyncio.create_task(follow(world.store.changes, seen, changed))

    jobs = [await watch(world) for world in pair]
    yield pair
    for job in jobs:
        job.cancel()


async def soon(happened: Callable[[], Awaitable[bool]]) -> None:
    """Within five seconds, because machines are slow; a second is what an operator is promised."""
    for _ in range(100):
        if await happened():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen")


@pytest.mark.parametrize("form", ["jwt", "opaque"])
@pytest.mark.parametrize("which", ["access_token", "refresh_token"])
async def test_T7_a_revocation_at_one_gateway_is_felt_at_the_other(
    following: tuple[World, World], form: str, which: str
) -> None:
    """T7: both have verified and remember the token; one of them is told to revoke it."""
    one, two = following
    for world in following:
        await world.reopen(access_token_format=form)
    client = await one.register()
    tokens = await one.tokens(client)
    token = tokens["access_token"]
    assert await one.alive(token)
    assert await two.alive(token)
    header = f"Bearer {token}".encode()
    assert two.server.bearer.cached(header) is not None
    async with one.http() as http:
        data = {"client_id": client["client_id"], "token": tokens[which]}
        assert (await http.post("/revoke", data=data)).status_code == 200
    assert not await one.alive(token)

    async def refused() -> bool:
        return not await two.alive(token)

    await soon(refused)


async def test_T6_a_key_that_one_gateway_retires_is_dead_at_the_other(following: tuple[World, World]) -> None:
    """T6: what a leaked key signed is refused everywhere, and everybody signs with the next one."""
    one, two = following
    client = await one.register()
    tokens = await one.tokens(client)
    assert await two.alive(tokens["access_token"])
    (key,) = await one.store.signing_keys.list("access-token")
    await one.retire_key(key.kid)

    async def refused() -> bool:
        return not await two.alive(tokens["access_token"])

    await soon(refused)
    renewed = (await two.refresh(client, tokens["refresh_token"])).json()
    assert await two.alive(renewed["access_token"])
    assert await one.alive(renewed["access_token"])
    living = [key for key in await one.store.signing_keys.list("access-token") if key.retired_at is None]
    assert len(living) == 1


async def test_T6_rotation_that_is_due_makes_one_key_for_all_gateways(pair: tuple[World, World]) -> None:
    """T6: every process notices at the same time that a new key is due."""
    one, two = pair
    for world in pair:
        world.clock.advance(91 * 86_400)
    await asyncio.gather(*(world.server.tidy() for world in (one, two) * 3))
    newest_first = await one.store.signing_keys.list("access-token")
    assert len(newest_first) == 2
    assert newest_first[1].retired_at is None


async def test_T6_a_key_of_another_master_key_stops_nobody(pair: tuple[World, World]) -> None:
    """T6: a key that cannot be opened is left alone, and changes are still followed."""
    one, two = pair
    token = (await one.tokens(await one.register()))["access_token"]
    await two.store.signing_keys.add(new_key(Vault(bytes(32)), "access-token", int(one.clock.now())))
    await one.server.changed()
    assert await one.alive(token)
    one.clock.advance(600)
    await one.server.tidy()
    stranger = signer_key(new_private_key(), "at+jwt").sign(b"{}")
    assert (await one.use(stranger)).status_code == 401, "looks for new keys"
    await one.boot()
    assert await one.alive(token)
    for key in await one.store.signing_keys.list("access-token"):
        with contextlib.suppress(VaultError):
            one.vault.open(key.private_sealed, SEAL)
            await one.store.signing_keys.retire(key.kid, int(one.clock.now()))
    await two.server.changed()
    assert not await two.alive(token), "what was retired does not live on because the next one is unreadable"
    assert (await two.use(stranger)).status_code == 401
    await two.server.tidy()
    with pytest.raises(VaultError):
        await one.boot()  # the wrong master key altogether: the operator hears of it at once
    await one.rotate_keys()  # and mends it
    await two.server.changed()
    assert await two.alive((await two.tokens(await two.register()))["access_token"])


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


async def test_P1_one_proof_at_two_gateways(pair: tuple[World, World]) -> None:
    """P1: what one gateway has accepted is a replay at the other, also at the same moment."""
    one, two = pair
    client, holder = await one.register(), Holder()
    token = (await tokens(one, client, holder))["access_token"]
    for _ in range(3):
        proof = proof_for(one, holder, "/s/files/mcp", token)
        answers = await asyncio.gather(*(call(world, token, [proof]) for world in (one, two) * 4))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_one_pushed_request_at_two_gateways(pair: tuple[World, World]) -> None:
    """C2: pushed to one, opened at both, agreed to at both at once: one code."""
    one, two = pair
    client = await one.register()
    form = dict(parse_qsl(urlsplit(one.authorize_url(client)).query))
    async with one.http() as http:
        uri = (await http.post("/par", data=form)).json()["request_uri"]
    path = f"/authorize?{urlencode({'client_id': client['client_id'], 'request_uri': uri})}"
    browsers = [one.browser(), two.browser()]
    pages = [await world.sign_in(browser, path) for world, browser in zip(pair, browsers, strict=True)]
    agreed = zip(pair, browsers, pages, strict=True)
    answers = await asyncio.gather(*(world.approve(browser, page) for world, browser, page in agreed))
    assert sorted(answer.status_code for answer in answers) == [303, 400]
