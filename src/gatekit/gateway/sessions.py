"""Handshake-era sessions: one ``McpSession`` per ``Mcp-Session-Id``, bound to a principal, never a
credential.

A session remembers what the handshake said, which calls are in flight under which client id, which
questions of the upstream still wait for the client's answer, and where to send what belongs to no call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from typing import Any

import msgspec
from msgspec import Struct

from gatekit.errors import InvalidRequestFault, SessionUnknown
from gatekit.gateway.faces import HandshakeFace
from gatekit.gateway.feeds import Feed, Listener
from gatekit.gateway.ports import Verdicts
from gatekit.gateway.replay import Replay
from gatekit.gateway.reply import Reply
from gatekit.model.access import Access
from gatekit.model.call import ClientSide, Fault, Notice, Question, RequestId, Result, Signal
from gatekit.protocol import jsonrpc, sse
from gatekit.protocol.era import bridge, handshake
from gatekit.protocol.era.stateless import LOG_LEVELS
from gatekit.upstream.link import Link, UpstreamKey

_UNHEARD_SECONDS = 10.0
"""How long a question may wait for a stream that it can be put on."""
_BACKLOG = 256
_BACKLOG_BYTES = 1024 * 1024
"""Messages kept for a client that has no stream open yet; the oldest fall out."""
_MAX_STREAMS = 8
"""Streams that one session may have open for what belongs to no call."""

_COME_BACK_MS = 2000
"""When to reconnect to a gateway that stops: another replica, or this one once it was started again."""

_CANCELLED = "notifications/cancelled"
_SESSION_ENDED = Fault(-32000, "the client's session ended")


class InFlight:
    """One call that the client may cancel."""

    __slots__ = (
        "access",
        "cancelled",
        "disconnect_cancels",
        "ending",
        "inspection",
        "left",
        "reply",
        "said",
        "server",
        "task",
        "watched",
    )

    def __init__(
        self,
        reply: Reply,
        task: asyncio.Task[Any] | None,
        disconnect_cancels: bool,
        access: Access,
        server: str,
    ) -> None:
        self.reply = reply
        self.access = access
        self.server = server
        self.task = task
        self.cancelled = False
        self.disconnect_cancels = disconnect_cancels
        self.watched = False
        self.left = False
        """Whether the client has disconnected."""
        self.ending: Fault | None = None
        self.inspection: Verdicts | None = None
        """The call's way through plugins, if its server has any."""
        self.said: list[str] = []
        """What the client answered to questions while this call was the latest, for the record."""

    def note(self, method: str, outcome: Result | Fault) -> None:
        body = outcome.body if isinstance(outcome, Result) and isinstance(outcome.body, dict) else {}
        word = "error" if isinstance(outcome, Fault) else body.get("action", "answered")
        self.said.append(f"{method} {word}")

    def cancel(self, ending: Fault | None = None) -> bool:
        """End the call; its task answers and records it. ``ending``: with what, if it is not the caller who
        wants it."""
        if self.task is None or self.cancelled:
            return False
        self.cancelled, self.ending = True, ending
        self.task.cancel()
        return True


class Asking(Struct):
    """A question that the client has not answered yet."""

    question: Question
    heard: bool
    """Whether there was a stream to put it on."""
    source: object
    flight: InFlight | None
    deadline: float = 0.0
    """``Clock.monotonic()``; set by the first sweep that finds it."""


class Backlog:
    """Messages that wait for a stream, the newest of them."""

    __slots__ = ("_bytes", "_messages")

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._bytes = 0

    def add(self, message: bytes) -> None:
        self._messages.append(message)
        self._bytes += len(message)
        while len(self._messages) > _BACKLOG or (self._bytes > _BACKLOG_BYTES and len(self._messages) > 1):
            self._bytes -= len(self._messages.pop(0))

    def pour(self, send: Callable[[bytes], bool]) -> bool:
        """Send them, the oldest first. False: not all could be."""
        while self._messages:
            if not send(self._messages[0]):
                return False
            self._bytes -= len(self._messages.pop(0))
        return True


class McpSession:
    """What the gateway remembers between the requests of one handshake-era client."""

    __slots__ = (
        "_asked",
        "access",
        "backlog",
        "calls",
        "changing",
        "client",
        "ears",
        "ended",
        "face",
        "id",
        "keys",
        "levelled",
        "questions",
        "replay",
        "resumed",
        "server",
        "streams",
        "touched_at",
    )

    def __init__(
        self,
        session_id: str,
        server: str,
        access: Access,
        client: ClientSide,
        face: HandshakeFace,
        now: float,
    ) -> None:
        self.id = session_id
        self.server = server
        self.access = access
        self.client = client
        self.face = face
        self.touched_at = now
        self.calls: dict[RequestId, InFlight] = {}
        self.questions: dict[str, Asking] = {}
        self.streams: list[Reply] = []
        """Open ones for what belongs to no call, the newest last. A message goes to exactly one."""
        self.resumed: set[Reply] = set()
        """Connections on which streams of calls go on."""
        self.replay: Replay | None = None
        """What may have to be said again, if anything is kept."""
        self.backlog = Backlog()
        self.keys: set[UpstreamKey] = set()
        """Instances that are this session's own."""
        self.levelled: dict[UpstreamKey, Link] = {}
        """Links that were told the log level, by instance: one that is started later must be told as well."""
        self.ears: dict[UpstreamKey, tuple[Feed, Listener]] = {}
        """Instances that it hears of, its own and shared ones."""
        self.changing: dict[str, str] = {}
        """Capability → the notification of changed lists that the client was promised with it."""
        self.ended = False
        self._asked = 0

    @property
    def endpoint(self) -> str:
        return self.server

    def lists_changed(self, capabilities: Collection[str]) -> None:
        """What this person may use has changed by no doing of a server."""
        for capability in capabilities:
            method = self.changing.get(capability)
            if method is not None:
                self.on_signal(Notice(method, {}))

    # -- from the upstream to the client ------------------------------------------------------------------

    def on_signal(self, signal: Signal, source: object = None) -> None:
        """A signal that belongs to no particular call; ``source`` is where its ``ref`` is unique."""
        if self.ended:
            if isinstance(signal, Question):
                signal.answer(_SESSION_ENDED)
            return
        if isinstance(signal, Question):
            self.ask(signal, source=source)
        elif signal.method == _CANCELLED:
            self._withdrawn(signal.params, source)
        else:
            params = handshake.notice(signal.method, signal.params, self.client.version)
            if params is not None:
                self._deliver(jsonrpc.encode_notification(signal.method, params), signal.method)

    def ask(self, question: Question, reply: Reply | None = None, source: object = None) -> str:
        """Put a question to the client, on the stream of the call that it belongs to if that is known; the id
        that it was given, ``""`` if the client offers no such thing."""
        if question.method in bridge.CAPABILITY:
            refused = bridge.refusal(question.method, question.params, self.client.capabilities)
            if refused is not None:
                question.answer(refused)
                return ""
        self._asked += 1
        # Our own id: two upstreams of one session may use the same one, and the client must not see either.
        asked_id = f"gk-{self._asked}"
        own_id = str(question.params.get("elicitationId", ""))
        params = bridge.question(question.method, question.params, self.client.version, own_id)
        message = jsonrpc.encode_request(asked_id, question.method, params)
        heard = reply is not None and reply.signal(message)
        # Which call a server of this era asks for is not to be known; the latest is as good a guess as any.
        flight = None if reply is not None else next(reversed(self.calls.values()), None)
        asking = self.questions[asked_id] = Asking(question, heard, source, flight)
        if not asking.heard:
            asking.heard = self._deliver(message, question.method)
        return asked_id

    def withdraw(self, asked_id: str, **why: Any) -> None:
        """Nobody wants the answer to a question any more. Idempotent."""
        if self.questions.pop(asked_id, None) is not None:
            params = {**why, "requestId": asked_id}
            self._deliver(jsonrpc.encode_notification(_CANCELLED, params), _CANCELLED)

    def _withdrawn(self, params: dict[str, Any], source: object) -> None:
        """The upstream does not want an answer any more: the client knows its question under our id."""
        for asked_id, asking in self.questions.items():
            if asking.source is source and asking.question.ref == params.get("requestId"):
                self.withdraw(asked_id, **params)
                return

    def sweep(self, now: float, patience: float) -> None:
        """Answer for a client that does not: after ``patience`` seconds, soon if it could not be asked."""
        for asked_id, asking in list(self.questions.items()):
            if asking.deadline == 0.0:
                asking.deadline = now + (patience if asking.heard else min(patience, _UNHEARD_SECONDS))
            elif now >= asking.deadline:
                question = asking.question
                self.withdraw(asked_id, reason="no answer in time")
                question.answer(bridge.given_up(question.method))

    def _deliver(self, message: bytes, method: str) -> bool:
        """Whether there was a stream; if not, the message waits for one."""
        if not method.endswith("list_changed") and method != "notifications/resources/updated":
            for flight in reversed(self.calls.values()):
                if flight.reply.signal(message):
                    return True
        for stream in reversed(self.streams):
            if stream.signal(message):
                return True
        self.backlog.add(message)
        return False

    # -- from the client to the upstream ------------------------------------------------------------------

    def answer(self, asked_id: RequestId, outcome: Result | Fault) -> bool:
        """The client's answer to a question; False if nothing waits under that id."""
        asking = self.questions.pop(str(asked_id), None)
        if asking is None:
            return False
        question = asking.question
        if isinstance(outcome, Result) and isinstance(outcome.body, dict):
            said = bridge.answered(question.method, question.params, self.client.version, outcome.body)
            outcome = Result(said)
        if asking.flight is not None:
            asking.flight.note(question.method, outcome)
        question.answer(outcome)
        return True

    def check(self, request_id: RequestId) -> None:
        """Raises what speaks against carrying out one more request."""
        if self.ended:  # while this element of a batch waited for its turn
            raise SessionUnknown("Session not found", "the session has ended")
        if request_id in self.calls:
            raise InvalidRequestFault("a request with this id is still in flight")

    def cancel(self, request_id: RequestId) -> bool:
        """The client no longer wants the answer of one of its calls."""
        flight = self.calls.get(request_id)
        return flight is not None and flight.cancel()

    def set_level(self, level: Any) -> None:
        """What ``logging/setLevel`` said; a stateless upstream is told with each call."""
        known = level if level in LOG_LEVELS else self.client.log_level
        self.client = msgspec.structs.replace(self.client, log_level=known)

    # -- streams ------------------------------------------------------------------------------------------

    def attach(self, stream: Reply) -> None:
        """Open a stream for what belongs to no call, and empty the backlog into it."""
        self.streams.append(stream)
        while len(self.streams) > _MAX_STREAMS:
            self.streams.pop(0).abandon()
        if not self.backlog.pour(stream.signal):
            return
        for asking in self.questions.values():
            if not asking.heard:
                asking.heard, asking.deadline = True, 0.0

    def detach(self, stream: Reply) -> None:
        if stream in self.streams:
            self.streams.remove(stream)

    def close(self, come_back: bool = False) -> None:
        """End everything that hangs on the session. ``come_back``: its client should, with a new one."""
        self.ended = True
        for stream in self.streams:
            if come_back:
                stream.raw(sse.retry(_COME_BACK_MS))
            stream.abandon()
        for flight in list(self.calls.values()):
            flight.cancel()
        for asking in self.questions.values():
            asking.question.answer(_SESSION_ENDED)
        self.questions.clear()
        if self.replay is not None:
            self.replay.close()


class SessionRegistry:
    """All sessions of this process. A session of somebody else does not exist."""

    def __init__(self, per_principal: int, on_evicted: Callable[[McpSession], None]) -> None:
        self._sessions: dict[str, McpSession] = {}
        self._of: dict[str, dict[str, McpSession]] = {}
        self._per_principal = per_principal
        self._on_evicted = on_evicted

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[McpSession]:
        return iter(list(self._sessions.values()))

    def __contains__(self, session: McpSession) -> bool:
        return session.id in self._sessions

    def add(self, session: McpSession) -> None:
        """Register; a person's idlest sessions make room when there are too many."""
        mine = self._of.setdefault(session.access.principal.id, {})
        while len(mine) >= self._per_principal:
            idlest = min(mine.values(), key=lambda s: (bool(s.calls or s.streams), s.touched_at))
            self.remove(idlest)
            self._on_evicted(idlest)
        self._sessions[session.id] = session
        mine[session.id] = session

    def remove(self, session: McpSession) -> None:
        self._sessions.pop(session.id, None)
        mine = self._of.get(session.access.principal.id)
        if mine is not None:
            mine.pop(session.id, None)
            if not mine:
                del self._of[session.access.principal.id]

    def find(self, session_id: str, server: str, access: Access) -> McpSession:
        """The session, if it exists, belongs to this principal and client, and to this endpoint.

        Raises SessionUnknown otherwise; its ``detail`` says which, its public text does not.
        """
        session = self._sessions.get(session_id)
        if session is None:
            raise SessionUnknown("Session not found", "unknown session")
        if session.access.principal.id != access.principal.id:
            raise SessionUnknown("Session not found", "session of another principal")
        if session.server != server:
            raise SessionUnknown("Session not found", "session of another server")
        if session.access.client_id != access.client_id:
            raise SessionUnknown("Session not found", "session of another client")
        session.access = access
        return session
