"""``gateway.reply``: a reader that is too slow, and answers that are very large."""

from __future__ import annotations

import asyncio

import pytest

from gatekit.gateway.ports import Headers
from gatekit.gateway.replay import Replay, ReplayStore
from gatekit.gateway.reply import MAX_QUEUED_BYTES, Reply
from tests.unit.gateway.rig import Rig

TALKER = "/s/talker/mcp"


class Pipe:
    """A connection whose reader takes nothing until it is told to."""

    def __init__(self, reads: bool = True) -> None:
        self.started = False
        self.data = b""
        self.aborted = False
        self.writes: list[tuple[bytes, bool]] = []
        """What was written at once, and whether more was to come."""
        self.reading = asyncio.Event()
        if reads:
            self.reading.set()

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        self.data = body

    async def start(self, status: int, headers: Headers, first: bytes = b"") -> None:
        self.started = True
        self.writes.append((first, True))
        await self.reading.wait()
        self.data += first

    async def write(self, data: bytes, more: bool) -> None:
        self.writes.append((data, more))
        await self.reading.wait()
        self.data += data

    async def gone(self) -> None:
        await asyncio.Event().wait()

    def abort(self) -> None:
        self.aborted = True
        self.reading.set()


def reply_on(pipe: Pipe) -> Reply:
    return Reply(pipe, (), json_ok=False, sse_ok=True, now=0)


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_slow_reader_loses_signals_above_its_bound_and_never_the_answer() -> None:
    pipe = Pipe(reads=False)
    reply = reply_on(pipe)
    taken = 0
    while reply.signal(b'"%b"' % (b"s" * 65536)):
        taken += 1
        assert taken * 65536 <= MAX_QUEUED_BYTES
    assert taken > 1
    ending = asyncio.ensure_future(reply.finish(200, b'"the answer"'))
    await turns()
    assert not ending.done()
    pipe.reading.set()
    await ending
    assert pipe.data.count(b"data: ") == taken + 1
    assert pipe.data.endswith(b'data: "the answer"\n\n')


async def test_the_head_leaves_with_the_first_event_and_the_answer_with_the_end() -> None:
    pipe = Pipe()
    reply = reply_on(pipe)
    assert reply.signal(b'"a question"')
    await turns()
    await reply.finish(200, b'"the answer"')
    assert pipe.writes == [(b'data: "a question"\n\n', True), (b'data: "the answer"\n\n', False)]


async def test_a_stream_with_nothing_to_say_yet_sends_its_head_at_once() -> None:
    pipe = Pipe()
    reply = reply_on(pipe)
    reply.open_stream()
    await turns()
    assert pipe.started
    await reply.end()
    assert pipe.writes == [(b"", True), (b"", False)]


async def test_whoever_is_cancelled_while_a_stream_ends_does_not_take_it_along() -> None:
    pipe = Pipe(reads=False)
    reply = reply_on(pipe)
    ending = asyncio.ensure_future(reply.finish(200, b'"the answer"'))
    await turns()
    ending.cancel()
    await turns()
    assert ending.cancelled()
    pipe.reading.set()
    await reply.end()
    assert pipe.data == b'data: "the answer"\n\n'


async def test_a_slow_reader_of_a_stream_that_can_be_resumed_is_cut_off_with_nothing_lost() -> None:
    pipe, store = Pipe(reads=False), ReplayStore(64 * 1024 * 1024, 64 * 1024 * 1024)
    reply = reply_on(pipe)
    reply.resumable, reply.request_id = Replay(store, primes=True), 1
    sent = 0
    while not reply.ended:
        assert reply.signal(b'"%b"' % (b"s" * 65536))
        sent += 1
        assert sent < 1000
    assert pipe.aborted
    await reply.finish(200, b'"the answer"')
    fast = Pipe()
    resumed = reply_on(fast)
    resumed.open_stream()
    assert reply.track is not None
    assert reply.track.resume(0, resumed)
    await resumed.end()
    assert fast.data.count(b"data: ") == sent + 1
    assert fast.data.endswith(b'data: "the answer"\n\n')


async def test_one_that_must_be_delivered_waits_for_room() -> None:
    pipe = Pipe(reads=False)
    reply = reply_on(pipe)
    message = b'"%b"' % (b"m" * (MAX_QUEUED_BYTES // 2))
    for _ in range(2):
        await reply.deliver(message)
    third = asyncio.ensure_future(reply.deliver(message))
    await turns()
    assert not third.done()
    pipe.reading.set()
    await third
    await reply.end()
    assert pipe.data.count(b"data: ") == 3


def test_what_is_kept_is_bounded_for_one_session_and_for_all() -> None:
    store = ReplayStore(1000, 2500)
    replays = [Replay(store, primes=False) for _ in range(4)]
    tracks = [replay.open(reply_on_nothing(), 1)[0] for replay in replays]
    for track in tracks:
        for _ in range(20):
            track.signal(b'"%b"' % (b"k" * 90))
    assert store.size <= 2500
    assert not replays[0].kept(tracks[0], 0)  # silent longest
    newest = replays[3].kept(tracks[3], 0)
    assert 0 < sum(map(len, newest)) <= 1000
    assert newest[-1].startswith(b"id: 1-20\n")
    for replay in replays:
        replay.close()
    assert store.size == 0
    tracks[3].signal(b'"after the end"')
    assert store.size == 0


def reply_on_nothing() -> Nowhere:
    return Nowhere()


class Nowhere:
    """An outlet that takes everything and keeps nothing."""

    def raw(self, chunk: bytes, must: bool = False) -> bool:
        return True

    def drop(self, reason: str) -> None: ...

    def abandon(self) -> None: ...

    async def end(self) -> None: ...


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_large_result_arrives_whole(rig: Rig, accept: str, era: str) -> None:
    call = {"name": "large", "arguments": {"size": 5_000_000}}
    if era == "handshake":
        session = await rig.open(TALKER)
        answer = await rig.rpc(TALKER, "tools/call", call, mcp_session_id=session, accept=accept)
    else:
        answer = await rig.stateless(TALKER, "tools/call", call, accept=f"{accept}, application/json")
    assert answer.json["result"]["content"] == [{"type": "text", "text": "x" * 5_000_000}]
    if era == "stateless":
        assert answer.json["result"]["resultType"] == "complete"


async def test_a_slow_reader_delays_nobody_else(rig: Rig) -> None:
    """I22: A slow reader delays nobody else."""
    session = await rig.open(TALKER)
    slow = rig.begin(
        TALKER,
        "tools/call",
        {"name": "large", "arguments": {"size": 5_000_000}},
        "slow",
        mcp_session_id=session,
        accept="text/event-stream",
    )
    slow.hold()
    quick = await rig.rpc(TALKER, "tools/call", {"name": "remember"}, "quick", mcp_session_id=session)
    assert quick.json["id"] == "quick"
    assert not slow.done
    slow.read()
    await slow.end()
    assert slow.json["id"] == "slow"
