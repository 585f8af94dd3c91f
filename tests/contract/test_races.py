"""One-time things under many hands: one winner, whether they sit in one process or in several."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gatekit.errors import Conflict
from gatekit.store.ports import Store
from tests.contract.conftest import Open
from tests.contract.samples import LATER, NOW, client, code, grant, invite, refresh, transaction, user

HANDS = 20
Attempt = Callable[[Store, int], Awaitable[object]]

ATTEMPTS: dict[str, Attempt] = {
    "redeem a code": lambda store, n: store.grants.redeem("code-1", NOW, refresh(f"first-{n}")),
    "rotate a refresh token": lambda store, n: store.grants.rotate("rt-0", NOW, refresh(f"next-{n}"), f"{n}"),
    "finish a run": lambda store, n: store.transactions.finish("txn-1", NOW),
    "accept an invite": lambda store, n: store.invites.consume("inv-1", NOW),
    "revoke a grant": lambda store, n: store.grants.revoke("grt_0", NOW, f"{n}"),
}


@pytest.fixture
async def stores(another: Open) -> list[Store]:
    first = await another()
    await first.users.add(user())
    await first.clients.add(client())
    await first.grants.approve(grant("grt_0"), code("code-0", grant_id="grt_0"))
    await first.grants.redeem("code-0", NOW, refresh("rt-0", grant_id="grt_0"))
    await first.grants.approve(grant(), code())
    await first.transactions.add(transaction())
    await first.invites.add(invite())
    return [first, await another()]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("what", ATTEMPTS)
async def test_exactly_one_wins(stores: list[Store], what: str, processes: int) -> None:
    attempt = ATTEMPTS[what]
    answers = await asyncio.gather(*(attempt(stores[n % processes], n) for n in range(HANDS)))
    assert sum(1 for answer in answers if answer) == 1


async def test_the_loser_of_a_rotation_finds_the_winners_successor(stores: list[Store]) -> None:
    won = await asyncio.gather(
        *(stores[n % 2].grants.rotate("rt-0", NOW, refresh(f"next-{n}"), f"next-{n}") for n in range(HANDS))
    )
    winner = next(n for n, row in enumerate(won) if row is not None)
    for store in stores:
        row = await store.grants.refresh_token("rt-0")
        assert row is not None
        assert row.successor_sealed == f"next-{winner}"
        found = [n for n in range(HANDS) if await store.grants.refresh_token(f"next-{n}")]
        assert found == [winner], "one chain, no fork"


async def test_one_username_for_one_person(stores: list[Store]) -> None:
    async def add(number: int) -> bool:
        try:
            await stores[number % 2].users.add(user("carol", id=f"usr_{number}", subject=f"{number}"))
        except Conflict:
            return False
        return True

    assert sum(await asyncio.gather(*(add(n) for n in range(HANDS)))) == 1


async def test_put_if_absent_agrees(stores: list[Store]) -> None:
    answers = await asyncio.gather(
        *(stores[n % 2].settings.put_if_absent("installation", f"{n}") for n in range(HANDS))
    )
    assert len(set(answers)) == 1


async def test_what_one_process_changes_the_other_hears_in_order(stores: list[Store]) -> None:
    here, there = stores
    start, _ = await there.changes.since(0)
    await here.users.set_password("usr_alice", "hash", NOW)
    await here.clients.set_disabled("cli_1", True)
    await here.grants.revoke("grt_1", NOW, "")
    await here.grants.deny_token("jti-1", LATER)
    newest, entries = await there.changes.since(start)
    assert entries == ["user:usr_alice", "client:cli_1", "grant:grt_1", "token:jti-1"]
    assert await there.changes.since(newest) == (newest, [])


async def test_many_starting_at_once_agree_on_one_schema(another: Open) -> None:
    stores = await asyncio.gather(*(another() for _ in range(6)))
    await stores[0].users.add(user())
    assert await stores[5].users.list() == [user()]
