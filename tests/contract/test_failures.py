"""R7: whatever fails half-way, the old refresh token is still good, and nothing is half-written."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import Conflict, GatekitError, NotFound, StoreError
from gatekit.store.ports import Store
from tests.contract.samples import NOW, client, code, grant, refresh, user


@pytest.fixture
async def family(store: Store) -> Store:
    await store.users.add(user())
    await store.clients.add(client())
    await store.grants.approve(grant(), code())
    await store.grants.redeem("code-1", NOW, refresh())
    return store


@pytest.mark.parametrize(
    ("successor", "error"),
    [(refresh("rt-1"), Conflict), (refresh("rt-2", grant_id="grt_x"), NotFound)],
    ids=["hash is taken", "grant is gone"],
)
async def test_R7_rotation_that_fails_in_the_middle_changes_nothing(
    family: Store, successor: object, error: type[GatekitError]
) -> None:
    with pytest.raises(error):
        await family.grants.rotate("rt-1", NOW, successor, "sealed")  # type: ignore[arg-type]
    assert await family.grants.refresh_token("rt-1") == refresh()
    assert await family.grants.rotate("rt-1", NOW, refresh("rt-3"), "sealed") is not None


async def test_R7_redemption_that_fails_in_the_middle_changes_nothing(family: Store) -> None:
    await family.grants.approve(grant("grt_2"), code("code-2", grant_id="grt_2"))
    with pytest.raises(Conflict):
        await family.grants.redeem("code-2", NOW, refresh("rt-1", grant_id="grt_2"))
    assert await family.grants.code("code-2") == code("code-2", grant_id="grt_2")
    assert await family.grants.redeem("code-2", NOW, refresh("rt-9", grant_id="grt_2")) is not None


async def test_R7_a_caller_that_goes_away_leaves_all_or_nothing(family: Store) -> None:
    """Cancelled after any number of steps: either the rotation happened as a whole, or it did not happen."""
    token = "rt-1"
    for number in range(30):
        task = asyncio.create_task(
            family.grants.rotate(token, NOW, refresh(f"next-{number}"), f"next-{number}")
        )
        for _ in range(number):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        old = await family.grants.refresh_token(token)
        new = await family.grants.refresh_token(f"next-{number}")
        assert old is not None
        assert (old.used_at is None) == (new is None)
        assert old.successor_sealed == (None if new is None else f"next-{number}")
        if new is not None:
            token = f"next-{number}"
    await family.ready()


async def test_a_change_that_fails_is_not_told(family: Store) -> None:
    start, _ = await family.changes.since(0)
    with pytest.raises(NotFound):
        await family.users.set_password("usr_x", "hash", NOW)
    assert await family.changes.since(start) == (start, [])


async def test_a_closed_store_says_so(store: Store) -> None:
    await store.close()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.users.list()
    with pytest.raises(StoreError, match="closed"):
        await store.ready()
