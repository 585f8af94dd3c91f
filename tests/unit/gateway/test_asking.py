"""Calls that a rule holds back until somebody agrees."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.gateway.leaving import ENDED
from gatekit.model.approvals import ARGUMENTS, Approval, Verdict
from gatekit.model.rules import Anyone, ByLogin, Rule, Rules, ServerRules
from gatekit.model.server import Server
from gatekit.platform.vault import Vault
from gatekit.store.follow import follow, newest
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store
from tests.unit.gateway.rig import STATELESS_META, Answer, Rig, child, person

CAROL = ByLogin("local", "carol")
ASKING = Rule(
    name="careful",
    effect="ask",
    servers=("talker",),
    names=(("tool", "remember"), ("tool", "ask")),
    approvers=(CAROL,),
    reason="memory is delicate",
)
PATH = "/s/talker/mcp"
ELICITS = {
    **STATELESS_META,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
}


class World:
    """A gateway over a store, and approvers who work on the store as another process would."""

    def __init__(self, rig: Rig, store: Store) -> None:
        self.rig = rig
        self.store = store

    async def waiting(self, count: int = 1) -> list[Approval]:
        """Until so many wait."""
        async with asyncio.timeout(10):
            while len(found := list(await self.store.approvals.list(waiting=True))) < count:
                await asyncio.sleep(0.02)
        return found

    async def decide(self, one: Approval, state: Any = "allowed", **more: Any) -> Approval | None:
        verdict = Verdict(state=state, by_id="usr_carol", by="carol", at=one.asked_at, **more)
        return await self.store.approvals.decide(one.id, verdict)

    def call(
        self, value: str = "x", *, name: str = "remember", meta: Any = None, token: str = "alice", **more: Any
    ) -> Answer:
        params = {"name": name, "arguments": {"value": value}, "_meta": meta or {}, **more}
        return self.rig.begin_stateless(PATH, "tools/call", params, token=token)

    def actions(self) -> list[str]:
        return [record["action"] for record in self.rig.records("approval")]


def text(answer: Answer) -> str:
    found = answer.json
    return str(found["error"]["message"] if "error" in found else found["result"]["content"][0]["text"])


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await open_store(tmp_path / "store" / "gatekit.db")
    yield store
    await store.close()


def rules(*more: Rule) -> Rules:
    return Rules(servers=(ServerRules(server="talker", allowed=(Anyone(),)),), rules=more or (ASKING,))


SERVERS = [Server(name="talker", command=child("talker.py"))]


async def make(folder: Path, store: Store, *more: Rule, **settings: Any) -> World:
    rig = Rig(folder, SERVERS, rules(*more), approvals=store.approvals, **settings)
    for name in ("alice", "bob"):
        rig.door.give(name, person(name), "talker")
    rig.door.give("other", person("alice"), "talker", client="cli_2")
    return World(rig, store)


@pytest.fixture
async def world(tmp_path: Path, store: Store) -> AsyncIterator[World]:
    world = await make(tmp_path, store)
    seen = await newest(store.changes)

    async def changed(entries: Any) -> None:
        await world.rig.gateway.asking.heard([entry.removeprefix("approval:") for entry in entries])

    job = asyncio.ensure_future(follow(store.changes, seen, changed))
    yield world
    job.cancel()
    await world.rig.close()


async def test_a_call_waits_and_goes_on_when_somebody_allows_it(world: World) -> None:
    calling = world.call()
    (one,) = await world.waiting()
    assert (one.principal, one.server, one.name, one.rule) == ("alice", "talker", "remember", "rules.careful")
    assert json.loads(Vault(b"k" * 32).open(one.arguments, ARGUMENTS)) == {"value": "x"}
    assert "value" not in one.arguments
    assert not calling.done
    await world.decide(one)
    assert "result" in (await calling.end()).json
    kept = await world.store.approvals.get(one.id)
    assert kept is not None
    assert kept.taken_at is not None
    assert kept.arguments == ""
    (record,) = world.rig.records()
    assert (record["decision"], record["outcome"]) == ("allow", "ok")
    assert record["request_id"] == one.request_id
    assert world.actions() == ["asked"]


async def test_a_handshake_client_waits_too(world: World) -> None:
    session = await world.rig.open(PATH)
    params = {"name": "remember", "arguments": {"value": "y"}}
    calling = world.rig.begin(PATH, "tools/call", params, mcp_session_id=session)
    (one,) = await world.waiting()
    await world.decide(one)
    assert "result" in (await calling.end()).json


async def test_what_is_refused_is_not_forwarded_and_says_so(world: World) -> None:
    calling = world.call("secret")
    await world.decide((await world.waiting())[0], "denied")
    assert text(await calling.end()) == "the approval was refused"
    assert calling.status == 403
    (record,) = world.rig.records()
    assert (record["decision"], record["outcome"], record["rule"]) == ("ask", "refused", "rules.careful")
    assert record["reason"].endswith("denied by carol")
    assert not world.rig.pool.principals()


async def test_nobody_decides_in_time(tmp_path: Path, store: Store) -> None:
    world = await make(tmp_path, store, approval_wait=1.0)
    try:
        calling = world.call()
        (one,) = await world.waiting()
        assert text(await calling.end()) == "nobody approved this call in time"
        assert await world.decide(one) is None
        assert world.actions() == ["asked", "expired"]
    finally:
        await world.rig.close()


async def test_a_yes_that_comes_with_the_last_second_counts(tmp_path: Path, store: Store) -> None:
    """Nobody tells this gateway of the decision, so it finds it when it wants to end the wait."""
    world = await make(tmp_path, store, approval_wait=1.0)
    try:
        calling = world.call("late")
        assert await world.decide((await world.waiting())[0]) is not None
        assert "result" in (await calling.end()).json
    finally:
        await world.rig.close()


async def test_of_two_decisions_the_first_counts(world: World) -> None:
    calling = world.call()
    (one,) = await world.waiting()
    decided = await asyncio.gather(world.decide(one, "denied"), world.decide(one), world.decide(one))
    assert sum(each is not None for each in decided) == 1
    winner = next(each for each in decided if each is not None)
    await calling.end()
    assert ("error" in calling.json) == (winner.state == "denied")


async def test_a_client_that_leaves_ends_what_waits(world: World) -> None:
    calling = world.call()
    (one,) = await world.waiting()
    calling.disconnect()
    async with asyncio.timeout(10):
        while await world.store.approvals.list(waiting=True):
            await asyncio.sleep(0.02)
    kept = await world.store.approvals.get(one.id)
    assert kept is not None
    assert kept.state == "cancelled"
    assert await world.decide(one) is None
    await calling.end()
    (record,) = world.rig.records()
    assert (record["decision"], record["outcome"]) == ("ask", "cancelled")


async def test_a_cancelled_call_is_not_approved_into_the_void(world: World) -> None:
    session = await world.rig.open(PATH)
    params = {"name": "remember", "arguments": {"value": "y"}}
    calling = world.rig.begin(PATH, "tools/call", params, 7, mcp_session_id=session)
    (one,) = await world.waiting()
    gone = {"requestId": 7}
    await world.rig.rpc(PATH, "notifications/cancelled", gone, None, mcp_session_id=session)
    await calling.end()
    kept = await world.store.approvals.get(one.id)
    assert kept is not None
    assert kept.state == "cancelled"
    assert await world.decide(one) is None


async def test_a_call_given_up_right_after_the_yes_is_answered_and_recorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_the_book = asyncio.Event()

    async def stuck(_: str, __: int) -> bool:
        at_the_book.set()
        await asyncio.Event().wait()
        return True

    monkeypatch.setattr(world.store.approvals, "take", stuck)
    calling = world.call()
    (one,) = await world.waiting()
    await world.decide(one)
    async with asyncio.timeout(10):
        await at_the_book.wait()
    calling.disconnect()
    await calling.end()
    (record,) = world.rig.records()
    assert (record["decision"], record["outcome"]) == ("ask", "cancelled")
    assert not world.rig.pool.principals()


async def test_approvers_see_all_that_would_be_forwarded(world: World) -> None:
    calling = world.call("x", beside={"value": "hidden"})
    (one,) = await world.waiting()
    shown = json.loads(Vault(b"k" * 32).open(one.arguments, ARGUMENTS))
    assert shown == {"arguments": {"value": "x"}, "beside": {"value": "hidden"}}
    calling.disconnect()
    await calling.end()


async def test_who_is_disabled_meanwhile_waits_no_more(world: World) -> None:
    calling = world.call()
    (one,) = await world.waiting()
    world.rig.inactive.add("alice")
    await world.rig.gateway.recheck(["user:usr_alice"])
    assert text(await calling.end()) == ENDED.message
    kept = await world.store.approvals.get(one.id)
    assert kept is not None
    assert kept.state == "cancelled"


async def test_access_that_ended_without_a_word_is_noticed_after_the_wait(world: World) -> None:
    calling = world.call()
    (one,) = await world.waiting()
    world.rig.inactive.add("alice")
    await world.decide(one)
    assert text(await calling.end()) == ENDED.message
    assert not world.rig.pool.principals()


async def test_the_rules_are_asked_again_after_the_wait(world: World) -> None:
    calling = world.call()
    (one,) = await world.waiting()
    closed = Rule(name="closed", effect="deny", servers=("talker",), names=(("tool", "remember"),))
    world.rig.gateway.apply(world.rig.tables(SERVERS, rules(ASKING, closed)))
    await world.decide(one)
    assert text(await calling.end()) == "Unknown tool: remember"


async def test_allowed_for_a_while_is_for_this_person_client_server_and_tool(world: World) -> None:
    calling = world.call("x")
    (one,) = await world.waiting()
    await world.decide(one, until=one.asked_at + 3600)
    assert "result" in (await calling.end()).json
    assert "result" in (await world.call("x").end()).json
    others = [
        world.call("y"),
        world.call("x", token="bob"),
        world.call("x", token="other"),
        world.call("x", name="ask"),
    ]
    assert len(await world.waiting(len(others))) == len(others)
    for other in others:
        other.disconnect()
        await other.end()


async def test_allowed_whatever_the_arguments_and_taken_back(world: World) -> None:
    calling = world.call("x")
    (one,) = await world.waiting()
    await world.decide(one, until=one.asked_at + 3600, whatever=1)
    await calling.end()
    assert "result" in (await world.call("another").end()).json
    assert await world.store.approvals.take_back(one.id, "carol", one.asked_at) is not None
    await world.rig.gateway.asking.heard([one.id])
    again = world.call("another")
    assert len(await world.waiting()) == 1
    again.disconnect()
    await again.end()


async def test_a_person_can_have_only_so_many_waiting(tmp_path: Path, store: Store) -> None:
    world = await make(tmp_path, store, approvals_per_principal=2, approvals_in_all=3)
    try:
        mine = [world.call("1"), world.call("2")]
        await world.waiting(2)
        assert text(await world.call("3").end()) == "too many calls wait for an approval; try again later"
        mine.append(world.call("4", token="bob"))
        await world.waiting(3)
        assert "too many" in text(await world.call("5", token="bob").end())
        for each in mine:
            each.disconnect()
            await each.end()
        assert world.rig.gateway.asking.waiting() == []
    finally:
        await world.rig.close()


async def test_two_rules_ask_one_after_the_other(tmp_path: Path, store: Store) -> None:
    second = Rule(name="zealous", effect="ask", servers=("talker",), approvers=(CAROL,))
    world = await make(tmp_path, store, ASKING, second, approval_wait=1.0)
    try:
        calling = world.call("both")
        for rule in ("rules.careful", "rules.zealous"):
            (one,) = await world.waiting()
            assert one.rule == rule
            await world.decide(one)
        assert "result" in (await calling.end()).json
    finally:
        await world.rig.close()


async def test_progress_tells_where_a_call_stands_and_rises(world: World) -> None:
    calling = world.call(meta={"progressToken": "p"})
    await calling.until("waiting until somebody approves this call (memory is delicate)")
    (one,) = await world.waiting()
    (event,) = [each for each in calling.events if each.get("method") == "notifications/progress"]
    assert event["params"]["progressToken"] == "p"
    assert event["params"]["progress"] < 0
    await world.decide(one)
    assert "result" in (await calling.end()).json


async def test_a_stateless_client_is_told_comes_back_and_its_server_may_ask_too(world: World) -> None:
    first = await world.call(name="ask", meta=ELICITS).end()
    told = first.json["result"]
    request = told["inputRequests"]["approval"]
    assert request["method"] == "elicitation/create"
    assert "memory is delicate" in request["params"]["message"]
    (one,) = await world.waiting()
    assert one.id in request["params"]["message"]
    answer = {"approval": {"action": "accept", "content": {}}}
    back = world.call(name="ask", meta=ELICITS, inputResponses=answer, requestState=told["requestState"])
    await world.decide(one)
    asked = (await back.end()).json["result"]
    (key,) = asked["inputRequests"]
    answer = {key: {"action": "accept", "content": {"name": "Ada"}}}
    end = await world.call(
        name="ask", meta=ELICITS, inputResponses=answer, requestState=asked["requestState"]
    ).end()
    assert "Ada" in text(end)
    assert len(await world.store.approvals.list()) == 1
    assert [record["outcome"] for record in world.rig.records()] == ["input_required", "input_required", "ok"]


async def test_a_stateless_client_gives_up(world: World) -> None:
    told = (await world.call(meta=ELICITS).end()).json["result"]
    answer = {"approval": {"action": "decline"}}
    state = told["requestState"]
    end = await world.call(meta=ELICITS, inputResponses=answer, requestState=state).end()
    assert text(end) == "this call was withdrawn while it waited for an approval"
    assert await world.store.approvals.list(waiting=True) == []
    replayed = await world.call(meta=ELICITS, inputResponses=answer, requestState=state).end()
    assert "was used before" in text(replayed)


async def test_who_was_told_and_is_disabled_then_waits_no_more(world: World) -> None:
    await world.call(meta=ELICITS).end()
    (one,) = await world.waiting()
    world.rig.inactive.add("alice")
    await world.rig.gateway.recheck(["user:usr_alice"])
    assert await world.decide(one) is None


async def test_a_handshake_client_is_told_and_may_give_up(world: World) -> None:
    session = await world.rig.open(PATH, capabilities={"elicitation": {}})
    params = {"name": "remember", "arguments": {"value": "y"}}
    calling = world.rig.begin(PATH, "tools/call", params, mcp_session_id=session)
    await calling.until("elicitation/create")
    (question,) = [each for each in calling.events if each.get("method") == "elicitation/create"]
    assert "memory is delicate" in question["params"]["message"]
    said = {"jsonrpc": "2.0", "id": question["id"], "result": {"action": "decline"}}
    await world.rig.http(PATH, json.dumps(said).encode(), mcp_session_id=session)
    assert text(await calling.end()) == "this call was withdrawn while it waited for an approval"
    assert await world.store.approvals.list(waiting=True) == []


async def test_without_anybody_to_ask_it_is_refused(rig: Rig) -> None:
    rig.gateway.apply(rig.tables(SERVERS, rules()))
    params = {"name": "remember", "arguments": {}}
    answer = await rig.stateless(PATH, "tools/call", params)
    assert "nobody can give one here" in text(answer)


async def test_what_is_no_deed_is_not_asked_about(world: World) -> None:
    params = {"ref": {"type": "ref/tool", "name": "remember"}, "argument": {"name": "a", "value": ""}}
    await world.rig.stateless(PATH, "completion/complete", params)
    listed = await world.rig.stateless(PATH, "tools/list")
    assert "ask" in {tool["name"] for tool in listed.json["result"]["tools"]}
    assert await world.store.approvals.list() == []
