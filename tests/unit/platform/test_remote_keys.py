"""Keys that somebody else publishes: fetched once for everybody, not too often, not believed for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from joserfc.jwk import ECKey

from gatekit.errors import KeysUnavailable, OutboundRefused
from gatekit.platform.outbound import Answer
from gatekit.platform.remote_keys import (
    LONGEST,
    MAX_SETS,
    RETRY_PAUSE,
    SHORTEST,
    STALE,
    UNKNOWN_PAUSE,
    USUAL,
    RemoteKeys,
)
from tests.support.clock import ManualClock

URI = "https://idp.example/jwks"
PUBLIC = ECKey.generate_key("P-256").as_dict(private=False)


def published(*names: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    keys = [
        {**PUBLIC, "kid": name} if name else {k: v for k, v in PUBLIC.items() if k != "kid"} for name in names
    ]
    return Answer(status, headers or {}, json.dumps({"keys": keys}).encode())


class Server:
    """Answers what it is told; counts."""

    def __init__(self) -> None:
        self.answer: Answer | Exception = published("one")
        self.asked = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def fetch(self, method: str, url: str, **_: Any) -> Answer:
        self.asked += 1
        await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def remote(server: Server, clock: ManualClock) -> RemoteKeys:
    return RemoteKeys(server.fetch, clock)


async def names(remote: RemoteKeys, kid: str = "one") -> list[str]:
    return [key.kid for key in await remote.keys(URI, kid)]


async def test_fetched_once_and_believed_for_a_while(
    remote: RemoteKeys, server: Server, clock: ManualClock
) -> None:
    assert await names(remote) == ["one"]
    clock.at += USUAL - 1
    assert await names(remote) == ["one"]
    assert server.asked == 1
    clock.at += 2
    assert await names(remote) == ["one"]
    assert server.asked == 2


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ("max-age=0", SHORTEST),
        ("public, max-age=1800", 1800),
        ("max-age=99999999", LONGEST),
        ("no-store", USUAL),
    ],
)
async def test_what_the_server_says_counts_within_bounds(
    remote: RemoteKeys, server: Server, clock: ManualClock, said: str, believed: float
) -> None:
    server.answer = published("one", headers={"cache-control": said})
    await names(remote)
    clock.at += believed - 1
    await names(remote)
    assert server.asked == 1
    clock.at += 2
    await names(remote)
    assert server.asked == 2


async def test_a_new_key_is_found_at_once(remote: RemoteKeys, server: Server, clock: ManualClock) -> None:
    """T6: roll-over at the provider."""
    await names(remote)
    clock.at += UNKNOWN_PAUSE
    server.answer = published("two", "one")
    assert await names(remote, "two") == ["two"]
    assert server.asked == 2


async def test_a_flood_of_names_is_one_look(remote: RemoteKeys, server: Server, clock: ManualClock) -> None:
    """T6: an unknown kid triggers at most one look in 30 s."""
    await names(remote)
    for turn in range(50):
        assert await names(remote, f"made-up-{turn}") == []
    assert server.asked == 1
    clock.at += UNKNOWN_PAUSE
    await asyncio.gather(*(names(remote, f"made-up-{turn}") for turn in range(50)))
    assert server.asked == 2
    assert await names(remote) == ["one"]


async def test_everybody_waits_for_the_same_look(remote: RemoteKeys, server: Server) -> None:
    server.gate.clear()
    waiting = [asyncio.ensure_future(names(remote)) for _ in range(20)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    server.gate.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [["one"]] * 19
    assert server.asked == 1


async def test_keys_without_a_name_come_along(remote: RemoteKeys, server: Server) -> None:
    server.answer = published("one", "", "two")
    assert await names(remote, "one") == ["one", ""]
    assert await names(remote, "") == ["one", "", "two"]


BROKEN: dict[str, Answer | Exception] = {
    "refused": OutboundRefused("resolves to 10.0.0.1"),
    "status": published("one", status=500),
    "redirect": Answer(302, {"location": "http://169.254.169.254/"}, b""),
    "not JSON": Answer(200, {}, b"<html>"),
    "not UTF-8": Answer(200, {}, b"\xff"),
    "no set": Answer(200, {}, b"[]"),
    "deep": Answer(200, {}, b"[" * 100_000),
}


@pytest.mark.parametrize("kind", sorted(BROKEN))
async def test_out_of_order_from_the_start(
    remote: RemoteKeys, server: Server, clock: ManualClock, kind: str
) -> None:
    server.answer = BROKEN[kind]
    for _ in range(10):
        with pytest.raises(KeysUnavailable) as failed:
            await names(remote)
    assert failed.value.status == 503
    assert failed.value.detail
    assert server.asked == 1
    clock.at += RETRY_PAUSE
    server.answer = published("one")
    assert await names(remote) == ["one"]


async def test_out_of_order_for_a_while(remote: RemoteKeys, server: Server, clock: ManualClock) -> None:
    await names(remote)
    server.answer = OutboundRefused("cannot connect")
    clock.at += USUAL + 1
    assert await names(remote) == ["one"]
    clock.at += STALE - 2
    assert await names(remote) == ["one"]
    clock.at += 2
    with pytest.raises(KeysUnavailable, match="cannot connect"):
        await names(remote)


async def test_a_withdrawn_key_ends(remote: RemoteKeys, server: Server, clock: ManualClock) -> None:
    await names(remote)
    server.answer = published("two")
    clock.at += USUAL + 1
    assert await names(remote) == []


async def test_the_number_of_sets_is_bounded(remote: RemoteKeys, server: Server) -> None:
    for number in range(MAX_SETS + 1):
        await remote.keys(f"https://client-{number}.example/jwks")
    await remote.keys("https://client-1.example/jwks")
    assert server.asked == MAX_SETS + 1
    await remote.keys("https://client-0.example/jwks")
    assert server.asked == MAX_SETS + 2
