"""Parts of remote Links that need no server: annotations, the outbox, statuses, where streams stand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import Raw

from gatekit.errors import BadAnswer, LinkBusy, LinkClosed, LinkError, OutboundTooLarge, RemoteRefused
from gatekit.model.call import Result
from gatekit.upstream.annotations import Annotated
from gatekit.upstream.answers import Cursor, Events, fault_in, refusal
from gatekit.upstream.outbox import MAX_QUEUED, MAX_QUEUED_BYTES, Outbox


class Canned:
    """A stream whose bytes are known."""

    def __init__(self, *chunks: bytes, status: int = 200, **headers: str) -> None:
        self.status = status
        self.headers: Mapping[str, str] = {name.replace("_", "-"): value for name, value in headers.items()}
        self._chunks = list(chunks)

    async def more(self) -> bytes:
        return self._chunks.pop(0) if self._chunks else b""

    async def read(self, max_bytes: int) -> bytes:
        return b"".join(self._chunks)

    async def close(self) -> None: ...


async def read(cursor: Cursor, *chunks: bytes, cap: int = 1000) -> list[bytes]:
    events, found = Events(Canned(*chunks), cap, cursor), []
    while (event := await events.next()) is not None:
        found.append(event.data)
    return found


async def test_a_cursor_knows_where_a_stream_stands() -> None:
    cursor = Cursor()
    assert await read(cursor, b"id: 1\nretry: 250\n", b"data:\n\n", b"data: a\n\nid: 2\ndata: b\n\n") == [
        b"a",
        b"b",
    ]
    assert (cursor.last_id, cursor.retry) == ("2", 0.25)
    # The next connection of the same stream goes on from there.
    assert await read(cursor, b": nothing new\n\n") == []
    assert (cursor.last_id, cursor.retry) == ("2", 0.25)
    # Where the client stopped reading is where it goes on, not where the chunk ended.
    events = Events(Canned(b"id: 3\ndata: c\n\nid: 4\ndata: d\n\n"), 1000, cursor)
    await events.next()
    assert cursor.last_id == "3"


@pytest.mark.parametrize("strange", ["ä".encode(), b"x" * 5000, b"\x07"])
async def test_an_id_that_cannot_stand_in_a_header_is_none(strange: bytes) -> None:
    cursor = Cursor()
    await read(cursor, b"id: good\ndata: a\n\n", b"id: " + strange + b"\ndata: b\n\n", cap=10_000)
    assert cursor.last_id == "good"


async def test_an_event_without_end_is_cut_off() -> None:
    with pytest.raises(OutboundTooLarge):
        await read(Cursor(), b"data: ", *[b"x" * 400] * 5)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, RemoteRefused),
        (307, RemoteRefused),
        (401, RemoteRefused),
        (403, RemoteRefused),
        (500, RemoteRefused),
        (503, RemoteRefused),
        (429, LinkBusy),
        (400, BadAnswer),
        (404, BadAnswer),
        (204, BadAnswer),
    ],
)
def test_what_a_status_means(status: int, kind: type[LinkError]) -> None:
    found = refusal(Canned(status=status))
    assert type(found) is kind
    assert str(status) in found.detail


async def test_a_fault_is_read_from_json_only() -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": None, "error": {"code": -32020, "message": "no"}}).encode()
    found = await fault_in(Canned(body, status=400, content_type="Application/JSON; charset=utf-8"))
    assert found is not None
    assert (found.code, found.message) == (-32020, "no")
    for other in (
        Canned(body, status=400, content_type="text/html"),
        Canned(b"{", status=400, content_type="application/json"),
        Canned(b'{"error": "unauthorized"}', status=400, content_type="application/json"),
        Canned(b"[]", status=400, content_type="application/json"),
    ):
        found = await fault_in(other)
        assert found is None or found.message == "the server reported an unreadable error"


def page(*tools: Any, **more: Any) -> Result:
    return Result(Raw(json.dumps({"tools": tools, **more}).encode()))


def schema(name: str, kind: str = "string", token: Any = "Where") -> dict[str, Any]:
    return {
        "name": name,
        "inputSchema": {"type": "object", "properties": {"w": {"type": kind, "x-mcp-header": token}}},
    }


def test_a_list_without_annotations_passes_untouched() -> None:
    annotated, listed = Annotated(), page({"name": "a"})
    assert annotated.learn("far", listed) is listed
    assert annotated.headers({"name": "a", "arguments": {"w": 1}}) == {}


def test_annotations_are_learnt_and_unlearnt() -> None:
    annotated = Annotated()
    listed = page(schema("a"))
    assert annotated.learn("far", listed) is listed
    call = {"name": "a", "arguments": {"w": "here"}}
    assert annotated.headers(call) == {"Mcp-Param-Where": "here"}
    assert annotated.headers({"name": "a", "arguments": {"w": None}}) == {}
    assert annotated.headers({"name": "a"}) == {}
    annotated.learn("far", page({"name": "a", "inputSchema": {}}))
    assert annotated.headers(call) == {}


@pytest.mark.parametrize(
    "bad",
    [schema("b", "number"), schema("b", "object"), schema("b", token="not a token"), schema("b", token=7)],
)
def test_tools_with_invalid_annotations_are_dropped(bad: dict[str, Any]) -> None:
    annotated = Annotated()
    found = annotated.learn("far", page({"name": "a"}, bad, nextCursor="2"))
    assert found.body == {"tools": [{"name": "a"}], "nextCursor": "2"}
    assert annotated.dropped({"name": "b"})
    assert not annotated.dropped({"name": "a"})


async def test_the_outbox_keeps_the_order_and_survives_refusals() -> None:
    sent: list[bytes] = []

    async def post(message: bytes) -> None:
        await asyncio.sleep(0)
        sent.append(message)
        if message == b"2":
            raise LinkClosed("refused")

    outbox = Outbox("far", post)
    for message in (b"1", b"2", b"3"):
        outbox.put(message)
    await outbox.flushed()
    assert sent == [b"1", b"2", b"3"]
    outbox.put(b"4")
    await outbox.flushed()
    assert sent[-1] == b"4"
    await outbox.close()


async def test_the_outbox_is_bounded() -> None:
    async def never(message: bytes) -> None:
        await asyncio.Event().wait()

    outbox = Outbox("far", never)
    for _ in range(MAX_QUEUED + 10):
        outbox.put(b"x")
    assert outbox.dropped == 10
    await outbox.close()
    outbox = Outbox("far", never)
    for _ in range(5):
        outbox.put(b"x" * (MAX_QUEUED_BYTES // 4))
    assert outbox.dropped == 1
    await outbox.close()
