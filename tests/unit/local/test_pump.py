"""The pump over a channel that the test answers by hand: both eras, faults, and who gets an answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekit.errors import ChannelError
from gatekit.local import conversation
from tests.unit.local.scripted import Far, Near, initialized, shake_hands


@pytest.fixture
async def far() -> Far:
    return Far()


@pytest.fixture
async def near(far: Far) -> AsyncIterator[Near]:
    made = Near(far)
    yield made
    made.running.cancel()
    for task in list(made.pump._tasks):
        task.cancel()
    if made.pump._conversation._stream is not None:
        made.pump._conversation._stream.cancel()


def result(request_id: Any, **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": members}


# -- the stateless era ---------------------------------------------------------------------------------------


async def test_a_stateless_request_is_mirrored_in_headers(near: Near, far: Far) -> None:
    near.ask(1, "tools/call", {"name": "größe", "arguments": {}}, stateless=True)
    request = await far.next("tools/call")
    headers = request.outgoing.headers
    assert headers["mcp-protocol-version"] == "2026-07-28"
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-name"] == "=?base64?Z3LDtsOfZQ==?="
    assert headers["accept"] == "application/json, text/event-stream"
    assert "mcp-session-id" not in headers
    request.json({**result(1, vendor={"unknown": 2**64}), "extra": True})
    assert await near.read() == {**result(1, vendor={"unknown": 2**64}), "extra": True}


async def test_notifications_of_a_stream_come_before_its_answer(near: Near, far: Far) -> None:
    near.ask("a", "tools/call", {"name": "t"}, stateless=True)
    request = await far.next()
    request.stream()
    note = {"jsonrpc": "2.0", "method": "notifications/vendor", "params": {"x": [1]}}
    request.event(note)
    assert await near.read() == note
    request.event(result("a"))
    request.end()
    assert await near.read() == result("a")


async def test_cancelling_a_stateless_request_hangs_up_and_nothing_is_answered(near: Near, far: Far) -> None:
    near.ask(1, "tools/call", {"name": "t"}, stateless=True)
    request = await far.next()
    near.send(method="notifications/cancelled", params={"requestId": 1})
    await asyncio.wait_for(request.hung_up.wait(), 5)
    near.ask(2, "tools/list", stateless=True)
    (await far.next("tools/list")).json(result(2, tools=[]))
    assert (await near.read())["id"] == 2


async def test_arguments_are_mirrored_as_the_tools_ask_once_they_are_known(near: Near, far: Far) -> None:
    """-32020: the list is fetched anew, and the call made again (MCP 2026-07-28: SHOULD)."""
    near.ask(1, "tools/call", {"name": "t", "arguments": {"region": "eu"}}, stateless=True)
    first = await far.next("tools/call")
    assert "mcp-param-region" not in first.outgoing.headers
    first.json({"jsonrpc": "2.0", "id": 1, "error": {"code": -32020, "message": "missing"}}, status=400)
    for cursor in (None, "more"):
        listed = await far.next("tools/list")
        assert listed.message["params"].get("cursor") == cursor
        schema = {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}}
        page = (
            {"tools": [{"name": "t", "inputSchema": schema}]}
            if cursor
            else {"tools": [], "nextCursor": "more"}
        )
        listed.json(result(listed.message["id"], **page))
    again = await far.next("tools/call")
    assert again.outgoing.headers["mcp-param-region"] == "eu"
    again.json(result(1, content=[]))
    assert await near.read() == result(1, content=[])
    assert near.silent


async def test_a_list_that_passes_by_teaches_the_headers(near: Near, far: Far) -> None:
    near.ask(1, "tools/list", stateless=True)
    schema = {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}
    (await far.next()).json(result(1, tools=[{"name": "t", "inputSchema": schema}]))
    await near.read()
    near.ask(2, "tools/call", {"name": "t", "arguments": {"n": 7}}, stateless=True)
    assert (await far.next()).outgoing.headers["mcp-param-n"] == "7"


@pytest.mark.parametrize(
    ("method", "times"), [("tools/call", 1), ("tools/list", 2), ("subscriptions/listen", 1), ("vendor/do", 1)]
)
async def test_only_what_may_be_repeated_is_repeated(near: Near, far: Far, method: str, times: int) -> None:
    near.ask(1, method, {"name": "t"}, stateless=True)
    for _ in range(times):
        request = await far.next(method)
        request.stream()
        request.lose()
    answer = await near.read()
    assert answer["id"] == 1
    assert "whether the request was carried out is not known" in answer["error"]["message"]
    assert far.quiet


# -- the handshake era ---------------------------------------------------------------------------------------


async def test_a_session_carries_its_id_and_revision(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    near.ask(1, "tools/list")
    request = await far.next("tools/list")
    assert request.outgoing.headers["mcp-session-id"] == "s1"
    assert request.outgoing.headers["mcp-protocol-version"] == "2025-11-25"
    request.json(result(1, tools=[]))
    assert await near.read() == result(1, tools=[])


async def test_what_is_piped_in_at_once_is_taken_in_order(near: Near, far: Far) -> None:
    near.ask(0, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}})
    near.send(method="notifications/initialized")
    near.ask(1, "tools/list")
    opening = await far.next("initialize")
    assert far.quiet
    initialized(opening)
    (await far.next("notifications/initialized")).raw(202, {})
    assert {(await far.next()).method, (await far.next()).method} == {"", "tools/list"}


async def test_before_the_handshake_only_ping_is_answered(near: Near, far: Far) -> None:
    near.ask(1, "ping")
    assert await near.read() == result(1)
    near.ask(2, "tools/list")
    assert (await near.read())["error"] == {
        "code": -32600,
        "message": "Invalid request: initialize comes first",
    }
    near.send(method="notifications/initialized")
    assert far.quiet


async def test_a_question_of_the_server_is_answered_by_a_post_of_its_own(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    near.ask(1, "tools/call", {"name": "t"})
    request = await far.next("tools/call")
    request.stream()
    request.event({"jsonrpc": "2.0", "id": "q", "method": "elicitation/create", "params": {}})
    assert (await near.read())["method"] == "elicitation/create"
    near.send(id="q", result={"action": "accept"})
    answer = await far.next()
    assert answer.message == result("q", action="accept")
    answer.raw(202, {})
    request.event(result(1))
    assert await near.read() == result(1)


async def test_cancelling_in_a_session_is_a_message_and_the_late_answer_is_dropped(
    near: Near, far: Far
) -> None:
    await shake_hands(near, far)
    near.ask(1, "tools/call", {"name": "t"})
    request = await far.next("tools/call")
    near.send(method="notifications/cancelled", params={"requestId": 1})
    (await far.next("notifications/cancelled")).raw(202, {})
    assert not request.hung_up.is_set()
    request.json(result(1))
    near.ask(2, "ping")
    (await far.next("ping")).json(result(2))
    assert await near.read() == result(2)


async def test_a_stream_that_breaks_is_resumed_where_it_broke(
    near: Near, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "RECONNECT", 0)
    await shake_hands(near, far)
    near.ask(1, "tools/call", {"name": "t"})
    request = await far.next("tools/call")
    request.stream()
    request.event(None, id="e1", retry=1)  # the priming event
    request.end()
    resumed = await far.next("GET")
    assert resumed.outgoing.headers["last-event-id"] == "e1"
    resumed.stream()
    resumed.event({"jsonrpc": "2.0", "method": "notifications/message", "params": {}}, id="e2")
    resumed.lose()
    assert (await near.read())["method"] == "notifications/message"
    again = await far.next("GET")
    assert again.outgoing.headers["last-event-id"] == "e2"
    again.stream()
    again.event(result(1), id="e3")
    assert await near.read() == result(1)


async def test_a_stream_that_cannot_be_resumed_is_given_up_with_words(
    near: Near, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "RECONNECT", 0)
    await shake_hands(near, far)
    near.ask(1, "tools/call", {"name": "t"})
    request = await far.next("tools/call")
    request.stream()
    request.event(None, id="e1")
    request.lose()
    for _ in range(conversation.RESUMES):
        (await far.next("GET")).refuse(ChannelError("nobody there"))
    assert "not known" in (await near.read())["error"]["message"]


async def test_a_lost_session_is_opened_again_and_shaped_as_before(near: Near, far: Far) -> None:
    await shake_hands(near, far, tools={"listChanged": True}, resources={"subscribe": True})
    for number, (method, params) in enumerate(
        [("logging/setLevel", {"level": "info"}), ("resources/subscribe", {"uri": "a:b"})], 1
    ):
        near.ask(number, method, params)
        (await far.next(method)).json(result(number))
        await near.read()
    near.ask(9, "tools/list")
    (await far.next("tools/list")).json(
        {"jsonrpc": "2.0", "id": None, "error": {"code": -32001, "message": "x"}}, 404
    )
    opening = await far.next("initialize")
    assert "mcp-session-id" not in opening.outgoing.headers
    initialized(opening, "s2", tools={"listChanged": True})
    (await far.next("notifications/initialized")).raw(202, {})
    for method in ("logging/setLevel", "resources/subscribe"):
        replayed = await far.next(method)
        assert replayed.outgoing.headers["mcp-session-id"] == "s2"
        replayed.json(result(replayed.message["id"]))
    assert (await near.read())["method"] == "notifications/tools/list_changed"
    requests = [await far.next(), await far.next()]
    retried = next(each for each in requests if each.method == "tools/list")
    assert retried.outgoing.headers["mcp-session-id"] == "s2"
    retried.json(result(9, tools=[]))
    assert await near.read() == result(9, tools=[])


async def test_a_call_is_never_repeated_by_itself_after_a_lost_session(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    near.ask(1, "tools/call", {"name": "t"})
    (await far.next("tools/call")).raw(404, {})
    initialized(await far.next("initialize"), "s2")
    (await far.next("notifications/initialized")).raw(202, {})
    answer = await near.read()
    assert "make the call again" in answer["error"]["message"]
    await far.next("GET")
    assert far.quiet


async def test_several_requests_that_meet_a_lost_session_open_one_new_one(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    for number in (1, 2, 3):
        near.ask(number, "tools/list")
    lost = [await far.next("tools/list") for _ in range(3)]
    for each in lost:
        each.raw(404, {})
    initialized(await far.next("initialize"), "s2")
    (await far.next("notifications/initialized")).raw(202, {})
    requests = [await far.next() for _ in range(4)]
    assert sorted(each.method for each in requests) == ["", "tools/list", "tools/list", "tools/list"]


async def test_a_session_that_cannot_be_opened_again_is_tried_at_each_request(near: Near, far: Far) -> None:
    stream = await shake_hands(near, far)
    near.ask(1, "tools/list")
    (await far.next("tools/list")).raw(404, {})
    refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -31009, "message": "the user is disabled"}}
    (await far.next("initialize")).json(refusal, 401)
    assert "the user is disabled" in (await near.read())["error"]["message"]
    near.ask(2, "tools/list")
    initialized(await far.next("initialize"), "s2")
    (await far.next("notifications/initialized")).raw(202, {})
    requests = [await far.next(), await far.next()]
    request = next(each for each in requests if each.method == "tools/list")
    assert request.outgoing.headers["mcp-session-id"] == "s2"
    request.json(result(2))
    assert await near.read() == result(2)
    assert stream.hung_up.is_set()


async def test_the_stream_is_opened_again_after_it_ends_unless_there_is_none(
    near: Near, far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "RECONNECT", 0)
    stream = await shake_hands(near, far)
    stream.stream()
    stream.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}, id="g1")
    assert (await near.read())["method"] == "notifications/tools/list_changed"
    stream.end()
    again = await far.next("GET")
    assert again.outgoing.headers["last-event-id"] == "g1"
    again.raw(405, {})
    near.ask(1, "ping")
    (await far.next("ping")).json(result(1))
    assert far.quiet


# -- both ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            403,
            b'{"jsonrpc":"2.0","id":null,"error":{"code":-31006,"message":"not yours","data":7}}',
            "not yours",
        ),
        (502, b"<html>Bad gateway</html>", "HTTP status 502: <html>Bad gateway</html>"),
        (500, b"", "HTTP status 500"),
        (202, b"", "not known"),
        (200, b"[]garbage", "not known"),
    ],
)
async def test_every_request_is_answered(near: Near, far: Far, status: int, body: bytes, said: str) -> None:
    near.ask("x", "tools/call", {"name": "t"}, stateless=True)
    (await far.next()).raw(status, {"content-type": "application/json"}, body)
    answer = await near.read()
    assert answer["id"] == "x"
    assert said in answer["error"]["message"]


async def test_what_is_no_message_does_not_get_out(near: Near, far: Far) -> None:
    near.ask(1, "tools/list", stateless=True)
    request = await far.next()
    request.stream()
    request._chunks.put_nowait(b"data: hello\n\ndata: {}\n\ndata: 7\n\n")
    request.event(result(99))
    request.event(result(1))
    request.event(result(1))
    assert await near.read() == result(1)
    request.end()
    near.ask(2, "ping")
    assert await near.read() == result(2)


async def test_bad_lines_are_answered_and_do_not_end_it(near: Near) -> None:
    near.line(b"{nonsense")
    assert (await near.read())["error"]["code"] == -32700
    near.line(b'{"jsonrpc":"2.0","id":5,"method":"x","params":[]}')
    assert (await near.read())["id"] == 5
    near.line(b'{"jsonrpc":"2.0","id":6,"method":"x","method":"y"}')
    assert (await near.read())["error"]["code"] == -32700
    near.ask(7, "ping")
    assert (await near.read())["id"] == 7


async def test_an_id_that_is_in_flight_is_refused(near: Near, far: Far) -> None:
    near.ask(1, "tools/call", {"name": "t"}, stateless=True)
    near.ask(1, "tools/call", {"name": "t"}, stateless=True)
    assert "in flight" in (await near.read())["error"]["message"]


async def test_a_batch_goes_as_it_is_and_a_refused_one_is_answered_one_by_one(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    batch = [{"jsonrpc": "2.0", "id": n, "method": "ping"} for n in (1, 2)]
    near.line(json.dumps(batch).encode())
    request = await far.next()
    assert request.message == batch
    request.json([result(1), result(2)])
    assert await near.read() == [result(1), result(2)]
    near.line(json.dumps(batch).encode())
    refusal = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no batches"}}
    (await far.next()).json(refusal, 400)
    assert [(await near.read()) for _ in range(2)] == [{**refusal, "id": 1}, {**refusal, "id": 2}]


async def test_a_batch_that_is_answered_in_parts(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    near.line(json.dumps([{"jsonrpc": "2.0", "id": n, "method": "ping"} for n in (1, 2, 3, 4)]).encode())
    request = await far.next()
    request.stream()
    request.event(result(2))
    request.event([result(1), result(3)])
    request.end()
    assert await near.read() == result(2)
    assert await near.read() == [result(1), result(3)]
    left = await near.read()
    assert left["id"] == 4
    assert "not known" in left["error"]["message"]
    assert near.silent


async def test_a_batch_that_gets_nowhere_is_answered_one_by_one(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    near.line(json.dumps([{"jsonrpc": "2.0", "id": n, "method": "ping"} for n in (1, 2)]).encode())
    (await far.next()).refuse(ChannelError("nobody there"))
    answers = [await near.read(), await near.read()]
    assert {each["id"] for each in answers} == {1, 2}
    assert {each["error"]["message"] for each in answers} == {"nobody there"}


async def test_a_server_that_answers_with_a_batch_nobody_sent(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    near.ask(1, "ping")
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
    (await far.next("ping")).json([note, 7, result(1)])
    assert await near.read() == note
    assert await near.read() == result(1)


async def test_the_clients_name_is_told_once(far: Far) -> None:
    heard: list[str] = []
    near = Near(far, heard.append)
    for number in (1, 2):
        near.ask(number, "initialize", {"clientInfo": {"name": "Cursor"}, "protocolVersion": "2025-06-18"})
        (await far.next("initialize")).json(
            {"jsonrpc": "2.0", "id": number, "error": {"code": -1, "message": "no"}}
        )
        await near.read()
    assert heard == ["Cursor"]
    await near.close()


async def test_saying_goodbye_ends_the_session(near: Near, far: Far) -> None:
    await shake_hands(near, far)
    closing = asyncio.ensure_future(near.close())
    farewell = await far.next("DELETE")
    assert farewell.outgoing.headers["mcp-session-id"] == "s1"
    farewell.raw(204, {})
    await closing
