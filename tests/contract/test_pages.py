"""Grants and API keys in pages: there may be far more than fit into memory."""

from __future__ import annotations

import pytest

from gatekit.model.oauth import GrantQuery, KeyQuery
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, api_key, grant, user


@pytest.fixture
async def people(store: Store) -> None:
    await store.users.add(user())
    await store.users.add(user("bob"))


async def test_grants_in_pages(store: Store, people: None) -> None:
    for number, owner in enumerate(("alice", "bob", "alice", "alice")):
        await store.grants.add(grant(f"grt_{number}", user_id=f"usr_{owner}", client_id=f"cli_{number % 2}"))
    await store.grants.add(grant("grt_8", expires_at=NOW))
    await store.grants.add(grant("grt_9"))
    await store.grants.revoke("grt_9", NOW, "over")

    async def ids(now: int = NOW, **query: object) -> list[str]:
        return [row.id for row in await store.grants.page(GrantQuery(**query), now)]  # type: ignore[arg-type]

    assert await ids() == ["grt_0", "grt_1", "grt_2", "grt_3"]
    assert await ids(ended=True) == ["grt_0", "grt_1", "grt_2", "grt_3", "grt_8", "grt_9"]
    assert await ids(limit=2) == ["grt_0", "grt_1"]
    assert await ids(limit=2, after="grt_1") == ["grt_2", "grt_3"]
    assert await ids(user_id="usr_bob") == ["grt_1"]
    assert await ids(user_id="usr_alice", client_id="cli_1") == ["grt_3"]
    assert await ids(now=NOW + 86_400) == []
    (found,) = await store.grants.page(GrantQuery(limit=1), NOW)
    assert found == await store.grants.get("grt_0")


async def test_keys_in_pages(store: Store, people: None) -> None:
    for number, owner in enumerate(("alice", "bob", "alice")):
        await store.api_keys.add(
            api_key(f"key_{number}", user_id=f"usr_{owner}", expires_at=NOW + number + 1)
        )
    await store.api_keys.revoke("key_2", LATER)

    async def ids(now: int = NOW, **query: object) -> list[str]:
        return [row.id for row in await store.api_keys.page(KeyQuery(**query), now)]  # type: ignore[arg-type]

    assert await ids() == ["key_0", "key_1", "key_2"]
    assert await ids(after="key_0", limit=1) == ["key_1"]
    assert await ids(user_id="usr_alice") == ["key_0", "key_2"]
    assert await ids(state="revoked") == ["key_2"]
    assert await ids(state="active") == ["key_0", "key_1"]
    assert await ids(NOW + 1, state="active") == ["key_1"]
    assert await ids(NOW + 1, state="expired") == ["key_0"]
