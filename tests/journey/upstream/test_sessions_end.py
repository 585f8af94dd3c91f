"""Sessions come and go: nothing of them is left (the long version is ``benchmarks/sessions.py``)."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.model.rules import Anyone, Rules, ServerRules
from gatekit.model.server import Server
from tests.journey.upstream.kit import HANDSHAKE, Kit, alive, key, said, tool, unruly, until
from tests.unit.gateway.rig import Rig, child, person

COUNT = 50


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    command = child("unruly.py")
    servers = (
        Server(name="each", command=command, max_instances_per_user=50, max_wait=30.0),
        Server(name="brief", command=command, idle_timeout=0.3),
    )
    rules = Rules(servers=tuple(ServerRules(server=one.name, allowed=(Anyone(),)) for one in servers))
    made = Rig(tmp_path, servers, rules, sessions_per_principal=5)
    made.door.give("alice", person("alice"))
    yield made
    await made.close()


async def pid_of(rig: Rig, path: str, session: str) -> int:
    answer = await rig.rpc(path, "tools/call", {"name": "pid"}, mcp_session_id=session)
    return int(answer.json["result"]["content"][0]["text"])


async def test_fifty_sessions_leave_no_child_and_nothing_behind(rig: Rig) -> None:
    pids = []

    async def one() -> None:
        session = await rig.open("/s/each/mcp")
        pids.append(await pid_of(rig, "/s/each/mcp", session))
        await rig.http("/s/each/mcp", method="DELETE", mcp_session_id=session)

    for _ in range(COUNT // 5):
        await asyncio.gather(*(one() for _ in range(5)))
    assert len(set(pids)) == COUNT
    await until(lambda: not any(map(alive, pids)), 20)
    await until(lambda: rig.pool.stats()["ending"] == 0)
    stats = rig.pool.stats()
    assert (stats["ready"], stats["starting"], stats["waiting"], len(rig.gateway.sessions)) == (0, 0, 0, 0)
    for held in (rig.pool._owners, rig.pool._links, rig.pool._sinks, rig.pool._revive, rig.pool._held):
        assert not held
    assert not rig.pool.admission._inside
    assert not rig.pool.admission._own


async def test_a_session_that_is_pushed_out_takes_its_child_with_it(rig: Rig) -> None:
    first = await rig.open("/s/each/mcp")
    pid = await pid_of(rig, "/s/each/mcp", first)
    others = [await rig.open("/s/each/mcp") for _ in range(5)]
    await until(lambda: not alive(pid), 20)
    assert (await rig.rpc("/s/each/mcp", "ping", mcp_session_id=first)).status == 404
    assert (await rig.rpc("/s/each/mcp", "ping", mcp_session_id=others[-1])).status == 200


async def test_an_idle_child_stops_and_comes_back_with_the_next_call(rig: Rig) -> None:
    session = await rig.open("/s/brief/mcp")
    pid = await pid_of(rig, "/s/brief/mcp", session)
    await until(lambda: not alive(pid), 20)
    assert await pid_of(rig, "/s/brief/mcp", session) != pid


async def test_nothing_stops_for_idleness_under_an_open_stream(rig: Rig) -> None:
    session = await rig.open("/s/brief/mcp")
    pid = await pid_of(rig, "/s/brief/mcp", session)
    stream = rig.start(
        "/s/brief/mcp", method="GET", mcp_session_id=session, accept="text/event-stream", content_type=""
    )
    await until(lambda: rig.pool._held)
    rig.pool.sweep()
    await asyncio.sleep(1.0)  # three times the idle time
    rig.pool.sweep()
    assert alive(pid)
    stream.disconnect()
    await stream.end()
    assert not rig.pool._held
    await until(lambda: not alive(pid), 20)


async def test_what_has_ended_is_freed_without_the_collector(kit: Kit) -> None:
    """It looks seldom (``cli.serve``), and a thousand ended sessions would wait for it."""
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    link.listen(lambda _: None)
    assert said(await link.call("tools/call", tool("echo", text="x"))) == "x"
    left = weakref.ref(link)
    gc.collect()
    gc.disable()
    try:
        del link
        kit.pool.release(key())
        await until(lambda: kit.pool.stats()["ending"] == 0)
        await asyncio.sleep(0.1)
        assert left() is None
    finally:
        gc.enable()
