"""Rules where calls are: the same in both eras, at one server and at all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.model.rules import ArgumentTest, ByLogin, NarrowedKind, Rule, Rules, ServerRules, Strength
from gatekit.model.server import Server
from gatekit.platform.clock import SystemClock
from tests.support.scripted import ScriptedLink, ScriptedPool
from tests.unit.gateway.rig import Answer, Rig, person

ALICE, BOB = ByLogin("local", "alice"), ByLogin("local", "bob")
EVERYWHERE = pytest.mark.parametrize(("path", "prefix"), [("/s/s/mcp", ""), ("/mcp", "s__")])


def tool(*globs: str) -> tuple[tuple[NarrowedKind, str], ...]:
    return tuple(("tool", glob) for glob in globs)


def path_is(value: str) -> tuple[ArgumentTest, ...]:
    return (ArgumentTest(pointer="/path", operator="equals", value=value),)


RULES = Rules(
    servers=(ServerRules(server="s", allowed=(ALICE,)),),
    rules=(
        Rule(name="hidden", effect="deny", names=tool("hidden")),
        Rule(name="tried", effect="deny", names=tool("tried"), shadow=True),
        Rule(name="keys", effect="deny", names=tool("read"), arguments=path_is("/keys")),
        Rule(name="fresh", effect="step_up", names=tool("pay"), strength=Strength(max_age=900)),
        Rule(name="asked", effect="ask", names=tool("drop"), approvers=(BOB,)),
        Rule(name="bob", effect="allow", who=(BOB,), servers=("s",), names=tool("read")),
        Rule(name="ui", effect="deny", names=(("resource", "ui://closed"),)),
    ),
)


def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
    method = message.get("method")
    if method == "tools/list":
        names = ("read", "hidden", "tried", "pay", "drop")
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in names]}
    return {"tools/call": {"content": []}}.get(str(method), {})


class Desk:
    def __init__(self, rig: Rig, pool: ScriptedPool, era: str) -> None:
        self.rig, self.pool, self.era = rig, pool, era
        self.sessions: dict[tuple[str, str], str] = {}

    async def ask(self, path: str, method: str, params: Any = None, token: str = "alice") -> Answer:
        if self.era == "stateless":
            return await self.rig.stateless(path, method, params, token=token)
        if (path, token) not in self.sessions:
            self.sessions[path, token] = await self.rig.open(path, token)
        session = self.sessions[path, token]
        return await self.rig.rpc(path, method, params, token=token, mcp_session_id=session)

    async def call(self, endpoint: str, name: str, token: str = "alice", /, **arguments: Any) -> Answer:
        return await self.ask(endpoint, "tools/call", {"name": name, "arguments": arguments}, token)

    def reached(self, method: str) -> int:
        links = self.pool.links.values()
        return sum(one.get("method") == method for link in links for one in link.received)


@pytest.fixture(params=[("handshake", "2025-11-25"), ("stateless", "2026-07-28")], ids=["old", "new"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    pool = ScriptedPool(server, *request.param, tools={}, prompts={}, resources={})
    rig = Rig(tmp_path, [Server(name="s", command=("x",))], RULES, pool)
    for name in ("alice", "bob"):
        rig.door.give(name, person(name))
    yield Desk(rig, pool, request.param[0])
    await rig.close()


@EVERYWHERE
async def test_a_list_shows_what_could_be_called(desk: Desk, path: str, prefix: str) -> None:
    tools = (await desk.ask(path, "tools/list")).json["result"]["tools"]
    assert [one["name"] for one in tools] == [f"{prefix}{name}" for name in ("read", "tried", "pay", "drop")]
    tools = (await desk.ask(path, "tools/list", token="bob")).json["result"]["tools"]
    assert [one["name"] for one in tools] == [f"{prefix}read"]


@EVERYWHERE
async def test_arguments_decide_and_nothing_of_a_refused_call_leaves(
    desk: Desk, path: str, prefix: str
) -> None:
    assert "result" in (await desk.call(path, f"{prefix}read", path="/tmp")).json
    refused = (await desk.call(path, f"{prefix}read", path="/keys")).json["error"]
    assert refused["message"].startswith("Unknown tool")
    assert "error" in (await desk.call(path, f"{prefix}read")).json  # no path at all
    assert desk.reached("tools/call") == 1
    records = [one for one in desk.rig.records() if one["method"] == "tools/call"]
    assert [one["decision"] for one in records] == ["allow", "deny", "deny"]
    assert records[1]["rule"] == "rules.keys"
    assert records[1]["outcome"] == "refused"


@EVERYWHERE
async def test_a_step_up_is_challenged_and_not_forwarded(desk: Desk, path: str, prefix: str) -> None:
    answer = await desk.call(path, f"{prefix}pay")
    assert answer.status == 403
    assert 'error="insufficient_user_authentication"' in answer.headers["www-authenticate"]
    tokens, key = desk.rig.door.tokens, b"Bearer alice"
    tokens[key] = replace(tokens[key], auth_time=int(SystemClock().now()) - 60)
    assert "result" in (await desk.call(path, f"{prefix}pay")).json
    assert desk.reached("tools/call") == 1
    assert [one["decision"] for one in desk.rig.records() if one["method"] == "tools/call"] == [
        "step_up",
        "allow",
    ]


@EVERYWHERE
async def test_what_must_be_asked_for_is_not_forwarded(desk: Desk, path: str, prefix: str) -> None:
    answer = await desk.call(path, f"{prefix}drop")
    assert "error" in answer.json
    assert not desk.reached("tools/call")
    assert desk.rig.records()[-1]["decision"] == "ask"


async def test_a_rule_in_the_shadow_is_on_record_and_does_nothing(desk: Desk) -> None:
    assert "result" in (await desk.call("/s/s/mcp", "tried")).json
    assert desk.rig.records()[-1]["shadow"] == "rules.tried"
    assert desk.rig.records()[-1]["decision"] == "allow"


async def test_who_is_let_in_for_one_tool_cannot_send_what_nobody_knows(desk: Desk) -> None:
    assert "result" in (await desk.call("/s/s/mcp", "read", "bob", path="/tmp")).json
    assert "error" in (await desk.ask("/s/s/mcp", "vendor/erase", {}, token="bob")).json
    assert not desk.reached("vendor/erase")
    await desk.ask("/s/s/mcp", "vendor/erase", {})
    assert desk.reached("vendor/erase") == 1


async def test_a_deny_rule_about_an_interface_is_not_turned_around_by_a_tool(desk: Desk) -> None:
    assert "error" in (await desk.ask("/s/s/mcp", "resources/read", {"uri": "ui://closed"})).json
    assert not desk.reached("resources/read")
