"""Attacks on ``requestState``: it is good once, for one person's one call, for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.errors import AuditUnavailable
from gatekit.model.rules import ByLogin, Rules, ServerRules
from tests.unit.gateway.asking import SERVERS, Asked, accept, asking_rig, content
from tests.unit.gateway.rig import Rig

REFUSED = -32602


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with asking_rig(tmp_path) as made:
        yield made


def reasons(rig: Rig) -> list[str]:
    return [r["reason"] for r in rig.records() if r["outcome"] == "error"]


async def attempt(client: Asked, asked: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A retry in which somebody changed something; it must be refused, and hurt nobody."""
    answers = {key: accept(stolen=True) for key in asked["inputRequests"]}
    error = await client.leg(**{"requestState": asked["requestState"], "inputResponses": answers, **changes})
    assert error["code"] == REFUSED, error
    assert client.last is not None
    assert client.last.status == 400
    assert asked["requestState"] not in str(client.rig.records())
    return dict(error)


async def owner_goes_on(client: Asked, asked: dict[str, Any]) -> None:
    assert content(await client.answered(asked, accept(name="mine"))) == [accept(name="mine")]


async def test_another_persons(rig: Rig) -> None:
    """I5: Another person's."""
    alice, bob = Asked(rig, "steps"), Asked(rig, "steps")
    bob.token = "bob"
    asked = await alice.leg()
    error = await attempt(bob, asked)
    assert "bob" not in error["message"]
    assert "alice" not in error["message"]
    assert reasons(rig) == ["requestState of another principal"]
    await owner_goes_on(alice, asked)


async def test_through_another_client_of_the_same_person(rig: Rig) -> None:
    """I5: Through another client of the same person."""
    one, two = Asked(rig, "steps"), Asked(rig, "steps")
    two.token = "alice2"
    asked = await one.leg()
    await attempt(two, asked)
    assert reasons(rig) == ["requestState of another client"]
    await owner_goes_on(one, asked)


async def test_on_another_server(rig: Rig) -> None:
    """I5: On another server."""
    one, two = Asked(rig, "steps"), Asked(rig, "steps", path="/s/few/mcp")
    asked = await one.leg()
    await attempt(two, asked)
    aggregate = Asked(rig, "asker__steps", path="/mcp")
    await attempt(aggregate, asked)
    assert reasons(rig) == ["requestState of another server"] * 2
    await owner_goes_on(one, asked)


async def test_with_other_arguments_or_another_tool(rig: Rig) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    await attempt(client, asked, arguments={"count": 2})
    await attempt(client, asked, name="twice")
    other = Asked(rig, "steps")
    other.method, other.params = "prompts/get", {"name": "steps", "arguments": {}}
    await attempt(other, asked)
    assert reasons(rig) == ["requestState of another call or other arguments"] * 3
    await owner_goes_on(client, asked)


async def test_twice(rig: Rig) -> None:
    """I5: Twice."""
    client = Asked(rig, "steps", count=2)
    asked = await client.leg()
    second = await client.answered(asked, accept(name="first"))
    await attempt(client, asked)
    assert content(await client.answered(second, accept(name="second"))) == [
        accept(name="first"),
        accept(name="second"),
    ]
    await attempt(client, second)
    assert reasons(rig) == ["requestState replayed, or its call has ended"] * 2
    assert content(await Asked(rig, "ran").leg())["steps"] == 1


async def test_twice_at_the_same_moment(rig: Rig) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    answers = {key: accept(name="x") for key in asked["inputRequests"]}
    legs = [client.begin(requestState=asked["requestState"], inputResponses=answers) for _ in range(5)]
    ends = [(await leg.end()).json for leg in legs]
    assert sorted("result" in end for end in ends) == [False] * 4 + [True]
    assert content(await Asked(rig, "ran").leg())["steps"] == 1


async def test_tampered_with(rig: Rig) -> None:
    """I5: Tampered with."""
    client = Asked(rig, "steps")
    asked = await client.leg()
    state = asked["requestState"]
    middle = len(state) // 2
    changed = state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1 :]
    for wrong in (changed, state[:-4], state + "AAAA", "", "v1.", "v1.AAAA", "🙂", "x" * 100_000):
        await attempt(client, asked, requestState=wrong)
    assert set(reasons(rig)) == {"requestState does not open"}
    await owner_goes_on(client, asked)


@pytest.mark.parametrize("wrong", [7, ["x"], {"a": 1}, True])
async def test_of_another_type(rig: Rig, wrong: Any) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    await attempt(client, asked, requestState=wrong)
    await attempt(client, asked, inputResponses=wrong if not isinstance(wrong, dict) else [])
    await owner_goes_on(client, asked)


@pytest.mark.parametrize(
    "wrong",
    [7, "accept", None, [], {}, {"action": "maybe"}, {"action": "accept", "content": []}, {"content": {}}],
)
async def test_an_answer_that_is_none_costs_nothing(rig: Rig, wrong: Any) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    await attempt(client, asked, inputResponses=dict.fromkeys(asked["inputRequests"], wrong))
    await owner_goes_on(client, asked)


async def test_expired(tmp_path: Path) -> None:
    async with asking_rig(tmp_path, input_patience=0.3) as rig:
        client = Asked(rig, "steps")
        asked = await client.leg()
        await asyncio.sleep(0.4)
        await attempt(client, asked)
        assert reasons(rig) == ["requestState expired"]
        async with asyncio.timeout(5):
            while len(rig.gateway.rounds.parking):
                await asyncio.sleep(0.05)
        # The server got an answer and then the cancellation.
        assert content(await Asked(rig, "ran").leg())["cancelled"] == 1
        ended = next(r for r in rig.records() if r["outcome"] == "cancelled")
        assert (ended["name"], ended["reason"], ended["rounds"]) == ("steps", "no answer in time", 1)
        assert ended["parent"] == rig.records()[0]["request_id"]


async def test_permission_withdrawn_meanwhile(rig: Rig) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    others = Rules(servers=(ServerRules(server="asker", allowed=(ByLogin("local", "bob"),)),))
    rig.gateway.apply(rig.tables(SERVERS, others))
    error = await client.answered(asked, accept())
    assert error["code"] == -31006
    assert len(rig.gateway.rounds.parking) == 0
    assert rig.records()[-1]["decision"] == "deny"


async def test_access_ended_meanwhile(rig: Rig) -> None:
    client = Asked(rig, "steps")
    asked = await client.leg()
    rig.inactive.add("alice")
    await rig.gateway.recheck()
    assert len(rig.gateway.rounds.parking) == 0
    await attempt(client, asked)
    assert [r["reason"] for r in rig.records() if r["outcome"] == "cancelled"] == ["access ended"]


async def test_too_many_parked_calls_of_one_person(tmp_path: Path) -> None:
    async with asking_rig(tmp_path, parked_per_principal=1) as rig:
        first = Asked(rig, "steps")
        asked = await first.leg()
        assert (await Asked(rig, "steps").leg())["code"] == -31002
        bob = Asked(rig, "steps")
        bob.token = "bob"
        assert (await bob.leg())["resultType"] == "input_required"
        await owner_goes_on(first, asked)


async def test_calls_that_cannot_be_recorded_are_not_left_parked(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsafe(_event: object) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_exception(AuditUnavailable("no room"))
        return future

    monkeypatch.setattr(rig.trail, "record", unsafe)
    assert (await Asked(rig, "steps").leg())["code"] == -31005
    assert len(rig.gateway.rounds.parking) == 0
    monkeypatch.undo()
    assert content(await Asked(rig, "ran").leg())["cancelled"] == 1
