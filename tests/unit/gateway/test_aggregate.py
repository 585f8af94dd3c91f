"""The aggregate endpoint: what one may use, under names that say whose it is."""

from __future__ import annotations

from gatekit.model.rules import Rules, ServerRules
from tests.unit.gateway.conftest import ALICE, SERVERS
from tests.unit.gateway.rig import Rig


async def names(rig: Rig, token: str) -> set[str]:
    session = await rig.open("/mcp", token=token)
    answer = await rig.rpc("/mcp", "tools/list", token=token, mcp_session_id=session)
    return {tool["name"] for tool in answer.json["result"]["tools"]}


async def test_lists_are_merged_over_all_pages_and_filtered(rig: Rig) -> None:
    alice, bob = await names(rig, "alice"), await names(rig, "bob")
    assert {n.split("__")[0] for n in alice} == {"talker", "common", "own", "private"}
    assert {n.split("__")[0] for n in bob} == {"talker", "common", "own"}
    assert "talker__whoami" in alice
    assert "talker__hidden" not in alice
    assert "common__hidden" in alice


async def test_calls_are_routed_by_prefix_and_judged_like_any_other(rig: Rig) -> None:
    session = await rig.open("/mcp", token="bob")

    async def call(name: str) -> dict:  # type: ignore[type-arg]
        answer = await rig.rpc("/mcp", "tools/call", {"name": name}, token="bob", mcp_session_id=session)
        return answer.json  # type: ignore[no-any-return]

    assert "result" in await call("talker__remember")
    for name in ("private__remember", "talker__hidden", "nowhere__x", "remember", "__x", "private____x"):
        assert (await call(name))["error"] == {"code": -32602, "message": f"Unknown tool: {name}"}
    denied = [r for r in rig.records() if r["method"] == "tools/call" and r["decision"] == "deny"]
    assert len(denied) == 6


async def test_resources_come_back_under_the_name_they_were_asked_for(rig: Rig) -> None:
    session = await rig.open("/mcp")
    listed = await rig.rpc("/mcp", "resources/list", mcp_session_id=session)
    uri = next(r["uri"] for r in listed.json["result"]["resources"] if "talker" in r["uri"])
    read = await rig.rpc("/mcp", "resources/read", {"uri": uri}, mcp_session_id=session)
    assert read.json["result"]["contents"][0] == {"uri": uri, "text": "text of file:///a.txt"}


async def test_stateless_clients_get_the_same(rig: Rig) -> None:
    listed = await rig.stateless("/mcp", "tools/list")
    assert "talker__ask" in {t["name"] for t in listed.json["result"]["tools"]}
    called = await rig.stateless("/mcp", "tools/call", {"name": "own__remember"})
    assert called.json["result"]["resultType"] == "complete"


async def test_new_rules_judge_the_next_request(rig: Rig) -> None:
    session = await rig.open("/s/talker/mcp")
    only = Rules(servers=(ServerRules(server="own", allowed=(ALICE,)),))
    rig.gateway.apply(rig.tables(SERVERS, only))
    answer = await rig.rpc("/s/talker/mcp", "tools/call", {"name": "remember"}, mcp_session_id=session)
    assert answer.status == 403
    await rig.gateway.recheck()
    assert (await rig.rpc("/s/talker/mcp", "tools/list", mcp_session_id=session)).status == 404
