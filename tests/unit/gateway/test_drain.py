"""The orderly end: nothing new, running calls finish, streams end politely."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.unit.gateway.rig import Rig

TALKER = "/s/talker/mcp"
FULL: dict[str, dict[str, object]] = {"elicitation": {"form": {}}}


def nap(seconds: float) -> dict[str, object]:
    return {"name": "nap", "arguments": {"seconds": seconds}}


async def draining(rig: Rig, patience: float = 5.0) -> asyncio.Task[None]:
    task = asyncio.ensure_future(rig.gateway.drain(patience))
    async with asyncio.timeout(5):
        while not rig.gateway.draining:
            await asyncio.sleep(0)
    return task


async def test_running_calls_of_both_eras_finish_and_new_ones_are_told_to_try_again(rig: Rig) -> None:
    session = await rig.open(TALKER)
    await rig.stateless(TALKER, "tools/list")
    old = rig.begin(TALKER, "tools/call", nap(0.7), "old", mcp_session_id=session)
    new = rig.begin_stateless(TALKER, "tools/call", nap(0.7), "new")
    await asyncio.sleep(0.1)
    drain = await draining(rig)
    for refused in (
        await rig.rpc(TALKER, "tools/list", request_id=7, mcp_session_id=session),
        await rig.stateless(TALKER, "tools/list", request_id=7),
        await rig.rpc(TALKER, "initialize", {"protocolVersion": "2025-11-25"}, request_id=7),
    ):
        assert refused.status == 503
        assert int(refused.headers["retry-after"]) == 6
        assert (refused.json["id"], refused.json["error"]["code"]) == (7, -31013)
    await drain
    assert (await old.end()).json["result"]["content"][0]["text"] == "rested"
    assert (await new.end()).json["result"]["content"][0]["text"] == "rested"
    assert {r["outcome"] for r in rig.records() if r.get("name") == "nap"} == {"ok"}
    assert len(rig.gateway.sessions) == 0


async def test_what_takes_too_long_is_ended_and_says_why(rig: Rig) -> None:
    session = await rig.open(TALKER)
    slow = rig.begin(TALKER, "tools/call", {"name": "slow"}, 1, mcp_session_id=session)
    await asyncio.sleep(0.1)
    await rig.gateway.drain(0.2)
    answer = await slow.end(2)
    assert answer.json["error"]["code"] == -31013
    record = next(r for r in rig.records() if r.get("name") == "slow")
    assert (record["outcome"], record["error_code"]) == ("cancelled", -31013)


async def test_answers_and_cancellations_still_help_calls_to_end(rig: Rig) -> None:
    session = await rig.open(TALKER, capabilities={"elicitation": {}})
    running = rig.begin(TALKER, "tools/call", {"name": "ask"}, mcp_session_id=session)
    await running.until("elicitation/create")
    drain = await draining(rig)
    asked = running.events[-1]["id"]
    said = json.dumps({"jsonrpc": "2.0", "id": asked, "result": {"action": "decline"}}).encode()
    assert (await rig.http(TALKER, said, mcp_session_id=session)).status == 202
    await drain
    await running.end()
    assert "decline" in running.body.decode()


async def test_a_stream_for_no_call_ends_with_a_hint_to_come_back(rig: Rig) -> None:
    session = await rig.open(TALKER)
    stream = rig.start(TALKER, method="GET", mcp_session_id=session)
    await asyncio.sleep(0.05)
    await rig.gateway.drain(1)
    await stream.end(2)
    assert stream.body.decode().endswith("retry: 2000\n\n")
    assert stream.done


async def test_a_subscription_ends_with_its_result(rig: Rig) -> None:
    wanted = {"notifications": {"toolsListChanged": True}}
    stream = rig.begin_stateless("/s/common/mcp", "subscriptions/listen", wanted, "sub")
    await stream.until("acknowledged")
    await rig.gateway.drain(1)
    await stream.end(2)
    assert stream.events[-1] == {
        "jsonrpc": "2.0",
        "id": "sub",
        "result": {
            "resultType": "complete",
            "_meta": {"io.modelcontextprotocol/subscriptionId": "sub"},
        },
    }


async def test_parked_calls_are_given_up_and_recorded(rig: Rig) -> None:
    meta = {"io.modelcontextprotocol/clientCapabilities": FULL}
    asked = await rig.stateless(TALKER, "tools/call", {"name": "ask", "_meta": meta})
    assert asked.json["result"]["resultType"] == "input_required"
    await rig.gateway.drain(1)
    assert len(rig.gateway.rounds.parking) == 0
    async with asyncio.timeout(5):
        while rig.records()[-1]["outcome"] != "cancelled":
            await asyncio.sleep(0.01)
    assert rig.records()[-1]["reason"] == "the gateway stops"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_new_streams_are_refused_and_goodbyes_are_not(rig: Rig, method: str) -> None:
    session = await rig.open(TALKER, capabilities={"elicitation": {}})
    running = rig.begin(TALKER, "tools/call", {"name": "ask"}, mcp_session_id=session)
    await running.until("elicitation/create")
    drain = await draining(rig, 2)
    answer = await rig.http(TALKER, method=method, mcp_session_id=session)
    assert answer.status == {"GET": 503, "DELETE": 204}[method]
    if method == "GET":
        await rig.http(TALKER, method="DELETE", mcp_session_id=session)
    await drain
    await running.end()
