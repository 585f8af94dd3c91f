"""What a connection may take before anybody knows who is there, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekit.gateway.ports import Headers, Wire
from gatekit.web.bounds import MAX_HEAD
from gatekit.web.front import Read, front
from tests.unit.web.fronting import listening

SHORT = b"POST /s/files/mcp HTTP/1.1\r\nHost: ours\r\n"
LONG = b"POST /token HTTP/1.1\r\nHost: ours\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
PIECE = b"a" * 16384


class Seen:
    """The headers and bodies that both ways were given."""

    def __init__(self) -> None:
        self.headers: list[list[tuple[bytes, bytes]]] = []
        self.bodies: list[bytes] = []

    async def serve(
        self, method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
    ) -> None:
        if (b"refuse", b"1") in headers:
            await wire.respond(401, (), b"no")
            return
        self.bodies.append(await read(10_000_000))
        self.headers.append(list(headers))
        if self.bodies[-1] == b"slow":
            await asyncio.sleep(1.0)  # longer than anything is waited for
        await wire.respond(200, (), b"short")

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        self.bodies.append(body)
        self.headers.append(list(scope["headers"]))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"long"})


class Running:
    def __init__(self, seen: Seen, port: int) -> None:
        self.seen = seen
        self.port = port

    async def send(self, *packets: bytes) -> bytes:
        """Send packet by packet until the server has had enough; then all that it said, to the end."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        with contextlib.suppress(OSError):
            for packet in packets:
                writer.write(packet)
                await writer.drain()
                await asyncio.sleep(0)
        try:
            return await asyncio.wait_for(reader.read(), 20)
        except ConnectionResetError:
            return b"reset"
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def server(head_seconds: float, body_seconds: float) -> AsyncIterator[Running]:
    seen = Seen()
    protocol = front(
        seen.serve, lambda host: host == b"ours", head_seconds=head_seconds, body_seconds=body_seconds
    )
    async with listening(seen.application, protocol, 0.2) as port:
        yield Running(seen, port)


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    """As patient as in life, so that a busy machine changes nothing."""
    async with server(20.0, 60.0) as found:
        yield found


@pytest.fixture
async def impatient() -> AsyncIterator[Running]:
    async with server(0.3, 0.4) as found:
        yield found


@pytest.mark.parametrize(
    "begin",
    [SHORT + b"X: ", LONG + b"X: ", b"GET /", SHORT + b"X: 1\r\n"],
    ids=["short", "long", "url", "headers"],
)
async def test_a_head_without_end(running: Running, begin: bytes) -> None:
    """T9, I22: The parser would keep it all, for a stranger."""
    piece = b"X: 1\r\n" * 3000 if begin.endswith(b"\n") else PIECE
    answer = await running.send(begin, *[piece] * 200)
    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")
    assert running.seen.headers == []


async def test_a_large_head_in_many_packets_passes(running: Running) -> None:
    lines = [b"X-%d: %s\r\n" % (number, b"v" * 1000) for number in range(MAX_HEAD // 1100)]
    assert b"short" in await running.send(SHORT, *lines, b"Content-Length: 2\r\n\r\nhi")
    assert running.seen.bodies == [b"hi"]


@pytest.mark.parametrize("begin", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("end", [b"0\r\nX: ", b"5;x="], ids=["trailer", "extension"])
async def test_chunks_with_a_tail_without_end(running: Running, begin: bytes, end: bytes) -> None:
    """I22: What is neither head nor body counts as well."""
    await running.send(begin + CHUNKED + b"2\r\nhi\r\n" + end, *[PIECE] * 200)
    assert running.seen.headers == []


@pytest.mark.parametrize("begin", [SHORT, LONG], ids=["short", "long"])
async def test_a_large_chunked_body_passes(running: Running, begin: bytes) -> None:
    chunk = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    answer = await running.send(
        begin + CHUNKED, *[chunk] * 100, b"0\r\n\r\n", begin + b"Content-Length: 1\r\n\r\nx"
    )
    assert answer.count(b"200 OK") == 2
    assert running.seen.bodies == [PIECE * 100, b"x"]


@pytest.mark.parametrize("begin", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("together", [True, False])
async def test_a_trailer_is_no_header(running: Running, begin: bytes, together: bool) -> None:
    """T9, T10, I18: After the door has judged the head, nothing is added to it (RFC 9110 §6.5.1)."""
    packets = [begin + CHUNKED, b"2\r\nhi\r\n", b"0\r\nAuthorization: Bearer x\r\nHost: theirs\r\n\r\n"]
    await running.send(*([b"".join(packets)] if together else packets))
    [headers] = running.seen.headers
    assert headers == [(b"host", b"ours"), (b"transfer-encoding", b"chunked")]
    assert running.seen.bodies == [b"hi"]


@pytest.mark.parametrize(
    "said",
    [
        b"",
        SHORT,
        b"P",
        SHORT + b"Content-Length: 5\r\n\r\nhi",
        LONG + b"Content-Length: 5\r\n\r\nhi",
        LONG + CHUNKED,
        SHORT + b"Content-Length: 2\r\n\r\nhi" + SHORT,
    ],
    ids=["nothing", "head", "letter", "body", "long-body", "chunks", "second-head"],
)
async def test_who_does_not_go_on_is_let_go(impatient: Running, said: bytes) -> None:
    """I22: A connection that is held and says nothing costs its owner nothing and us a descriptor."""
    assert b"408" not in await impatient.send(said)


async def test_who_drips_after_a_refusal_is_let_go(impatient: Running) -> None:
    """I22: The answer was given; the rest of the body keeps nothing open."""
    reader, writer = await asyncio.open_connection("127.0.0.1", impatient.port)
    writer.write(SHORT + b"Refuse: 1\r\nContent-Length: 100000\r\n\r\n")
    assert (await reader.read(100)).startswith(b"HTTP/1.1 401")
    drops = 0
    with contextlib.suppress(OSError):
        while drops < 400:
            writer.write(b".")
            await writer.drain()
            drops += 1
            await asyncio.sleep(0.01)
    assert drops < 400
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_who_waits_for_a_long_answer_is_not_let_go(impatient: Running) -> None:
    """The timers are for what is awaited from a client; an answer takes as long as it takes."""
    assert b"short" in await impatient.send(SHORT + b"Content-Length: 4\r\n\r\nslow")
