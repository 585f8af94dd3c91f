from __future__ import annotations

import pytest

from gatekit.errors import Conflict
from gatekit.model.oauth import AccessToken
from gatekit.store.ports import Store
from tests.contract.conftest import Open
from tests.contract.samples import LATER, NOW


def row(name: str = "hash", expires_at: int = LATER) -> AccessToken:
    return AccessToken(token_hash=name, claims='{"jti":"1"}', expires_at=expires_at)


async def test_a_token_comes_back_as_stored(store: Store, another: Open) -> None:
    await store.access_tokens.add(row())
    assert await store.access_tokens.by_hash("hash") == row()
    assert await (await another()).access_tokens.by_hash("hash") == row()
    assert await store.access_tokens.by_hash("other") is None
    with pytest.raises(Conflict):
        await store.access_tokens.add(row())


async def test_purge_leaves_what_is_good(store: Store) -> None:
    await store.access_tokens.add(row("old", NOW))
    await store.access_tokens.add(row("new", NOW + 1))
    await store.access_tokens.purge(NOW)
    assert await store.access_tokens.by_hash("old") is None
    assert await store.access_tokens.by_hash("new") == row("new", NOW + 1)
