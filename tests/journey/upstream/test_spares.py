"""Warm spares over real processes: taken, replaced, given up, stopped, recorded."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.model.server import Server
from gatekit.upstream.link import Hello
from tests.journey.upstream.kit import HANDSHAKE, STATELESS, Kit, alive, key, said, tool, unruly, until


async def warmed(kit: Kit, server: Server, count: int = 1) -> set[int]:
    """Wait for the spares; their pids."""
    kit.pool.replace([server])
    await until(lambda: kit.pool.stats()["spares"] == count)
    return {event.pid for event in kit.events if event.action == "started" and event.detail == "spare"}


async def test_a_session_takes_a_spare_and_another_is_started(kit: Kit) -> None:
    server = unruly(warm=2)
    spares = await warmed(kit, server, 2)
    link = await kit.pool.acquire(key(), server, HANDSHAKE)
    assert int(said(await link.call("tools/call", tool("pid")))) in spares
    told = [event for event in kit.events if event.principal_id == "alice"]
    assert [(event.action, event.detail) for event in told] == [
        ("started", "handshake 2025-11-25, from a spare")
    ]
    await until(lambda: kit.pool.stats()["spares"] == 2)
    assert kit.pool.stats()["ready"] == 1


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-11-25"])
async def test_it_is_opened_with_what_the_client_said(kit: Kit, version: str) -> None:
    server = unruly(warm=1)
    await warmed(kit, server)
    link = await kit.pool.acquire(key(), server, Hello(era="handshake", version=version, capabilities={}))
    assert link.version == version
    assert link.calls == 1  # initialize, and nothing before it


@pytest.mark.parametrize(
    ("mode", "era"), [("modern", "stateless"), ("plain", "handshake"), ("rmcp", "handshake")]
)
async def test_a_stateless_client_gets_one_too_whatever_the_probe_costs(
    kit: Kit, mode: str, era: str
) -> None:
    server = unruly(mode, warm=1)
    for scope in ("user:1", "user:2"):
        await warmed(kit, server)
        link = await kit.pool.acquire(key(scope), server, STATELESS)
        assert link.era == era
    # What was learnt from the first one spares the second the probe, and so the spare.
    last = [event for event in kit.events if event.principal_id == "alice"][-1]
    assert last.detail.endswith("from a spare")


async def test_spares_leave_room_for_who_comes(kit: Kit) -> None:
    server = unruly(warm=2, max_instances=2, max_wait=5.0)
    await warmed(kit, server, 2)
    links = [await kit.pool.acquire(key(f"session:{n}"), server, HANDSHAKE) for n in range(2)]
    assert all(link.alive for link in links)
    await asyncio.sleep(0.3)
    assert kit.pool.stats()["spares"] == 0  # the cap holds for them as well
    kit.pool.release(key("session:0"))
    await until(lambda: kit.pool.stats()["spares"] == 1)


async def test_a_changed_recipe_stops_them_and_starts_new_ones(kit: Kit) -> None:
    old = await warmed(kit, unruly(warm=1))
    changed = unruly(warm=1, env=(("A", "b"),))
    kit.pool.replace([changed])
    await until(lambda: not any(map(alive, old)))
    await until(lambda: kit.pool.stats()["spares"] == 1)
    link = await kit.pool.acquire(key(), changed, HANDSHAKE)
    assert '"A": "b"' in said(await link.call("tools/call", tool("env")))


async def test_changed_settings_reach_a_spare(kit: Kit) -> None:
    await warmed(kit, unruly(warm=1))
    link = await kit.pool.acquire(key(), unruly(warm=1, call_timeout=7.0), HANDSHAKE)
    assert link.server.call_timeout == 7.0


async def test_without_warm_there_are_none(kit: Kit) -> None:
    spares = await warmed(kit, unruly(warm=1))
    kit.pool.replace([unruly()])
    await until(lambda: not any(map(alive, spares)))
    await asyncio.sleep(0.3)
    assert kit.pool.stats()["spares"] == 0
    assert [event.action for event in kit.events] == ["started", "stopped"]


async def test_spares_that_die_are_replaced_slower_and_slower(kit: Kit) -> None:
    kit.pool.replace([unruly("crash_at_once", warm=3)])
    await until(lambda: kit.actions().count("exited") >= 2)
    await asyncio.sleep(0.4)
    assert kit.actions().count("started") <= 5
    assert "cannot find my configuration file" in kit.events[-1].detail or kit.events[-1].action == "started"


async def test_a_spare_that_went_bad_is_no_worse_than_none(kit: Kit) -> None:
    server = unruly("rmcp", warm=1)
    (spare,) = await warmed(kit, server)
    # It is taken for the probe, which it does not survive; the next process is a fresh one.
    link = await kit.pool.acquire(key(), server, STATELESS)
    assert int(said(await link.call("tools/call", tool("pid")))) != spare


async def test_they_end_with_the_pool(kit: Kit) -> None:
    spares = await warmed(kit, unruly(warm=2), 2)
    assert all(map(alive, spares))
    await kit.pool.close()
    assert not any(map(alive, spares))


async def test_draining_gives_them_up_and_waits_for_calls(kit: Kit) -> None:
    server = unruly(warm=1)
    spares = await warmed(kit, server)
    link = await kit.pool.acquire(key(), server, HANDSHAKE)
    call = link.call("tools/call", tool("slow", steps=4))
    assert await kit.pool.drain(10.0) == 0
    assert said(await call) == "done"
    await until(lambda: kit.pool.stats()["spares"] == 0)
    assert link.alive
    stuck = link.call("tools/call", tool("silent"))
    assert await kit.pool.drain(0.1) == 1
    stuck.cancel()
    assert spares
