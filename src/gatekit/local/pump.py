"""Lines in, exchanges out, answers back: a stdio server towards the local client, a Streamable HTTP client
towards the channel.

Each request runs in a task of its own, so a slow one holds up no other; notifications and answers go through
in the order in which they came. Whatever happens, a request is answered once: by the other end, or by us with
words. Cancellation means different things in the two eras (MCP 2026-07-28, stdio and Streamable HTTP): a
stateless request is cancelled by hanging up, a handshake one by a message of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from gatekit.errors import ChannelError, ProtocolFault
from gatekit.local.carry import carry
from gatekit.local.channel import Channel, Outgoing
from gatekit.local.conversation import Conversation, repeatable
from gatekit.local.dialogue import BOTH, JSON
from gatekit.local.flights import LOST, Flight, Traffic, Write, error_code, result_of
from gatekit.local.lines import LineTooLong
from gatekit.local.mirror import Mirror
from gatekit.protocol import jsonrpc
from gatekit.protocol.era import detect, stateless
from gatekit.protocol.jsonrpc import Message, Notification, Request

_log = logging.getLogger("gatekit.local")

Lines = AsyncIterator[bytes | LineTooLong]

MAX_DEPTH = 256
MAX_FLIGHTS = 1000
EOF_GRACE = 10.0
"""Seconds that running calls have after the client closed its end. Whoever pipes a few requests in wants
their answers; a client that leaves has none running, closes the other pipe too, or sends a signal."""
_BUSY = -31002
_HEADER_MISMATCH = -32020
_PARSE_ERROR, _INVALID = -32700, -32600
_MAX_PAGES = 50


class Pump:
    """Serves one local client until its lines end."""

    def __init__(
        self, channel: Channel, write: Write, introduced: Callable[[str], None] | None = None
    ) -> None:
        """``introduced`` hears the client's own name, each time it is another one; it is unverified."""
        self._channel = channel
        self._traffic = Traffic(write)
        self._conversation = Conversation(channel, self._traffic)
        self._mirror = Mirror()
        self._introduced = introduced
        self._name = ""
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening: asyncio.Task[None] | None = None

    async def run(self, lines: Lines) -> None:
        """Serve until ``lines`` end; then let running calls come to their end for a moment."""
        async for line in lines:
            if isinstance(line, LineTooLong):
                await self._traffic.write(jsonrpc.encode_fault(None, _PARSE_ERROR, f"Parse error: {line}"))
            else:
                await self._take(line)
        calls = {each.task for each in self._traffic.flights.values() if each.task and not _endless(each)}
        if calls:
            await asyncio.wait(calls, timeout=EOF_GRACE)

    async def close(self) -> None:
        """Hang up on everything and end the session."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._conversation.close()

    # -- one line ------------------------------------------------------------------------------------------

    async def _take(self, line: bytes) -> None:
        try:
            message = jsonrpc.decode_client(line, max_depth=MAX_DEPTH)
        except ProtocolFault as fault:
            answer = jsonrpc.encode_fault(fault.request_id, fault.code, fault.public, fault.data)
            await self._traffic.write(answer)
            return
        if detect.detect(message, {}) == "handshake" and self._opening is not None:
            # Whoever pipes the handshake in at once means it to be taken in order, as a child's pipe would.
            await asyncio.wait({self._opening})
        if isinstance(message, list):
            await self._batch(message, line)
        elif isinstance(message, Request):
            await self._request(message, line)
        elif isinstance(message, Notification):
            await self._notification(message, line)
        else:
            await self._tell(line)

    async def _request(self, request: Request, line: bytes) -> None:
        era = detect.detect(request, {})
        if request.id in self._traffic.flights:
            text = "Invalid request: a request with this id is still in flight"
            await self._traffic.write(jsonrpc.encode_fault(request.id, _INVALID, text))
            return
        if len(self._tasks) >= MAX_FLIGHTS:
            text = f"{MAX_FLIGHTS} requests are in flight already: wait for some of them"
            await self._traffic.write(jsonrpc.encode_fault(request.id, _BUSY, text))
            return
        self._introduce(request)
        flight = Flight(request.id, request.method, stateless=era == "stateless")
        work = self._stateless if flight.stateless else self._conversation.request
        await self._start(flight, work, request, line)

    async def _batch(self, batch: list[Message], line: bytes) -> None:
        """2025-03-26: taken and answered as a whole; other revisions refuse it, at the other end."""
        requests = [each for each in batch if isinstance(each, Request)]
        if not requests:
            await self._tell(line)
            return
        flight = Flight(f"batch:{requests[0].id}", "batch", batch=[each.id for each in requests])

        async def work(flight: Flight, _first: Request, line: bytes) -> None:
            ended = await self._conversation.batch(flight, line)
            if not flight.answered:
                refusal = ended.body if error_code(ended.body) else b""
                for each in (one for one in requests if one.id in flight.batch):
                    alone = Flight(each.id, each.method)
                    await self._traffic.refused(alone, ended.status, _renamed(refusal))

        await self._start(flight, work, requests[0], line)

    async def _start(self, flight: Flight, work: Any, request: Request, line: bytes) -> None:
        self._traffic.begin(flight)
        flight.task = asyncio.ensure_future(self._carried(flight, work(flight, request, line)))
        self._tasks.add(flight.task)
        flight.task.add_done_callback(self._tasks.discard)
        if request.method == "initialize" and not flight.stateless:
            self._opening = flight.task
        await asyncio.sleep(0)  # it is on its way before a later line can refer to it

    async def _carried(self, flight: Flight, work: Any) -> None:
        try:
            await work
        except ChannelError as error:
            await self._traffic.fault(flight, LOST, str(error))
        except asyncio.CancelledError:
            if not flight.cancelled:
                raise
        finally:
            self._traffic.end(flight)

    async def _notification(self, message: Notification, line: bytes) -> None:
        if message.method == "notifications/cancelled":
            flight = self._flight(message.params.get("requestId"))
            if flight is not None:
                flight.cancelled = True  # whoever cancels wants no answer (MCP, Cancellation)
                if flight.stateless and flight.task is not None:
                    flight.task.cancel()
                    return
        if detect.detect(message, {}) == "handshake":
            await self._tell(line, message.method)
        else:
            headers = self._headers(message)
            await self._quietly(carry(self._channel, Outgoing("POST", headers, line), self._traffic, None))

    def _flight(self, request_id: Any) -> Flight | None:
        return self._traffic.flights.get(request_id) if isinstance(request_id, str | int) else None

    async def _tell(self, line: bytes, method: str = "") -> None:
        await self._quietly(self._conversation.tell(line, method))

    async def _quietly(self, work: Any) -> None:
        try:
            await work
        except ChannelError as error:
            _log.warning("a message that needs no answer was lost error=%s", error)

    def _introduce(self, request: Request) -> None:
        meta = request.params.get("_meta")
        info = request.params.get("clientInfo") if request.method == "initialize" else None
        if info is None and isinstance(meta, dict):
            info = meta.get(stateless.META_CLIENT_INFO)
        name = info.get("name") if isinstance(info, dict) else None
        if self._introduced is not None and isinstance(name, str) and name and name != self._name:
            self._name = name
            self._introduced(name[:100])

    # -- the stateless era -----------------------------------------------------------------------------------

    async def _stateless(self, flight: Flight, request: Request, line: bytes) -> None:
        flight.keep = self._channel.mirrors and request.method == "tools/list"
        for again in (True, False):
            try:
                ended = await carry(
                    self._channel,
                    Outgoing("POST", self._headers(request), line),
                    self._traffic,
                    flight,
                )
            except ChannelError:
                if again and repeatable(request.method) and not _endless(flight):
                    continue
                raise
            if flight.answered:
                break
            if again and request.method == "tools/call" and error_code(ended.body) == _HEADER_MISMATCH:
                await self._relearn(request)
            elif not (again and ended.lost and repeatable(request.method) and not _endless(flight)):
                break
        await self._traffic.refused(flight, ended.status, ended.body)
        if flight.succeeded:
            self._mirror.learn(result_of(flight))

    def _headers(self, message: Request | Notification) -> dict[str, str]:
        mirrored = self._mirror.headers(message) if self._channel.mirrors else {}
        return {"content-type": JSON, "accept": BOTH, **mirrored}

    async def _relearn(self, request: Request) -> None:
        """List the tools anew: one of them asks for headers that we do not know of."""
        self._mirror.forget()
        params: dict[str, Any] = {"_meta": request.params["_meta"]}
        for _ in range(_MAX_PAGES):
            flight = self._traffic.own("tools/list")
            asked = Request(flight.id, "tools/list", params)
            body = jsonrpc.encode_request(flight.id, asked.method, params)
            try:
                await carry(
                    self._channel, Outgoing("POST", self._headers(asked), body), self._traffic, flight
                )
            finally:
                self._traffic.end(flight)
            page = result_of(flight)
            self._mirror.learn(page)
            if not page.get("nextCursor"):
                return
            params = {**params, "cursor": page["nextCursor"]}


def _endless(flight: Flight) -> bool:
    return flight.method == "subscriptions/listen"


def _renamed(refusal: bytes) -> bytes:
    """A refusal of a whole batch, free of any id, to be given under each."""
    line = jsonrpc.decode_line(refusal) if refusal else None
    if line is None or not line.error:
        return b""
    return b'{"jsonrpc":"2.0","id":null,"error":' + bytes(memoryview(line.error)) + b"}"
