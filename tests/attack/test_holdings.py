"""Who holds nothing any more: then what runs for them alone is stopped (``gateway.leaving``)."""

from __future__ import annotations

from gatekit.model.oauth import ApiKey
from tests.attack.world import World

NOBODY: frozenset[str] = frozenset()


async def test_the_last_grant_is_the_last_only_once(world: World) -> None:
    """R6: a grant that ends leaves processes alone while the person holds another, or a key that is good."""
    alice = await world.store.users.by_username("alice")
    assert alice is not None
    people = {alice.id, "usr_of_nobody"}
    client = await world.register()
    for _ in range(2):
        await world.tokens(client)
    now = int(world.clock.now())
    first, second = await world.store.grants.list(alice.id)
    server = world.server
    await world.store.grants.revoke(first.id, now, "test")
    assert await server.bereft(people, [first.id], []) == NOBODY
    await world.store.api_keys.add(
        ApiKey(
            id="key_1",
            token_hash="hash",
            user_id=alice.id,
            name="laptop",
            servers=(),
            hint="abcd",
            created_at=now,
            expires_at=now + 1000,
        )
    )
    await world.store.grants.revoke(second.id, now, "test")
    assert await server.bereft(people, [second.id], []) == NOBODY
    world.clock.advance(1001)
    assert await server.bereft(people, ["key_1", "of nobody"], []) == {alice.id}
    assert await server.bereft(people, [second.id], []) == {alice.id}
    assert await server.bereft([], [second.id], []) == NOBODY


async def test_grants_of_a_client_that_is_disabled_hold_nothing(world: World) -> None:
    """R6: the grants stay, and open nothing."""
    alice = await world.store.users.by_username("alice")
    assert alice is not None
    client = await world.register()
    await world.tokens(client)
    assert await world.server.bereft([alice.id], [], [client["client_id"]]) == NOBODY
    await world.store.clients.set_disabled(client["client_id"], True)
    assert await world.server.bereft([alice.id], [], [client["client_id"]]) == {alice.id}
