"""Plugins in the exchange: requests, results, lists, notifications, questions and the record, both eras."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gatekit.errors import Blocked
from gatekit.model.rules import ByGroup, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from gatekit.plugin import Answer, Block, Pass, Plugin, Replace
from gatekit.plugins.chain import Chain
from gatekit.plugins.house import Chains
from gatekit.plugins.verdicts import Entry
from tests.unit.gateway.rig import Rig, child, person
from tests.unit.gateway.shelves import ALICE, BOB, shelf

SERVERS = (
    Server(name="talker", command=child("talker.py")),
    Server(name="common", command=child("talker.py"), instances="shared"),
    Server(name="modern", command=child("modern.py")),
    shelf("shelf", tools=["_odd", "plain"]),
)
RULES = Rules(
    servers=(
        ServerRules(
            server="talker",
            allowed=(ALICE, BOB),
            tools=(ToolRule(glob="hidden", allowed=(ByGroup("sre"),)),),
        ),
        *(ServerRules(server=name, allowed=(ALICE, BOB)) for name in ("common", "modern", "shelf")),
    )
)


class Hooks(Plugin):
    """Hooks given as functions; ``calls`` keeps what each was given."""

    def __init__(self, **hooks: Callable[..., Any]) -> None:
        super().__init__(None, "test")
        self._hooks = hooks
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        for name, hook in hooks.items():
            setattr(self, f"on_{name}", self._kept(name, hook))

    def _kept(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any) -> Any:
            self.calls.append((name, given))
            return hook(*given)

        return call

    @property
    def hooks(self) -> frozenset[str]:
        return frozenset(f"on_{name}" for name in self._hooks)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, SERVERS, RULES)
    made.door.give("alice", person("alice", "staff"))
    made.door.give("bob", person("bob"))
    yield made
    await made.close()


def plug(rig: Rig, *plugins: Plugin, server: str = "", **settings: Any) -> None:
    """Let plugins stand before one server, or before all."""
    entries = [Entry(name=p.name, plugin=p, **settings) for p in plugins]
    names = [server] if server else [each.name for each in SERVERS]
    tables = rig.tables(SERVERS, RULES)
    tables.plugins = Chains(
        Chain("", () if server else entries), {name: Chain(name, entries) for name in names}
    )
    rig.gateway.apply(tables)


async def call(rig: Rig, name: str, arguments: Any = None, path: str = "/s/talker/mcp") -> Any:
    session = await rig.open(path)
    params = {"name": name, "arguments": arguments or {}}
    return (await rig.rpc(path, "tools/call", params, mcp_session_id=session)).json


def said(words: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": words}]}


def text(answer: Any) -> str:
    return str(answer["result"]["content"][0]["text"])


async def test_a_plugin_sees_who_asks_what_where(rig: Rig) -> None:
    plugin = Hooks(request=lambda *_: Pass("seen"))
    plug(rig, plugin, server="talker")
    await call(rig, "remember", {"value": "x"})
    subject, asked = plugin.calls[-1][1]
    assert (subject.username, subject.principal_id, subject.groups) == (
        "alice",
        "usr_alice",
        frozenset({"staff"}),
    )
    assert (subject.server, subject.client_id, subject.credential, subject.role) == (
        "talker",
        "cli_1",
        "access_token",
        "member",
    )
    assert subject.session
    assert subject.request_id
    assert (asked.method, asked.name, asked.arguments) == ("tools/call", "remember", {"value": "x"})
    assert [record.get("verdicts") for record in rig.records()][-1] == ["test:seen"]


async def test_blocked_requests_never_reach_the_server(rig: Rig) -> None:
    def judge(_: Any, asked: Any) -> Any:
        return Block("found AKIA", "no secrets here", "block:1") if asked.arguments.get("value") else Pass()

    plug(rig, Hooks(request=judge))
    answer = await call(rig, "remember", {"value": "secret"})
    assert answer["error"] == {"code": Blocked.code, "message": "no secrets here"}
    record = rig.records()[-1]
    assert (record["verdicts"], record["decision"], record["outcome"]) == (["test:block:1"], "allow", "error")
    assert text(await call(rig, "remember")) == ""


async def test_what_a_plugin_replaces_is_what_the_server_gets(rig: Rig) -> None:
    plug(rig, Hooks(request=lambda _, a: Replace({**a.arguments, "value": "new"}) if a.name else Pass()))
    session = await rig.open("/s/talker/mcp")
    for expected in ("", "new"):
        params = {"name": "remember", "arguments": {"value": "old"}}
        answer = await rig.rpc("/s/talker/mcp", "tools/call", params, mcp_session_id=session)
        assert text(answer.json) == expected


async def test_a_replaced_name_is_authorised_anew(rig: Rig) -> None:
    """What a plugin makes of a call is judged like any other: it opens no door."""
    plug(rig, Hooks(request=lambda _, a: Replace(name="hidden") if a.name == "whoami" else Pass()))
    answer = await call(rig, "whoami")
    assert answer["error"]["message"] == "Unknown tool: whoami"
    record = rig.records()[-1]
    assert (record["decision"], record["outcome"], record["name"]) == ("deny", "refused", "whoami")


async def test_missing_looks_like_a_tool_that_does_not_exist(rig: Rig) -> None:
    plug(rig, Hooks(request=lambda _, a: Block("hidden", missing=True) if a.name == "fail" else Pass()))
    there, not_there = await call(rig, "fail"), await call(rig, "hidden")
    assert there["error"]["code"] == not_there["error"]["code"]
    assert there["error"]["message"] == "Unknown tool: fail"


async def test_an_answer_of_a_plugin(rig: Rig) -> None:
    plug(
        rig,
        Hooks(
            request=lambda _, a: (
                Answer({"content": [{"type": "text", "text": "cached"}]}) if a.name else Pass()
            )
        ),
    )
    assert text(await call(rig, "slow")) == "cached"


@pytest.mark.parametrize("tool", ["whoami", "fail", "large"])
async def test_results(rig: Rig, tool: str) -> None:
    def rewrite(_: Any, asked: Any, answered: Any) -> Any:
        if asked.method != "tools/call":
            return Pass()
        return Replace({**answered.body, "content": [{"type": "text", "text": "[gone]"}]})

    plug(rig, Hooks(response=rewrite))
    assert text(await call(rig, tool, {"size": 3_000_000})) == "[gone]"
    assert rig.records()[-1]["outcome"] == ("tool_error" if tool == "fail" else "ok")


async def test_results_can_be_blocked_and_errors_rewritten(rig: Rig) -> None:
    def judge(_: Any, asked: Any, answered: Any) -> Any:
        if answered.kind == "error":
            return Replace({**answered.body, "message": "[gone]", "data": {"a": 1}})
        return Block("leak", "not for you") if asked.name == "whoami" else Pass()

    plug(rig, Hooks(response=judge))
    assert (await call(rig, "whoami"))["error"]["message"] == "not for you"
    session = await rig.open("/s/talker/mcp")
    answer = (await rig.rpc("/s/talker/mcp", "prompts/get", {"name": "x"}, mcp_session_id=session)).json
    assert answer["error"] == {"code": -32601, "message": "[gone]", "data": {"a": 1}}


async def test_the_greeting_passes_plugins_too(rig: Rig) -> None:
    """Part B, fault 12: initialize passed no security plugin."""
    plug(
        rig,
        Hooks(
            response=lambda _, asked, answered: (
                Replace({**answered.body, "instructions": "[gone]"})
                if asked.method == "initialize"
                else Pass()
            )
        ),
    )
    params = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "x", "version": "1"},
    }
    answer = await rig.rpc("/s/talker/mcp", "initialize", params)
    assert answer.json["result"]["instructions"] == "[gone]"
    assert answer.headers["mcp-session-id"]


async def test_lists_of_every_kind_and_odd_names(rig: Rig) -> None:
    """Part B, fault 12: names like ``_odd``, and lists of prompts and resources, escaped plugins."""
    plugin = Hooks(
        list=lambda _, listed: Replace(
            [i for i in listed.items if i.get("name") not in ("_odd", "grow", "a")], note="less"
        )
    )
    plug(rig, plugin)
    for path in ("/s/shelf/mcp", "/mcp"):
        session = await rig.open(path)
        names = {
            t["name"]
            for t in (await rig.rpc(path, "tools/list", mcp_session_id=session)).json["result"]["tools"]
        }
        assert not [name for name in names if name.endswith(("_odd", "grow"))]
        assert [name for name in names if name.endswith("plain")]
        assert "test:less" in rig.records()[-1]["verdicts"]
    session = await rig.open("/s/talker/mcp")
    listed = (await rig.rpc("/s/talker/mcp", "resources/list", mcp_session_id=session)).json
    assert listed["result"]["resources"] == []


async def test_names_that_plugins_give_are_judged_in_lists_as_in_calls(rig: Rig) -> None:
    """Renamed to something this person may not use, a tool is neither shown nor called."""
    plug(
        rig,
        Hooks(
            list=lambda _, listed: Replace(
                [{**i, "name": "hidden"} if i["name"] == "whoami" else i for i in listed.items]
            )
        ),
        server="talker",
    )
    for path, prefix in (("/s/talker/mcp", ""), ("/mcp", "talker__")):
        session = await rig.open(path)
        names: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await rig.rpc(path, "tools/list", cursor, mcp_session_id=session)).json["result"]
            names += [tool["name"] for tool in page["tools"]]
            if "nextCursor" not in page:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert f"{prefix}hidden" not in names
        assert f"{prefix}whoami" not in names
        assert f"{prefix}fail" in names


@pytest.mark.parametrize("slow", [False, True])
async def test_notifications_to_the_client_keep_their_order(rig: Rig, slow: bool) -> None:
    def judge(_: Any, said: Any) -> Any:
        if said.params.get("progress") == 2:
            return Block("dropped")
        return Replace({**said.params, "message": "seen"})

    async def later(*given: Any) -> Any:
        await asyncio.sleep(0.01)
        return judge(*given)

    plug(rig, Hooks(notification=later if slow else judge))
    session = await rig.open("/s/talker/mcp")
    params = {"name": "progress", "arguments": {}, "_meta": {"progressToken": "t"}}
    answer = await rig.rpc("/s/talker/mcp", "tools/call", params, mcp_session_id=session)
    notes = [event["params"] for event in answer.events if event.get("method") == "notifications/progress"]
    assert [(note["progress"], note["message"], note["progressToken"]) for note in notes] == [
        (1, "seen", "t"),
        (3, "seen", "t"),
    ]
    assert "result" in answer.events[-1]
    assert rig.records()[-1]["verdicts"] == ["test:replace", "test:block", "test:replace"]


async def test_an_answer_does_not_wait_for_ever_for_notifications(rig: Rig, monkeypatch: Any) -> None:
    """Each notification may take as long as the deadline says, and a server may send thousands."""

    async def slow(*_: Any) -> Any:
        await asyncio.sleep(60)
        return Pass()

    monkeypatch.setattr("gatekit.gateway.overheard.MOST_WAITED", 0.05)
    plug(rig, Hooks(notification=slow), deadline=600.0)
    session = await rig.open("/s/talker/mcp")
    params = {"name": "progress", "arguments": {}, "_meta": {"progressToken": "t"}}
    answer = await rig.rpc("/s/talker/mcp", "tools/call", params, mcp_session_id=session)
    assert text(answer.json) == "done"
    assert b"notifications/progress" not in answer.body


async def test_log_messages_outside_of_calls_pass_plugins(rig: Rig) -> None:
    plug(rig, Hooks(notification=lambda _, said: Replace({**said.params, "data": "[gone]"})))
    session = await rig.open("/s/talker/mcp")
    params = {"name": "log", "arguments": {}}
    answer = await rig.rpc("/s/talker/mcp", "tools/call", params, mcp_session_id=session)
    logs = [event["params"] for event in answer.events if event.get("method") == "notifications/message"]
    assert [log["data"] for log in logs] == ["[gone]"]


async def test_notifications_to_the_server_pass_plugins(rig: Rig) -> None:
    plugin = Hooks(notification=lambda _, said: Block("no") if said.to == "server" else Pass())
    plug(rig, plugin)
    session = await rig.open("/s/talker/mcp", capabilities={"roots": {}})
    await rig.rpc("/s/talker/mcp", "tools/call", {"name": "whoami"}, mcp_session_id=session)
    await rig.rpc(
        "/s/talker/mcp", "notifications/roots/list_changed", request_id=None, mcp_session_id=session
    )
    assert [given[1].method for name, given in plugin.calls if given[1].to == "server"] == [
        "notifications/roots/list_changed"
    ]


async def answered(rig: Rig, plugin: Plugin, reply: Any) -> tuple[Any, list[Any]]:
    """Let the server ask; the tool's result and what the client was asked."""
    plug(rig, plugin)
    session = await rig.open("/s/talker/mcp", capabilities={"elicitation": {}})
    begun = rig.begin("/s/talker/mcp", "tools/call", {"name": "ask"}, mcp_session_id=session)
    if reply is not None:
        await begun.until("elicitation/create")
        asked = next(event for event in begun.events if event.get("method") == "elicitation/create")
        body = {"jsonrpc": "2.0", "id": asked["id"], "result": reply}
        await rig.http("/s/talker/mcp", json.dumps(body).encode(), mcp_session_id=session)
    await begun.end()
    return json.loads(text(begun.json)), [e for e in begun.events if e.get("method") == "elicitation/create"]


async def test_questions_of_a_server_and_their_answers(rig: Rig) -> None:
    plugin = Hooks(
        question=lambda _, asked: Replace({**asked.params, "message": "[asked]"}),
        answer=lambda _, __, said: Replace({**said.body, "content": {"name": "[said]"}}, note="said"),
    )
    result, asked = await answered(rig, plugin, {"action": "accept", "content": {"name": "x"}})
    assert [event["params"]["message"] for event in asked] == ["[asked]"]
    assert result == {"action": "accept", "content": {"name": "[said]"}}
    assert rig.records()[-1]["verdicts"] == ["test:replace", "test:said"]


async def test_questions_can_be_refused_or_answered(rig: Rig) -> None:
    result, asked = await answered(rig, Hooks(question=lambda *_: Block("phishing", "not asked")), None)
    assert (result, asked) == ({"code": Blocked.code, "message": "not asked"}, [])
    result, asked = await answered(rig, Hooks(question=lambda *_: Answer({"action": "decline"})), None)
    assert (result, asked) == ({"action": "decline"}, [])


async def test_questions_in_the_stateless_era(rig: Rig) -> None:
    """``input_required`` and its retry pass the same hooks."""
    plugin = Hooks(
        question=lambda _, asked: Replace({**asked.params, "message": "[asked]"}),
        answer=lambda _, __, said: Replace({**said.body, "content": {"name": "[said]"}}),
    )
    plug(rig, plugin)
    meta: Any = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    params = {"name": "ask", "arguments": {}, "_meta": meta}
    first = (await rig.stateless("/s/talker/mcp", "tools/call", params)).json["result"]
    ((key, request),) = first["inputRequests"].items()
    assert request["params"]["message"] == "[asked]"
    retry = {
        **params,
        "requestState": first["requestState"],
        "inputResponses": {key: {"action": "accept", "content": {"name": "x"}}},
    }
    end = (await rig.stateless("/s/talker/mcp", "tools/call", retry)).json
    assert json.loads(text(end)) == {"action": "accept", "content": {"name": "[said]"}}


async def test_a_refused_question_in_the_stateless_era_leaves_nothing_parked(rig: Rig) -> None:
    plug(rig, Hooks(question=lambda *_: Block("phishing", "not asked")))
    meta: Any = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}
    answer = await rig.stateless(
        "/s/talker/mcp", "tools/call", {"name": "ask", "arguments": {}, "_meta": meta}
    )
    assert answer.json["error"]["message"] == "not asked"
    assert len(rig.gateway.rounds.parking) == 0


async def test_a_failing_plugin_refuses_and_the_next_call_works(rig: Rig) -> None:
    def broken(_: Any, asked: Any) -> Any:
        return 1 // 0 if asked.name == "whoami" else Pass()

    plug(rig, Hooks(request=broken))
    assert (await call(rig, "whoami"))["error"]["message"] == "the call could not be inspected"
    assert rig.records()[-1]["verdicts"] == ["test:error:ZeroDivisionError"]
    assert text(await call(rig, "remember")) == ""
    plug(rig, Hooks(request=broken), on_error="open")
    assert "pid" in text(await call(rig, "whoami"))


async def test_an_audit_plugin_that_must_have_its_record_withholds_the_answer(rig: Rig) -> None:
    """Part B, fault 11: a "critical" audit that could not write was served all the same."""
    events: list[Any] = []

    def keep(_: Any, record: Any) -> None:
        if record.event.get("name") == "whoami":
            raise OSError("disk full")
        events.append(record.event)

    plug(rig, Hooks(record=keep), on_error="closed")
    answer = await call(rig, "whoami")
    assert "result" not in answer
    assert text(await call(rig, "remember")) == ""
    assert (events[-1]["name"], events[-1]["principal"], events[-1]["outcome"]) == ("remember", "alice", "ok")
    await call(rig, "hidden")
    assert (events[-1]["decision"], events[-1]["name"]) == ("deny", "hidden")


async def test_in_flight_calls_keep_the_plugins_they_began_with(rig: Rig) -> None:
    old = Hooks(
        response=lambda _, a, __: (
            Replace({"content": [{"type": "text", "text": "old"}]}) if a.name else Pass()
        )
    )
    plug(rig, old)
    session = await rig.open("/s/talker/mcp")
    begun = rig.begin(
        "/s/talker/mcp", "tools/call", {"name": "nap", "arguments": {"seconds": 0.3}}, mcp_session_id=session
    )
    await rig.calling()
    rig.gateway.apply(rig.tables(SERVERS, RULES))
    assert text((await begun.end()).json) == "old"
    assert text(await call(rig, "remember")) == ""


async def test_other_servers_pay_nothing(rig: Rig) -> None:
    plugin = Hooks(request=lambda *_: Block("no"))
    plug(rig, plugin, server="talker")
    assert text(await call(rig, "remember", path="/s/common/mcp")) == ""
    assert not plugin.calls
