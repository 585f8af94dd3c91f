"""A Link over the pipes of a child process.

Everything here runs inside event loop callbacks: no task, queue, timer or log line per call. A call costs one
dictionary entry, one future, one encode and one write; an answer one decode of the envelope (the result stays
raw). The owner task (``supervisor``) opens the Link, sees to it that ``sweep`` is called about once a second,
and ends it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from msgspec import Raw

from gatekit.errors import (
    BadAnswer,
    InvalidRequestFault,
    LineTooLong,
    LinkBusy,
    LinkClosed,
    LinkError,
    LinkTimeout,
)
from gatekit.model.call import EraName, Result
from gatekit.model.server import Server
from gatekit.protocol import jsonrpc
from gatekit.protocol.large import Scan
from gatekit.upstream.flood import Allowance
from gatekit.upstream.framing import KEPT, Follower, Lines, claimed_id, is_call
from gatekit.upstream.launcher import Child
from gatekit.upstream.link import NoticeSink, SignalSink
from gatekit.upstream.pipes import HIGH_WATER, Pipes
from gatekit.upstream.reply import Reply, fault_of
from gatekit.upstream.signals import LISTEN, PROGRESS_TOKEN, Signals

_log = logging.getLogger("gatekit.upstream")

MAX_PENDING = 4096
"""Calls that may wait for one upstream."""
LOGGED_STRAYS = 20
"""Stray lines of one process that are logged; the rest is only counted."""
_BIG_LINE = 256 * 1024
_JSONRPC = b'"jsonrpc"'
_EMPTY = Result(Raw(b"{}"))


class StdioLink:
    """Implements ``upstream.link.Link``. ``era`` and what follows it are filled in by ``negotiate``."""

    def __init__(self, server: Server, child: Child, now: float) -> None:
        self.server = server
        self.child = child
        self.alive = True
        self.version = ""
        self.server_info: dict[str, Any] = {}
        self.capabilities: dict[str, Any] = {}
        self.instructions: str | None = None
        self.meta: dict[str, Any] = {}
        """Stateless era: ``_meta`` of every request, below what the caller puts there."""
        self.calls = 0
        """Requests sent so far, and the latest id."""
        self.stray_lines = 0
        self.dropped = 0
        """Notifications and answers given up because the upstream does not read."""
        self.pipes = Pipes(server.name)
        self._era: EraName = "handshake"
        self._loop = asyncio.get_running_loop()
        self._now = now
        self._pending: dict[int, Reply] = {}
        self._signals = Signals(server.name, self._pending, self._send)
        self._lines = Lines(server.largest, self._on_line, self._on_oversized, Scan, self._on_large)
        self._unwritten_cap = server.max_line_bytes + HIGH_WATER
        self._unwritten = 0
        self._stuck = False
        self._allowance = Allowance()

    async def connect(self) -> None:
        """Take over the child's pipes."""
        await self.pipes.connect(self.child, self._on_data)

    # -- Link ------------------------------------------------------------------------------------------

    @property
    def era(self) -> EraName:
        return self._era

    @era.setter
    def era(self, era: EraName) -> None:
        self._era = era
        self._signals.stateless = era == "stateless"

    @property
    def pending(self) -> int:
        """Calls that wait for an answer. A subscription waits for nothing: it keeps no instance running."""
        return sum(reply.method != LISTEN for reply in self._pending.values())

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
        """See ``Link.call``.

        ``subscriptions/listen`` has no timeout; its notices and its result bear this Link's own subscription
        id, which the caller replaces by its own.
        """
        reply = Reply(loop=self._loop)
        reply.link = self
        if not self.alive or self.pipes.paused or len(self._pending) >= MAX_PENDING:
            refusal = self._refusal()
            if refusal is not None:
                reply.set_exception(refusal)
                return reply
        self.calls = reply.id = call_id = self.calls + 1
        reply.method = method
        reply.seen = self._now
        reply.on_notice = on_notice
        if self.meta or "_meta" in params:
            params = self._outgoing(params, reply)
        message = jsonrpc.encode_request(call_id, method, params) + b"\n"
        alone = not self._pending
        self._pending[call_id] = reply
        self.pipes.write(message, alone)
        return reply

    def notify(self, method: str, params: dict[str, Any]) -> None:
        if self.meta:
            params = {**params, "_meta": {**self.meta, **params.get("_meta", {})}}
        self._send(jsonrpc.encode_notification(method, params))

    def listen(self, sink: SignalSink | None) -> None:
        self._signals.listen(sink)

    # -- for the owner ---------------------------------------------------------------------------------

    def ready(self, now: float) -> None:
        """The handshake is over."""
        self._now = now
        self._signals.ready(now)

    def drain(self) -> None:
        """No new calls from here on; those that wait may still end."""
        self.alive = False

    def fail(self, error: LinkError) -> None:
        """End the Link for its callers: every call that waits raises ``error``. Idempotent."""
        self.alive = False
        replies = list(self._pending.values())
        self._pending.clear()
        for reply in replies:
            if not reply.done():
                reply.set_exception(error)
        self._signals.close()

    def close(self) -> None:
        """Close every pipe; call ``fail`` first if the callers should know a reason."""
        self.fail(LinkClosed("the server was stopped"))
        self.pipes.close()
        # The collector looks seldom, and thousands of ended sessions would wait for it.
        self._signals.let_go()
        self._lines.let_go()

    def sweep(self, now: float) -> None:
        """Look after what takes time: inactivity timeouts, an upstream that does not read, the backlog."""
        self._now = now
        self._signals.sweep(now)
        if self._signals.asking:
            # Which call it asks for is not to be known in the handshake era: none of them is being slow.
            for reply in self._pending.values():
                reply.seen = now
        else:
            self._expire(now, self.server.call_timeout)
        unwritten = self.pipes.unwritten() if self.pipes.paused else 0
        self._stuck = unwritten >= self._unwritten > 0
        self._unwritten = unwritten

    def _expire(self, now: float, limit: float) -> None:
        late = [
            reply for reply in self._pending.values() if now - reply.seen > limit and reply.method != LISTEN
        ]
        for reply in late:
            self.abandon(reply, "no answer in time")
            if not reply.done():
                reply.set_exception(LinkTimeout(f"the server gave no answer or progress for {limit:g} s"))

    def abandon(self, reply: Reply, reason: str) -> None:
        """Nobody waits for this call any more; the upstream may stop working on it."""
        if self._pending.pop(reply.id, None) is None:
            return
        if reply.method != "initialize":  # MCP, cancellation: the initialize request must not be cancelled
            self.notify("notifications/cancelled", {"requestId": reply.id, "reason": reason})

    # -- writing ---------------------------------------------------------------------------------------

    def _refusal(self) -> LinkError | None:
        if not self.alive:
            return LinkClosed("the server is not running")
        if len(self._pending) >= MAX_PENDING:
            return LinkBusy("too many calls are waiting for the server")
        return self._room()

    def _room(self) -> LinkError | None:
        if self._stuck or (self.pipes.paused and self.pipes.unwritten() > self._unwritten_cap):
            return LinkBusy("the server does not read what it is sent")
        return None

    def _send(self, message: bytes) -> None:
        """Send what nobody waits for: dropped rather than piled up where the upstream does not read."""
        if not self.pipes.paused or self._room() is None:
            self.pipes.write(message + b"\n", len(self._pending) < 2)
        else:
            self.dropped += 1

    def _outgoing(self, params: dict[str, Any], reply: Reply) -> dict[str, Any]:
        meta = {**self.meta, **params.get("_meta", {})}
        token = meta.pop(PROGRESS_TOKEN, None)
        if token is not None and reply.on_notice is not None:
            reply.token = token
            meta[PROGRESS_TOKEN] = reply.id
            if "task" in params:
                self._signals.outlive(reply.id, token)
        return {**params, "_meta": meta}

    # -- reading ---------------------------------------------------------------------------------------

    def _on_data(self, data: bytes) -> None:
        before, heard = self._lines.pending, self._signals.heard
        self._lines.feed(data)
        if before < _BIG_LINE <= self._lines.pending:
            self.pipes.enlarge_stdout()
        if self._signals.heard != heard:
            pause = self._allowance.spend(self._signals.heard - heard, self._loop.time())
            if pause:
                self._hold_back(pause)

    def _hold_back(self, seconds: float) -> None:
        """Do not read for a moment."""
        self.pipes.pause_stdout(seconds)
        if not self._allowance.told:
            self._allowance.told = True
            text = "server %s floods the gateway with notifications; its output is read more slowly from here"
            _log.warning(text, self.server.name)

    def _on_line(self, line: bytes) -> None:
        message = jsonrpc.decode_line(line)
        if message is None:
            self._on_stray(line)
        elif message.method and len(line) > self.server.max_line_bytes:
            self._on_oversized(line[:KEPT], line[-KEPT:], len(line))
        elif message.method:
            # Also when its id equals one of ours: a request is never taken for an answer.
            self._signals.on_message(message)
        else:
            self._on_answer(message, line)

    def _on_large(self, scan: Follower, pieces: list[bytes]) -> bool:
        """A very long line is complete; False if it is to be taken the ordinary way."""
        found = scan.end(pieces) if isinstance(scan, Scan) else None
        if found is None:
            return False
        reply = self._pending.pop(found.id, None)
        if reply is not None and not reply.done():
            reply.set_result(Result(found.result))
        return True

    def _on_answer(self, message: jsonrpc.Line, line: bytes) -> None:
        call_id = message.id
        if call_id is None and message.error and len(self._pending) == 1:
            # JSON-RPC 2.0 §5.1: the id is null where the request could not be read.
            call_id = next(iter(self._pending))
        if type(call_id) is not int:
            self._note_stray(line)
            return
        reply = self._pending.pop(call_id, None)
        if reply is None or reply.done():
            return  # cancelled or timed out meanwhile
        if message.result:
            first = memoryview(message.result)[0]
            if first == 0x7B:  # "{"
                reply.set_result(Result(message.result))
                return
            if first == 0x6E:  # null, which some servers send for an empty result
                reply.set_result(_EMPTY)
                return
        elif message.error:
            reply.set_result(fault_of(message.error))
            return
        reply.set_exception(
            BadAnswer("the server sent an unusable answer", "neither result object nor error")
        )

    def _on_stray(self, line: bytes) -> None:
        """No JSON object: a stray ``print``, or an answer too broken to be repaired."""
        if not line.strip():
            return
        self._note_stray(line)
        head, tail = line[:KEPT], line[-KEPT:]
        if head.lstrip()[:1] == b"{" and not is_call(head):
            self._fail_claimed(head, tail, BadAnswer("the server sent an unreadable answer"))

    def _note_stray(self, line: bytes) -> None:
        self.stray_lines += 1
        if self.stray_lines <= LOGGED_STRAYS:
            shown = line[:200].decode("utf-8", "replace")
            _log.warning("server %s wrote a line to stdout that is no message: %r", self.server.name, shown)

    def _on_oversized(self, head: bytes, tail: bytes, size: int) -> None:
        _log.warning(
            "server %s sent a message of %d bytes, more than it may; it was skipped",
            self.server.name,
            size,
        )
        if not is_call(head):
            cap = self.server.largest
            self._fail_claimed(head, tail, LineTooLong(f"the answer has {size} bytes, the limit is {cap}"))
            return
        call_id = claimed_id(head, tail)
        if call_id is not None:  # a request of the server: it waits for an answer of some kind
            self._send(jsonrpc.encode_fault(call_id, InvalidRequestFault.code, "Message too long"))

    def _fail_claimed(self, head: bytes, tail: bytes, error: LinkError) -> None:
        """Fail the call that a lost line answered. If it does not say which and several wait, none is failed:
        to fail the wrong one would lose a good answer, and the right one still ends by its timeout. A line
        without ``jsonrpc`` is somebody's log record and answers nothing."""
        call_id = claimed_id(head, tail)
        if call_id is None and len(self._pending) == 1 and (_JSONRPC in head or _JSONRPC in tail):
            call_id = next(iter(self._pending))
        reply = self._pending.pop(call_id, None) if call_id is not None else None
        if reply is not None and not reply.done():
            reply.set_exception(error)
