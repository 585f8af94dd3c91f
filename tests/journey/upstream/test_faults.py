"""Servers that say too much, or too little at a time: bounded, told once, and nobody else notices."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import LineTooLong
from gatekit.model.call import Notice, Question, Signal
from gatekit.upstream.signals import QUESTIONS
from tests.journey.upstream.kit import HANDSHAKE, Kit, key, said, stdio, tool, unruly, until

MB = 1024 * 1024


async def test_a_flood_of_notifications_is_read_slowly_and_others_are_served(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    """I22: A flood of notifications is read slowly and others are served."""
    wild = stdio(await kit.pool.acquire(key(), unruly(), HANDSHAKE))
    calm = await kit.pool.acquire(key("session:2"), unruly(), HANDSHAKE)
    heard: list[Signal] = []
    wild.listen(heard.append)
    flood = wild.call("tools/call", tool("flood", count=15_000))
    served = 0
    while not flood.done():
        assert said(await calm.call("tools/call", tool("echo", text="x"))) == "x"
        served += 1
        assert wild._lines.pending < MB
    assert said(await flood) == "flooded"
    assert served > 10
    # Held back, not dropped: what of it is too much for the client is decided where the client is known.
    assert len([signal for signal in heard if isinstance(signal, Notice)]) == 15_000
    assert [record.message for record in caplog.records if "floods" in record.message] == [
        "server unruly floods the gateway with notifications; its output is read more slowly from here"
    ]
    assert said(await wild.call("tools/call", tool("echo", text="still here"))) == "still here"


async def test_a_flooding_server_can_be_stopped_while_it_is_held_back(kit: Kit) -> None:
    wild = stdio(await kit.pool.acquire(key(), unruly(), HANDSHAKE))
    wild.listen(lambda _: None)
    call = wild.call("tools/call", tool("flood", count=10_000_000))
    await until(lambda: wild._allowance.told)
    kit.pool.release(key())
    await until(lambda: kit.pool.stats()["ending"] == 0)
    assert call.done()


async def test_questions_are_bounded(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    heard: list[Signal] = []
    link.listen(heard.append)
    answer = await link.call("tools/call", tool("ask_many", count=QUESTIONS + 40, open=QUESTIONS))
    assert said(answer) == "40"
    assert len([signal for signal in heard if isinstance(signal, Question)]) == QUESTIONS


async def test_half_lines_are_put_together(kit: Kit) -> None:
    link = await kit.pool.acquire(key(), unruly(), HANDSHAKE)
    both = await asyncio.gather(
        link.call("tools/call", tool("dribble")), link.call("tools/call", tool("echo", text="next"))
    )
    assert [said(one) for one in both] == ["drop by drop", "next"]


async def test_a_line_that_does_not_end_is_let_go_by(kit: Kit) -> None:
    link = stdio(await kit.pool.acquire(key(), unruly(max_result_bytes=20 * MB), HANDSHAKE))
    huge = link.call("tools/call", tool("big", size=128 * MB))
    other = await kit.pool.acquire(key("session:2"), unruly(), HANDSHAKE)
    assert said(await other.call("tools/call", tool("echo", text="meanwhile"))) == "meanwhile"
    with pytest.raises(LineTooLong):
        await huge
    assert link._lines.pending == 0
    assert said(await link.call("tools/call", tool("echo", text="after"))) == "after"
