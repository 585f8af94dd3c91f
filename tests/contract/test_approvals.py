"""``store.approval_ports.Approvals``."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import replace

from gatekit.model.approvals import Approval, Verdict
from gatekit.store.ports import Store
from tests.contract.conftest import Open


def approval(ident: str = "apr_1", **more: Any) -> Approval:
    known: dict[str, Any] = {
        "gateway": "gateway",
        "request_id": "r1",
        "principal_id": "usr_1",
        "principal": "alice",
        "client_id": "cli_1",
        "client": "Client",
        "server": "db",
        "method": "tools/call",
        "name": "drop",
        "rule": "rules.careful",
        "reason": "",
        "digest": "d1",
        "arguments": "sealed",
        "asked_at": 100,
        "expires_at": 200,
    }
    return Approval(id=ident, **{**known, **more})


def verdict(state: Any = "allowed", **more: Any) -> Verdict:
    return Verdict(**{"state": state, "by_id": "usr_2", "by": "carol", "at": 150, **more})


async def test_what_is_asked_is_kept_until_it_is_decided_and_told(store: Store) -> None:
    first, second = approval(), approval("apr_2", asked_at=101)
    await store.approvals.add(first)
    await store.approvals.add(second)
    assert await store.approvals.get("apr_1") == first
    assert await store.approvals.list(waiting=True) == [second, first]
    seen, _ = await store.changes.since(2**62)
    decided = await store.approvals.decide("apr_1", verdict())
    assert decided == replace(
        first, state="allowed", decided_at=150, decided_by_id="usr_2", decided_by="carol", arguments=""
    )
    assert (await store.changes.since(seen))[1] == ["approval:apr_1"]
    assert await store.approvals.list(waiting=True) == [second]
    assert await store.approvals.some(["apr_1", "apr_9"]) == [decided]
    assert await store.approvals.take("apr_1", 151)
    assert not await store.approvals.take("apr_1", 152)
    assert not await store.approvals.take("apr_2", 152)


async def test_the_first_decision_of_several_processes_counts(store: Store, another: Open) -> None:
    await store.approvals.add(approval())
    other = await another()
    decisions = await asyncio.gather(
        *(
            one.approvals.decide("apr_1", verdict(word, by=f"{word} {number}"))
            for number, one in enumerate((store, other, store, other))
            for word in ("allowed", "denied")
        )
    )
    (winner,) = [each for each in decisions if each is not None]
    assert await store.approvals.get("apr_1") == winner


async def test_nothing_is_decided_too_late(store: Store) -> None:
    await store.approvals.add(approval())
    assert await store.approvals.decide("apr_1", verdict(at=200)) is None
    assert (await store.approvals.end("apr_1", "expired", 200) or approval()).state == "expired"
    assert await store.approvals.decide("apr_1", verdict()) is None


async def test_expiry_does_not_undo_a_decision_and_withdrawal_does(store: Store) -> None:
    await store.approvals.add(approval())
    await store.approvals.decide("apr_1", verdict())
    assert await store.approvals.end("apr_1", "expired", 200) is None
    ended = await store.approvals.end("apr_1", "cancelled", 160)
    assert ended is not None
    assert ended.state == "cancelled"
    assert not await store.approvals.take("apr_1", 161)


async def test_what_is_allowed_for_a_while_stands_until_it_is_taken_back(store: Store) -> None:
    await store.approvals.add(approval())
    decided = await store.approvals.decide("apr_1", verdict(until=1000, whatever=1))
    assert await store.approvals.standing(999) == [decided]
    assert await store.approvals.standing(1000) == []
    assert await store.approvals.end("apr_1", "cancelled", 160) is None
    assert await store.approvals.take_back("apr_1", "dora", 500) is not None
    assert await store.approvals.take_back("apr_1", "dora", 500) is None
    assert await store.approvals.standing(999) == []


async def test_what_waited_in_a_process_that_is_gone_is_ended(store: Store) -> None:
    for number, more in enumerate(({}, {"gateway": "stdio"}, {}, {})):
        await store.approvals.add(approval(f"apr_{number}", **more))
    await store.approvals.decide("apr_2", verdict())
    await store.approvals.decide("apr_3", verdict(until=1000))
    assert {one.id for one in await store.approvals.orphaned("gateway", 300)} == {"apr_0", "apr_2"}
    assert [one.id for one in await store.approvals.list(waiting=True)] == ["apr_1"]
    await store.approvals.trim(150)
    assert {one.id for one in await store.approvals.list()} == {"apr_1", "apr_3"}
