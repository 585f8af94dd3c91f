"""Connections to a remote server, against real servers on loopback."""

from __future__ import annotations

import asyncio
import ipaddress
import traceback
from collections.abc import Sequence
from typing import Any

import pytest

from gatekit.errors import OutboundBroken, OutboundRefused, OutboundTooLarge, OutboundUnreachable
from gatekit.platform.addresses import Address
from gatekit.platform.channel import Channel
from gatekit.platform.clock import SystemClock
from gatekit.platform.outbound import Outbound
from tests.emulators.remote import EVENTS, Out, RemoteServer, Seen
from tests.emulators.serving import serving

CLOCK = SystemClock()


def channel(url: str, *allowed: str, **options: Any) -> Channel:
    return Channel(Outbound(CLOCK, allowed or ["127.0.0.1"], **options), CLOCK, url)


async def hello(seen: Seen, out: Out) -> None:
    await out.body(200, b"hello")


async def test_one_connection_carries_many_requests() -> None:
    server = RemoteServer(GET=hello)
    ports: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        ports.append(scope["client"][1])
        await server(scope, receive, send)

    async with serving(app) as origin:
        far = channel(f"{origin}/x")
        for _ in range(3):
            stream = await far.open("GET", {"X-Own": "1"})
            assert (stream.status, await stream.read(100)) == (200, b"hello")
            await stream.close()
        await far.close()
    assert len(set(ports)) == 1
    assert server.seen[0].headers["x-own"] == "1"
    assert server.seen[0].headers["host"] == origin.removeprefix("http://")
    assert server.seen[0].headers["accept-encoding"] == "identity"


async def test_a_name_is_resolved_once_in_a_while_and_judged_each_time() -> None:
    asked: list[str] = []

    async def names(host: str, port: int) -> Sequence[Address]:
        asked.append(host)
        return [ipaddress.ip_address("127.0.0.1")]

    async with serving(RemoteServer(GET=hello)) as origin:
        port = origin.rpartition(":")[2]
        far = channel(f"http://far.example:{port}/", "far.example", resolve=names)
        for _ in range(2):
            stream = await far.open("GET", {})
            await stream.close()
        assert asked == ["far.example"]
        await far.close()
        stranger = channel(f"https://far.example:{port}/", "other.example", resolve=names)
        with pytest.raises(OutboundRefused, match="not a public address"):
            await stranger.open("GET", {})


async def test_metadata_services_are_refused_even_if_named() -> None:
    far = channel("http://169.254.169.254/mcp", "169.254.169.254")
    with pytest.raises(OutboundRefused, match="metadata"):
        await far.open("POST", {}, b"{}")


async def test_nobody_there_is_told_from_a_connection_that_broke() -> None:
    far = channel("http://127.0.0.1:1/")
    with pytest.raises(OutboundUnreachable):
        await far.open("GET", {})

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server:
        far = channel(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(OutboundBroken):
            await far.open("GET", {})
        await far.close()


async def test_a_stream_is_read_piece_by_piece_and_bounded() -> None:
    proceed = asyncio.Event()

    async def streaming(seen: Seen, out: Out) -> None:
        await out.head(200, EVENTS)
        await out.write(b"one")
        await proceed.wait()
        await out.write(b"two")
        await out.end()

    async with serving(RemoteServer(GET=streaming)) as origin:
        far = channel(origin)
        stream = await far.open("GET", {})
        assert await stream.more() == b"one"
        proceed.set()
        assert await stream.more() == b"two"
        assert await stream.more() == b""
        await stream.close()
        stream = await far.open("GET", {})
        with pytest.raises(OutboundTooLarge):
            await stream.read(5)
        await stream.close()
        await far.close()


@pytest.mark.parametrize(
    ("reference", "path"),
    [
        ("/messages?session=1", "/messages?session=1"),
        ("messages", "/a/messages"),
        ("http://far.example:8000/x", "/x"),
        ("http://far.example/x", None),
        ("https://far.example:8000/x", None),
        ("//other.example:8000/x", None),
        ("http://user@far.example:8000/x", None),
        ("javascript:alert(1)", None),
        ("", "/a/sse"),
    ],
)
def test_what_lies_beside_a_url(reference: str, path: str | None) -> None:
    assert channel("http://far.example:8000/a/sse").beside(reference) == path


async def test_a_header_that_cannot_be_sent_is_not_quoted() -> None:
    async with serving(RemoteServer(GET=hello)) as origin:
        far = channel(f"{origin}/x")
        for value in ("Bearer gk_secret\n", "Bearer gk_secret\xe9"):
            with pytest.raises(OutboundBroken, match="a header that HTTP does not allow") as broken:
                await far.open("GET", {"authorization": value})
            assert "secret" not in "".join(traceback.format_exception(broken.value))
        await far.close()
