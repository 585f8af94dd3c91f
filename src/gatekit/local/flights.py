"""Requests that wait for their answer, and the way of each message of the other end to the local client.

Only JSON-RPC goes out, and each request is answered once: what is no message, answers nothing, or comes too
late is dropped with a line in the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from gatekit.errors import ParseFault
from gatekit.model.call import RequestId
from gatekit.protocol import jsonrpc
from gatekit.protocol.jsonrpc import Line

_log = logging.getLogger("gatekit.local")

Write = Callable[[bytes], Awaitable[None]]

LOST = -31012
"""The other end answered nothing that could be passed on."""
_SHOWN = 300


class Flight:
    """One request. ``own`` ones are ours: their answer is kept here and not passed on."""

    __slots__ = (
        "answer",
        "answered",
        "batch",
        "cancelled",
        "id",
        "keep",
        "method",
        "own",
        "stateless",
        "task",
    )

    def __init__(
        self,
        request_id: RequestId,
        method: str,
        *,
        stateless: bool = False,
        own: bool = False,
        keep: bool = False,
        batch: Iterable[RequestId] = (),
    ) -> None:
        self.id = request_id
        self.method = method
        self.stateless = stateless
        self.own = own
        self.keep = keep or own
        """Whether ``answer`` is wanted."""
        self.batch = set(batch)
        """Of a batch: the requests in it that have no answer yet."""
        self.answer: Line | None = None
        self.answered = False
        self.cancelled = False
        self.task: asyncio.Task[None] | None = None

    @property
    def succeeded(self) -> bool:
        """Answered with a result; known only if ``keep``."""
        return self.answer is not None and bool(self.answer.result)


class Traffic:
    """Everything between the other end and the lines of the local client."""

    def __init__(self, write: Write) -> None:
        self.write = write
        self.flights: dict[RequestId, Flight] = {}
        self._own = 0

    def begin(self, flight: Flight) -> None:
        self.flights[flight.id] = flight

    def end(self, flight: Flight) -> None:
        if self.flights.get(flight.id) is flight:
            del self.flights[flight.id]

    def own(self, method: str) -> Flight:
        """A request of our own, in flight from now on."""
        self._own += 1
        flight = Flight(f"gatekit:{self._own}", method, own=True)
        self.begin(flight)
        return flight

    # -- from the other end --------------------------------------------------------------------------------

    async def deliver(self, data: bytes, about: Flight | None) -> None:
        """Pass one message on. ``about``: the request whose answer the message came with."""
        if not data.strip():
            return  # a priming event (2025-11-25)
        if data.lstrip()[:1] == b"[":
            await self._several(data, about)
            return
        line = jsonrpc.decode_line(data)
        if line is None or not (line.method or line.result or line.error):
            _log.warning("the other end sent something that is no message bytes=%d", len(data))
        elif line.method:
            await self.write(data)
        else:
            await self._answered(line, data, about)

    async def _several(self, data: bytes, about: Flight | None) -> None:
        """A batch (2025-03-26): as a whole to who sent one, one by one to who did not."""
        try:
            parts = [bytes(memoryview(part)) for part in msgspec.json.decode(data, type=list[msgspec.Raw])]
        except msgspec.DecodeError:
            parts = []
        if about is None or not about.batch:
            for part in parts:
                await self.deliver(part, about)
            return
        for line in map(jsonrpc.decode_line, parts):
            if line is not None and not line.method and line.id is not None:
                about.batch.discard(_as_id(line.id))
        about.answered = not about.batch
        await self.write(data)

    async def _answered(self, line: Line, data: bytes, about: Flight | None) -> None:
        flight = about if line.id is None else self.flights.get(_as_id(line.id))
        if flight is None and about is not None and line.id is not None and _as_id(line.id) in about.batch:
            about.batch.discard(_as_id(line.id))
            about.answered = not about.batch
            await self.write(data)
            return
        if flight is None or flight.answered:
            _log.debug("an answer that nobody waits for was dropped")
            return
        flight.answered = True
        if flight.keep:
            flight.answer = line
        if flight.own or flight.cancelled:
            return
        if line.id is None:  # it could not read our id, or refused before it looked
            data = _under(flight.id, line)
        await self.write(data)

    # -- by ourselves --------------------------------------------------------------------------------------

    async def fault(self, flight: Flight, code: int, text: str) -> None:
        """Answer with an error, unless it was answered already."""
        if flight.answered:
            return
        flight.answered = True
        if flight.own or flight.cancelled:
            return
        for request_id in list(flight.batch) or [flight.id]:
            await self.write(jsonrpc.encode_fault(request_id, code, text))

    async def refused(self, flight: Flight, status: int, body: bytes) -> None:
        """Answer with what an HTTP refusal said, or with its status in words."""
        line = jsonrpc.decode_line(body) if body else None
        if line is not None and line.error and not flight.answered:
            if line.id is None or _as_id(line.id) == flight.id:
                await self.deliver(body, flight)
        elif not flight.answered:
            await self.fault(flight, LOST, _words(status, body))


def _words(status: int, body: bytes) -> str:
    if 200 <= status < 300:
        return "the connection ended before the answer came; whether the request was carried out is not known"
    said = " ".join(body[:_SHOWN].decode("utf-8", "replace").split())
    return f"the other end refused with HTTP status {status}" + (f": {said}" if said else "")


def said(status: int, body: bytes) -> str:
    """A refusal in words: the message of its JSON-RPC error if it is one."""
    line = jsonrpc.decode_line(body) if body else None
    if line is not None and line.error:
        with contextlib.suppress(ParseFault):
            return str(jsonrpc.decode_object(line.error).get("message"))
    return _words(status, body)


def _as_id(value: str | int | float) -> RequestId:
    return int(value) if isinstance(value, float) else value


def _under(request_id: RequestId, line: Line) -> bytes:
    try:
        error = jsonrpc.decode_object(line.error)
    except ParseFault:
        error = {}
    code, text = error.get("code"), error.get("message")
    return jsonrpc.encode_fault(
        request_id, code if isinstance(code, int) else LOST, str(text or "refused"), error.get("data")
    )


def result_of(flight: Flight) -> dict[str, object]:
    """The result that a kept answer carries; empty for an error or what cannot be read."""
    if flight.answer is None or not flight.answer.result:
        return {}
    try:
        return jsonrpc.decode_object(flight.answer.result)
    except ParseFault:
        return {}


def error_code(body: bytes) -> int:
    """The code of a JSON-RPC error answer; 0 if it is none."""
    line = jsonrpc.decode_line(body) if body else None
    if line is None or not line.error:
        return 0
    try:
        code = msgspec.json.decode(line.error, type=_Code).code
    except msgspec.DecodeError:
        return 0
    return code


class _Code(msgspec.Struct):
    code: int = 0
