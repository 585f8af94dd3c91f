"""Pushed requests: read as often as a browser asks, used once."""

from __future__ import annotations

import asyncio

from gatekit.store.ports import Store
from tests.contract.conftest import Open
from tests.contract.samples import LATER, NOW, pushed


async def test_it_is_read_until_it_expires(store: Store) -> None:
    await store.pushed_requests.add(pushed())
    for _ in range(2):
        assert await store.pushed_requests.get("par-1", LATER - 1) == pushed()
    assert await store.pushed_requests.get("par-1", LATER) is None
    assert await store.pushed_requests.get("par-2", NOW) is None


async def test_one_of_many_uses_it(store: Store, another: Open) -> None:
    await store.pushed_requests.add(pushed())
    other = await another()
    uses = [side.pushed_requests.use("par-1", NOW) for side in (store, other) * 10]
    assert sorted(await asyncio.gather(*uses)) == [False] * 19 + [True]
    assert await store.pushed_requests.get("par-1", NOW) is None


async def test_a_sign_in_that_took_longer_still_uses_it_once(store: Store) -> None:
    await store.pushed_requests.add(pushed())
    assert await store.pushed_requests.use("par-1", LATER + 60)
    assert not await store.pushed_requests.use("par-1", LATER + 60)


async def test_purge_removes_what_expired_before(store: Store) -> None:
    await store.pushed_requests.add(pushed())
    await store.pushed_requests.purge(LATER - 1)
    assert await store.pushed_requests.get("par-1", NOW) is not None
    await store.pushed_requests.purge(LATER)
    assert not await store.pushed_requests.use("par-1", NOW)
