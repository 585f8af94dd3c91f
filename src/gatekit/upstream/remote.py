"""A Link to a remote server, whichever transport it is spoken to over.

What is the same for all of them is here: the table of calls, ids and progress tokens, time-outs, how
messages are told apart. How a message gets there and how answers come back is a ``Wire``: ``http``
(Streamable HTTP, both eras) or ``sse`` (HTTP+SSE of 2024-11-05). A call costs a task here, as it costs a
request anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

from msgspec import DecodeError, Raw
from msgspec.json import decode

from gatekit.errors import BadAnswer, LinkBusy, LinkClosed, LinkError, LinkTimeout
from gatekit.model.call import EraName, Fault, Result
from gatekit.model.server import Server
from gatekit.protocol import jsonrpc
from gatekit.upstream.annotations import Annotated
from gatekit.upstream.flood import Allowance
from gatekit.upstream.link import NoticeSink, SignalSink
from gatekit.upstream.network import Channel
from gatekit.upstream.reply import Reply, fault_of
from gatekit.upstream.signals import LISTEN, PROGRESS_TOKEN, Signals
from gatekit.upstream.transport import Ending

_log = logging.getLogger("gatekit.upstream")

MAX_PENDING = 4096
"""Calls that may wait for one upstream."""
_POLL = 0.02
_EMPTY = Result(Raw(b"{}"))


class Wire(Protocol):
    """How messages travel."""

    def request(self, reply: Reply, params: dict[str, Any]) -> None:
        """Send the request of ``reply``, which is then settled by ``RemoteLink.settle`` or ``fail_call``."""
        ...

    def post(self, message: bytes) -> None:
        """Send a notification or an answer, after those before it."""
        ...

    def forget(self, reply: Reply) -> None:
        """Nobody waits for this call any more."""
        ...

    async def close(self) -> None: ...


class Remote:
    """What all Links of one remote server share."""

    def __init__(self, channel: Channel, headers: Mapping[str, str]) -> None:
        self.channel = channel
        self.headers = headers
        """Sent with every request; names in lower case. They hold secrets."""
        self.annotated = Annotated()


class RemoteLink:
    """Implements ``transport.OwnedLink``. ``wire`` is set, and ``era`` and what follows it filled in, while
    the Link is opened."""

    wire: Wire

    def __init__(self, server: Server, remote: Remote, now: float) -> None:
        self.server = server
        self.remote = remote
        self.alive = True
        self.version = ""
        self.server_info: dict[str, Any] = {}
        self.capabilities: dict[str, Any] = {}
        self.instructions: str | None = None
        self.meta: dict[str, Any] = {}
        self.calls = 0
        self.stray_lines = 0
        self.over: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Ends with the reason when the server is found to be gone."""
        self._era: EraName = "handshake"
        self._now = now
        self._pending: dict[int, Reply] = {}
        self._allowance = Allowance()
        self._paid = 0
        self._signals = Signals(server.name, self._pending, self._send)

    # -- Link ------------------------------------------------------------------------------------------

    @property
    def era(self) -> EraName:
        return self._era

    @era.setter
    def era(self, era: EraName) -> None:
        self._era = era
        self._signals.stateless = era == "stateless"

    @property
    def opened(self) -> bool:
        """The era is known, so that statuses are no evidence of it any more."""
        return bool(self.version)

    @property
    def pending(self) -> int:
        return self.working

    @property
    def working(self) -> int:
        return sum(reply.method != LISTEN for reply in self._pending.values())

    @property
    def tools_changed(self) -> int:
        return self._signals.tools_changed

    @property
    def sink(self) -> SignalSink | None:
        return self._signals.sink

    def call(self, method: str, params: dict[str, Any], on_notice: NoticeSink | None = None) -> Reply:
        """See ``Link.call`` and, for ``subscriptions/listen``, ``StdioLink.call``."""
        reply = self.prepare(method, on_notice)
        if not self.alive:
            reply.set_exception(LinkClosed("the server is not connected"))
        elif len(self._pending) >= MAX_PENDING:
            reply.set_exception(LinkBusy("too many calls are waiting for the server"))
        else:
            self._pending[reply.id] = reply
            self.wire.request(reply, self._outgoing(params, reply))
        return reply

    def prepare(self, method: str, on_notice: NoticeSink | None = None) -> Reply:
        """A Reply that is in no table yet."""
        reply = Reply(loop=asyncio.get_running_loop())
        reply.link = self
        self.calls = reply.id = self.calls + 1
        reply.method = method
        reply.seen = self._now
        reply.on_notice = on_notice
        return reply

    def notify(self, method: str, params: dict[str, Any]) -> None:
        if self.meta:
            params = {**params, "_meta": {**self.meta, **params.get("_meta", {})}}
        self._send(jsonrpc.encode_notification(method, params))

    def listen(self, sink: SignalSink | None) -> None:
        self._signals.listen(sink)

    # -- for the owner ---------------------------------------------------------------------------------

    def ready(self, now: float) -> None:
        self._now = now
        self._signals.ready(now)

    def drain(self) -> None:
        self.alive = False

    def fail(self, error: LinkError) -> None:
        self.alive = False
        replies = list(self._pending.values())
        self._pending.clear()
        for reply in replies:
            self.wire.forget(reply)
            if not reply.done():
                reply.set_exception(error)
        self._signals.close()

    def end(self, reason: str) -> None:
        """The server is gone: the pool opens another Link when one is needed."""
        self.alive = False
        if not self.over.done():
            self.over.set_result(reason)

    def sweep(self, now: float) -> None:
        self._now = now
        self._signals.sweep(now)
        limit = self.server.call_timeout
        asking = self._signals.asking
        for reply in [reply for reply in self._pending.values() if reply.method != LISTEN]:
            if asking:
                reply.seen = now
            elif now - reply.seen > limit:
                self.abandon(reply, "no answer in time")
                if not reply.done():
                    text = f"the server gave no answer or progress for {limit:g} s"
                    reply.set_exception(LinkTimeout(text))

    def abandon(self, reply: Reply, reason: str) -> None:
        """Nobody waits for this call any more; the upstream may stop working on it."""
        if self._pending.pop(reply.id, None) is None:
            return
        # MCP 2026-07-28, cancellation: on HTTP it is the end of the stream that says so. Before that it is
        # the notification, and the end of the stream says nothing; initialize must not be cancelled at all.
        if not self.meta and reply.method != "initialize":
            self.notify("notifications/cancelled", {"requestId": reply.id, "reason": reason})
        self.wire.forget(reply)

    # -- for the wire ----------------------------------------------------------------------------------

    def settle(self, reply: Reply, end: Result | Fault) -> None:
        """The call has ended."""
        self._pending.pop(reply.id, None)
        if not reply.done():
            reply.set_result(end)

    def fail_call(self, reply: Reply, error: LinkError) -> None:
        self._pending.pop(reply.id, None)
        if not reply.done():
            reply.set_exception(error)

    def receive(self, data: bytes, reply: Reply | None = None) -> Result | Fault | None:
        """Take what a stream or body brought: one message, or a batch (2025-03-26).

        Answers to other calls than ``reply`` are settled here; the one to ``reply`` is returned, None if it
        was not among them. Raise ``BadAnswer`` if that is neither result nor error.
        """
        end: Result | Fault | None = None
        for message in self._messages(data):
            if message.method:
                self._on_message(message, reply)
            elif reply is not None and self._answers(message, reply):
                end = _end(message)
            else:
                self._on_answer(message)
        return end

    def may_have_changed(self) -> None:
        """The server is another one, or was started anew: whoever listens looks again."""
        for kind in ("tools", "prompts", "resources"):
            offered = self.capabilities.get(kind)
            if isinstance(offered, dict) and offered.get("listChanged"):
                self._signals.on_message(jsonrpc.Line(method=f"notifications/{kind}/list_changed"))

    async def pace(self) -> None:
        """Between two events of a stream: wait, if the server sends more than anybody can be told."""
        heard = self._signals.heard
        if heard == self._paid:
            return
        loop = asyncio.get_running_loop()
        pause = self._allowance.spend(heard - self._paid, loop.time())
        self._paid = heard
        if pause:
            if not self._allowance.told:
                self._allowance.told = True
                text = "server %s floods the gateway with notifications; it is read more slowly from here"
                _log.warning(text, self.server.name)
            await asyncio.sleep(pause)

    # -- inside ----------------------------------------------------------------------------------------

    def _send(self, message: bytes) -> None:
        if not self.over.done():
            self.wire.post(message)

    def _outgoing(self, params: dict[str, Any], reply: Reply) -> dict[str, Any]:
        if not self.meta and "_meta" not in params:
            return params
        meta = {**self.meta, **params.get("_meta", {})}
        token = meta.pop(PROGRESS_TOKEN, None)
        if token is not None and reply.on_notice is not None:
            reply.token = token
            meta[PROGRESS_TOKEN] = reply.id
        return {**params, "_meta": meta}

    def _messages(self, data: bytes) -> list[jsonrpc.Line]:
        parts = [data]
        if data.lstrip()[:1] == b"[":
            try:
                parts = [bytes(part) for part in decode(data, type=list[Raw])]
            except DecodeError:
                parts = [data]
        messages = [jsonrpc.decode_line(part) for part in parts]
        self.stray_lines += messages.count(None)
        return [message for message in messages if message is not None]

    def _answers(self, message: jsonrpc.Line, reply: Reply) -> bool:
        if message.id is None:
            return bool(message.error)  # JSON-RPC 2.0 §5.1: where the request could not be read
        return message.id == reply.id or message.id == str(reply.id)

    def _on_message(self, message: jsonrpc.Line, reply: Reply | None) -> None:
        if self._era == "stateless" and message.id is not None:
            _log.debug("server %s: a request on a stateless stream was ignored", self.server.name)
        elif reply is not None:
            self._signals.on_stream(message, reply)
        else:
            self._signals.on_message(message)

    def _on_answer(self, message: jsonrpc.Line) -> None:
        reply = self._pending.get(message.id) if type(message.id) is int else None
        if reply is None:
            self.stray_lines += message.id is None or type(message.id) is str
            return
        try:
            self.settle(reply, _end(message))
        except BadAnswer as error:
            self.fail_call(reply, error)


def _end(message: jsonrpc.Line) -> Result | Fault:
    if message.result:
        first = memoryview(message.result)[0]
        if first == 0x7B:  # "{"
            return Result(message.result)
        if first == 0x6E:  # null, which some servers send for an empty result
            return _EMPTY
    elif message.error:
        return fault_of(message.error)
    raise BadAnswer("the server sent an unusable answer", "neither result object nor error")


class Connection:
    """The Carrier of a RemoteLink."""

    pid: int = 0

    def __init__(self, link: RemoteLink) -> None:
        self.link = link

    @property
    def over(self) -> asyncio.Future[str]:
        return self.link.over

    def detail(self, reason: str) -> str:
        return reason

    async def end(self, ending: Ending, reason: str) -> None:
        """Wait for calls as long as ``ending`` says, then tell the server that the session is over."""
        link, loop = self.link, asyncio.get_running_loop()
        link.drain()
        deadline = loop.time() + ending.calls
        try:
            while link.working and not link.over.done() and loop.time() < deadline:  # noqa: ASYNC110  (as in ``supervisor``)
                await asyncio.sleep(_POLL)
            link.fail(LinkClosed(reason))
        finally:
            await link.wire.close()
