"""JSON-RPC batches of MCP 2025-03-26: one POST, several messages, one answer.

A batch is only a way to travel. Each request in it is a call of its own: judged, recorded and answered by
itself, so a refusal is an error entry among results and never an HTTP 403 for its neighbours. A few run at a
time; what they answer is collected and leaves as one array, or as single events once the answer has become a
stream (the revision allows both).
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from gatekit.errors import AnswerTooLarge, InvalidRequestFault
from gatekit.gateway.reply import Reply
from gatekit.model.call import Pieces
from gatekit.protocol import jsonrpc
from gatekit.protocol.jsonrpc import Message, Notification, Request, RequestId

AT_ONCE = 8
"""Elements of one batch that run at the same time."""
_HELD_BYTES = 32 * 1024 * 1024
"""Answers kept back for the array. Beyond it they leave one by one, at the pace of the reader."""


def check(messages: list[Message]) -> None:
    """Raises InvalidRequestFault for what MUST NOT be in a batch (MCP 2025-03-26, Lifecycle)."""
    answers = 0
    for message in messages:
        if isinstance(message, Request | Notification):
            if message.method == "initialize":
                raise InvalidRequestFault("Invalid request: initialize must not be part of a batch")
        else:
            answers += 1
    if answers not in (0, len(messages)):
        raise InvalidRequestFault("Invalid request: a batch holds requests and notifications, or responses")


class Element(Struct, frozen=True):
    """One request of a batch."""

    message: Request
    size: int
    """Its own bytes."""
    number: int


def elements(messages: list[Message], size: int) -> list[Element]:
    """The requests among messages that came in ``size`` bytes. With an equal share of them a long request
    could hide among short ones from whoever counts."""
    requests = [message for message in messages if isinstance(message, Request)]
    if len(messages) == 1:
        return [Element(request, size, 0) for request in requests]
    sizes = [len(jsonrpc.encode_notification(request.method, request.params)) for request in requests]
    return [Element(*both, n) for n, both in enumerate(zip(requests, sizes, strict=True))]


class Part(Reply):
    """The answer to one element. What it says goes where the batch's answer goes."""

    __slots__ = ("_id", "_whole")

    def __init__(self, whole: Batch, request_id: RequestId, now: float) -> None:
        super().__init__(whole.reply.wire, (), json_ok=True, sse_ok=True, now=now)
        self._whole = whole
        self._id = request_id

    def signal(self, message: bytes) -> bool:
        return self._whole.reply.signal(message)

    def keepalive(self, now: float) -> None:
        self.touched_at = now
        self._whole.keepalive(now)

    async def finish(self, status: int, body: bytes | Pieces) -> None:  # noqa: ARG002 - the batch's status is 200
        self._ended = True
        await self._whole.take(self._id, bytes(body))

    def open_stream(self) -> None:
        self._whole.reply.open_stream()

    def watch(self) -> asyncio.Task[None]:
        return self._whole.reply.watch()


class Batch:
    """The answers of one batch on their way into one HTTP answer."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.gate = asyncio.Semaphore(AT_ONCE)
        self._held: list[bytes] = []
        self._size = 0

    def part(self, request_id: RequestId, now: float) -> Part:
        return Part(self, request_id, now)

    def keepalive(self, now: float) -> None:
        if now > self.reply.touched_at:  # one comment for all parts that are slow at the same time
            self.reply.keepalive(now)

    async def take(self, request_id: RequestId, body: bytes) -> None:
        """One element's answer."""
        fits = self._size + len(body) <= _HELD_BYTES
        if self.reply.streaming or (not fits and self.reply.sse_ok):
            await self._pour()
            await self.reply.deliver(body)
            return
        if not fits:
            body = jsonrpc.encode_fault(request_id, AnswerTooLarge.code, "the batch's answers are too large")
        self._held.append(body)
        self._size += len(body)

    async def finish(self) -> None:
        """All elements were answered."""
        if self.reply.streaming or not self.reply.json_ok:
            await self._pour()
            await self.reply.conclude()
        else:
            await self.reply.finish(200, b"".join((b"[", b",".join(self._held), b"]")))

    async def _pour(self) -> None:
        held, self._held, self._size = self._held, [], 0
        for body in held:
            await self.reply.deliver(body)
