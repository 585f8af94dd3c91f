"""What an upstream says without being asked: notifications, and requests to the client.

Notifications that belong to a call go to that call's sink, everything else to the Link's one sink. The
upstream's request ids stay in here; outside a request is a ``Question`` that can be answered once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from gatekit.errors import MethodNotFound, ParseFault
from gatekit.model.call import Fault, Notice, Question, Result, Signal
from gatekit.protocol import jsonrpc
from gatekit.upstream.link import SignalSink
from gatekit.upstream.reply import Reply

_log = logging.getLogger("gatekit.upstream")

BACKLOG = 64
"""Signals kept between the start of a Link and the first ``listen``."""
BACKLOG_BYTES = 1024 * 1024
BACKLOG_SECONDS = 5.0
QUESTIONS = 256
"""Requests of one upstream that may wait for an answer; the next one is refused."""
PATIENCE = 1800.0
"""Seconds that an open question keeps the calls of its upstream from timing out."""
LASTING = 256
"""Tasks of one Link whose progress is passed on; beyond that the oldest are forgotten."""
LISTEN = "subscriptions/listen"
PROGRESS_TOKEN = "progressToken"
_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
_ABOUT_THE_LINK = ("notifications/progress", "notifications/cancelled")
"""These say themselves what they are about."""
_NO_SUCH_METHOD = Fault(MethodNotFound.code, "Method not found")
_TOO_MANY = Fault(-31021, f"more than {QUESTIONS} requests wait for an answer")


class Signals:
    """Belongs to one Link: ``pending`` is that Link's table of calls, ``send`` writes to its upstream."""

    def __init__(self, name: str, pending: dict[int, Reply], send: Callable[[bytes], None]) -> None:
        self.stateless = False
        self._name = name
        self._pending = pending
        self._send = send
        self._sink: SignalSink | None = None
        self._questions: dict[int, str | int] = {}
        self._last_asked = 0.0
        # Questions of all Links that live have different numbers: a session may listen to several.
        self._asked = id(self) << 24
        self.heard = 0
        """Notifications and requests so far."""
        self.lasting: dict[int, str | int] = {}
        """Our progress token → the client's, of calls that were answered with a task: it is good for as long
        as the task is (MCP 2025-11-25)."""
        self.tools_changed = 0
        """Times that the upstream has said so."""
        self._now = 0.0
        # A server may ask for the roots in the very moment of ``notifications/initialized``, before whoever
        # acquired the Link can call ``listen``.
        self._backlog: deque[tuple[Signal, int]] | None = deque()
        self._incoming = self._backlog_size = 0
        self._backlog_until = float("inf")

    @property
    def sink(self) -> SignalSink | None:
        return self._sink

    def listen(self, sink: SignalSink | None) -> None:
        self._sink = sink
        backlog, self._backlog = self._backlog, None
        for signal, _ in backlog or ():
            self._signal(signal)

    def ready(self, now: float) -> None:
        """From here on the backlog is kept for ``BACKLOG_SECONDS``."""
        self._now = now
        self._backlog_until = now + BACKLOG_SECONDS

    @property
    def asking(self) -> bool:
        """The upstream waits for an answer, and so may every call that it works on."""
        return bool(self._questions) and self._now - self._last_asked < PATIENCE

    def outlive(self, call_id: int, token: str | int) -> None:
        """Progress of a call goes on after its answer."""
        if len(self.lasting) >= LASTING:
            del self.lasting[next(iter(self.lasting))]
        self.lasting[call_id] = token

    def sweep(self, now: float) -> None:
        self._now = now
        if self._backlog is not None and now > self._backlog_until:
            self.listen(None)

    def close(self) -> None:
        self._backlog = None
        refs = list(self._questions)
        self._questions.clear()
        for ref in refs:  # whoever was asked need not answer any more
            gone = {"requestId": ref, "reason": "the server has ended"}
            self._signal(Notice("notifications/cancelled", gone))

    def let_go(self) -> None:
        """Nothing comes any more: hold nobody who holds us, so that no collector is needed to free it."""
        self._sink = None
        self._send = _into_nothing

    # -- requests --------------------------------------------------------------------------------------

    def on_message(self, message: jsonrpc.Line) -> None:
        """A line with a method."""
        self.heard += 1
        if self._backlog is not None:
            self._incoming = len(memoryview(message.params)) if message.params else 0
        try:
            params = jsonrpc.decode_object(message.params)
        except ParseFault:
            params = {}
        request_id = message.id
        if request_id is None:
            self._on_notice(message.method, params)
        elif isinstance(request_id, float):
            _log.debug("server %s: a request with an unusable id was ignored", self._name)
        elif message.method == "ping":  # either side, at any time (MCP, ping)
            self._send(jsonrpc.encode_result(request_id, {}))
        elif len(self._questions) >= QUESTIONS:
            self._send(jsonrpc.encode_fault(request_id, _TOO_MANY.code, _TOO_MANY.message))
        else:
            self._asked = ref = self._asked + 1
            self._questions[ref] = request_id
            self._last_asked = self._now
            self._signal(Question(message.method, params, lambda end: self._answer(ref, end), ref))

    def on_stream(self, message: jsonrpc.Line, reply: Reply) -> None:
        """A message on the stream of one call (Streamable HTTP), which in the stateless era is about it."""
        if not self.stateless or reply.on_notice is None or message.method in _ABOUT_THE_LINK:
            self.on_message(message)
            return
        self.heard += 1
        try:
            params = jsonrpc.decode_object(message.params)
        except ParseFault:
            params = {}
        self._hand(reply.on_notice, Notice(message.method, params))

    def _answer(self, ref: int, end: Result | Fault) -> None:
        request_id = self._questions.pop(ref, None)
        if request_id is None:
            return  # withdrawn by the upstream, or the Link has ended
        if isinstance(end, Fault):
            self._send(jsonrpc.encode_fault(request_id, end.code, end.message, end.data))
        else:
            self._send(jsonrpc.encode_result(request_id, end.body))

    # -- notifications ---------------------------------------------------------------------------------

    def _on_notice(self, method: str, params: dict[str, Any]) -> None:
        if method == "notifications/progress":
            self._on_progress(params)
            return
        if method == "notifications/cancelled":
            self._on_cancelled(params)
            return
        if method == "notifications/tools/list_changed":
            self.tools_changed += 1
        reply = self._related(method, params) if self.stateless else None
        if reply is not None and reply.on_notice is not None:
            self._hand(reply.on_notice, Notice(method, params))
        else:
            self._signal(Notice(method, params))

    def _call(self, their_id: object) -> Reply | None:
        # ``True == 1`` and lists are not hashable: only a plain integer can be one of our ids.
        return self._pending.get(their_id) if type(their_id) is int else None

    def _on_progress(self, params: dict[str, Any]) -> None:
        reply = self._call(params.get(PROGRESS_TOKEN))
        ours = params.get(PROGRESS_TOKEN)
        if reply is None and type(ours) is int and ours in self.lasting:
            params[PROGRESS_TOKEN] = self.lasting[ours]
            self._signal(Notice("notifications/progress", params))
            return
        if reply is None or reply.token is None or reply.on_notice is None:
            return  # late, or not a token of ours
        reply.seen = self._now
        params[PROGRESS_TOKEN] = reply.token
        self._hand(reply.on_notice, Notice("notifications/progress", params))

    def _on_cancelled(self, params: dict[str, Any]) -> None:
        theirs = params.get("requestId")
        for ref, request_id in self._questions.items():
            if request_id == theirs and type(request_id) is type(theirs):
                del self._questions[ref]
                self._signal(Notice("notifications/cancelled", {**params, "requestId": ref}))
                return
        reply = self._call(theirs)
        if reply is not None and reply.method == LISTEN:
            # MCP 2026-07-28, cancellation: how a server may end a subscription, besides by a result.
            del self._pending[reply.id]
            reply.set_result(Result({"resultType": "complete", "_meta": {_SUBSCRIPTION: reply.id}}))

    def _related(self, method: str, params: dict[str, Any]) -> Reply | None:
        """The call that a notification of a stateless upstream belongs to (MCP 2026-07-28, stdio)."""
        meta = params.get("_meta")
        if isinstance(meta, dict) and _SUBSCRIPTION in meta:
            return self._call(meta[_SUBSCRIPTION])
        if method == "notifications/message":
            # Log messages bear no relation on the wire; with one call at work it can only be that one's.
            busy = [reply for reply in self._pending.values() if reply.method != LISTEN]
            return busy[0] if len(busy) == 1 else None
        return None

    # -- handing on ------------------------------------------------------------------------------------

    def _signal(self, signal: Signal) -> None:
        if self._backlog is not None:
            self._backlog.append((signal, self._incoming))
            self._backlog_size += self._incoming
            while len(self._backlog) > BACKLOG or self._backlog_size > BACKLOG_BYTES:
                oldest, size = self._backlog.popleft()
                self._backlog_size -= size
                self._refuse(oldest)
        elif self._sink is None:
            self._refuse(signal)
        else:
            self._hand(self._sink, signal)

    def _refuse(self, signal: Signal) -> None:
        if isinstance(signal, Question):
            signal.answer(_NO_SUCH_METHOD)

    def _hand(self, sink: Callable[[Any], None], signal: Signal) -> None:
        try:
            sink(signal)
        except Exception:  # noqa: BLE001  Link owner boundary: a faulty sink must not end the connection
            _log.exception("server %s: a signal could not be handed on", self._name)
            self._refuse(signal)


def _into_nothing(message: bytes) -> None:
    """Stands for ``send`` where there is no upstream any more."""
