"""What servers and clients say outside the answers to calls, through the plugins of its server.

Notifications keep their order; a question waits for its plugins before the client hears it, and the client's
answer before the server does. Where nothing is configured, nothing is made: each signal asks once whether its
server has plugins, so that a changed file counts for streams that are open already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from gatekit.errors import Blocked
from gatekit.gateway.outcomes import fault_of
from gatekit.gateway.published import Published, Shelf
from gatekit.gateway.sessions import McpSession
from gatekit.model.access import Access
from gatekit.model.call import Fault, Notice, Question, Result, Signal
from gatekit.plugin import Answered, Block, Listed, Questioned, Said, Subject
from gatekit.plugins.chain import Chain
from gatekit.protocol import methods
from gatekit.upstream.link import Link

MOST_WAITED = 30.0
"""Seconds that an answer waits for plugins to judge the notifications before it."""
_MOST_WAITING = 1000
"""Notifications that wait for a slow plugin; more are lost, as with a slow reader."""
_CANCELLED = "notifications/cancelled"
"""Control of the protocol and no content: never shown to plugins."""

Send = Callable[[Notice], None]


def subject_of(
    access: Access, server: str, tables: Published, session: str = "", request_id: str = "", address: str = ""
) -> Subject:
    """Who asks, as plugins see it."""
    principal = access.principal
    return Subject(
        principal_id=principal.id,
        username=principal.username,
        groups=principal.groups,
        role=tables.policy.role(principal),
        client_id=access.client_id,
        client_name=access.client_name,
        credential=access.credential,
        server=server,
        session=session,
        request_id=request_id,
        address=address,
    )


class Relay:
    """Passes notifications on as plugins leave them; those that wait for a plugin keep the order."""

    __slots__ = ("_chain", "_deliver", "_queue", "_seen", "_subject", "_task", "_to_server")

    def __init__(
        self,
        chain: Chain,
        subject: Subject,
        seen: list[str] | None,
        deliver: Callable[[Notice], object],
        to_server: bool = False,
    ) -> None:
        self._chain = chain
        self._subject = subject
        self._seen = seen
        self._deliver = deliver
        self._to_server = to_server
        self._queue: list[Notice] = []
        self._task: asyncio.Task[None] | None = None

    def __call__(self, notice: Notice) -> None:
        if self._task is not None and not self._task.done():
            if len(self._queue) < _MOST_WAITING:
                self._queue.append(notice)
            return
        heard = self._chain.heard(self._subject, self._said(notice), self._verdicts())
        if isinstance(heard, Awaitable):
            self._task = asyncio.ensure_future(self._later(heard))
        elif heard is not None:
            self._deliver(Notice(heard.method, dict(heard.params)))

    async def drained(self) -> None:
        """Wait for what was said, for a while: what has not been judged by then is not heard."""
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=MOST_WAITED)
            if late:
                self._queue.clear()
                self._task.cancel()

    async def _later(self, first: Awaitable[Said | None]) -> None:
        heard = await first
        while True:
            if heard is not None:
                self._deliver(Notice(heard.method, dict(heard.params)))
            if not self._queue:
                return
            judged = self._chain.heard(self._subject, self._said(self._queue.pop(0)), self._verdicts())
            heard = await judged if isinstance(judged, Awaitable) else judged

    def _said(self, notice: Notice) -> Said:
        return Said(method=notice.method, params=notice.params, to="server" if self._to_server else "client")

    def _verdicts(self) -> list[str]:
        return [] if self._seen is None else self._seen


async def listed(
    chain: Chain, subject: Subject, method: str, body: dict[str, Any], seen: list[str]
) -> Any | Block:
    """The items of one server's page as its plugins leave them: the very list if they leave it alone."""
    key = methods.spec(method).list_key
    items = body.get(key)
    if not isinstance(items, list):
        return items
    page = Listed(method=method, key=key, items=tuple(item for item in items if isinstance(item, dict)))
    found = await chain.listed(subject, page, seen)
    if isinstance(found, Block):
        return found
    return items if found is page else [dict(item) for item in found.items]


def chain_of(tables: Published, server: str) -> Chain | None:
    """The plugins of a server, if it has any."""
    return None if tables.plugins is None else tables.plugins.at(server)


class Overheard:
    """What one listener hears of one server outside its calls."""

    __slots__ = ("_chain", "_relay", "_send", "_server", "_shelf", "_who")

    def __init__(self, shelf: Shelf, server: str, who: Callable[[], Access], send: Send) -> None:
        self._shelf = shelf
        self._server = server
        self._who = who
        self._send = send
        self._chain: Chain | None = None
        self._relay: Relay | None = None

    def __call__(self, notice: Notice) -> None:
        tables = self._shelf.current
        chain = chain_of(tables, self._server)
        if chain is None or not chain.inward or notice.method == _CANCELLED:
            self._send(notice)
            return
        if self._relay is None or self._chain is not chain:
            subject = subject_of(self._who(), self._server, tables)
            self._chain, self._relay = chain, Relay(chain, subject, None, self._send)
        self._relay(notice)


class Owner:
    """Where a session's own instance says what belongs to no call: the session, behind the plugins."""

    __slots__ = ("_asking", "_notices", "_server", "_session", "_shelf")

    def __init__(self, shelf: Shelf, server: str, session: McpSession) -> None:
        self._shelf = shelf
        self._server = server
        self._session = session
        self._notices = Overheard(shelf, server, lambda: session.access, session.on_signal)
        self._asking: dict[int, asyncio.Task[None]] = {}
        """Questions that wait for their plugins, by ``ref``."""

    def __call__(self, signal: Signal, source: object) -> None:
        session = self._session
        tables = self._shelf.current
        chain = chain_of(tables, self._server)
        if chain is None or session.ended:
            session.on_signal(signal, source)
        elif isinstance(signal, Notice):
            self._notice(signal, source)
        elif chain.questions or chain.answers:
            subject = subject_of(session.access, self._server, tables, session.id)
            task = asyncio.ensure_future(self._put(chain, subject, signal, source))
            self._asking[signal.ref] = task
            task.add_done_callback(lambda _: self._asking.pop(signal.ref, None))
        else:
            session.on_signal(signal, source)

    def _notice(self, notice: Notice, source: object) -> None:
        if notice.method != _CANCELLED:
            self._notices(notice)
            return
        ref = notice.params.get("requestId")
        waiting = self._asking.pop(ref, None) if isinstance(ref, int) else None
        if waiting is not None:
            waiting.cancel()  # the client has not heard of it yet
        else:
            self._session.on_signal(notice, source)

    async def _put(self, chain: Chain, subject: Subject, question: Question, source: object) -> None:
        """Ask the client what the plugins leave of a question."""
        seen = self._verdicts()
        asked = Questioned(method=question.method, params=question.params)
        put = await chain.question(subject, asked, seen)
        if isinstance(put, Block):
            question.answer(fault_of(Blocked(put.public, put.reason)))
        elif not isinstance(put, Questioned):
            question.answer(Result(dict(put.result)))
        else:
            back = _Back(chain, subject, put, question, seen)
            params = dict(put.params)
            self._session.on_signal(Question(put.method, params, back, question.ref), source)

    def _verdicts(self) -> list[str]:
        """Those of the latest call: which one a server of this era asks for is not to be known."""
        flight = next(reversed(self._session.calls.values()), None)
        inspection = None if flight is None else flight.inspection
        return [] if inspection is None else inspection.seen


class _Back:
    """The client's answer on its way to the server."""

    def __init__(
        self, chain: Chain, subject: Subject, put: Questioned, question: Question, seen: list[str]
    ) -> None:
        self._chain = chain
        self._subject = subject
        self._put = put
        self._question = question
        self._seen = seen
        self._task: asyncio.Task[None] | None = None

    def __call__(self, outcome: Result | Fault) -> None:
        if isinstance(outcome, Fault) or not isinstance(outcome.body, dict) or not self._chain.answers:
            self._question.answer(outcome)
        else:
            self._task = asyncio.ensure_future(self._judged(outcome.body))

    async def _judged(self, body: dict[str, Any]) -> None:
        said = Answered(self._put.method, "", body)
        back = await self._chain.answer(self._subject, self._put, said, self._seen)
        if isinstance(back, Block):
            self._question.answer(fault_of(Blocked(back.public, back.reason)))
        else:
            self._question.answer(Result(dict(back.body)))


def to_server(
    tables: Published, server: str, access: Access, session: str, notice: Notice, link: Link
) -> None:
    """Pass a client's notification on to a server as its plugins leave it."""
    chain = chain_of(tables, server)
    if chain is None or not chain.outward:
        link.notify(notice.method, notice.params)
        return

    def send(heard: Notice) -> None:
        link.notify(heard.method, heard.params)

    Relay(chain, subject_of(access, server, tables, session), None, send, to_server=True)(notice)
