"""Where browser sessions signed people in: found by grant and session, due once the session ends."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, client, code, grant, relying, session, transaction, user


@pytest.fixture(autouse=True)
async def signed_in(store: Store) -> None:
    await store.users.add(user())
    await store.clients.add(client())
    for number in (1, 2):
        await store.browser_sessions.add(session(f"session-{number}"))


async def add(store: Store, grant_id: str, **fields: object) -> None:
    await store.grants.approve(grant(grant_id), code(f"code-{grant_id}", grant_id=grant_id))
    await store.relying_sessions.add(relying(grant_id, **fields))


async def test_found_by_grant(store: Store) -> None:
    await add(store, "grt_1")
    await add(store, "grt_2", session_hash="session-2")
    assert await store.relying_sessions.of_grant("grt_1") == relying("grt_1")
    assert await store.relying_sessions.of_grant("grt_3") is None


async def test_the_end_of_a_session_makes_its_own_due_and_no_others(store: Store) -> None:
    await add(store, "grt_1")
    await add(store, "grt_2", session_hash="session-2")
    assert await store.relying_sessions.due(NOW, LATER, 10) == []
    await store.browser_sessions.end("session-1", NOW)
    taken = await store.relying_sessions.due(NOW, LATER, 10)
    assert taken == [relying("grt_1", due_at=LATER, attempts=1)]
    assert await store.relying_sessions.due(NOW, LATER, 10) == [], "not due again before its time"
    await store.relying_sessions.told("grt_1")
    assert await store.relying_sessions.due(LATER, LATER + 1, 10) == []
    await store.browser_sessions.end("session-1", LATER)
    assert await store.relying_sessions.due(LATER, LATER + 1, 10) == [], "a session ends once"


async def test_signing_out_everywhere_makes_all_due(store: Store) -> None:
    await add(store, "grt_1")
    await add(store, "grt_2", session_hash="session-2")
    await store.browser_sessions.end_all("usr_alice", NOW)
    assert {row.grant_id for row in await store.relying_sessions.due(NOW, LATER, 10)} == {"grt_1", "grt_2"}


async def test_signing_out_everywhere_reaches_further_than_the_browser_session(store: Store) -> None:
    """A browser session that expired is over here; the relying party's may not be."""
    await add(store, "grt_1")
    await store.browser_sessions.purge(session().expires_at)
    await store.browser_sessions.end_all("usr_alice", NOW)
    assert [row.grant_id for row in await store.relying_sessions.due(NOW, LATER, 10)] == ["grt_1"]
    await store.relying_sessions.told("grt_1")
    await store.browser_sessions.end_all("usr_alice", LATER)
    assert await store.relying_sessions.due(LATER, LATER + 1, 10) == [], "once"


async def test_what_is_owed_outlives_the_person(store: Store) -> None:
    await add(store, "grt_1")
    await add(store, "grt_2", session_hash="session-2")
    await store.browser_sessions.end("session-2", NOW)
    await store.relying_sessions.due(NOW, LATER, 10)
    await store.relying_sessions.told("grt_2")
    await store.users.delete("usr_alice")
    assert await store.grants.get("grt_1") is None
    assert await store.relying_sessions.of_grant("grt_2") is None, "nothing is owed here"
    assert [row.grant_id for row in await store.relying_sessions.due(NOW, LATER, 10)] == ["grt_1"]
    await store.relying_sessions.told("grt_1")
    assert await store.relying_sessions.of_grant("grt_1") is None


async def test_each_goes_to_one_caller(store: Store) -> None:
    for number in range(5):
        await add(store, f"grt_{number}")
    await store.browser_sessions.end("session-1", NOW)
    taken = await asyncio.gather(*(store.relying_sessions.due(NOW, LATER, 2) for _ in range(4)))
    assert sorted(row.grant_id for rows in taken for row in rows) == [f"grt_{number}" for number in range(5)]


async def test_purge_keeps_what_is_owed(store: Store) -> None:
    await add(store, "grt_1")
    await add(store, "grt_2", session_hash="session-2")
    await store.browser_sessions.end("session-1", NOW)
    await store.relying_sessions.purge(NOW)
    assert await store.relying_sessions.of_grant("grt_1") is not None
    assert await store.relying_sessions.of_grant("grt_2") is None


async def test_a_nonce_stays_with_its_run(store: Store) -> None:
    await store.transactions.add(transaction(nonce="a b"))
    found = await store.transactions.get(transaction().id_hash, NOW)
    assert found is not None
    assert found.nonce == "a b"
