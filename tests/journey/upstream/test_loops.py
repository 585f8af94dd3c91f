"""The same story on both event loops: tests run on asyncio's own, ``gatekit serve`` on uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from gatekit.errors import LinkBusy, LinkClosed, SpawnFailed
from gatekit.model.server import Server
from tests.journey.upstream.kit import HANDSHAKE, Kit, alive, key, said, tool, unruly, until

MB = 1024 * 1024


async def story() -> None:
    kit = Kit()
    try:
        await _story(kit)
    finally:
        await kit.pool.close()
    assert not alive(kit.supervisor.launcher.pid or 1 << 22)


async def _story(kit: Kit) -> None:
    with pytest.raises(SpawnFailed):
        await kit.pool.acquire(key("session:0"), Server(name="none", command=("no-such-command",)), HANDSHAKE)
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    assert len(said(await link.call("tools/call", tool("big", size=16 * MB)))) == 16 * MB
    assert len(said(await link.call("tools/call", tool("echo", text="x" * 16 * MB)))) == 16 * MB
    assert said(await link.call("tools/call", tool("stderr"))) == "flooded"
    deaf = await kit.pool.acquire(key("session:2"), unruly("deaf", max_line_bytes=MB), HANDSHAKE)
    calls = [deaf.call("tools/call", tool("echo", text="x" * MB)) for _ in range(10)]
    assert isinstance(calls[-1].exception(), LinkBusy)
    await kit.pool.stop(key("session:2"), "for the test")
    for call in calls[:1]:
        with pytest.raises(LinkClosed, match="for the test"):
            await call
    for call in calls:
        assert call.exception()
    with pytest.raises(LinkClosed, match="exited with code 3"):
        await link.call("tools/call", tool("crash"))
    again = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    ends = await asyncio.gather(*(again.call("tools/call", tool("echo", text=str(n))) for n in range(500)))
    assert [said(end) for end in ends] == [str(n) for n in range(500)]
    await until(lambda: kit.pool.stats()["ending"] == 0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_the_story(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    run(story())
