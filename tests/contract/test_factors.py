"""``store.factor_ports.Factors``."""

from __future__ import annotations

import pytest

from gatekit.errors import Conflict, NotFound
from gatekit.model.factors import Totp
from gatekit.store.ports import Store
from tests.contract.samples import user


async def test_added_used_and_removed(store: Store) -> None:
    alice, bob = user("alice"), user("bob")
    await store.users.add(alice)
    await store.users.add(bob)
    factors = store.factors
    one = Totp(user_id=alice.id, secret_sealed="s", last_step=5, created_at=1)
    with pytest.raises(NotFound):
        await factors.set_codes(alice.id, ["a"])
    await factors.add(one, ["a", "b"])
    with pytest.raises(Conflict):
        await factors.add(one, ["c"])
    assert await factors.get(alice.id) == one
    assert not await factors.used(alice.id, 5, 2), "this step was used"
    assert await factors.used(alice.id, 7, 3)
    assert not await factors.used(alice.id, 6, 4), "an earlier one"
    assert not await factors.used(bob.id, 9, 4)
    found = await factors.get(alice.id)
    assert found is not None
    assert (found.last_step, found.last_used_at) == (7, 3)
    assert await factors.remove(alice.id)
    assert not await factors.remove(alice.id)
    assert await factors.get(alice.id) is None


async def test_recovery_codes_count_once_and_for_their_owner(store: Store) -> None:
    alice, bob = user("alice"), user("bob")
    for one in (alice, bob):
        await store.users.add(one)
        await store.factors.add(Totp(user_id=one.id, secret_sealed="s", last_step=0, created_at=1), [one.id])
    assert not await store.factors.spend(bob.id, alice.id)
    assert await store.factors.spend(alice.id, alice.id)
    assert not await store.factors.spend(alice.id, alice.id)
    await store.factors.set_codes(alice.id, ["x", "y"])
    assert await store.factors.codes_left(alice.id) == 2
    assert not await store.factors.spend(alice.id, alice.id)
    await store.factors.remove(alice.id)
    assert await store.factors.codes_left(alice.id) == 0
    await store.users.delete(bob.id)
    assert await store.factors.get(bob.id) is None
    assert await store.factors.codes_left(bob.id) == 0
