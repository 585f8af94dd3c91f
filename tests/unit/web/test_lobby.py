"""The lobby: one at a time, the places in turns; refusals leave one by one; and over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import uvicorn

from gatekit.gateway.ports import Headers, Wire
from gatekit.web.front import Read, front
from gatekit.web.lobby import MAX_WAITING, MAX_WAITING_OF_ONE, Departures, Lobby, TurnedAway, Turnstile

REGISTER = b"POST /register HTTP/1.1\r\nHost: ours\r\nContent-Length: 2\r\n\r\n{}"


class Started(list[str]):
    """Who was started, and in which turn of the event loop."""

    def __init__(self, turnstile: Turnstile) -> None:
        self.turnstile = turnstile

    def enter(self, place: str, name: str) -> bool:
        return self.turnstile.enter(place, partial(self.append, name))


async def test_one_a_turn_and_the_places_in_turns() -> None:
    started = Started(Turnstile())
    for number in range(3):
        assert started.enter("many", f"many{number}")
    assert started.enter("one", "one")
    assert started == ["many0"]  # nothing was there, so it need not wait
    seen = []
    while len(started) < 4:
        await asyncio.sleep(0)
        seen.append(len(started))
    assert started == ["many0", "many1", "one", "many2"]
    assert seen == [2, 3, 4]  # one in each turn


async def test_whoever_comes_in_another_turn_need_not_wait() -> None:
    started = Started(Turnstile())
    for name in "abc":
        started.enter("place", name)
        assert started[-1] == name
        await asyncio.sleep(0)


async def test_how_many_wait_is_bounded_for_each_and_for_all() -> None:
    started = Started(Turnstile())
    greedy = [started.enter("greedy", "g") for _ in range(MAX_WAITING_OF_ONE + 5)]
    assert greedy == [True] * (MAX_WAITING_OF_ONE + 1) + [False] * 4
    assert started.enter("modest", "m")
    others = [started.enter(f"place{number}", "o") for number in range(MAX_WAITING)]
    assert others.count(True) == MAX_WAITING - MAX_WAITING_OF_ONE - 1
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "m" in started  # and waits for one of the other
    assert started.enter("late", "l")


async def test_refusals_leave_one_by_one() -> None:
    departures = Departures(least=1.0, apart=0.5, most=2.6)
    waits = [departures.seconds() for _ in range(5)]
    assert [wait is None for wait in waits] == [False, False, False, False, True]
    first, *more = [wait for wait in waits if wait is not None]
    assert first == 1.0
    assert [round(wait - first, 1) for wait in more] == [0.5, 1.0, 1.5]


# -- over a socket ----------------------------------------------------------------------------------------


async def serve(
    method: str,
    server: str,
    headers: Headers,
    peer: str,
    wire: Wire,
    read: Read,
) -> None:
    await wire.respond(200, (), b"a call")


class Running:
    """A server whose control plane counts what comes in."""

    def __init__(self) -> None:
        self.entered: list[str] = []
        self.released = asyncio.Event()
        self.released.set()
        self.port = 0

    async def application(self, scope: Any, _receive: Any, send: Any) -> None:
        self.entered.append(scope["path"])
        await self.released.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"in"})

    @asynccontextmanager
    async def up(self, lobby: Lobby) -> AsyncIterator[Running]:
        config = uvicorn.Config(
            self.application,
            port=0,
            http=front(serve, lambda host: host == b"ours", lobby),
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
        self.port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self.released.set()
            server.should_exit = server.force_exit = True
            await task

    async def ask(self, request: bytes) -> tuple[int, Mapping[str, str], bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(request)
            return await answer(reader)
        finally:
            writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip()
    status, *lines = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def lobby_of(judge: TurnedAway, **options: Any) -> Lobby:
    options.setdefault("departures", Departures(0.01, 0.0, 1.0))
    return Lobby(turned_away={b"/register": judge}, **options)


async def test_who_has_to_wait_is_told_before_anybody_looks() -> None:
    asked: list[str] = []

    def judge(place: str) -> int:
        asked.append(place)
        return 7

    async with Running().up(lobby_of(judge)) as running:
        status, headers, body = await running.ask(REGISTER)
    assert (status, headers["retry-after"], headers["content-type"]) == (429, "7", "application/json")
    assert json.loads(body)["error"] == "temporarily_unavailable"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers
    assert "connection" not in headers
    assert asked == ["127.0.0.1"]
    assert running.entered == []


@pytest.mark.parametrize(("origin", "expected"), [("https://page.example", "*"), ("null", None)])
async def test_a_page_may_read_that_it_has_to_wait(origin: str, expected: str | None) -> None:
    async with Running().up(lobby_of(lambda _: 7)) as running:
        request = REGISTER.replace(b"\r\n\r\n", f"\r\nOrigin: {origin}\r\n\r\n".encode())
        _, headers, _ = await running.ask(request)
    assert headers.get("access-control-allow-origin") == expected
    assert ("access-control-expose-headers" in headers) == (expected is not None)


@pytest.mark.parametrize(
    "request_",
    [
        REGISTER.replace(b"POST", b"GET"),
        REGISTER.replace(b"/register", b"/token"),
        REGISTER.replace(b"/register", b"/register/"),
        REGISTER.replace(b"/register", b"/register?x"),
        REGISTER.replace(b"Host: ours", b"Host: theirs"),
        REGISTER.replace(b"Host: ours", b"Host: ours\r\nHost: ours"),
        REGISTER.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_everything_else_goes_in(request_: bytes) -> None:
    async with Running().up(lobby_of(lambda _: 7)) as running:
        status, _, body = await running.ask(request_)
    assert (status, body, len(running.entered)) == (200, b"in", 1)


async def test_who_need_not_wait_goes_in() -> None:
    async with Running().up(lobby_of(lambda _: 0)) as running:
        assert (await running.ask(REGISTER))[0] == 200
    assert running.entered == ["/register"]


async def test_the_address_is_what_a_trusted_proxy_says() -> None:
    asked: list[str] = []

    def judge(place: str) -> int:
        asked.append(place)
        return 1

    def client(peer: str, headers: Headers) -> str:
        assert peer == "127.0.0.1"
        return dict(headers)[b"x-forwarded-for"].decode()

    async with Running().up(lobby_of(judge, client=client)) as running:
        forwarded = b"Host: ours\r\nX-Forwarded-For: 2001:db8:0:1::9"
        await running.ask(REGISTER.replace(b"Host: ours", forwarded))
    assert asked == ["2001:0db8:0000:0001"]


async def test_the_connection_goes_on_after_a_refusal() -> None:
    waits = iter([3, 0])
    async with Running().up(lobby_of(lambda _: next(waits))) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(REGISTER + REGISTER)  # pipelined
        answers = [(await answer(reader))[0] for _ in range(2)]
        writer.close()
    assert answers == [429, 200]


async def test_a_body_without_end_is_not_read_to_be_refused() -> None:
    async with Running().up(lobby_of(lambda _: 7)) as running:
        large = REGISTER.replace(b"Content-Length: 2", b"Content-Length: 1000000") + b"x" * 100_000
        status, headers, _ = await running.ask(large)
    assert (status, headers["connection"]) == (429, "close")


async def test_when_too_many_wait_for_their_refusal_it_comes_at_once_and_ends_the_connection() -> None:
    async with Running().up(lobby_of(lambda _: 7, departures=Departures(60, 1, 59))) as running:
        status, headers, _ = await asyncio.wait_for(running.ask(REGISTER), 30)
    assert (status, headers["retry-after"], headers["connection"]) == (429, "7", "close")


async def test_calls_do_not_wait_for_the_lobby_and_the_lobby_is_bounded() -> None:
    """Strangers that come all at once: those for whom there is no room are told so; calls are not asked."""
    lobby = Lobby()
    async with Running().up(lobby) as running:
        lobby.turnstile.enter = lambda *_: False  # type: ignore[method-assign]
        status, headers, _ = await running.ask(REGISTER)
        assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
        assert (await running.ask(REGISTER.replace(b"/register", b"/mcp")))[2] == b"a call"
    assert running.entered == []


class Held(Turnstile):
    """Lets nobody in until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.starts: list[Any] = []

    def enter(self, place: str, start: Callable[[], None]) -> bool:
        self.starts.append(start)
        return True


async def test_who_left_while_waiting_is_not_let_in() -> None:
    lobby = Lobby()
    lobby.turnstile = held = Held()
    async with Running().up(lobby) as running:
        _, leaves = await asyncio.open_connection("127.0.0.1", running.port)
        leaves.write(REGISTER)
        while not held.starts:
            await asyncio.sleep(0.005)
        reader, stays = await asyncio.open_connection("127.0.0.1", running.port)
        stays.write(REGISTER)
        leaves.transport.abort()
        while len(held.starts) < 2 or not held.starts[0].args[0].disconnected:
            await asyncio.sleep(0.005)
        for start in held.starts:
            start()
        assert (await answer(reader))[0] == 200
        stays.close()
    assert running.entered == ["/register"]
