"""A handshake-era client in front of a stateless server that needs input: the gateway goes the rounds.

The server *answers* that it needs input and wants the call again with the answers (MCP 2026-07-28, multi
round-trip requests); such a client knows only that a server *asks*, while its call stays open. So every round
becomes requests on the stream of the client's own POST, and their answers a new request to the server with
its ``requestState``, byte for byte. The client sees one call, and the record holds one with its rounds.

The reverse, a stateless client in front of a handshake-era server, is ``rounds``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from gatekit.errors import BadAnswer
from gatekit.gateway.catalog import Catalog
from gatekit.gateway.outcomes import Answered, classified, upstream_params
from gatekit.gateway.ports import Surroundings, Verdicts
from gatekit.gateway.reply import Reply
from gatekit.gateway.rounds import MAX_ROUNDS, TOO_MANY, with_input
from gatekit.gateway.router import Target
from gatekit.gateway.sessions import McpSession
from gatekit.model.call import Call, Fault, NeedsInput, Notice, Outcome, Question, Result, Retry
from gatekit.protocol.era import bridge
from gatekit.upstream.link import Link

_FIRST_PAUSE, _LAST_PAUSE = 0.05, 1.0
"""Seconds between rounds without a question; each is twice the one before."""
_PROGRESS = "notifications/progress"
_COMPLETE = "notifications/elicitation/complete"
_CANNOT_BE_ASKED = -31008
_NOT_ANSWERED = -31012
_NOT_DONE = Fault(-31003, "the server kept the call waiting for too long")

Send = Callable[[Notice], None]


class Asking(Struct, frozen=True):
    """One client's call on its way round."""

    call: Call
    target: Target
    session: McpSession
    reply: Reply
    send: Send


class Rising:
    """Lets only progress through that is progress: over all rounds of a call it MUST increase (MCP)."""

    __slots__ = ("_done", "_send")

    def __init__(self, send: Send) -> None:
        self._send = send
        self._done = float("-inf")

    def __call__(self, notice: Notice) -> None:
        if notice.method == _PROGRESS:
            done = notice.params.get("progress")
            if not isinstance(done, int | float) or done <= self._done:
                return
            self._done = done
        self._send(notice)


class Loop:
    """Goes the rounds; keeps nothing between calls."""

    def __init__(self, around: Surroundings, catalog: Catalog) -> None:
        self._around = around
        self._catalog = catalog

    async def run(self, asking: Asking, needs: NeedsInput, link: Link) -> Answered:
        """From the first ``input_required`` to the end. Raises ProtocolFault and LinkError."""
        call, target = asking.call, asking.target
        rounds, said, pause = 0, list[str](), _FIRST_PAUSE
        clock = self._around.clock
        waited = 0.0
        while True:
            requests, state = _read(needs)
            visits: dict[str, str] = {}
            answers: dict[str, Any] = {}
            if requests:
                rounds, waited, pause = rounds + 1, 0.0, _FIRST_PAUSE
                if rounds > MAX_ROUNDS:
                    return Answered(TOO_MANY, link, ", ".join(said), rounds=MAX_ROUNDS)
                visits = {k: self._elicitation_id() for k, each in requests.items() if bridge.is_url(*each)}
                asked = await self._ask(asking, requests, visits)
                if not isinstance(asked, dict):
                    return Answered(asked, link, ", ".join(said), rounds=rounds)
                answers = asked
                said += [f"{requests[k][0]} {a.get('action', 'answered')}" for k, a in answers.items()]
            else:
                if waited >= target.server.call_timeout:
                    return Answered(_NOT_DONE, link, rounds=rounds)
                await asyncio.sleep(pause)
                waited, pause = waited + pause, min(pause * 2, _LAST_PAUSE)
            link = await self._link(asking)
            params = upstream_params(with_input(target.params, Retry(answers, state)), call)
            started = clock.monotonic()
            outcome = classified(call.method, await link.call(call.method, params, asking.send))
            waited += clock.monotonic() - started
            _tell_complete(asking, outcome, [visits[k] for k in visits if _agreed(answers[k])])
            if not isinstance(outcome, NeedsInput):
                return Answered(outcome, link, ", ".join(said), rounds=rounds)
            needs = outcome

    async def ask(
        self, asking: Asking, requests: dict[str, tuple[str, dict[str, Any]]]
    ) -> dict[str, dict[str, Any]] | Outcome:
        """Put questions to the client: its answers, or how the call ends without (for tasks)."""
        visits = {key: self._elicitation_id() for key, each in requests.items() if bridge.is_url(*each)}
        return await self._ask(asking, requests, visits)

    async def _link(self, asking: Asking) -> Link:
        """Any instance will do, also one started since: all that the server knows is in ``requestState``."""
        call, server = asking.call, asking.target.server
        link = self._catalog.running(server, call) or await self._catalog.link(server, call, asking.session)
        if link.era != "stateless":
            raise BadAnswer("the server has changed; start the call again", "its era changed between rounds")
        return link

    def _elicitation_id(self) -> str:
        return self._around.entropy.token("", 16)

    async def _ask(
        self, asking: Asking, requests: dict[str, tuple[str, dict[str, Any]]], visits: dict[str, str]
    ) -> dict[str, dict[str, Any]] | Outcome:
        """The client's answers, all of them; or how the call ends without."""
        client = asking.call.client
        for method, params in requests.values():
            refused = bridge.refusal(method, params, bridge.offered(client))
            if refused is not None:
                return _cannot(asking.call, method, params)
        session = asking.session
        flight = session.calls.get(asking.call.id)
        plugins = None if flight is None else flight.inspection
        if plugins is not None:
            shown = await _inspected(plugins, requests)
            if not isinstance(shown, dict):
                return shown
            requests = shown
        futures: dict[str, asyncio.Future[Result | Fault]] = {}
        ids = []
        try:
            for key, (method, params) in requests.items():
                future = futures[key] = asyncio.get_running_loop().create_future()
                put = {**params, "elicitationId": visits[key]} if key in visits else params
                ids.append(session.ask(Question(method, put, _settle(future)), asking.reply))
            answers: dict[str, dict[str, Any]] = {}
            for key, future in futures.items():
                method = requests[key][0]
                body = _answer(method, await future)
                if plugins is not None and not isinstance(body, Fault):
                    body = await plugins.answer(method, requests[key][1], body)
                if isinstance(body, Fault):
                    return body
                answers[key] = body
            return answers
        finally:
            for asked_id in ids:
                session.withdraw(asked_id, reason="the call has ended")


async def _inspected(
    plugins: Verdicts, requests: dict[str, tuple[str, dict[str, Any]]]
) -> dict[str, tuple[str, dict[str, Any]]] | Outcome:
    """The questions as plugins leave them, or how the call ends. One of several cannot be answered by a
    plugin alone: then the call ends with that answer refused."""
    shown = {}
    for key, (method, params) in requests.items():
        put = await plugins.question(method, params)
        if isinstance(put, Result):
            return Fault(
                _NOT_ANSWERED, f"{method} was answered by the gateway, which this server cannot take"
            )
        if isinstance(put, Fault):
            return put
        shown[key] = put
    return shown


def _settle(future: asyncio.Future[Result | Fault]) -> Callable[[Result | Fault], None]:
    def answer(outcome: Result | Fault) -> None:
        if not future.done():
            future.set_result(outcome)

    return answer


def _answer(method: str, outcome: Result | Fault) -> dict[str, Any] | Fault:
    """The client's answer as an ``inputResponses`` value. Raises InvalidParams for one that is none."""
    if isinstance(outcome, Result):
        return bridge.read_answer(method, outcome.body)
    said = bridge.unable(method, outcome)
    return Fault(_NOT_ANSWERED, f"{method} was not answered: {outcome.message}") if said is None else said


def _cannot(call: Call, method: str, params: dict[str, Any]) -> Outcome:
    """The server asks for what the client did not declare (it MUST NOT); a link can be said in words."""
    if bridge.is_url(method, params) and call.method == "tools/call" and isinstance(params.get("url"), str):
        text = f"{params.get('message') or 'Please visit'}: {params['url']}"
        return Result({"content": [{"type": "text", "text": text}], "isError": True})
    return Fault(_CANNOT_BE_ASKED, f"the server asks for input that this client cannot give: {method}")


def _agreed(answer: dict[str, Any]) -> bool:
    return answer.get("action") == "accept"


def _read(needs: NeedsInput) -> tuple[dict[str, tuple[str, dict[str, Any]]], str | None]:
    """The questions by key, and the server's state. Raises BadAnswer where there is neither."""
    listed, state = needs.body.get("inputRequests"), needs.body.get("requestState")
    requests = {}
    for key, request in listed.items() if isinstance(listed, dict) else ():
        read = bridge.read_request(request)
        if read is None:
            raise BadAnswer("the server asked for something unknown", "inputRequests with an unknown method")
        requests[key] = read
    if not requests and not isinstance(state, str):
        raise BadAnswer("the server asked for nothing", "input_required without inputRequests or state")
    return requests, state if isinstance(state, str) else None


def _tell_complete(asking: Asking, outcome: Outcome, visited: list[str]) -> None:
    """The visits have led to something: the client may close what it shows of them (MCP 2025-11-25)."""
    if isinstance(outcome, Fault):
        return
    for elicitation_id in visited:
        asking.send(Notice(_COMPLETE, {"elicitationId": elicitation_id}))
