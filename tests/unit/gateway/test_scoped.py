"""A token that is for reading only: the same in both eras, at one server and at all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.model.rules import ByGroup, ByLogin, Rules, ServerRules, ToolRule
from gatekit.model.scopes import READ
from gatekit.model.server import Server
from gatekit.protocol import methods
from tests.support.scripted import ScriptedLink, ScriptedPool
from tests.unit.gateway.rig import Answer, Rig, person

CHALLENGE = "insufficient_scope"
RULES = Rules(
    servers=(
        ServerRules(
            server="s",
            allowed=(ByLogin("local", "alice"),),
            tools=(ToolRule(glob="secret", allowed=(ByGroup("sre"),)),),
        ),
    )
)
EVERYWHERE = pytest.mark.parametrize(("path", "prefix"), [("/s/s/mcp", ""), ("/mcp", "s__")])


def server(link: ScriptedLink, message: dict[str, Any]) -> Any:
    method = message.get("method")
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("do", "secret")]}
    return {
        "prompts/list": {"prompts": [{"name": "p"}]},
        "prompts/get": {"messages": []},
        "resources/list": {"resources": []},
        "tools/call": {"content": [], "structuredContent": {"done": True}},
    }.get(str(method), {})


class Desk:
    """A rig, and a client of either era in front of it."""

    def __init__(self, rig: Rig, pool: ScriptedPool, era: str) -> None:
        self.rig, self.pool, self.era = rig, pool, era
        self.sessions: dict[str, str] = {}

    async def ask(self, path: str, method: str, params: Any = None, token: str = "look") -> Answer:
        if self.era == "stateless":
            return await self.rig.stateless(path, method, params, token=token)
        if path not in self.sessions:
            self.sessions[path] = await self.rig.open(path, token)
        return await self.rig.rpc(path, method, params, token=token, mcp_session_id=self.sessions[path])

    def reached(self, method: str) -> bool:
        """Whether the server behind has seen ``method``."""
        return any(one.get("method") == method for link in self.pool.links.values() for one in link.received)


@pytest.fixture(params=[("handshake", "2025-11-25"), ("stateless", "2026-07-28")], ids=["old", "new"])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    pool = ScriptedPool(server, *request.param, tools={}, prompts={}, resources={})
    rig = Rig(tmp_path, [Server(name="s", command=("x",))], RULES, pool)
    rig.door.give("look", person("alice"), scopes=(READ,))
    rig.door.give("all", person("alice"))
    rig.door.give("legacy", person("alice"), scopes=("mcp",))
    rig.door.give("nothing", person("alice"), scopes=())
    yield Desk(rig, pool, request.param[0])
    await rig.close()


@EVERYWHERE
async def test_reading_is_enough_to_read(desk: Desk, path: str, prefix: str) -> None:
    listed = await desk.ask(path, "tools/list")
    assert [tool["name"] for tool in listed.json["result"]["tools"]] == [f"{prefix}do"]
    got = await desk.ask(path, "prompts/get", {"name": f"{prefix}p"})
    assert (got.status, got.json["result"]["messages"]) == (200, [])


@EVERYWHERE
async def test_a_call_gets_the_challenge_and_reaches_nothing(desk: Desk, path: str, prefix: str) -> None:
    refused = await desk.ask(path, "tools/call", {"name": f"{prefix}do"})
    assert refused.status == 403
    assert CHALLENGE in refused.headers["www-authenticate"]
    assert refused.json["id"] == 1
    assert refused.json["error"]["code"] == -31009
    assert not desk.reached("tools/call")
    record = desk.rig.records()[-1]
    assert (record["method"], record["decision"], record["rule"]) == ("tools/call", "deny", "scope")
    assert record["reason"] == "the token is for reading only"


@EVERYWHERE
@pytest.mark.parametrize("token", ["all", "legacy"])
async def test_with_the_scope_it_goes_through(desk: Desk, path: str, prefix: str, token: str) -> None:
    assert (await desk.ask(path, "tools/call", {"name": f"{prefix}do"})).status == 403
    # In the handshake era on the session that the lesser token has opened.
    done = await desk.ask(path, "tools/call", {"name": f"{prefix}do"}, token)
    assert done.json["result"]["structuredContent"] == {"done": True}


@EVERYWHERE
async def test_no_challenge_for_what_no_token_cures(desk: Desk, path: str, prefix: str) -> None:
    """clients.md §5.3: a client that is told so would sign in for ever."""
    for token in ("look", "all"):
        refused = await desk.ask(path, "tools/call", {"name": f"{prefix}secret"}, token)
        assert refused.status in (200, 400)
        assert "www-authenticate" not in refused.headers
        assert "Unknown tool" in refused.json["error"]["message"]


@pytest.mark.parametrize("method", ["acme/do", "tools/whatever"])
async def test_an_unknown_method_counts_as_a_call(desk: Desk, method: str) -> None:
    refused = await desk.ask("/s/s/mcp", method)
    assert refused.status == 403
    assert CHALLENGE in refused.headers["www-authenticate"]
    assert not desk.reached(method)


def test_what_the_table_counts_as_a_call() -> None:
    acting = {method for method, row in methods.METHODS.items() if row.acts}
    assert acting == {"tools/call", "tasks/cancel", "tasks/update"}
    assert methods.spec("acme/do").acts


async def test_an_unknown_notification_is_not_passed_on(desk: Desk) -> None:
    rig, path = desk.rig, "/s/s/mcp"
    assert (await desk.ask(path, "tools/list")).status == 200
    for token, status in (("look", 403), ("all", 202)):
        if desk.era == "stateless":
            sent = await rig.stateless(path, "notifications/acme", request_id=None, token=token)
        else:
            session = {"mcp_session_id": desk.sessions[path]}
            sent = await rig.rpc(path, "notifications/acme", request_id=None, token=token, **session)
        assert sent.status == status
        assert (CHALLENGE in sent.headers.get("www-authenticate", "")) == (status == 403)


@EVERYWHERE
async def test_no_challenge_for_a_credential_that_gets_no_more(desk: Desk, path: str, prefix: str) -> None:
    """An API key, or a client that the operator has limited: signing in again changes nothing."""
    access = desk.rig.door.tokens[b"Bearer look"]
    desk.rig.door.tokens[b"Bearer key"] = replace(access, more=False)
    refused = await desk.ask(path, "tools/call", {"name": f"{prefix}do"}, "key")
    assert refused.status == 403
    assert "www-authenticate" not in refused.headers
    assert "reading only" in refused.json["error"]["message"]
    assert not desk.reached("tools/call")


async def test_a_credential_without_any_scope_may_do_nothing(desk: Desk) -> None:
    assert (await desk.ask("/s/s/mcp", "tools/call", {"name": "do"}, "nothing")).status == 403


async def test_in_a_batch_it_is_an_entry_among_results(tmp_path: Path) -> None:
    """MCP 2025-03-26: its neighbours are answered, so there is no status for it."""
    pool = ScriptedPool(server, "handshake", "2025-03-26", tools={}, prompts={})
    rig = Rig(tmp_path, [Server(name="s", command=("x",))], RULES, pool)
    rig.door.give("look", person("alice"), scopes=(READ,))
    session = await rig.open("/s/s/mcp", "look", version="2025-03-26")
    body = (
        b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"},'
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"do"}}]'
    )
    answer = await rig.http("/s/s/mcp", body, token="look", mcp_session_id=session)
    by_id = {one["id"]: one for one in answer.json}
    assert answer.status == 200
    assert "result" in by_id[1]
    assert "reading only" in by_id[2]["error"]["message"]
    await rig.close()
