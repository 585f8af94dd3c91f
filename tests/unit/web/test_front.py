"""The short way to the MCP endpoints, over real sockets; and that everything unusual takes the long way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekit.gateway.inbound import Refused
from gatekit.gateway.ports import Headers, Wire
from gatekit.web.front import Read, front
from tests.unit.web.fronting import listening

POST = b"POST /s/files/mcp HTTP/1.1\r\nHost: ours\r\n"

EVENTS = (b"content-type", b"text/event-stream")
STREAMED: dict[bytes, tuple[Headers, tuple[bytes, ...]]] = {
    b"stream": ((EVENTS,), (b"", b"one", b"two")),
    b"joined": ((EVENTS,), (b"one", b"", b"two")),
    b"parts": (((b"content-length", b"6"),), (b"one", b"two", b"")),
    b"split stream": (((b"x-evil", b"a\r\nset-cookie: b"),), (b"one",)),
}
"""Body of a request → headers and parts of its answer."""


class DataPlane:
    """Stands for ``gateway.endpoint``: answers what it got, in the way that the body asks for."""

    def __init__(self) -> None:
        self.entered: list[tuple[str, str, dict[bytes, bytes], str]] = []
        self.left = asyncio.Event()
        self.chunks = 0

    async def serve(
        self, method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
    ) -> None:
        self.entered.append((method, server, dict(headers), peer))
        try:
            body = await read(100_000)
        except Refused as refused:
            await wire.respond(refused.status, (), refused.public.encode())
            return
        if body in STREAMED:
            headers, parts = STREAMED[body]
            await wire.start(200, headers, parts[0])
            for number, part in enumerate(parts[1:], 2):
                await wire.write(part, more=number < len(parts))
        elif body == b"flood":
            await wire.start(200, ())
            for _ in range(400):
                await wire.write(b"z" * 65536, more=True)
                self.chunks += 1
            await wire.write(b"", more=False)
        elif body == b"wait":
            await wire.gone()
            self.left.set()
        elif body == b"split":
            await wire.respond(200, ((b"x-evil", b"a\r\nset-cookie: b"),), b"")
        elif body == b"nothing":
            return
        else:
            if body == b"slow":
                await asyncio.sleep(0.05)
            await wire.respond(200, ((b"x-server", server.encode()),), body)


async def application(scope: Any, receive: Any, send: Any) -> None:
    """The long way."""
    message = await receive()
    text = f"{scope['method']} {scope['path']} {len(message['body'])}".encode()
    headers = [(b"content-length", b"%d" % len(text)), (b"x-long", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": text})


class Running:
    def __init__(self, plane: DataPlane, port: int) -> None:
        self.plane = plane
        self.port = port

    async def talk(self, *packets: bytes, close: bool = True) -> bytes:
        """Send, then read until the server closes (or, with ``close`` False, what comes first)."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for packet in packets:
                writer.write(packet)
                await writer.drain()
                await asyncio.sleep(0.01)
            return await (reader.read() if close else reader.read(65536))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    plane = DataPlane()
    protocol = front(plane.serve, lambda host: host == b"ours")
    async with listening(application, protocol, 0.3) as port:
        yield Running(plane, port)


def request(body: bytes, more: bytes = b"") -> bytes:
    return POST + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def test_a_post_is_answered_on_the_short_way(running: Running) -> None:
    answer = await running.talk(request(b"hello", b"X-One: 1\r\n"), close=False)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nx-server: files\r\n" in head
    assert b"\r\ndate: " in head
    assert head.endswith(b"\r\ncontent-length: 5")
    assert body == b"hello"
    ((method, server, headers, peer),) = running.plane.entered
    assert (method, server, peer) == ("POST", "files", "127.0.0.1")
    assert headers[b"x-one"] == b"1"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_other_methods_of_the_endpoints(running: Running, method: str) -> None:
    text = f"{method} /s/files/mcp HTTP/1.1\r\nHost: ours\r\n\r\n".encode()
    answer = await running.talk(text, close=False)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert running.plane.entered[0][:2] == (method, "files")


async def test_the_aggregate_endpoint(running: Running) -> None:
    await running.talk(request(b"x").replace(b"/s/files/mcp", b"/mcp"), close=False)
    assert running.plane.entered[0][1] == ""


@pytest.mark.parametrize(
    "head",
    [
        b"HEAD /s/files/mcp HTTP/1.1\r\nHost: ours\r\n",
        b"OPTIONS /s/files/mcp HTTP/1.1\r\nHost: ours\r\n",
        b"POST /s/files/mcp HTTP/1.0\r\nHost: ours\r\n",
        b"POST /s/files/mcp HTTP/1.1\r\n",
        b"POST /s/files/mcp HTTP/1.1\r\nHost: theirs\r\n",
        b"POST /s/files/mcp HTTP/1.1\r\nHost: ours\r\nHost: ours\r\n",
        b"POST /s/files/mcp HTTP/1.1\r\nHost: ours\r\nAuthorization: a\r\nauthorization: b\r\n",
        b"POST /s/files/mcp?x=1 HTTP/1.1\r\nHost: ours\r\n",
        b"POST /s/f%69les/mcp HTTP/1.1\r\nHost: ours\r\n",
        b"POST /s/a/b/mcp HTTP/1.1\r\nHost: ours\r\n",
        b"POST /s//mcp HTTP/1.1\r\nHost: ours\r\n",
        b"POST /token HTTP/1.1\r\nHost: ours\r\n",
        b"POST /s/files/mcp HTTP/1.1\r\nHost: ours\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
    ],
)
async def test_what_is_unusual_takes_the_long_way(running: Running, head: bytes) -> None:
    answer = await running.talk(head + b"Content-Length: 0\r\n\r\n", close=False)
    assert b"\r\nx-long: 1\r\n" in answer
    assert running.plane.entered == []


async def test_expect_100_takes_the_long_way(running: Running) -> None:
    answer = await running.talk(
        POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", b"hi", close=False
    )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n")


async def test_both_ways_share_a_connection(running: Running) -> None:
    get = b"GET /x HTTP/1.1\r\nHost: ours\r\n\r\n"
    answer = await running.talk(request(b"one"), get, request(b"two"))
    assert [part in answer for part in (b"\r\n\r\none", b"\r\n\r\nGET /x 0", b"\r\n\r\ntwo")] == [True] * 3


async def test_pipelined_requests_are_answered_in_order(running: Running) -> None:
    get = b"GET /x HTTP/1.1\r\nHost: ours\r\n\r\n"
    answer = await running.talk(request(b"slow") + get + request(b"two"))
    assert answer.find(b"slow") < answer.find(b"GET /x 0") < answer.find(b"two")


async def test_bodies_in_pieces(running: Running) -> None:
    whole = request(b"in three pieces")
    assert (await running.talk(whole[:40], whole[40:-5], whole[-5:], close=False)).endswith(
        b"in three pieces"
    )
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"3\r\ndef\r\n0\r\n\r\n"
    assert (await running.talk(*chunked, close=False)).endswith(b"abcdef")


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_body_beyond_the_limit(running: Running, pieces: int) -> None:
    body = b"x" * 100_001
    step = len(body) // pieces + 1
    packets = [body[at : at + step] for at in range(0, len(body), step)]
    head = POST + b"Content-Length: %d\r\n\r\n" % len(body)
    answer = await running.talk(head + packets[0], *packets[1:], close=False)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_body_larger_than_the_flow_control_window(running: Running) -> None:
    answer = await running.talk(request(b"y" * 99_999))
    assert answer.endswith(b"y" * 99_999)


async def test_streams(running: Running) -> None:
    answer = await running.talk(request(b"stream"))
    assert b"transfer-encoding: chunked" in answer
    assert answer.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_a_stream_begins_with_what_there_is_to_say(running: Running) -> None:
    answer = await running.talk(request(b"joined"), request(b"again"), close=True)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.count(b"transfer-encoding: chunked") == 1
    assert body.startswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_parts_of_known_length_are_no_chunks(running: Running) -> None:
    answer = await running.talk(request(b"parts"))
    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"\r\n\r\nonetwo")


async def test_a_slow_reader_holds_the_writer_back(running: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
    writer.write(request(b"flood", b"Connection: close\r\n"))
    for _ in range(100):
        before = running.plane.chunks
        await asyncio.sleep(0.05)
        if before == running.plane.chunks > 0:
            break
    assert 0 < running.plane.chunks < 400
    size = 0
    while data := await reader.read(1 << 20):
        size += len(data)
    assert running.plane.chunks == 400
    assert size > 400 * 65536
    writer.close()


async def test_a_disconnect_is_noticed(running: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", running.port)
    writer.write(request(b"wait"))
    await writer.drain()
    writer.close()
    await asyncio.wait_for(running.plane.left.wait(), 5)


async def test_a_header_with_a_line_break_is_not_sent(running: Running) -> None:
    for body in (b"split", b"split stream"):
        answer = await running.talk(request(body), close=False)
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"set-cookie" not in answer


async def test_no_answer_is_a_500(running: Running) -> None:
    assert (await running.talk(request(b"nothing"), close=False)).startswith(b"HTTP/1.1 500 ")


async def test_connection_close_is_honoured(running: Running) -> None:
    answer = await asyncio.wait_for(running.talk(request(b"x", b"Connection: close\r\n")), 0.9)
    assert b"\r\nconnection: close\r\n" in answer


async def test_an_idle_connection_is_closed_and_a_busy_one_is_not(running: Running) -> None:
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    for _ in range(4):
        writer.write(request(b"x"))
        assert (await reader.read(65536)).endswith(b"x")
        await asyncio.sleep(0.12)
    last = loop.time()
    assert await reader.read() == b""
    assert 0.1 < loop.time() - last < 3
    writer.close()
