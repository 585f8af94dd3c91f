"""Calls that outlive the HTTP request they came in: an upstream asks in the middle, and the client of the
stateless era can only be asked by ending its request (MCP 2026-07-28, multi round-trip requests).

An ``OpenCall`` is the one upstream call behind several requests of the client, its *legs*. Between two legs
it is *parked*: open at the upstream, with nobody who waits for it, found again by the nonce in the client's
``requestState``. Parked calls are counted, have a deadline and are ended by one sweep.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gatekit.errors import InvalidParams, UpstreamBusy
from gatekit.gateway import taskrun
from gatekit.gateway.router import Target
from gatekit.gateway.slots import Slot
from gatekit.model.call import Call, Fault, Held, Notice, Question, Result
from gatekit.protocol.era import bridge
from gatekit.protocol.era.stateless import LOG_LEVELS
from gatekit.upstream.link import Link

MARK = "gatekit"
"""Progress token of open calls; each leg has the client's own one instead."""
_BUFFERED = 64
"""Notices kept between two legs; the oldest fall out."""
_PROGRESS = "notifications/progress"
_LOG = "notifications/message"


class Leg(Struct, frozen=True):
    """One request of the client: where notices go, and what it said of itself this time."""

    send: Callable[[Notice], None]
    token: str | int | None
    log_level: str | None
    capabilities: dict[str, Any]


class Asked(Struct, frozen=True):
    """The upstream waits for these: key → ``inputRequests`` value."""

    requests: dict[str, Any]


class OpenCall:
    """One call at a handshake-era upstream that may take several legs."""

    __slots__ = (
        "_buffer",
        "_leg",
        "_numbers",
        "_progress",
        "_wake",
        "access",
        "deadline",
        "endpoint",
        "future",
        "held",
        "link",
        "method",
        "name",
        "origin",
        "questions",
        "rounds",
        "server",
        "slot",
    )

    def __init__(self, slot: Slot, link: Link, call: Call, target: Target, origin: str, leg: Leg) -> None:
        self.slot = slot
        self.link = link
        self.access = call.access
        self.method = call.method
        self.endpoint = call.server
        """Where it came in: the server, a virtual one, or ``""`` for the aggregate endpoint."""
        self.server = target.server.name
        self.name = target.name
        self.origin = origin
        """``request_id`` of the first leg."""
        self.rounds = 0
        self.deadline = 0.0
        """``Clock.monotonic()`` until which it may be parked; 0 while a leg waits."""
        self.questions: dict[str, Question] = {}
        """Open ones, by the key that the client sees."""
        self.future: asyncio.Future[Result | Fault] | None = None
        self.held: Held | None = None
        """What it has taken of quotas, once the request that took it was answered."""
        self._leg = leg
        self._buffer: deque[Notice] = deque(maxlen=_BUFFERED)
        self._numbers = 0
        self._progress = float("-inf")
        self._wake: asyncio.Future[None] | None = None
        slot.occupant = self

    @property
    def parked(self) -> bool:
        return self.deadline > 0

    def start(self, method: str, params: dict[str, Any], as_task: bool = False) -> None:
        """Send the call to the upstream, or carry it out as a task there. This happens once."""
        leg = self._leg
        if leg.log_level and leg.log_level != self.slot.level and "logging" in self.link.capabilities:
            self.slot.level = leg.log_level
            self.link.call("logging/setLevel", {"level": leg.log_level}).add_done_callback(_unheard)
        # Progress is always asked for: a later leg may want it where the first one did not.
        meta = {**params.get("_meta", {}), "progressToken": MARK}
        params = {**params, "_meta": meta}
        if as_task:
            self.future = taskrun.plain(self.link, method, params, self.on_notice)
        else:
            self.future = self.link.call(method, params, self.on_notice)
        self.future.add_done_callback(self._on_end)

    async def leg(self, leg: Leg) -> Result | Fault | Asked:
        """Wait on behalf of one request: until the call has ended, or the upstream waits for input.

        Raises LinkError as the call does. If the wait is cancelled, the call is not: see ``end``.
        """
        self._leg, self.deadline = leg, 0.0
        while self._buffer:
            self._send(self._buffer.popleft())
        future = self.future
        assert future is not None
        if self.questions:
            await asyncio.sleep(0)  # one look at what else the upstream says, as below
        while not future.done():
            if self.questions:
                return self.asked()
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return future.result()

    def asked(self) -> Asked:
        """What the upstream waits for."""
        return Asked({key: bridge.input_request(q.method, q.params) for key, q in self.questions.items()})

    def check(self, responses: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The answers among ``responses``; keys that nobody asked about are ignored (MCP 2026-07-28).

        Raises InvalidParams for one that cannot be an answer; nothing has happened then.
        """
        return {
            key: bridge.read_answer(question.method, responses[key])
            for key, question in self.questions.items()
            if key in responses
        }

    def answer(self, answers: dict[str, dict[str, Any]]) -> str:
        """Pass the client's answers on; says what was answered, for the record."""
        said = []
        for key, body in answers.items():
            question = self.questions.pop(key)
            said.append(f"{question.method} {body.get('action', 'answered')}")
            question.answer(Result(body))
        return ", ".join(said)

    def end(self) -> None:
        """Nobody will wait for this call any more: give up its questions, then cancel it. Idempotent."""
        for question in self.questions.values():
            question.answer(bridge.given_up(question.method))
        self.questions.clear()
        self._buffer.clear()
        if self.future is not None and not self.future.done():
            self.future.cancel()
        self._leave()

    # -- from the upstream --------------------------------------------------------------------------------

    def on_question(self, question: Question) -> None:
        """Ask the client, if it may be asked that."""
        refused = bridge.refusal(question.method, question.params, self._leg.capabilities)
        if refused is not None:
            question.answer(refused)
            return
        self._numbers += 1
        self.questions[f"{bridge.CAPABILITY[question.method]}-{self._numbers}"] = question
        # A turn late: what else the upstream said in the same breath is then here as well. (To wake the leg
        # and let it wait for that turn would go up and down all of its call stack once more.)
        asyncio.get_running_loop().call_soon(self._rouse)

    def on_withdrawn(self, ref: Any) -> None:
        """The upstream does not want the answer any more."""
        for key, question in self.questions.items():
            if question.ref == ref:
                del self.questions[key]
                return

    def on_notice(self, notice: Notice) -> None:
        """Progress and logs go to the leg that waits now, or to the next one."""
        if self.parked:
            self._buffer.append(notice)
        else:
            self._send(notice)

    def _send(self, notice: Notice) -> None:
        leg = self._leg
        if notice.method == _PROGRESS:
            done = notice.params.get("progress")
            if leg.token is None or not isinstance(done, int | float) or done <= self._progress:
                return  # MCP, progress: the value MUST increase, also over all legs of one call
            self._progress = done
            notice = Notice(notice.method, {**notice.params, "progressToken": leg.token})
        elif notice.method == _LOG and not _loud_enough(notice, leg.log_level):
            return
        leg.send(notice)

    def _on_end(self, future: asyncio.Future[Result | Fault]) -> None:
        if not future.cancelled():
            future.exception()  # seen: a parked call may fail long before its client asks
        # The call did not wait for these, but whoever asked still does (roots asked for after the handshake).
        for question in self.questions.values():
            question.answer(bridge.unattended(question.method))
        self.questions.clear()
        self._leave()
        self._rouse()

    def _leave(self) -> None:
        if self.held is not None:
            self.held.release()
        if self.slot.occupant is self:  # or the slot has long been another call's
            self.slot.free()

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def _loud_enough(notice: Notice, wanted: str | None) -> bool:
    """MCP 2026-07-28: no log message without ``logLevel``, and none below it."""
    level = notice.params.get("level")
    if wanted is None or level not in LOG_LEVELS:
        return False
    return LOG_LEVELS.index(level) >= LOG_LEVELS.index(wanted)


def _unheard(future: asyncio.Future[Result | Fault]) -> None:
    if not future.cancelled():
        future.exception()


class Parking:
    """The registry of parked calls, by nonce. Keeps them in the order of their deadlines."""

    def __init__(self, patience: float, per_principal: int, in_all: int) -> None:
        """``patience``: seconds that a call may be parked."""
        self._patience = patience
        self._per_principal = per_principal
        self._in_all = in_all
        self._calls: dict[str, OpenCall] = {}
        self._of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def park(self, nonce: str, call: OpenCall, now: float) -> None:
        """Keep ``call`` until it is taken or its deadline. Raises UpstreamBusy if there are too many."""
        person = call.access.principal.id
        mine = self._of.get(person, 0)
        if mine >= self._per_principal or len(self._calls) >= self._in_all:
            raise UpstreamBusy("too many calls wait for an answer of their client")
        call.deadline = now + self._patience
        self._calls[nonce] = call
        self._of[person] = mine + 1

    def find(self, nonce: str) -> OpenCall:
        """The parked call. Raises InvalidParams if it was taken before, or has ended."""
        call = self._calls.get(nonce)
        if call is None:
            raise InvalidParams(
                "Invalid params: requestState was used before or is not known any more; start the call again",
                "requestState replayed, or its call has ended",
            )
        return call

    def peek(self, nonce: str) -> OpenCall | None:
        return self._calls.get(nonce)

    def take(self, nonce: str) -> None:
        """Use the nonce up."""
        call = self._calls.pop(nonce)
        person = call.access.principal.id
        left = self._of.pop(person) - 1
        if left:
            self._of[person] = left

    def sweep(self, now: float) -> list[OpenCall]:
        """End the calls whose deadline has passed; what was ended."""
        late = []
        for nonce, call in self._calls.items():
            if call.deadline > now:
                break  # the rest was parked later
            late.append(nonce)
        return self._end(late)

    def parked(self) -> list[tuple[str, OpenCall]]:
        return list(self._calls.items())

    def drop(self, nonce: str) -> OpenCall | None:
        """End one parked call."""
        ended = self._end([nonce] if nonce in self._calls else [])
        return ended[0] if ended else None

    def close(self) -> None:
        self._end(list(self._calls))

    def _end(self, nonces: list[str]) -> list[OpenCall]:
        ended = []
        for nonce in nonces:
            call = self._calls[nonce]
            self.take(nonce)
            call.end()
            ended.append(call)
        return ended
