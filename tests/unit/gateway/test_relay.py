"""Stateless clients in front of a stateless server: rounds are relayed, and ``requestState`` is wrapped."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.unit.gateway.asking import Asked, accept, asking_rig, content
from tests.unit.gateway.rig import STATELESS_META, Rig

MODERN = "/s/modern/mcp"
REFUSED = -32602


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with asking_rig(tmp_path) as made:
        yield made


async def test_rounds_are_relayed_and_the_state_comes_back_byte_for_byte(rig: Rig) -> None:
    client = Asked(rig, "steps", MODERN, count=3)
    now = await client.leg()
    for number in range(3):
        assert list(now["inputRequests"]) == ["q"]
        assert now["requestState"].isascii()  # the server's own, which is not, is sealed inside
        now = await client.answered(now, accept(name=str(number)))
    assert content(now) == [accept(name=str(number)) for number in range(3)]
    legs = [r for r in rig.records() if r.get("name") == "steps"]
    assert [(leg["outcome"], leg["rounds"]) for leg in legs] == [
        ("input_required", 1),
        ("input_required", 2),
        ("input_required", 3),
        ("ok", 3),
    ]
    assert {leg["parent"] for leg in legs[1:]} == {legs[0]["request_id"]}


async def test_several_questions_and_partial_answers(rig: Rig) -> None:
    client = Asked(rig, "mix", MODERN)
    asked = await client.leg()
    assert set(asked["inputRequests"]) == {"a", "b", "c"}
    again = await client.retry(asked, {"b": {"role": "assistant", "content": {}, "model": "m"}, "zz": {}})
    assert set(again["inputRequests"]) == {"a", "c"}


async def test_rounds_without_questions(rig: Rig) -> None:
    client = Asked(rig, "busy", MODERN, count=2)
    now = await client.leg()
    assert "inputRequests" not in now
    now = await client.leg(requestState=now["requestState"])
    now = await client.leg(requestState=now["requestState"])
    assert content(now) == 3


async def test_the_envelope_is_that_of_each_call(rig: Rig) -> None:
    client = Asked(rig, "told", MODERN)
    client.capabilities = {"sampling": {}, "vendor": {"x": 1}}
    client.meta = {"io.modelcontextprotocol/logLevel": "error", "traceparent": "00-1-2-01"}
    told = content(await client.leg())
    assert told["clientCapabilities"] == client.capabilities
    assert (told["logLevel"], told["traceparent"]) == ("error", "00-1-2-01")
    client.capabilities, client.meta = {}, {}
    told = content(await client.leg())
    assert told["clientCapabilities"] == {}
    assert "logLevel" not in told


async def test_a_missing_capability_keeps_its_error(rig: Rig) -> None:
    client = Asked(rig, "steps", MODERN)
    client.capabilities = {"sampling": {}}
    error = await client.leg()
    assert (error["code"], error["data"]) == (-32021, {"requiredCapabilities": {"elicitation": {}}})
    assert client.last is not None
    assert client.last.status == 400


async def test_attacks_on_the_state(rig: Rig) -> None:
    """I5: Attacks on the state."""
    client = Asked(rig, "steps", MODERN)
    asked = await client.leg()
    answers = {"q": accept(name="x")}
    state = asked["requestState"]

    async def refused(attacker: Asked, **more: object) -> None:
        error = await attacker.leg(**{"requestState": state, "inputResponses": answers, **more})
        assert error["code"] == REFUSED

    for token in ("bob", "alice2"):
        other = Asked(rig, "steps", MODERN)
        other.token = token
        await refused(other)
    await refused(client, arguments={"count": 2})
    await refused(client, name="endless")
    await refused(client, requestState=state[:-2] + "AA")
    await refused(Asked(rig, "modern__steps", "/mcp"))
    before = content(await Asked(rig, "ran", MODERN).leg())["steps"]
    assert before == 1  # none of these reached the server
    assert content(await client.answered(asked, accept(name="x"))) == [accept(name="x")]
    await refused(client)


async def test_the_state_survives_a_restart_of_the_server_but_not_its_secret(rig: Rig) -> None:
    """The server forgot what it issued, and says so itself; nothing of ours stands in the way."""
    client = Asked(rig, "steps", MODERN)
    asked = await client.leg()
    crashing = Asked(rig, "crash", MODERN)
    await crashing.answered(await crashing.leg(), accept())
    error = await client.answered(asked, accept())
    assert (error["code"], error["message"]) == (REFUSED, "requestState is not one of this call")


async def test_disconnect_cancels_at_the_server(rig: Rig) -> None:
    client = Asked(rig, "slow", MODERN)
    running = client.begin()
    await rig.calling()
    running.disconnect()
    await running.end(5)
    async with asyncio.timeout(5):
        while content(await Asked(rig, "ran", MODERN).leg()).get("cancelled") != 1:
            await asyncio.sleep(0.05)


async def test_notifications_are_checked_and_unknown_ones_passed_on(rig: Rig) -> None:
    async def notify(method: str, path: str = MODERN, version: str = "2026-07-28", **options: str) -> int:
        meta = {**STATELESS_META, "io.modelcontextprotocol/protocolVersion": version}
        message = {"jsonrpc": "2.0", "method": method, "params": {"_meta": meta}}
        headers = {"mcp_protocol_version": version, "mcp_method": method, **options}
        return (await rig.http(path, json.dumps(message).encode(), **headers)).status

    await Asked(rig, "told", MODERN).leg()
    vendor = "notifications/nothing-less"
    assert await notify(vendor) == 202
    assert await notify("notifications/cancelled") == 202  # over HTTP a disconnect says that
    assert await notify(vendor, version="2027-01-01") == 400
    assert await notify(vendor, mcp_method="other") == 400
    assert await notify(vendor, token="nobody") == 401
    assert await notify(vendor, path="/mcp") == 202
    assert content(await Asked(rig, "ran", MODERN).leg())["vendor"] == 1
