"""Runs of the device authorization grant: one decision, one redemption, a slower and slower device."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import Conflict
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, client, device, grant, refresh, user


@pytest.fixture(autouse=True)
async def alice(store: Store) -> None:
    await store.users.add(user())
    await store.clients.add(client())


async def test_a_pending_run_is_found_by_its_user_code(store: Store) -> None:
    await store.device_authorizations.add(device())
    assert await store.device_authorizations.pending("user-dev-1", NOW) == device()
    assert await store.device_authorizations.pending("user-dev-1", LATER) is None
    assert await store.device_authorizations.pending("user-dev-2", NOW) is None
    with pytest.raises(Conflict):
        await store.device_authorizations.add(device("dev-2", user_code_hash="user-dev-1"))


async def test_only_one_decision_counts(store: Store) -> None:
    await store.device_authorizations.add(device())
    decisions = [grant("grt_1"), grant("grt_2"), None]
    results = await asyncio.gather(
        *(store.device_authorizations.decide("dev-1", NOW, decision) for decision in decisions)
    )
    assert sorted(results) == [False, False, True]
    assert len(await store.grants.list()) == (0 if results[2] else 1)
    assert await store.device_authorizations.pending("user-dev-1", NOW) is None


async def test_no_decision_after_the_end(store: Store) -> None:
    await store.device_authorizations.add(device())
    assert not await store.device_authorizations.decide("dev-1", LATER, grant())
    assert await store.grants.list() == []


async def test_who_asks_too_early_waits_longer(store: Store) -> None:
    await store.device_authorizations.add(device())
    poll = store.device_authorizations.poll
    assert await poll("dev-1", NOW, "cli_1") == device()
    assert await poll("dev-1", NOW + 4, "cli_1") == device(polled_at=NOW)
    assert await poll("dev-1", NOW + 14, "cli_1") == device(polled_at=NOW + 4, interval=10)
    assert await poll("dev-1", NOW + 30, "cli_1") == device(polled_at=NOW + 14, interval=10)
    assert await poll("dev-1", NOW, "cli_2") is None


async def test_an_approved_run_is_redeemed_once(store: Store) -> None:
    await store.device_authorizations.add(device())
    redeem = store.device_authorizations.redeem
    assert not await redeem("dev-1", NOW, refresh())
    await store.device_authorizations.decide("dev-1", NOW, grant())
    results = await asyncio.gather(*(redeem("dev-1", NOW, refresh(f"rt-{number}")) for number in range(3)))
    assert sorted(results) == [False, False, True]
    kept = [await store.grants.refresh_token(f"rt-{number}") is not None for number in range(3)]
    assert kept == results


async def test_a_revoked_grant_is_not_redeemed(store: Store) -> None:
    await store.device_authorizations.add(device())
    await store.device_authorizations.decide("dev-1", NOW, grant())
    await store.grants.revoke("grt_1", NOW, "test")
    assert not await store.device_authorizations.redeem("dev-1", NOW, refresh())


async def test_what_has_expired_is_removed(store: Store) -> None:
    await store.device_authorizations.add(device())
    await store.device_authorizations.purge(NOW)
    assert await store.device_authorizations.pending("user-dev-1", NOW) is not None
    await store.device_authorizations.purge(LATER)
    assert await store.device_authorizations.poll("dev-1", NOW, "cli_1") is None
