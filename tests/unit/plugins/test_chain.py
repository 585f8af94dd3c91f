"""Order, deadlines, fail modes, and that nothing a plugin does passes the boundary."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import convert

from gatekit.model.call import Pieces
from gatekit.plugin import (
    Answer,
    Answered,
    Asked,
    Block,
    Listed,
    Options,
    Pass,
    Plugin,
    Questioned,
    Record,
    Replace,
    Said,
    Subject,
    Verdicts,
)
from gatekit.plugins.chain import Chain, Done, Onward
from gatekit.plugins.verdicts import MAX_SEEN, NOT_INSPECTED, REFUSED, Entry

ALICE = Subject(principal_id="usr_alice", username="alice", server="db")
ASKED = Asked(method="tools/call", name="query", arguments={"sql": "select 1"}, meta={"a": [1]})


class Tell(Plugin):
    """Says what it is told to; ``heard`` keeps the order in which it was asked."""

    heard: list[str] = []  # noqa: RUF012 - one list for all of a test, cleared by the fixture

    def __init__(
        self, name: str, say: Callable[..., Any] = lambda *_: Pass(), kind: Any = "security"
    ) -> None:
        super().__init__(None, name)
        self._say = say
        self.kind = kind  # type: ignore[misc]

    def _asked(self, *given: Any) -> Any:
        self.heard.append(self.name)
        return self._say(*given)

    on_request: Any = _asked
    on_response: Any = _asked
    on_list: Any = _asked
    on_notification: Any = _asked
    on_question: Any = _asked
    on_answer: Any = _asked
    on_record: Any = _asked


@pytest.fixture(autouse=True)
def _fresh() -> None:
    Tell.heard.clear()


def chain(*plugins: Plugin, **settings: Any) -> Chain:
    return Chain("db", [Entry(name=plugin.name, plugin=plugin, **settings) for plugin in plugins])


async def test_forwards_by_priority_and_backwards_in_reversed_order() -> None:
    """Part B, fault of the order: the first gateway used one order for both ways."""
    one, two, three = Tell("one"), Tell("two"), Tell("three")
    found = Chain(
        "db",
        [
            Entry(name="three", plugin=three, priority=90),
            Entry(name="one", plugin=one, priority=10),
            Entry(name="two", plugin=two),
        ],
    )
    assert await found.request(ALICE, ASKED, []) == Onward(ASKED, False)
    await found.response(ALICE, ASKED, Answered("tools/call", "query", {}), [])
    assert Tell.heard == ["one", "two", "three", "three", "two", "one"]


async def test_only_hooks_that_are_overridden_are_called() -> None:
    class Requests(Plugin):
        def on_request(self, subject: Subject, asked: Asked) -> Verdicts:
            return Pass()

    found = chain(Requests(None, "r"))
    assert len(found.requests) == 1
    assert not found.responses + found.lists + found.inward + found.questions + found.records


async def test_a_replacement_is_what_the_next_one_sees() -> None:
    seen: list[str] = []
    found = chain(
        Tell("one", lambda _, asked: Replace({"sql": asked.arguments["sql"] + ";"}, note="semicolon")),
        Tell("two", lambda _, asked: Block("found") if asked.arguments["sql"].endswith(";") else Pass()),
    )
    assert await found.request(ALICE, ASKED, seen) == Block("two: found", REFUSED)
    assert seen == ["one:semicolon", "two:block"]


async def test_an_answer_stops_and_is_seen_by_those_before_it_only() -> None:
    seen: list[str] = []
    found = chain(Tell("a"), Tell("b", lambda *_: Answer({"content": []})), Tell("c"))
    went = await found.request(ALICE, ASKED, seen)
    assert went == Done({"content": []}, 1)
    Tell.heard.clear()
    await found.response(ALICE, ASKED, Answered("tools/call", "query", {}), seen, went.past)
    assert Tell.heard == ["a"]


@pytest.mark.parametrize(
    "verdict",
    [
        *(None, True, 7, {"allowed": True}),
        *(Block(7), Pass(b"x")),  # type: ignore[arg-type]
        *(Replace(["x"]), Replace({"a": object()}), Answer({"a": {1, 2}.pop})),
    ],
)
@pytest.mark.parametrize("mode", ["open", "closed"])
async def test_nonsense_is_a_failure(verdict: Any, mode: str) -> None:
    seen: list[str] = []
    went = await chain(Tell("bad", lambda *_: verdict), on_error=mode).request(ALICE, ASKED, seen)
    assert seen[-1].startswith("bad:error:")
    if mode == "open":
        assert isinstance(went, Onward)
        assert went.asked == ASKED
    else:
        assert isinstance(went, Block)
        assert went.public == NOT_INSPECTED


@pytest.mark.parametrize("hook", ["request", "response", "listed", "question", "answer"])
async def test_what_a_plugin_raises_never_leaves_the_chain(hook: str, caplog: Any) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("card 4111 1111 1111 1111")

    given: dict[str, tuple[Any, ...]] = {
        "request": (ASKED,),
        "response": (ASKED, Answered("tools/call", "query", {})),
        "listed": (Listed(method="tools/list", key="tools", items=()),),
        "question": (Questioned(method="elicitation/create", params={}),),
        "answer": (Questioned(method="", params={}), Answered("", "", {})),
    }
    seen: list[str] = []
    went = await getattr(chain(Tell("bad", broken)), hook)(ALICE, *given[hook], seen)
    assert went == Block("plugin bad failed: RuntimeError", NOT_INSPECTED)
    assert seen == ["bad:error:RuntimeError"]
    assert "test_chain.py" in caplog.text
    assert "4111" not in caplog.text


async def test_a_deadline_each() -> None:
    async def late(*_: Any) -> Any:
        await asyncio.sleep(60)

    async def soon(*_: Any) -> Any:
        await asyncio.sleep(0)
        return Pass("flag")

    seen: list[str] = []
    found = chain(Tell("late", late), Tell("soon", soon), deadline=0.02, on_error="open")
    assert isinstance(await found.request(ALICE, ASKED, seen), Onward)
    assert seen == ["late:error:TimeoutError", "soon:flag"]
    assert isinstance(await chain(Tell("late", late), deadline=0.02).request(ALICE, ASKED, seen), Block)


async def test_a_cancelled_call_is_no_failure_of_a_plugin() -> None:
    started = asyncio.Event()

    async def wait(*_: Any) -> Any:
        started.set()
        await asyncio.sleep(60)

    seen: list[str] = []
    task = asyncio.ensure_future(chain(Tell("w", wait), on_error="open").request(ALICE, ASKED, seen))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not seen


async def test_changes_in_place_change_nothing() -> None:
    """What was authorised is what is forwarded; a stranger's plugin has a copy."""

    def meddle(_: Subject, asked: Any) -> Any:
        asked.arguments["sql"] = "drop table t"
        asked.meta["a"].append(2)
        return Pass()

    went = await chain(Tell("m", meddle)).request(ALICE, ASKED, [])
    assert went == Onward(ASKED, False)
    assert ASKED.arguments == {"sql": "select 1"}
    assert ASKED.meta == {"a": [1]}


async def test_a_result_changed_in_place_is_not_what_others_see() -> None:
    def meddle(_: Subject, __: Any, answered: Any) -> Any:
        answered.body["content"].clear()
        return Pass()

    bodies: list[Any] = []

    def look(_: Subject, __: Any, answered: Any) -> Any:
        bodies.append(answered.body)
        return Pass()

    raw = Pieces((b'{"content":', b"[1]}"))
    answered = Answered("tools/call", "query", raw=raw)
    found = chain(Tell("look", look), Tell("meddle", meddle))
    assert await found.response(ALICE, ASKED, answered, []) is answered
    assert bodies == [{"content": [1]}]
    assert answered.pieces is raw


async def test_results_are_decoded_only_if_somebody_reads_them() -> None:
    answered = Answered("tools/call", "query", raw=Pieces((b"{", b'"a":1}')))
    sizes = []

    def size(_: Subject, __: Any, given: Answered) -> Any:
        sizes.append(given.size)
        return Pass()

    back = await chain(Tell("size", size), ours=True).response(ALICE, ASKED, answered, [])
    assert back is answered
    assert sizes == [7]
    assert not answered.decoded
    assert answered.body == {"a": 1}


@pytest.mark.parametrize("text", [b"[1]", b"{", b'{"a":1} {}', b"\xff"])
async def test_json_text_of_a_stranger_must_be_one_object(text: bytes) -> None:
    answered = Answered("tools/call", "query", {"a": 1})
    found = chain(Tell("p", lambda *_: Replace(Pieces((text,)))))
    assert isinstance(await found.response(ALICE, ASKED, answered, []), Block)


async def test_json_text_passes_as_it_is() -> None:
    found = chain(Tell("p", lambda *_: Replace(Pieces((b'{"b":', b"2}")))))
    back = await found.response(ALICE, ASKED, Answered("tools/call", "query", {"a": 1}), [])
    assert isinstance(back, Answered)
    assert bytes(back.pieces) == b'{"b":2}'


async def test_lists() -> None:
    listed = Listed(method="tools/list", key="tools", items=({"name": "a"}, {"name": "b"}))
    found = chain(Tell("l", lambda _, page: Replace([item for item in page.items if item["name"] == "a"])))
    assert await found.listed(ALICE, listed, []) == Listed(
        method="tools/list", key="tools", items=({"name": "a"},)
    )
    assert isinstance(
        await chain(Tell("l", lambda *_: Replace({"name": "a"}))).listed(ALICE, listed, []), Block
    )
    assert isinstance(await chain(Tell("l", lambda *_: Replace(["a"]))).listed(ALICE, listed, []), Block)
    assert isinstance(await chain(Tell("l", lambda *_: Answer({}))).listed(ALICE, listed, []), Block)


async def test_notifications_both_ways() -> None:
    said = Said(method="notifications/message", params={"data": "x"}, to="client")
    plain = chain(Tell("one"), Tell("two", lambda _, s: Replace({"data": s.params["data"] * 2})))
    assert plain.heard(ALICE, said, []) == Said(method=said.method, params={"data": "xx"}, to="client")
    assert Tell.heard == ["two", "one"]
    Tell.heard.clear()
    plain.heard(ALICE, Said(method="x", params={"data": "x"}, to="server"), [])
    assert Tell.heard == ["one", "two"]
    assert chain(Tell("no", lambda *_: Block("no"))).heard(ALICE, said, []) is None

    async def later(*_: Any) -> Any:
        return Replace({"data": "later"})

    heard: Any = chain(Tell("one"), Tell("two", later)).heard(ALICE, said, [])
    assert (await heard).params == {"data": "later"}


async def test_who_only_looks_has_no_say() -> None:
    seen: list[str] = []
    found = chain(Tell("log", lambda *_: Block("x", note="noted"), kind="audit"))
    assert await found.request(ALICE, ASKED, seen) == Onward(ASKED, False)
    assert seen == ["log:noted"]


async def test_records() -> None:
    kept: list[Any] = []

    async def keep(_: Subject, record: Record) -> None:
        kept.append(record.event)

    def full(*_: Any) -> None:
        raise OSError("disk full")

    record = Record(event={"event": "call"})
    assert await chain(Tell("k", keep)).recorded(ALICE, record)
    assert kept == [{"event": "call"}]
    assert not await chain(Tell("k", full), on_error="closed").recorded(ALICE, record)
    assert await chain(Tell("k", full), on_error="open").recorded(ALICE, record)


async def test_notes_are_short_printable_and_few() -> None:
    seen: list[str] = []
    await chain(*(Tell(f"p{n}", lambda *_: Pass("a\nb" + "x" * 500)) for n in range(60))).request(
        ALICE, ASKED, seen
    )
    assert len(seen) == MAX_SEEN
    assert seen[0].startswith("p0:a?bx")
    assert max(map(len, seen)) < 120


async def test_what_cannot_be_renamed() -> None:
    asked = Asked(method="logging/setLevel", arguments={"level": "info"})
    assert isinstance(
        await chain(Tell("r", lambda *_: Replace(name="other"))).request(ALICE, asked, []), Block
    )
    went = await chain(Tell("r", lambda *_: Replace(name="other"))).request(ALICE, ASKED, [])
    assert isinstance(went, Onward)
    assert (went.asked.name, went.asked.arguments, went.changed) == ("other", ASKED.arguments, True)


def test_the_example_of_the_documentation_is_a_plugin() -> None:
    """The docstring of ``gatekit.plugin`` is what authors read first."""
    import gatekit.plugin

    code = (gatekit.plugin.__doc__ or "").split("::\n", 1)[1].split("\n\nHooks run")[0]
    scope: dict[str, Any] = dict(vars(gatekit.plugin))
    exec("\n".join(line.removeprefix("    ") for line in code.splitlines()), scope)
    found = scope["NoDrop"](convert({}, scope["NoDrop"].Settings), "nodrop")
    assert isinstance(found.Settings, type)
    assert issubclass(found.Settings, Options)
    assert found.on_request(ALICE, ASKED) == Pass()
    dropping = Asked(method="tools/call", name="query", arguments={"sql": "DROP TABLE t"})
    assert isinstance(found.on_request(ALICE, dropping), Block)
    assert json.dumps(sorted(found.hooks)) == '["on_request"]'
