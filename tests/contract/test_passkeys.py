"""``store.passkey_ports.Passkeys``."""

from __future__ import annotations

import pytest

from gatekit.errors import Conflict, NotFound
from gatekit.model.passkeys import Passkey
from gatekit.store.ports import Store
from tests.contract.samples import user


async def test_added_used_and_removed(store: Store) -> None:
    alice = user("alice")
    await store.users.add(alice)
    one = Passkey(id="one", user_id=alice.id, name="phone", public_key="k", created_at=1)
    await store.passkeys.add(one)
    with pytest.raises(Conflict):
        await store.passkeys.add(one)
    assert await store.passkeys.get("one") == one
    assert await store.passkeys.used("one", 0, 2), "it does not count"
    assert await store.passkeys.used("one", 5, 3)
    assert not await store.passkeys.used("one", 5, 4)
    assert not await store.passkeys.used("one", 0, 4)
    assert not await store.passkeys.used("none", 1, 4)
    (found,) = await store.passkeys.of_user(alice.id)
    assert (found.sign_count, found.last_used_at) == (5, 3)
    with pytest.raises(NotFound):
        await store.passkeys.remove("somebody", "one")
    await store.passkeys.remove(alice.id, "one")
    assert await store.passkeys.get("one") is None
