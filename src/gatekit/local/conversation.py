"""The handshake era over a channel: the session, its stream, and what happens when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from gatekit.errors import ChannelError
from gatekit.local.carry import Ended, carry
from gatekit.local.channel import Channel, Incoming, Outgoing
from gatekit.local.dialogue import Dialogue
from gatekit.local.flights import LOST, Flight, Traffic, result_of, said
from gatekit.protocol import jsonrpc, methods
from gatekit.protocol.jsonrpc import Request

_log = logging.getLogger("gatekit.local")

RECONNECT = 1.0
"""Seconds before a broken stream is opened again, unless the other end names another time."""
MAX_RECONNECT = 30.0
RESUMES = 5
"""How often a broken stream is resumed in vain before the request is given up."""
FAREWELL_SECONDS = 2.0
_INVALID_REQUEST = -32600


class Conversation:
    """Everything a handshake-era client does through one pump."""

    def __init__(self, channel: Channel, traffic: Traffic) -> None:
        self._channel = channel
        self._traffic = traffic
        self._dialogue = Dialogue()
        self._renewing = asyncio.Lock()
        self._stream: asyncio.Task[None] | None = None

    # -- requests ------------------------------------------------------------------------------------------

    async def request(self, flight: Flight, request: Request, body: bytes) -> None:
        """Carry out one request and see that it is answered. Raises ``ChannelError``."""
        if request.method == "initialize":
            await self._initialize(flight, request, body)
        elif not self._dialogue.opened:
            if request.method == "ping":  # allowed before everything else (MCP, Lifecycle)
                await self._traffic.deliver(jsonrpc.encode_result(flight.id, {}), flight)
            await self._traffic.fault(flight, _INVALID_REQUEST, "Invalid request: initialize comes first")
        else:
            flight.keep = flight.keep or request.method in _SHAPING
            await self._in_session(flight, body)
            if flight.succeeded:
                self._dialogue.done(request)

    async def batch(self, flight: Flight, body: bytes) -> Ended:
        """Carry out a batch; a refusal of it as a whole is for the caller. Raises ``ChannelError``."""
        if not self._dialogue.opened:
            text = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"initialize comes first"}}'
            return Ended(400, {}, text)
        return await self._post(flight, body)

    async def _initialize(self, flight: Flight, request: Request, body: bytes) -> None:
        await self.close()
        self._dialogue.asked(request)
        flight.keep = True
        ended = await self._open(flight, body)
        if not flight.answered:
            await self._traffic.refused(flight, ended.status, ended.body)

    async def _open(self, flight: Flight, body: bytes) -> Ended:
        session = ""

        def opened(incoming: Incoming) -> None:
            nonlocal session
            session = incoming.headers.get("mcp-session-id", "")

        dialogue = self._dialogue
        dialogue.session = dialogue.version = ""
        ended = await carry(
            self._channel, Outgoing("POST", dialogue.headers(), body), self._traffic, flight, opened
        )
        if flight.succeeded:
            dialogue.open(session, result_of(flight))
        return ended

    async def _in_session(self, flight: Flight, body: bytes) -> None:
        again = repeatable(flight.method)
        generation = await self._generation()
        try:
            ended = await self._post(flight, body)
        except ChannelError:
            if not again:
                raise
            ended = await self._post(flight, body)
        if ended.status == 404 and not flight.answered:
            await self._renew(generation)
            if not again:
                text = f"the other end had lost the session; it is open again. {flight.method} was not "
                await self._traffic.fault(flight, LOST, text + "carried out: make the call again")
                return
            ended = await self._post(flight, body)
        if ended.ok and not flight.answered:
            ended = await self._resume(flight, ended)
        if not flight.answered:
            await self._traffic.refused(flight, ended.status, ended.body)

    async def _post(self, flight: Flight | None, body: bytes) -> Ended:
        return await carry(
            self._channel, Outgoing("POST", self._dialogue.headers(), body), self._traffic, flight
        )

    async def _resume(self, flight: Flight, ended: Ended) -> Ended:
        """Fetch the rest of a stream that ended before the answer (Streamable HTTP, Resumability)."""
        vain = 0
        last_id, retry = ended.last_id, ended.retry
        while last_id and vain < RESUMES and not flight.answered:
            await asyncio.sleep(min(RECONNECT if retry is None else retry, MAX_RECONNECT))
            try:
                ended = await self._get(flight, last_id)
            except ChannelError as error:
                _log.info("a stream could not be resumed yet error=%s", error)
                vain += 1
                continue
            if not ended.ok:
                break
            vain = 0 if ended.last_id else vain + 1
            last_id, retry = ended.last_id or last_id, ended.retry if ended.retry is not None else retry
        return ended

    async def _get(self, flight: Flight | None, last_id: str | None) -> Ended:
        headers = {**self._dialogue.headers(), "accept": "text/event-stream"}
        del headers["content-type"]
        if last_id:
            headers["last-event-id"] = last_id
        return await carry(self._channel, Outgoing("GET", headers), self._traffic, flight)

    # -- notifications and answers -------------------------------------------------------------------------

    async def tell(self, body: bytes, method: str = "") -> None:
        """Pass on what nobody answers. Raises ``ChannelError``."""
        if not self._dialogue.opened:
            return
        generation = await self._generation()
        ended = await self._post(None, body)
        if ended.status == 404:
            await self._renew(generation)
        elif not ended.ok:
            _log.warning("the other end refused a %s status=%d", method or "an answer", ended.status)
        if method == "notifications/initialized":
            self._dialogue.greeted = True
            self._listen()

    # -- the stream for what belongs to no request -----------------------------------------------------------

    def _listen(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
        self._stream = asyncio.ensure_future(self._listening())

    async def _listening(self) -> None:
        last_id: str | None = None
        pause = RECONNECT
        while True:
            generation = self._dialogue.generation
            try:
                ended = await self._get(None, last_id)
            except ChannelError as error:
                _log.info("the event stream is not open error=%s", error)
                pause = min(pause * 2, MAX_RECONNECT)
            else:
                if ended.status == 404:
                    with contextlib.suppress(ChannelError):
                        await self._renew(generation)
                    return  # a new session has a new stream
                if not ended.ok:
                    return  # 405: the other end has none
                last_id = ended.last_id or last_id
                pause = RECONNECT if ended.retry is None else min(ended.retry, MAX_RECONNECT)
            await asyncio.sleep(pause)

    # -- a lost session --------------------------------------------------------------------------------------

    async def _generation(self) -> int:
        """The number of the session that the next request will go into."""
        if self._renewing.locked():
            async with self._renewing:
                pass
        if self._dialogue.lost:  # it could not be opened again then; perhaps it can now
            await self._renew(self._dialogue.generation)
        return self._dialogue.generation

    async def _renew(self, generation: int) -> None:
        """Open a new session like the lost one, unless somebody did already. Raises ``ChannelError``."""
        async with self._renewing:
            dialogue, traffic = self._dialogue, self._traffic
            if dialogue.generation != generation:
                return
            if not (dialogue.session or dialogue.lost):
                raise ChannelError("the other end does not know the endpoint (HTTP 404)")
            dialogue.lost = True
            flight = traffic.own("initialize")
            try:
                ended = await self._open(flight, dialogue.opening(flight.id))
            finally:
                traffic.end(flight)
            if not flight.succeeded:
                raise ChannelError(
                    f"the session was lost and cannot be opened again: {said(ended.status, ended.body)}"
                )
            _log.info("the other end had lost the session; it is open again")
            if dialogue.greeted:
                await self._post(None, jsonrpc.encode_notification("notifications/initialized", {}))
                flights = [traffic.own("replay") for _ in range(dialogue.shapes)]
                for each, body in zip(flights, dialogue.shaping([f.id for f in flights]), strict=True):
                    await self._post(each, body)
                    traffic.end(each)
                for notice in dialogue.changed():
                    await traffic.write(notice)
                if asyncio.current_task() is not self._stream:
                    self._listen()
                else:
                    self._stream = asyncio.ensure_future(self._listening())

    async def close(self) -> None:
        """Say goodbye to the other end, so that it need not wait for a session to expire."""
        if self._stream is not None:
            self._stream.cancel()
            self._stream = None
        if self._dialogue.session:
            outgoing = Outgoing("DELETE", self._dialogue.headers())
            self._dialogue.session = ""
            self._dialogue.opened = False
            with contextlib.suppress(ChannelError, TimeoutError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await carry(self._channel, outgoing, self._traffic, None)


_SHAPING = frozenset({"logging/setLevel", "resources/subscribe", "resources/unsubscribe"})


def repeatable(method: str) -> bool:
    """Whether a request may be sent again when nobody knows if it was carried out."""
    return methods.spec(method).known and method != "tools/call" and not method.startswith("tasks/")
