"""Sessions and streams hear that their lists have changed, though no server said so."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.gateway.published import Merging
from gatekit.model.rules import Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from gatekit.model.virtual import Exposed, Virtual
from tests.unit.gateway.rig import Answer, Rig
from tests.unit.gateway.shelves import ALICE, BOB, Make, for_alice, shelf

ONE, TWO = shelf("one", tools=["a", "b"]), shelf("two", tools=["grow"])
CHANGED = "notifications/tools/list_changed"


async def listening(rig: Rig, path: str, era: str, token: str = "alice") -> Answer:
    """A GET stream of a session, or a ``subscriptions/listen`` stream."""
    if era == "stateless":
        params = {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}
        answer = rig.begin_stateless(path, "subscriptions/listen", params, token=token)
        await answer.until("acknowledged")
        return answer
    session = await rig.open(path, token=token)
    answer = rig.start(
        path, method="GET", token=token, mcp_session_id=session, accept="text/event-stream", content_type=""
    )
    while not answer.headers:
        await asyncio.sleep(0.01)
    return answer


def heard(answer: Answer) -> list[str]:
    return [e["method"] for e in answer.events if e["method"].endswith("list_changed")]


def told(answer: Answer) -> bool:
    return CHANGED in heard(answer)


NARROW = Rules(
    servers=(
        ServerRules(server="one", allowed=(ALICE, BOB), tools=(ToolRule(glob="b", allowed=(BOB,)),)),
        ServerRules(server="two", allowed=(BOB,)),
    )
)
OPEN = replace(NARROW, servers=(ServerRules(server="one", allowed=(ALICE, BOB)), NARROW.servers[1]))


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_other_rules_are_told_to_whom_they_concern(make: Make, era: str) -> None:
    rig = make([ONE, TWO], NARROW)
    alice, bob = await listening(rig, "/mcp", era), await listening(rig, "/mcp", era, "bob")
    own = await listening(rig, "/s/one/mcp", era)
    rig.gateway.apply(rig.tables([ONE, TWO], OPEN))
    await alice.until(CHANGED)
    await own.until(CHANGED)
    assert heard(alice) == [CHANGED]  # prompts were never offered here
    rig.gateway.apply(rig.tables([ONE, TWO], OPEN))
    rig.gateway.apply(rig.tables([ONE, TWO], for_alice("one", "two")))
    await bob.until(CHANGED)  # bob lost everything; what came before was not about him
    assert heard(bob) == [CHANGED]
    for answer in (alice, bob, own):
        answer.disconnect()
        await answer.end()


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_server_that_was_added_is_told_and_heard(make: Make, era: str) -> None:
    rig = make([ONE], for_alice("one"))
    stream = await listening(rig, "/mcp", era)
    rig.gateway.apply(rig.tables([ONE, TWO], for_alice("one", "two")))
    await stream.until(CHANGED)
    if era == "stateless":
        before = len(heard(stream))
        while len(heard(stream)) == before:  # the stream hears the new server from now on
            await rig.stateless("/mcp", "tools/call", {"name": "two__grow"})
    stream.disconnect()
    await stream.end()


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_another_choice_of_a_virtual_server_is_told(make: Make, era: str) -> None:
    rules = replace(
        for_alice("one"), servers=(*for_alice("one").servers, ServerRules(server="v", allowed=(ALICE,)))
    )
    first = Virtual(name="v", exposed=(Exposed(kind="tool", name="a", server="one", original="a"),))
    second = replace(first, exposed=(Exposed(kind="tool", name="a", server="one", original="b"),))
    rig = make([ONE], rules, virtual=[first])
    stream, other = await listening(rig, "/s/v/mcp", era), await listening(rig, "/s/one/mcp", era)
    rig.gateway.apply(rig.tables([ONE], rules, [first]))
    assert not told(stream)
    rig.gateway.apply(rig.tables([ONE], rules, [second]))
    await stream.until(CHANGED)
    assert not told(other)
    for answer in (stream, other):
        answer.disconnect()
        await answer.end()


@pytest.mark.parametrize("era", ["handshake", "stateless"])
async def test_a_server_that_comes_late_is_told(make: Make, tmp_path: Path, era: str) -> None:
    gate = tmp_path / "open"
    code = f"import os, time\nwhile not os.path.exists({str(gate)!r}): time.sleep(0.02)\n"
    late = replace(
        TWO, command=(sys.executable, "-c", f"{code}os.execv({TWO.command[0]!r}, {TWO.command!r})")
    )
    rig = make([replace(ONE, instances="shared"), late], merging=Merging(patience=0.5))
    await rig.stateless("/s/one/mcp", "tools/list")  # it runs before anybody is in a hurry
    stream = await listening(rig, "/mcp", era)
    assert not told(stream)
    gate.touch()
    await stream.until(CHANGED, 60)
    listed: Any = await rig.stateless("/mcp", "tools/list")
    assert "two__grow" in listed.body.decode()
    stream.disconnect()
    await stream.end()


async def test_a_server_that_is_dead_for_good_is_looked_for_no_longer_than_its_session(make: Make) -> None:
    rig = make([ONE, Server(name="dead", command=("/does/not/exist",))])
    session = await rig.open("/mcp")
    late = rig.gateway._aggregate._late
    assert len(late._jobs) == 1
    await rig.rpc("/mcp", "tools/list", mcp_session_id=session)
    assert len(late._jobs) == 1
    assert (await rig.http("/mcp", method="DELETE", mcp_session_id=session)).status == 204
    assert not late._jobs
    assert not late._missing
