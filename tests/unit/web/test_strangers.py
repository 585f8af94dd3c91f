"""Connections of strangers are bounded; what is in use, and whoever is known, is left in peace."""

from __future__ import annotations

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn

from gatekit.gateway.ports import Headers, Wire
from gatekit.web.front import Read, front
from gatekit.web.strangers import MOST, SHARE, Strangers, ask_for_descriptors, descriptors, room_for

ONE = "203.0.113.1"


class Connection:
    def __init__(self, idle: bool = True) -> None:
        self.idle = idle
        self.closed = False

    def let_go(self) -> None:
        self.closed = True


def came(strangers: Strangers, number: int, peer: str = ONE, idle: bool = True) -> list[Connection]:
    found = [Connection(idle) for _ in range(number)]
    assert all([strangers.came(one, peer) for one in found])
    return found


def test_the_oldest_of_a_place_makes_room() -> None:
    strangers = Strangers(40)
    first = came(strangers, 10)
    came(strangers, 2)
    assert [one.closed for one in first] == [True, True] + [False] * 8
    assert len(strangers) == 40 // SHARE
    assert not came(strangers, 1, "203.0.113.2")[0].closed
    assert [one.closed for one in first].count(True) == 2, "another place has its own"


def test_what_is_under_way_is_not_closed() -> None:
    strangers = Strangers(40)
    busy = came(strangers, 10, idle=False)
    assert not strangers.came(Connection(), ONE)
    busy[9].idle = True
    assert strangers.came(Connection(), ONE), "found, wherever it is in the row"
    assert [one.closed for one in busy] == [False] * 9 + [True]


def test_all_together_are_bounded_and_a_network_is_one_place() -> None:
    strangers = Strangers(40)
    first = came(strangers, 1, "198.51.100.1")
    for number in range(45):
        came(strangers, 1, f"203.0.113.{number}")
    assert len(strangers) == 40
    assert first[0].closed
    strangers = Strangers(40)
    for number in range(20):
        came(strangers, 1, f"2001:db8:0:1::{number:x}")
    assert len(strangers) == 10


def test_proxies_of_the_operator_and_who_is_known_do_not_count() -> None:
    strangers = Strangers(40, lambda peer: peer == ONE)
    came(strangers, 100)
    assert len(strangers) == 0
    known = came(strangers, 10, "203.0.113.2")
    for one in known:
        strangers.gone(one)
        strangers.gone(one)
    came(strangers, 20, "203.0.113.2")
    assert not any(one.closed for one in known)
    assert not strangers._places.keys() - {"203.0.113.2"}, "nothing is kept of places where nobody is"


def test_how_many_follows_from_what_the_system_gives() -> None:
    assert [room_for(1024), room_for(20_000), room_for(1 << 20)] == [256, 5000, MOST]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
        assert descriptors() == 512
        ask_for_descriptors()
        assert descriptors() > 512
        asked = descriptors()
        ask_for_descriptors()
        assert descriptors() == asked
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# -- over a socket ----------------------------------------------------------------------------------------


async def serve(method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Read) -> None:
    del method, server, peer
    known = any(name == b"authorization" for name, _ in headers)
    await read(1000)
    await wire.respond(200 if known else 401, (), b"hello")


@asynccontextmanager
async def running(strangers: Strangers) -> AsyncIterator[int]:
    async def application(scope: object, receive: Callable[[], Awaitable[object]], send: object) -> None:
        del scope, send
        for _ in range(2):  # a part of a body, and that no more of it comes
            await receive()

    config = uvicorn.Config(
        application,
        port=0,
        http=front(serve, lambda host: host == b"ours", None, strangers),
        loop="none",
        interface="asgi3",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    server = uvicorn.Server(config)
    task = asyncio.ensure_future(server._serve())
    while not server.started:
        await asyncio.sleep(0.005)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        await task


async def ask(port: int, more: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /mcp HTTP/1.1\r\nHost: ours\r\n" + more + b"Content-Length: 0\r\n\r\n")
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 ")
    return reader, writer


async def test_a_call_that_is_answered_makes_a_connection_known() -> None:
    """Strangers that come in any number close each other's connections, and nobody else's."""
    strangers = Strangers(4 * SHARE)
    async with running(strangers) as port:
        stays, here = await ask(port, b"Authorization: Bearer x\r\n")
        refused, other = await ask(port)
        assert len(strangers) == 1
        writers = [(await ask(port))[1] for _ in range(8)]
        assert await asyncio.wait_for(refused.read(), 30) == b"", "the oldest made room"
        assert len(strangers) == 4
        here.write(
            b"POST /mcp HTTP/1.1\r\nHost: ours\r\nAuthorization: Bearer x\r\nContent-Length: 0\r\n\r\n"
        )
        assert (await stays.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        for writer in (here, other, *writers):
            writer.close()
        async with asyncio.timeout(30):
            while len(strangers):
                await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"POST /mcp HTTP/1.1\r\nHo",
        b"POST /mcp HTTP/1.1\r\nHost: ours\r\nContent-Length: 100\r\n\r\n{",
        b"POST /token HTTP/1.1\r\nHost: ours\r\nContent-Length: 100\r\n\r\n{",
    ],
)
async def test_who_only_drips_makes_room(part: bytes) -> None:
    """K1: Connections that say nothing, or something by the drop, keep nobody out."""
    strangers = Strangers(2 * SHARE)
    async with running(strangers) as port:
        dripping = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        for _, writer in dripping:
            writer.write(part)
        while len(strangers) < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(
            0.05
        )  # what was written may arrive or not: either way they have nothing under way
        mine, here = await ask(port)
        also, there = await ask(port)
        for reader, _ in dripping:
            with contextlib.suppress(ConnectionError):
                assert await asyncio.wait_for(reader.read(), 30) == b""
        del mine, also
        for writer in (here, there, *(writer for _, writer in dripping)):
            writer.close()


async def test_where_nothing_can_be_closed_the_new_one_is() -> None:
    strangers = Strangers(SHARE)
    busy = Connection(idle=False)
    async with running(strangers) as port:
        assert strangers.came(busy, "127.0.0.1")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()
        strangers.gone(busy)
        (await ask(port))[1].close()
