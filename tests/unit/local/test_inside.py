"""The channel into the data plane: real doors, real children, no network."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.gateway.ports import Headers, Wire
from gatekit.local.channel import Outgoing, messages
from gatekit.local.inside import InsideChannel, MemoryWire
from gatekit.local.person import LocalDoor, os_person
from gatekit.local.pump import Pump
from gatekit.model.rules import Rules, ServerRules
from gatekit.model.server import Server
from tests.unit.gateway.rig import STATELESS_META, Rig, child

HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    servers = [
        Server(name="echo", command=child("echo.py")),
        Server(name="modern", command=child("modern.py")),
    ]
    rules = Rules(servers=tuple(ServerRules(server=each.name) for each in servers), auth_enabled=False)
    made = Rig(tmp_path, servers, rules)
    door = LocalDoor(os_person(7, "ada"), "")
    made.door.cached = door.cached  # type: ignore[method-assign]
    yield made
    await made.close()


def request(method: str, params: dict[str, Any], request_id: int = 1) -> Outgoing:
    message = {
        "jsonrpc": "2.0",
        "id": request_id,
        "method": method,
        "params": {"_meta": STATELESS_META, **params},
    }
    return Outgoing("POST", HEADERS, json.dumps(message).encode())


async def test_a_stateless_request_needs_no_headers_here_and_is_recorded(rig: Rig) -> None:
    channel = InsideChannel(rig.gateway.endpoint.serve, "echo")
    async with channel.open(request("tools/list", {})) as incoming:
        (event,) = [event async for event in messages(incoming)]
    assert json.loads(event.data)["result"]["tools"]
    (record,) = rig.records()
    assert (record["principal"], record["address"], record["client_era"]) == ("ada", "stdio", "2026-07-28")


async def test_over_http_the_headers_are_still_required(rig: Rig) -> None:
    answer = await rig.rpc("/s/echo/mcp", "tools/list", {"_meta": STATELESS_META})
    assert answer.status == 400
    assert answer.json["error"]["code"] == -32020


async def test_a_body_that_is_too_large_is_refused(rig: Rig) -> None:
    channel = InsideChannel(rig.gateway.endpoint.serve, "echo")
    async with channel.open(request("tools/list", {"x": "y" * (1 << 20)})) as incoming:
        assert incoming.status == 413


async def test_hanging_up_ends_the_call_and_records_it(rig: Rig) -> None:
    channel = InsideChannel(rig.gateway.endpoint.serve, "modern")
    working = asyncio.ensure_future(_never(channel, request("tools/call", {"name": "slow", "arguments": {}})))
    async with asyncio.timeout(10):
        while not rig.pool.stats()["pending"]:
            await asyncio.sleep(0.01)
    working.cancel()
    await asyncio.wait({working})
    await channel.aclose()
    assert [record["outcome"] for record in rig.records()] == ["cancelled"]


async def _never(channel: InsideChannel, outgoing: Outgoing) -> None:
    async with channel.open(outgoing):
        raise AssertionError("it answered")


async def test_a_pump_over_the_real_doors(rig: Rig) -> None:
    said: asyncio.Queue[bytes] = asyncio.Queue()
    pump = Pump(InsideChannel(rig.gateway.endpoint.serve, ""), said.put)

    async def lines() -> Any:
        opening = {
            "protocolVersion": "2025-03-26",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        for message in (
            {"id": 0, "method": "initialize", "params": opening},
            {"method": "notifications/initialized"},
            {"id": 1, "method": "tools/list"},
        ):
            yield json.dumps({"jsonrpc": "2.0", **message}).encode()
        yield json.dumps([{"jsonrpc": "2.0", "id": n, "method": "ping"} for n in (2, 3)]).encode()

    await pump.run(lines())
    answers = [json.loads(said.get_nowait()) for _ in range(said.qsize())]
    flat = {
        each["id"]: each for answer in answers for each in (answer if isinstance(answer, list) else [answer])
    }
    assert set(flat) == {0, 1, 2, 3}
    assert {tool["name"] for tool in flat[1]["result"]["tools"]} > {"echo__echo"}
    assert flat[2] == {"jsonrpc": "2.0", "id": 2, "result": {}}
    await pump.close()
    assert not len(rig.gateway.sessions), "the session ended with the pump"


# -- the wire ------------------------------------------------------------------------------------------------


async def test_a_writer_waits_for_its_reader() -> None:
    wire = MemoryWire()
    await wire.start(200, ((b"content-type", b"text/event-stream"),))
    first = asyncio.ensure_future(wire.write(b"one", more=True))
    await asyncio.sleep(0.01)
    assert not first.done()
    chunks = wire.chunks()
    assert await anext(chunks) == b"one"
    await asyncio.wait_for(first, 1)
    last = asyncio.ensure_future(wire.write(b"", more=False))
    assert [chunk async for chunk in chunks] == []
    await last


async def test_a_reader_who_left_holds_nobody_up() -> None:
    wire = MemoryWire()
    await wire.start(200, ())
    stuck = asyncio.ensure_future(wire.write(b"one", more=True))
    await asyncio.sleep(0)
    await wire.leave()
    await asyncio.wait_for(stuck, 1)
    await asyncio.wait_for(wire.gone(), 1)
    await asyncio.wait_for(wire.write(b"two", more=True), 1)


async def test_a_door_that_falls_still_gives_an_answer() -> None:
    async def serve(
        method: str, server: str, headers: Headers, peer: str, wire: Wire, read: Any, *, mirrored: bool
    ) -> None:
        return None

    async with InsideChannel(serve, "").open(Outgoing("POST", HEADERS, b"{}")) as incoming:
        assert incoming.status == 500
