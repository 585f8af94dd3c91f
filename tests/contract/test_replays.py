"""What counts once: the first caller is told so, everybody else is not, in every process."""

from __future__ import annotations

import asyncio

from gatekit.store.ports import Store
from tests.contract.conftest import Open
from tests.contract.samples import LATER, NOW


async def test_one_of_many_is_first(store: Store, another: Open) -> None:
    other = await another()
    attempts = [side.replays.first("proof", "jti-1", LATER, NOW) for side in (store, other) * 10]
    assert sorted(await asyncio.gather(*attempts)) == [False] * 19 + [True]


async def test_purposes_and_keys_are_apart(store: Store) -> None:
    assert await store.replays.first("proof", "jti-1", LATER, NOW)
    assert await store.replays.first("assertion", "jti-1", LATER, NOW)
    assert await store.replays.first("proof", "jti-2", LATER, NOW)
    assert not await store.replays.first("assertion", "jti-1", LATER, NOW)


async def test_it_is_remembered_until_its_end_and_no_longer(store: Store) -> None:
    assert await store.replays.first("proof", "jti-1", NOW + 10, NOW)
    assert not await store.replays.first("proof", "jti-1", NOW + 60, NOW + 9)
    assert await store.replays.first("proof", "jti-1", NOW + 60, NOW + 10)
    assert not await store.replays.first("proof", "jti-1", NOW + 60, NOW + 59)


async def test_what_has_expired_is_nobodys_first(store: Store) -> None:
    assert not await store.replays.first("proof", "jti-1", NOW, NOW)
    assert await store.replays.first("proof", "jti-1", LATER, NOW)


async def test_purge_forgets_what_has_expired_only(store: Store) -> None:
    await store.replays.first("proof", "short", NOW + 10, NOW)
    await store.replays.first("proof", "long", LATER, NOW)
    await store.replays.purge(NOW + 10)
    # Asked at an earlier time, so that only the purge can have made the difference.
    assert await store.replays.first("proof", "short", NOW + 10, NOW)
    assert not await store.replays.first("proof", "long", LATER, NOW)


async def test_a_key_may_be_anything(store: Store) -> None:
    for key in ("", "\x00", "\ud800", "x" * 1_000_000, "' OR 1=1 --"):
        assert await store.replays.first("proof", key, LATER, NOW)
        assert not await store.replays.first("proof", key, LATER, NOW)


async def test_who_was_first_is_seen_until_its_end(store: Store, another: Open) -> None:
    assert not await store.replays.seen("event", "jti-1", NOW)
    assert await store.replays.first("event", "jti-1", NOW + 10, NOW)
    for side in (store, await another()):
        assert await side.replays.seen("event", "jti-1", NOW + 9)
        assert not await side.replays.seen("event", "jti-1", NOW + 10)
        assert not await side.replays.seen("other", "jti-1", NOW)
        assert not await side.replays.seen("event", "jti-2", NOW)
