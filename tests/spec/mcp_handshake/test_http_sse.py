"""MCP 2024-11-05, Transports: "HTTP with SSE"."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.unit.gateway.rig import Answer, Rig

SSE = "/s/talker/sse"
OPENING = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


async def connect(rig: Rig, path: str = SSE, token: str = "alice") -> tuple[Answer, str]:
    """The event stream, and where to POST."""
    stream = rig.start(path, method="GET", token=token, accept="text/event-stream")
    await stream.until("\n\n")
    first = stream.body.decode().split("\n\n")[0].split("\n")
    assert first[0] == "event: endpoint"
    return stream, first[1].removeprefix("data: ")


def body(method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}
    if request_id is None:
        del message["id"]
    return message


async def post(rig: Rig, address: str, message: Any, **options: Any) -> Answer:
    return await rig.http(address, json.dumps(message).encode(), **options)


def said(stream: Answer) -> list[Any]:
    """The messages; the ``endpoint`` event is none."""
    events = stream.body.decode().split("\n\n")[1:]
    return [json.loads(event[6:]) for event in events if event.startswith("data: ")]


async def until(stream: Answer, count: int) -> list[Any]:
    async with asyncio.timeout(10):
        while len(said(stream)) < count:
            await asyncio.sleep(0.01)
    return said(stream)


async def opened(rig: Rig, **options: Any) -> tuple[Answer, str]:
    stream, address = await connect(rig)
    opening = {**OPENING, **options}
    answer = await post(rig, address, body("initialize", opening))
    assert (answer.status, answer.body) == (202, b"")
    assert (await until(stream, 1))[0]["result"]["serverInfo"]["name"] == "talker"
    return stream, address


async def test_the_first_event_must_name_where_to_post(rig: Rig) -> None:
    """ "the server MUST send an endpoint event containing a URI"."""
    stream, address = await connect(rig)
    assert stream.headers["content-type"] == "text/event-stream"
    assert address.startswith("/s/talker/sse?session=")
    stream.disconnect()
    await stream.end()


async def test_every_answer_comes_as_a_message_event(rig: Rig) -> None:
    stream, address = await opened(rig)
    assert (await post(rig, address, body("notifications/initialized", None, None))).status == 202
    await post(rig, address, body("ping", None, "two"))
    call = {"name": "progress", "_meta": {"progressToken": "p"}}
    await post(rig, address, body("tools/call", call, 3))
    messages = await until(stream, 6)
    assert messages[1] == {"jsonrpc": "2.0", "id": "two", "result": {}}
    assert [m["params"]["progress"] for m in messages[2:5]] == [1, 2, 3]
    assert messages[5]["result"]["content"][0]["text"] == "done"
    assert "id:" not in stream.body.decode()
    stream.disconnect()
    await stream.end()


async def test_a_server_asks_on_the_stream_and_is_answered_by_a_post(rig: Rig) -> None:
    stream, address = await opened(rig, capabilities={"elicitation": {}}, protocolVersion="2025-06-18")
    running = asyncio.ensure_future(post(rig, address, body("tools/call", {"name": "ask"}, 2)))
    question = (await until(stream, 2))[1]
    assert question["method"] == "elicitation/create"
    reply = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
    assert (await post(rig, address, reply)).status == 202
    assert "decline" in (await until(stream, 3))[2]["result"]["content"][0]["text"]
    assert (await running).status == 202
    stream.disconnect()
    await stream.end()


async def test_list_changes_come_on_the_stream(rig: Rig) -> None:
    stream, address = await opened(rig)
    await post(rig, address, body("tools/call", {"name": "grow"}, 2))
    await stream.until("notifications/tools/list_changed")
    stream.disconnect()
    await stream.end()


async def test_batches_must_be_received(rig: Rig) -> None:
    stream, address = await opened(rig)
    batch = [body("ping", None, 7), body("tools/call", {"name": "hidden"}, 8), body("x/y", None, None)]
    assert (await post(rig, address, batch)).status == 202
    messages = {m["id"]: m for m in (await until(stream, 3))[1:]}
    assert messages[7]["result"] == {}
    assert messages[8]["error"]["code"] == -32602
    stream.disconnect()
    await stream.end()


async def test_the_session_ends_with_its_stream(rig: Rig) -> None:
    stream, address = await opened(rig)
    slow = asyncio.ensure_future(post(rig, address, body("tools/call", {"name": "slow"}, 2)))
    async with asyncio.timeout(5):
        while not any(session.calls for session in rig.gateway.sessions):
            await asyncio.sleep(0.01)
    stream.disconnect()
    await stream.end()
    assert (await slow).status == 202
    assert len(rig.gateway.sessions) == 0
    assert (await post(rig, address, body("ping"))).status == 404
    assert next(r for r in rig.records() if r.get("name") == "slow")["outcome"] == "cancelled"


async def test_a_foreign_origin_must_be_refused_on_both(rig: Rig) -> None:
    """I3: A foreign origin must be refused on both."""
    stream, address = await opened(rig)
    evil = "https://evil.example"
    assert (await rig.http(SSE, method="GET", origin=evil)).status == 403
    assert (await post(rig, address, body("ping"), origin=evil)).status == 403
    stream.disconnect()
    await stream.end()


async def test_the_token_is_asked_for_on_both_and_the_challenge_names_this_url(rig: Rig) -> None:
    stream, address = await opened(rig)
    for answer in (
        await rig.http(SSE, method="GET", token=None),
        await post(rig, address, body("ping"), token=None),
        await post(rig, address, body("ping"), token="no such"),
    ):
        assert answer.status == 401
        assert 'resource_metadata="x/talker/sse"' in answer.headers["www-authenticate"]
    stream.disconnect()
    await stream.end()


@pytest.mark.parametrize("token", ["bob", "alice2"])
async def test_the_address_is_worth_nothing_to_others(rig: Rig, token: str) -> None:
    """I5: The address is worth nothing to others."""
    stream, address = await opened(rig)
    assert (await post(rig, address, body("ping"), token=token)).status == 404
    other = address.replace("/s/talker/", "/s/private/")
    assert (await post(rig, other, body("ping"))).status == 404
    assert len(said(stream)) == 1
    stream.disconnect()
    await stream.end()


async def test_who_may_not_use_the_server_gets_no_stream(rig: Rig) -> None:
    assert (await rig.http("/s/private/sse", method="GET", token="bob")).status == 403
    answer = await rig.http("/s/common/sse", method="GET", token="talker-only")
    assert answer.status == 401


async def test_a_post_without_a_stream_is_405_so_that_clients_go_on_trying(rig: Rig) -> None:
    """Backwards compatibility: a client that POSTs initialize here first must get a 4xx."""
    assert (await post(rig, SSE, body("initialize", OPENING))).status == 405
    assert (await rig.http(SSE, method="DELETE")).status == 405


async def test_initialize_must_come_first_and_once(rig: Rig) -> None:
    stream, address = await connect(rig)
    refused = await post(rig, address, body("tools/list"))
    assert (refused.status, refused.json["error"]["code"]) == (400, -32600)
    await post(rig, address, body("initialize", OPENING))
    await post(rig, address, body("initialize", OPENING, 2))
    messages = await until(stream, 2)
    assert "error" in messages[1]
    stream.disconnect()
    await stream.end()


async def test_the_aggregate_endpoint_has_one_as_well(rig: Rig) -> None:
    stream, address = await connect(rig, "/sse")
    assert address.startswith("/sse?session=")
    await post(rig, address, body("initialize", OPENING))
    await post(rig, address, body("tools/list", None, 2))
    messages = await until(stream, 2)
    assert any(tool["name"].startswith("talker__") for tool in messages[1]["result"]["tools"])
    stream.disconnect()
    await stream.end()


async def test_a_drain_ends_it_after_its_calls(rig: Rig) -> None:
    stream, address = await opened(rig)
    nap = {"name": "nap", "arguments": {"seconds": 0.6}}
    running = asyncio.ensure_future(post(rig, address, body("tools/call", nap, 2)))
    async with asyncio.timeout(5):
        while not any(session.calls for session in rig.gateway.sessions):
            await asyncio.sleep(0.01)
    await rig.gateway.drain(5)
    await stream.end(5)
    await running
    assert said(stream)[1]["result"]["content"][0]["text"] == "rested"
    assert stream.body.decode().endswith("retry: 2000\n\n")


async def test_an_access_that_ends_closes_the_stream(rig: Rig) -> None:
    stream, _ = await opened(rig)
    idle, _ = await connect(rig)
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    await asyncio.gather(stream.end(5), idle.end(5))
