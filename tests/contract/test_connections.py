"""``store.connection_ports.StoredConnections``."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gatekit.errors import Conflict, NotFound
from gatekit.model.connections import StoredConnection
from gatekit.store.ports import Store

OKTA = StoredConnection(name="okta", kind="okta", document_sealed="v1.x", created_at=1, updated_at=1)


async def changes(store: Store) -> list[str]:
    return [entry for entry in (await store.changes.since(0))[1] if entry.startswith("connection:")]


async def test_added_switched_and_removed(store: Store) -> None:
    connections = store.connections
    await connections.add(OKTA)
    assert await connections.get("okta") == OKTA
    with pytest.raises(Conflict):
        await connections.add(OKTA)
    assert await connections.set_enabled("okta", False, 2)
    assert not await connections.set_enabled("okta", False, 3)
    (found,) = await connections.list()
    assert (found.enabled, found.updated_at) == (False, 2)
    await connections.remove("okta")
    assert await connections.list() == []
    assert await changes(store) == ["connection:okta"] * 3


async def test_what_is_not_there(store: Store) -> None:
    assert await store.connections.get("okta") is None
    with pytest.raises(NotFound):
        await store.connections.set_enabled("okta", True, 1)
    with pytest.raises(NotFound):
        await store.connections.remove("okta")


async def test_replaced(store: Store) -> None:
    """The document is another one; the kind is not, and what an administrator switched off stays so."""
    await store.connections.add(OKTA)
    await store.connections.set_enabled("okta", False, 2)
    other = replace(OKTA, document_sealed="v1.y", updated_at=3, enabled=True)
    await store.connections.replace(other)
    assert await store.connections.get("okta") == replace(other, enabled=False)
    for wrong in (replace(other, kind="saml"), replace(other, name="none")):
        with pytest.raises(NotFound):
            await store.connections.replace(wrong)
    assert await changes(store) == ["connection:okta"] * 3
