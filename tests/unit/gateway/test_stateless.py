"""Clients of 2026-07-28 in front of handshake-era children."""

from __future__ import annotations

import asyncio
import json

from tests.unit.gateway.rig import Rig

TALKER = "/s/talker/mcp"


async def test_discover(rig: Rig) -> None:
    answer = await rig.stateless(TALKER, "server/discover")
    result = answer.json["result"]
    assert result["supportedVersions"] == ["2026-07-28"]
    assert result["resultType"] == "complete"
    assert "logging" not in result["capabilities"]


async def test_call_without_session(rig: Rig) -> None:
    answer = await rig.stateless(TALKER, "tools/call", {"name": "remember", "arguments": {"value": "x"}})
    assert answer.json["result"]["resultType"] == "complete"
    assert answer.json["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "talker"
    assert "mcp-session-id" not in answer.headers
    second = await rig.stateless(TALKER, "tools/call", {"name": "remember"})
    assert second.json["result"]["content"][0]["text"] == "x"
    other = await rig.stateless(TALKER, "tools/call", {"name": "remember"}, token="bob")
    assert other.json["result"]["content"][0]["text"] == ""


async def test_lists_are_private_to_the_caller(rig: Rig) -> None:
    result = (await rig.stateless(TALKER, "tools/list")).json["result"]
    assert (result["ttlMs"], result["cacheScope"]) == (0, "private")


async def test_header_ladder(rig: Rig) -> None:
    call = {"name": "remember"}
    wrong = await rig.stateless(TALKER, "tools/call", call, mcp_name="other")
    assert (wrong.status, wrong.json["error"]["code"], wrong.json["id"]) == (400, -32020, 1)
    missing = await rig.stateless(TALKER, "tools/call", call, mcp_method="")
    assert missing.json["error"]["code"] == -32020
    removed = await rig.stateless(TALKER, "ping")
    assert (removed.status, removed.json["error"]["code"]) == (404, -32601)
    old = await rig.rpc(TALKER, "tools/list", mcp_protocol_version="2027-01-01")
    assert old.status == 400


async def test_refused_tool(rig: Rig) -> None:
    answer = await rig.stateless(TALKER, "tools/call", {"name": "hidden"})
    assert (answer.status, answer.json["error"]["code"]) == (400, -32602)
    assert rig.records()[-1]["decision"] == "deny"


async def test_disconnect_cancels(rig: Rig) -> None:
    running = rig.begin_stateless(TALKER, "tools/call", {"name": "slow"})
    await rig.calling()
    running.disconnect()
    await running.end(5)
    assert next(r for r in rig.records() if r.get("name") == "slow")["outcome"] == "cancelled"


async def test_listen_acknowledges_first_and_tags_everything(rig: Rig) -> None:
    wanted = {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}
    stream = rig.begin_stateless(TALKER, "subscriptions/listen", wanted, request_id="sub")
    await stream.until("acknowledged")
    assert stream.events[0]["params"]["notifications"] == {"toolsListChanged": True}
    await rig.stateless(TALKER, "tools/call", {"name": "grow"})
    await stream.until("tools/list_changed")
    tags = {e["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] for e in stream.events}
    assert tags == {"sub"}
    stream.disconnect()
    await stream.end()


async def test_listen_on_a_forbidden_server_is_refused(rig: Rig) -> None:
    answer = await rig.stateless("/s/private/mcp", "subscriptions/listen", {"notifications": {}}, token="bob")
    assert answer.status == 403
    assert rig.records()[-1]["decision"] == "deny"


async def test_same_ids_of_two_people_never_cross(rig: Rig) -> None:
    """I7: Same ids of two people never cross."""

    async def many(token: str) -> set[str]:
        texts = set()
        for number in range(50):
            value = f"{token}-{number}"
            arguments = {"name": "remember", "arguments": {"value": value}}
            answer = await rig.stateless(
                "/s/own/mcp", "tools/call", arguments, request_id=number, token=token
            )
            assert answer.json["id"] == number
            texts.add(answer.json["result"]["content"][0]["text"])
        return texts

    alice, bob = await asyncio.gather(many("alice"), many("bob"))
    assert all(t.startswith("alice") for t in alice if t)
    assert all(t.startswith("bob") for t in bob if t)
    assert json.dumps(sorted(alice)) != json.dumps(sorted(bob))
