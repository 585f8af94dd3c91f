"""The pool over real processes: sharing, caps, idle stop, reload, revocation, streams."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import LinkClosed, LinkError, PoolFull
from gatekit.model.call import Result, Signal
from tests.journey.upstream import kit as kits
from tests.journey.upstream.kit import (
    HANDSHAKE,
    STATELESS,
    Kit,
    alive,
    child,
    key,
    said,
    stdio,
    tool,
    unruly,
    until,
)


async def test_get_knows_only_ready_links(kit: Kit) -> None:
    assert kit.pool.get(key()) is None
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert kit.pool.get(key()) is link
    assert kit.pool.get(key("session:2")) is None
    assert await kit.pool.acquire(key(), unruly(), HANDSHAKE) is link


async def test_concurrent_starts_of_one_key_are_one_start(kit: Kit) -> None:
    links = await asyncio.gather(*(kit.pool.acquire(key(), unruly(), HANDSHAKE) for _ in range(20)))
    assert len(set(map(id, links))) == 1
    assert kit.actions() == ["started"]
    event = kit.events[0]
    assert (event.server, event.pid, event.principal_id) == ("unruly", stdio(links[0]).child.pid, "alice")


async def test_one_who_gives_up_waiting_does_not_spoil_it_for_the_others(kit: Kit) -> None:
    first = asyncio.create_task(kit.pool.acquire(key(), unruly(), HANDSHAKE))
    second = asyncio.create_task(kit.pool.acquire(key(), unruly(), HANDSHAKE))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second).alive


async def test_a_person_has_a_cap_and_others_are_not_hit_by_it(kit: Kit) -> None:
    """I23: A person has a cap and others are not hit by it."""
    server = unruly(max_instances_per_user=2, max_instances=3, max_wait=0.2)
    for number in (1, 2):
        await kit.pool.acquire(key(f"session:{number}"), server, HANDSHAKE)
    with pytest.raises(PoolFull, match="2 instances are running for this person"):
        await kit.pool.acquire(key("session:3"), server, HANDSHAKE)
    assert (await kit.pool.acquire(key("session:4", person="bob"), server, HANDSHAKE)).alive
    with pytest.raises(PoolFull, match="3 instances of the server"):
        await kit.pool.acquire(key("session:5", person="carol"), server, HANDSHAKE)


async def test_a_place_that_becomes_free_is_taken_by_who_waits(kit: Kit) -> None:
    server = unruly(max_instances=1)
    await kit.pool.acquire(key("session:1"), server, HANDSHAKE)
    waiting = asyncio.create_task(kit.pool.acquire(key("session:2"), server, HANDSHAKE))
    await asyncio.sleep(0.1)
    kit.pool.release(key("session:1"))
    assert (await waiting).alive


async def test_a_forgotten_session_makes_room_for_its_own_person(
    kit: Kit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatekit.upstream.pool.EVICT_SECONDS", 0.3)
    server = unruly(max_instances_per_user=2)
    await kit.pool.acquire(key("session:1"), server, HANDSHAKE)
    busy = await kit.pool.acquire(key("session:2"), server, HANDSHAKE)
    call = busy.call("tools/call", tool("silent"))
    await asyncio.sleep(0.5)
    assert (await kit.pool.acquire(key("session:3"), server, HANDSHAKE)).alive
    assert kit.pool.get(key("session:1")) is None
    assert not call.done()
    call.cancel()


async def test_idle_instances_stop_busy_and_held_ones_do_not(kit: Kit) -> None:
    server = unruly(idle_timeout=0.4)
    idle = await kit.pool.acquire(key("session:1"), server, HANDSHAKE)
    busy = await kit.pool.acquire(key("session:2"), server, HANDSHAKE)
    await kit.pool.acquire(key("session:3"), server, HANDSHAKE)
    call = busy.call("tools/call", tool("silent"))
    kit.pool.hold(key("session:3"))
    await until(lambda: kit.pool.get(key("session:1")) is None)
    await until(lambda: not alive(stdio(idle).child.pid))
    assert kit.pool.get(key("session:2")) is not None
    assert kit.pool.get(key("session:3")) is not None
    kit.pool.unhold(key("session:3"))
    call.cancel()
    await until(lambda: kit.pool.stats()["ready"] == 0)
    await until(lambda: [event.detail for event in kit.events if event.action == "stopped"] == ["idle"] * 3)


async def test_stop_fails_what_waits_before_it_returns(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    call = link.call("tools/call", tool("silent"))
    await kit.pool.stop(key(), "the session was deleted")
    assert kit.pool.get(key()) is None
    with pytest.raises(LinkClosed, match="the session was deleted"):
        await call
    await until(lambda: not alive(stdio(link).child.pid))
    await until(lambda: kit.events[-1].detail == "the session was deleted")


async def test_stopping_a_start_fails_who_waits_for_it(kit: Kit) -> None:
    waiting = asyncio.create_task(kit.pool.acquire(key(), unruly("hang"), HANDSHAKE))
    await until(lambda: kit.supervisor.launcher.pid)
    await asyncio.sleep(0.1)
    await kit.pool.stop(key(), "the session was deleted")
    with pytest.raises(LinkClosed, match="the session was deleted"):
        await waiting
    await until(lambda: kit.pool.stats()["ending"] == 0)


async def test_stopping_a_start_in_its_first_moment(kit: Kit) -> None:
    waiting = asyncio.create_task(kit.pool.acquire(key(), unruly(), HANDSHAKE))
    await asyncio.sleep(0)
    await kit.pool.stop(key(), "at once")
    with pytest.raises(LinkError):
        await waiting
    assert kit.pool.stats()["starting"] == 0


async def test_stopping_a_person_leaves_the_others(kit: Kit) -> None:
    alice = await kit.pool.acquire(key("session:1"), unruly(), HANDSHAKE)
    bob = await kit.pool.acquire(key("session:2", person="bob"), unruly(), HANDSHAKE)
    kit.pool.stop_principal("alice")
    assert not alice.alive
    assert bob.alive
    await until(lambda: not alive(stdio(alice).child.pid))


async def test_a_reload_drains_what_changed_and_leaves_the_rest(kit: Kit) -> None:
    changed, removed, kept = unruly(), unruly(name="removed"), unruly(name="kept")
    links = [
        await kit.pool.acquire(key(server=server.name), server, HANDSHAKE)
        for server in (changed, removed, kept)
    ]
    running = links[0].call("tools/call", {**tool("slow"), "_meta": {"progressToken": 1}})
    changed_now = unruly(env=(("A", "b"),))
    kit.pool.replace([changed_now, unruly(name="kept", call_timeout=7.0)])
    assert kit.pool.get(key(server="unruly")) is None
    assert kit.pool.get(key(server="removed")) is None
    assert kit.pool.get(key(server="kept")) is links[2]
    assert links[2].server.call_timeout == 7.0
    fresh = await kit.pool.acquire(key(), changed_now, HANDSHAKE)
    assert '"A": "b"' in said(await fresh.call("tools/call", tool("env")))
    assert said(await running) == "done"


async def test_a_crash_under_an_open_stream_restarts_by_itself_with_the_same_sink(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    signals: list[Signal] = []
    link.listen(signals.append)
    kit.pool.hold(key())
    with pytest.raises(LinkClosed):
        await link.call("tools/call", tool("crash"))
    await until(lambda: kit.pool.get(key()) is not None)
    again = kit.pool.get(key())
    assert again is not None
    assert again is not link
    call = again.call("tools/call", tool("collide"))
    await until(lambda: signals)
    signals[0].answer(Result({}))  # type: ignore[union-attr]
    await call


async def test_after_close_nothing_starts(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    await kit.pool.close()
    assert not alive(stdio(link).child.pid)
    with pytest.raises(LinkClosed):
        await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    await kit.pool.close()


async def test_fifty_start_together(kit: Kit) -> None:
    server = child("echo", max_instances_per_user=50)
    links = await asyncio.gather(
        *(kit.pool.acquire(key(f"session:{n}", "echo"), server, HANDSHAKE) for n in range(50))
    )
    ends = await asyncio.gather(
        *(link.call("tools/call", kits.tool("echo", text=str(n))) for n, link in enumerate(links))
    )
    assert [said(end) for end in ends] == [str(n) for n in range(50)]
    assert kit.pool.stats()["ready"] == 50


async def test_a_removed_server_stops_also_what_waits_for_its_restart(kit: Kit) -> None:
    await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    kit.pool.hold(key())
    link = kit.pool.get(key())
    assert link is not None
    with pytest.raises(LinkClosed):
        await link.call("tools/call", tool("crash"))
    await until(lambda: kit.actions() == ["started", "exited"])
    kit.pool.replace([])
    await asyncio.sleep(0.8)
    assert kit.actions() == ["started", "exited"]


async def test_a_reload_under_an_open_stream_brings_the_new_process_by_itself(kit: Kit) -> None:
    first = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    signals: list[Signal] = []
    first.listen(signals.append)
    kit.pool.hold(key())
    kit.pool.hold(key())
    kit.pool.unhold(key())
    kit.pool.replace([unruly(env=(("A", "b"),))])
    await until(lambda: kit.pool.get(key()) is not None)
    again = kit.pool.get(key())
    assert again is not None
    assert again is not first
    assert again.sink == signals.append


async def test_stopping_a_server_stops_all_of_its_instances(kit: Kit) -> None:
    links = [
        await kit.pool.acquire(key(f"session:{number}", server), unruly(name=server), HANDSHAKE)
        for number, server in enumerate(("unruly", "unruly", "other"))
    ]
    kit.pool.stop_server("unruly")
    assert [link.alive for link in links] == [False, False, True]


async def test_a_recorder_that_fails_disturbs_no_process(kit: Kit, caplog: pytest.LogCaptureFixture) -> None:
    def explode(event: object) -> None:
        raise RuntimeError("audit is broken")

    kit.pool._on_event = explode
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"
    await kit.pool.stop(key(), "for the test")
    await until(lambda: kit.pool.stats()["ending"] == 0)
    assert "audit is broken" in caplog.text


async def test_a_fault_in_the_owner_reaches_who_waits(
    kit: Kit, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fault(name: str) -> str | None:
        raise RuntimeError("the store is broken")

    monkeypatch.setattr(kit.memory, "get", fault)
    with pytest.raises(LinkError, match="the store is broken"):
        await kit.pool.acquire(key(), unruly(), STATELESS)
    await until(lambda: kit.pool.stats()["ending"] == 0)
    assert "its owner failed" in caplog.text
