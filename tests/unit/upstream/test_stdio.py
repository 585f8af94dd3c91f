"""``upstream.stdio`` and ``upstream.signals`` over real pipes, with the test as the server."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gatekit.errors import BadAnswer, LineTooLong, LinkClosed, LinkTimeout
from gatekit.model.call import Fault, Notice, Question, Result, Signal
from gatekit.model.server import Server
from gatekit.upstream import signals as signals_module
from gatekit.upstream.launcher import Child
from gatekit.upstream.stdio import StdioLink


class Wired:
    """A Link and the far ends of its pipes."""

    def __init__(self, server: Server) -> None:
        self.stdin, theirs_in = os.pipe()
        theirs_out, self.stdout = os.pipe()
        theirs_err, self.stderr = os.pipe()
        os.set_blocking(self.stdin, False)
        self.link = StdioLink(server, Child("1", theirs_in, theirs_out, theirs_err), 0.0)
        self._rest = b""

    def say(self, *messages: Any) -> None:
        for message in messages:
            line = (
                message if isinstance(message, bytes) else json.dumps({"jsonrpc": "2.0", **message}).encode()
            )
            os.write(self.stdout, line + b"\n")

    async def hear(self, count: int = 1) -> list[dict[str, Any]]:
        """The next messages that the Link wrote."""
        async with asyncio.timeout(2):
            while self._rest.count(b"\n") < count:
                try:
                    self._rest += os.read(self.stdin, 1 << 20)
                except BlockingIOError:
                    await asyncio.sleep(0.001)
        *lines, self._rest = self._rest.split(b"\n", count)
        return [json.loads(line) for line in lines]

    async def settle(self) -> None:
        """Until what was said before has been read: a ping is answered in order."""
        self.say({"id": "settle", "method": "ping"})
        async with asyncio.timeout(2):
            while (await self.hear())[0].get("id") != "settle":
                pass

    def close(self) -> None:
        self.link.close()
        for fd in (self.stdin, self.stdout, self.stderr):
            os.close(fd)


@pytest.fixture
async def wired() -> AsyncIterator[Wired]:
    made = Wired(
        Server(name="test", command=("x",), call_timeout=10.0, max_line_bytes=5000, max_result_bytes=5000)
    )
    await made.link.connect()
    yield made
    made.close()
    await asyncio.sleep(0)


async def test_a_call_and_its_answer(wired: Wired) -> None:
    call = wired.link.call("tools/call", {"name": "x"})
    assert await wired.hear() == [
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x"}}
    ]
    wired.say(b'{"jsonrpc":"2.0","id":1,"result":{"big":18446744073709551617,"unknown":[1,{}]}}')
    end = await call
    assert isinstance(end, Result)
    assert bytes(end.body) == b'{"big":18446744073709551617,"unknown":[1,{}]}'  # type: ignore[arg-type]
    assert wired.link.pending == 0


async def test_who_is_alone_does_not_wait_and_the_rest_of_a_turn_shares_a_write(wired: Wired) -> None:
    def written() -> int:
        try:
            return os.read(wired.stdin, 1 << 20).count(b"\n")
        except BlockingIOError:
            return 0

    calls = [wired.link.call("a", {})]
    assert written() == 1
    calls += [wired.link.call("b", {}), wired.link.call("c", {})]
    assert written() == 1  # nobody knew of the one behind it
    calls += [wired.link.call("d", {}) for _ in range(20)]
    assert written() == 0
    await asyncio.sleep(0)
    assert written() == 21
    calls += [wired.link.call("e", {}), wired.link.call("f", {})]
    assert written() == 0  # the turn before had many
    await asyncio.sleep(0)
    assert written() == 2
    wired.say(*({"id": number, "result": {}} for number in range(1, len(calls) + 1)))
    await asyncio.gather(*calls)
    last = wired.link.call("g", {})
    assert written() == 1
    last.cancel()


async def test_answers_come_in_any_order_and_an_id_counts_once(wired: Wired) -> None:
    first, second = wired.link.call("a", {}), wired.link.call("b", {})
    wired.say({"id": 2, "result": {"n": 2}}, {"id": 2, "result": {"n": 9}}, {"id": 1, "result": {"n": 1}})
    ends = await asyncio.gather(first, second)
    assert [bytes(end.body) for end in ends] == [b'{"n": 1}', b'{"n": 2}']  # type: ignore[union-attr, arg-type]


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        ({"code": -32602, "message": "no", "data": [1]}, Fault(-32602, "no", [1])),
        ({"code": "x"}, Fault(-32603, "unknown error")),
        ("oops", Fault(-32603, "the server reported an unreadable error")),
    ],
)
async def test_an_error_is_a_fault(wired: Wired, error: object, fault: Fault) -> None:
    call = wired.link.call("a", {})
    wired.say({"id": 1, "error": error})
    assert await call == fault


async def test_an_empty_result_may_be_null(wired: Wired) -> None:
    call = wired.link.call("a", {})
    wired.say({"id": 1, "result": None})
    end = await call
    assert isinstance(end, Result)
    assert bytes(end.body) == b"{}"  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [{"id": 1}, {"id": 1, "result": [1]}, {"id": 1, "result": "text"}])
async def test_neither_result_object_nor_error(wired: Wired, answer: dict[str, Any]) -> None:
    call = wired.link.call("a", {})
    wired.say(answer)
    with pytest.raises(BadAnswer):
        await call


@pytest.mark.parametrize("request_id", ["1", 1.5, None])
async def test_an_id_of_another_type_answers_nothing(wired: Wired, request_id: object) -> None:
    call = wired.link.call("a", {})
    wired.say({"id": request_id, "result": {}})
    await wired.settle()
    assert not call.done()
    call.cancel()


async def test_log_records_on_stdout_answer_nothing(wired: Wired) -> None:
    call = wired.link.call("a", {})
    wired.say(b'{"level":30,"msg":"hello"}', b'{"level":30,"msg":"' + b"x" * 6000 + b'"}', b'{"level":30,')
    await wired.settle()
    assert not call.done()
    call.cancel()


async def test_an_error_without_id_belongs_to_the_only_call(wired: Wired) -> None:
    call = wired.link.call("a", {})
    wired.say({"id": None, "error": {"code": -32700, "message": "Parse error"}})
    assert await call == Fault(-32700, "Parse error")


async def test_cancelling_tells_the_server_and_a_late_answer_is_ignored(wired: Wired) -> None:
    call = wired.link.call("a", {})
    call.cancel()
    _, cancelled = await wired.hear(2)
    assert cancelled["method"] == "notifications/cancelled"
    assert cancelled["params"]["requestId"] == 1
    wired.say({"id": 1, "result": {}})
    await wired.settle()
    assert wired.link.pending == 0
    assert not call.cancel()


async def test_cancelling_a_task_that_waits_does_the_same(wired: Wired) -> None:
    async def waits() -> None:
        await wired.link.call("a", {})

    task = asyncio.create_task(waits())
    await wired.hear()
    task.cancel()
    assert (await wired.hear())[0]["method"] == "notifications/cancelled"


async def test_initialize_is_never_cancelled(wired: Wired) -> None:
    wired.link.call("initialize", {}).cancel()
    wired.link.notify("after", {})
    assert [message["method"] for message in await wired.hear(2)] == ["initialize", "after"]


async def test_progress_tokens_are_ours_on_the_wire(wired: Wired) -> None:
    notices: list[Notice] = []
    params = {"name": "x", "_meta": {"progressToken": "theirs", "traceparent": "00-1"}}
    call = wired.link.call("tools/call", params, notices.append)
    (sent,) = await wired.hear()
    assert sent["params"]["_meta"] == {"progressToken": 1, "traceparent": "00-1"}
    assert params["_meta"] == {"progressToken": "theirs", "traceparent": "00-1"}
    for token in (1, "theirs", 2, True, [1], None):
        wired.say({"method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
    wired.say({"id": 1, "result": {}})
    await call
    assert notices == [Notice("notifications/progress", {"progressToken": "theirs", "progress": 1})]
    wired.say({"method": "notifications/progress", "params": {"progressToken": 1, "progress": 2}})
    await wired.settle()
    assert len(notices) == 1


async def test_without_a_listener_no_progress_is_asked_for(wired: Wired) -> None:
    call = wired.link.call("tools/call", {"_meta": {"progressToken": "theirs"}})
    assert (await wired.hear())[0]["params"] == {"_meta": {}}
    call.cancel()


async def test_questions_keep_the_servers_id_inside_and_are_answered_once(wired: Wired) -> None:
    heard: list[Signal] = []
    wired.link.listen(heard.append)
    wired.say({"id": "q", "method": "sampling/createMessage", "params": {"a": 1}})
    wired.say({"id": 7, "method": "roots/list"})
    await wired.settle()
    first, second = heard
    assert isinstance(first, Question)
    assert isinstance(second, Question)
    assert (first.params, second.params) == ({"a": 1}, {})
    assert first.ref != second.ref
    second.answer(Fault(-1, "not now", {"x": 1}))
    first.answer(Result({"ok": True}))
    first.answer(Result({"ok": False}))
    wired.link.notify("last", {})
    no, yes, last = await wired.hear(3)
    assert no == {"jsonrpc": "2.0", "id": 7, "error": {"code": -1, "message": "not now", "data": {"x": 1}}}
    assert yes == {"jsonrpc": "2.0", "id": "q", "result": {"ok": True}}
    assert last["method"] == "last"


async def test_a_withdrawn_question_is_named_by_its_ref(wired: Wired) -> None:
    heard: list[Signal] = []
    wired.link.listen(heard.append)
    wired.say({"id": 7, "method": "roots/list"})
    wired.say({"method": "notifications/cancelled", "params": {"requestId": 7, "reason": "changed my mind"}})
    await wired.settle()
    question, withdrawn = heard
    assert isinstance(question, Question)
    assert withdrawn == Notice(
        "notifications/cancelled", {"requestId": question.ref, "reason": "changed my mind"}
    )
    question.answer(Result({}))
    wired.link.notify("last", {})
    assert (await wired.hear())[0]["method"] == "last"


async def test_ping_is_answered_here_also_before_anybody_listens(wired: Wired) -> None:
    wired.say({"id": 0, "method": "ping"})
    assert await wired.hear() == [{"jsonrpc": "2.0", "id": 0, "result": {}}]


async def test_signals_wait_for_the_first_listener(wired: Wired) -> None:
    wired.say({"id": 1, "method": "roots/list"}, {"method": "notifications/tools/list_changed"})
    await wired.settle()
    heard: list[Signal] = []
    wired.link.listen(heard.append)
    assert [signal.method for signal in heard] == ["roots/list", "notifications/tools/list_changed"]


async def test_signals_do_not_wait_for_ever(wired: Wired) -> None:
    wired.link.ready(100.0)
    wired.say({"id": 1, "method": "roots/list"})
    await wired.settle()
    wired.link.sweep(104.0)
    wired.link.sweep(106.0)
    assert (await wired.hear())[0]["error"]["code"] == -32601


async def test_without_a_sink_questions_are_refused(wired: Wired) -> None:
    wired.link.listen(None)
    wired.say({"method": "notifications/message"}, {"id": 5, "method": "elicitation/create"})
    assert await wired.hear() == [
        {"jsonrpc": "2.0", "id": 5, "error": {"code": -32601, "message": "Method not found"}}
    ]


async def test_the_backlog_is_bounded(wired: Wired) -> None:
    for number in range(signals_module.BACKLOG + 1):
        wired.say({"id": number, "method": "roots/list"})
    assert (await wired.hear())[0]["id"] == 0


async def test_a_faulty_sink_harms_nobody(wired: Wired, caplog: pytest.LogCaptureFixture) -> None:
    def sink(signal: Signal) -> None:
        raise RuntimeError("bug")

    wired.link.listen(sink)
    call = wired.link.call("a", {})
    wired.say({"id": 5, "method": "roots/list"}, {"id": 1, "result": {}})
    await call
    assert (await wired.hear(2))[1]["error"]["code"] == -32601
    assert "could not be handed on" in caplog.text


async def test_inactivity_is_measured_from_call_or_progress(wired: Wired) -> None:
    link = wired.link
    link.sweep(100.0)
    silent = link.call("a", {})
    lively = link.call("b", {"_meta": {"progressToken": 1}}, lambda notice: None)
    endless = link.call("subscriptions/listen", {})
    link.sweep(108.0)
    wired.say({"method": "notifications/progress", "params": {"progressToken": 2, "progress": 1}})
    await wired.settle()
    link.sweep(110.5)
    with pytest.raises(LinkTimeout):
        await silent
    assert not lively.done()
    link.sweep(118.5)
    with pytest.raises(LinkTimeout):
        await lively
    link.sweep(10_000.0)
    assert not endless.done()
    endless.cancel()
    methods = [message["method"] for message in await wired.hear(3)]
    assert methods == ["notifications/cancelled"] * 3


async def test_no_call_times_out_while_its_server_waits_for_an_answer(wired: Wired) -> None:
    questions: list[Signal] = []
    link = wired.link
    link.listen(questions.append)
    link.ready(100.0)
    call = link.call("a", {})
    wired.say({"id": "q", "method": "elicitation/create", "params": {}})
    await wired.settle()
    link.sweep(500.0)
    assert not call.done()
    (question,) = questions
    assert isinstance(question, Question)
    question.answer(Result({}))
    link.sweep(509.0)  # from the answer on it has its ten seconds
    assert not call.done()
    link.sweep(511.0)
    with pytest.raises(LinkTimeout):
        await call


async def test_an_open_question_does_not_keep_calls_for_ever(wired: Wired) -> None:
    link = wired.link
    link.listen(lambda _: None)
    link.ready(100.0)
    call = link.call("a", {})
    wired.say({"id": "q", "method": "elicitation/create", "params": {}})
    await wired.settle()
    link.sweep(1800.0)
    assert not call.done()
    link.sweep(1901.0)
    with pytest.raises(LinkTimeout):
        await call


async def test_what_waits_for_the_first_listener_is_bounded_in_bytes(
    wired: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals_module, "BACKLOG_BYTES", 10_000)
    heard: list[Signal] = []
    for number in range(40):
        wired.say({"method": "x", "params": {"n": number, "text": "x" * 1000}})
    await wired.settle()
    wired.link.listen(heard.append)
    assert [signal.params["n"] for signal in heard] == list(range(31, 40))


async def test_a_line_above_the_cap_fails_only_its_call(wired: Wired) -> None:
    first, second = wired.link.call("a", {}), wired.link.call("b", {})
    wired.say({"id": 1, "result": {"text": "x" * 6000}}, {"id": 2, "result": {}})
    with pytest.raises(LineTooLong):
        await first
    await second


async def test_a_line_above_the_cap_that_tells_no_id(wired: Wired) -> None:
    anonymous = b'{"result":{"text":"' + b"x" * 6000 + b'"},"jsonrpc":"2.0","id":1   ,"x":{}}'
    first, second = wired.link.call("a", {}), wired.link.call("b", {})
    wired.say(anonymous)
    await wired.settle()
    assert not first.done()
    assert not second.done()
    second.cancel()
    wired.say(anonymous)
    with pytest.raises(LineTooLong):  # only one can be meant
        await first


async def test_a_question_above_the_cap_is_refused(wired: Wired) -> None:
    call = wired.link.call("a", {})
    await wired.hear()
    wired.say({"id": 1, "method": "sampling/createMessage", "params": {"text": "x" * 6000}})
    (answer,) = await wired.hear()
    assert (answer["id"], answer["error"]["code"]) == (1, -32600)
    assert not call.done()
    call.cancel()


async def test_what_strict_json_does_not_allow_is_repaired(wired: Wired) -> None:
    call = wired.link.call("a", {})
    wired.say(b'{"jsonrpc":"2.0","id":1,"result":{"x":NaN,"y":"\\ud800","z":"\xff"}}')
    end = await call
    assert isinstance(end, Result)
    assert json.loads(bytes(end.body)) == {"x": None, "y": "�", "z": "�"}  # type: ignore[arg-type]


async def test_failing_ends_everything_once(wired: Wired) -> None:
    calls = [wired.link.call("a", {}) for _ in range(3)]
    calls[0].cancel()
    wired.link.fail(LinkClosed("gone"))
    wired.link.fail(LinkClosed("again"))
    for call in calls[1:]:
        with pytest.raises(LinkClosed, match="gone"):
            await call
    with pytest.raises(LinkClosed):
        await wired.link.call("b", {})


async def test_stderr_keeps_its_end(wired: Wired) -> None:
    for number in range(2000):
        os.write(wired.stderr, b"line %d\n" % number)
        if number % 500 == 0:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(2):
        while not wired.link.pipes.stderr.text().endswith("line 1999"):
            await asyncio.sleep(0.001)
    assert len(wired.link.pipes.stderr.text()) <= 8192


async def test_stateless_notifications_find_their_call(wired: Wired) -> None:
    link = wired.link
    link.era = "stateless"
    link.meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    heard: list[Signal] = []
    link.listen(heard.append)
    to_listen: list[Notice] = []
    to_call: list[Notice] = []
    listening = link.call("subscriptions/listen", {}, to_listen.append)
    call = link.call("tools/call", {}, to_call.append)
    tagged = {"_meta": {"io.modelcontextprotocol/subscriptionId": 1}}
    wired.say(
        {"method": "notifications/tools/list_changed", "params": tagged},
        {"method": "notifications/message", "params": {"level": "info", "data": "x"}},
        {"method": "notifications/strange", "params": {}},
    )
    await wired.settle()
    assert [notice.method for notice in to_listen] == ["notifications/tools/list_changed"]
    assert [notice.method for notice in to_call] == ["notifications/message"]
    assert [signal.method for signal in heard] == ["notifications/strange"]
    # With two calls at work nobody can say whose log message it is.
    other = link.call("tools/call", {}, to_call.append)
    wired.say({"method": "notifications/message", "params": {}})
    wired.say({"method": "notifications/cancelled", "params": {"requestId": 1}})
    end = await listening
    assert len(to_call) == 1
    assert [signal.method for signal in heard] == ["notifications/strange", "notifications/message"]
    assert end == Result({"resultType": "complete", "_meta": {"io.modelcontextprotocol/subscriptionId": 1}})
    call.cancel()
    other.cancel()


async def test_an_abandoned_link_leaves_no_garbage_cycle_of_calls(wired: Wired) -> None:
    calls = [wired.link.call("a", {}) for _ in range(10)]
    wired.say(*({"id": number, "result": {}} for number in range(1, 11)))
    await asyncio.gather(*calls)
    gc.collect()
    gc.disable()
    try:
        del calls
        assert gc.collect() < 5
    finally:
        gc.enable()
