"""``web.heads``: what counts as the same head again; and that the front reads a stream of requests in one way
only, however it is cut into packets."""

from __future__ import annotations

import asyncio
import random
import re
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from gatekit.gateway.ports import Headers, Wire
from gatekit.web.front import Read, front
from gatekit.web.heads import Head, remember

HOST = (b"host", b"ours")
HEAD = b"POST /s/files/mcp HTTP/1.1\r\nHost: ours\r\nContent-Length: %b\r\nX-One: 1\r\n\r\n"


def head() -> Head:
    found = remember(HEAD % b"5" + b"hello", "files", [HOST, (b"content-length", b"5"), (b"x-one", b"1")])
    assert found is not None
    return found


def test_the_length_alone_may_differ() -> None:
    seen = head()
    assert (seen.server, seen.host) == ("files", b"ours")
    for body in (b"", b"hello", b"x" * 100, b"\r\n\r\n", HEAD % b"3" + b"one"):
        found = seen.another(HEAD % b"%d" % len(body) + body)
        assert found is not None
        headers, read = found
        assert read == body
        assert dict(headers) == dict((HOST, (b"x-one", b"1"), (b"content-length", b"%d" % len(body))))


@pytest.mark.parametrize(
    "packet",
    [
        HEAD % b"6" + b"hello",
        HEAD % b"4" + b"hello",
        HEAD % b"05" + b"hello",
        HEAD % b"+5" + b"hello",
        HEAD % b"-5" + b"hello",
        HEAD % b"5 " + b"hello",
        HEAD % b"5\t" + b"hello",
        HEAD % b"" + b"hello",
        HEAD % b"5\n" + b"hello",
        HEAD % b"5, 5" + b"hello",
        HEAD % b"5\r\nContent-Length: 5" + b"hello",
        HEAD % b"0000005" + b"hello",
        HEAD % b"\xb2" + b"he",
        HEAD % b"100000" + b"x" * 100_000,
        (HEAD % b"5").replace(b"X-One: 1", b"X-One: 2") + b"hello",
        (HEAD % b"5").replace(b"X-One: 1", b"X-One: 1\r\nTransfer-Encoding: chunked") + b"hello",
        (HEAD % b"5").replace(b"ours", b"hers") + b"hello",
        (HEAD % b"5").replace(b"POST", b"post") + b"hello",
        (HEAD % b"5")[:-2] + b"hello",
        (HEAD % b"5")[:30],
        b"\r\n" + HEAD % b"5" + b"hello",
        (HEAD % b"5" + b"hello") * 2,
        b"",
    ],
)
def test_everything_else_is_for_the_parser(packet: bytes) -> None:
    assert head().another(packet) is None


@pytest.mark.parametrize(
    ("packet", "headers"),
    [
        (HEAD % b"5" + b"hell", [HOST, (b"content-length", b"5")]),
        (HEAD % b"5" + b"hello!", [HOST, (b"content-length", b"5")]),
        (HEAD % b"5" + b"hello", [HOST, (b"content-length", b"4")]),
        (HEAD % b"5" + b"hello", [HOST]),
        (HEAD % b" \t5" + b"hello", [HOST, (b"content-length", b"5")]),
        (HEAD % b"5\r\nCONTENT-LENGTH: 5" + b"hello", [HOST, (b"content-length", b"5")]),
        (HEAD.replace(b"\r\n", b"\n") % b"5" + b"hello", [HOST, (b"content-length", b"5")]),
        (b"POST / HTTP/1.1\r\nHost: ours\r\n\r\n", [HOST]),
        (b"X-Much: %b\r\n" % (b"m" * 4096) + HEAD % b"5" + b"hello", [HOST, (b"content-length", b"5")]),
        (b"", []),
    ],
)
def test_what_is_not_plain_is_not_kept(packet: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    assert remember(packet, "files", headers) is None


# -- the front -----------------------------------------------------------------------------------------------


class Plane:
    """Stands for the data plane: what it was asked, in order."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[bytes, bytes], bytes]] = []

    async def serve(
        self, method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read
    ) -> None:
        if dict(headers).get(b"x-one") == b"early":  # answered before the body has come
            await wire.respond(403, (), b"")
            body = b""
        else:
            body = await read(1 << 20)
            await wire.respond(200, (), body)
        self.asked.append((method, server, dict(headers), body))


class Transport(asyncio.Transport):
    """A connection without a socket."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""
        self.closed = False

    def write(self, data: Any) -> None:
        self.said += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Connection:
    def __init__(self, plane: Plane, hosts: set[bytes]) -> None:
        self.transport = Transport()
        config = uvicorn.Config(
            nobody,
            loop="none",
            ws="none",
            lifespan="off",
            log_config=None,
            http=front(plane.serve, hosts.__contains__),
        )
        config.load()
        protocol: Any = config.http_protocol_class
        self.front: Any = protocol(config=config, server_state=ServerState(), app_state={})
        self.front.connection_made(self.transport)

    async def take(self, *packets: bytes) -> None:
        for packet in packets:
            if self.transport.closed:
                return
            self.front.data_received(packet)
            for _ in range(6):
                await asyncio.sleep(0)

    def close(self) -> None:
        self.front.connection_lost(None)


class Unasked:
    """A parser that must not be needed."""

    def feed_data(self, data: bytes) -> None:
        raise AssertionError(data)


async def nobody(scope: Any, receive: Any, send: Any) -> None:
    """The long way."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


def request(body: bytes, one: bytes = b"1", path: bytes = b"/s/files/mcp") -> bytes:
    lines = (b"POST %b HTTP/1.1" % path, b"Host: ours", b"X-One: " + one, b"Content-Length: %d" % len(body))
    return b"\r\n".join((*lines, b"", body))


async def test_the_same_head_again_is_read_without_the_parser() -> None:
    plane = Plane()
    connection = Connection(plane, {b"ours"})
    await connection.take(request(b"first"))
    connection.front.parser = Unasked()
    await connection.take(request(b"the second"), request(b""))
    assert [asked[3] for asked in plane.asked] == [b"first", b"the second", b""]
    assert [asked[2][b"content-length"] for asked in plane.asked] == [b"5", b"10", b"0"]
    assert connection.transport.said.count(b"HTTP/1.1 200 OK") == 3


async def test_a_connection_stays_small() -> None:
    """Above thirty attributes Python gives each instance a dictionary of its own; idle streams hold many."""
    connection = Connection(Plane(), {b"ours"})
    await connection.take(request(b"first"), request(b"second"))
    assert connection.front.seen is not None
    await connection.take(b"GET /s/files/mcp HTTP/1.1\r\nHost: ours\r\n\r\n")
    assert connection.front.seen is None  # whoever opens a stream does not call on it again
    assert len(vars(connection.front)) <= 30


async def test_a_host_that_is_no_longer_ours_is_judged_anew() -> None:
    plane, hosts = Plane(), {b"ours"}
    connection = Connection(plane, hosts)
    await connection.take(request(b"first"))
    hosts.clear()
    await connection.take(request(b"second"))
    connection.close()
    assert len(plane.asked) == 1
    assert b"HTTP/1.1 404" in connection.transport.said


async def test_the_rest_of_a_body_is_no_head() -> None:
    """What follows an answer that came early is still the body of its request, whatever it looks like."""
    plane = Plane()
    connection = Connection(plane, {b"ours"})
    hidden = request(b"hidden")
    whole = request(hidden, b"early")
    await connection.take(request(b"known"), whole[: -len(hidden)], hidden, request(b"next"))
    connection.close()
    assert [asked[3] for asked in plane.asked] == [b"known", b"", b"next"]


async def test_a_head_that_has_begun_goes_on() -> None:
    """Whatever its next packet looks like: between the two nobody knows but the parser."""
    plane = Plane()
    connection = Connection(plane, {b"ours"})
    await connection.take(request(b"known"), b"POST /s/files/mcp HTTP/1.1\r\nX-Two: ", request(b"hidden"))
    connection.close()
    assert [asked[3] for asked in plane.asked] == [b"known", b"hidden"]
    assert plane.asked[1][2][b"x-two"] == b"POST /s/files/mcp HTTP/1.1"


async def test_the_end_of_a_body_is_not_taken_for_part_of_a_head() -> None:
    plane = Plane()
    connection = Connection(plane, {b"ours"})
    first, second = request(b"first"), request(b"second")
    await connection.take(first[:-2], first[-2:] + second, b"st" + second)
    connection.close()
    assert [asked[3] for asked in plane.asked] == [b"first", b"second"]
    assert b"HTTP/1.1 400" in connection.transport.said


@pytest.mark.parametrize("seed", range(40))
async def test_packets_make_no_difference(seed: int) -> None:
    """The same requests, one packet each, cut anywhere, or all at once: the same is understood."""
    dice = random.Random(seed)
    bodies = (b"", b"hello", b"x" * 300, request(b"inner"), b"\r\n\r\n")
    stream = [
        request(
            dice.choice(bodies),
            dice.choice((b"1", b"1", b"1", b"2", b"early")),
            dice.choice((b"/s/files/mcp", b"/s/files/mcp", b"/mcp", b"/elsewhere")),
        )
        for _ in range(8)
    ]
    whole = b"".join(stream)
    cuts = sorted(dice.sample(range(1, len(whole)), 5))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    understood = []
    for packets in (stream, pieces, [bytes((byte,)) for byte in whole]):
        plane = Plane()
        connection = Connection(plane, {b"ours"})
        await connection.take(*packets)
        await connection.take(b"")
        connection.close()
        answers = re.findall(rb"HTTP/1\.1 ([0-9]{3})", connection.transport.said)
        understood.append((plane.asked, answers))
    assert understood[0] == understood[1] == understood[2]
    assert len(understood[0][1]) == 8
