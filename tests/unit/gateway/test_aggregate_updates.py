"""Updates of resources and changes of lists, heard behind several servers under the names that hold there."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gatekit.model.rules import Rules, ServerRules
from gatekit.model.virtual import Exposed, Virtual
from tests.unit.gateway.rig import Answer, Rig
from tests.unit.gateway.shelves import ALICE, BOB, Make, shelf

FILES = ["file:///one/a.txt", "file:///one/b.txt"]
URI = "gatekit:one/file:///one/a.txt"
OTHER = "gatekit:one/file:///one/b.txt"
UPDATED = "notifications/resources/updated"
DESK = Virtual(
    name="desk",
    exposed=(Exposed(kind="tool", name="poke", server="one", original="touch"),),
    resources=(("one", ("file:///one/a.txt",)),),
)
RULES = Rules(
    servers=(
        ServerRules(server="one", allowed=(ALICE,)),
        ServerRules(server="two", allowed=(ALICE, BOB)),
        ServerRules(server="desk", allowed=(ALICE, BOB), place="virtual_servers"),
    )
)
PATHS = {"/mcp": "one__touch", "/s/desk/mcp": "poke"}


@pytest.fixture
def rig(make: Make) -> Rig:
    one = shelf("one", tools=["touch"], resources=FILES, subscribe=True)
    return make([one, shelf("two", tools=["grow"])], RULES, virtual=[DESK])


def updates(answer: Answer) -> list[str]:
    return [e["params"]["uri"] for e in answer.events if e.get("method") == UPDATED]


async def opened(rig: Rig, path: str, session: str) -> Answer:
    stream = rig.start(
        path, method="GET", mcp_session_id=session, accept="text/event-stream", content_type=""
    )
    while not stream.headers:
        await asyncio.sleep(0.01)
    return stream


async def gone(answer: Answer) -> None:
    answer.disconnect()
    await answer.end()


@pytest.mark.parametrize("path", PATHS)
async def test_an_update_carries_the_name_that_was_subscribed_to(rig: Rig, path: str) -> None:
    session = await rig.open(path)
    stream = await opened(rig, path, session)
    subscribed = await rig.rpc(path, "resources/subscribe", {"uri": URI}, mcp_session_id=session)
    assert subscribed.json["result"] == {}
    await rig.rpc(path, "tools/call", {"name": PATHS[path]}, mcp_session_id=session)
    await stream.until(UPDATED)
    assert updates(stream) == [URI]
    await rig.rpc(path, "resources/unsubscribe", {"uri": URI}, mcp_session_id=session)
    await rig.rpc(path, "tools/call", {"name": PATHS[path]}, mcp_session_id=session)
    assert updates(stream) == [URI]
    await gone(stream)


@pytest.mark.parametrize("path", PATHS)
async def test_a_listen_stream_hears_it_too(rig: Rig, path: str) -> None:
    wanted = {"notifications": {"resourceSubscriptions": [URI, OTHER, "file:///one/a.txt", "gatekit:x/y:z"]}}
    stream = rig.begin_stateless(path, "subscriptions/listen", wanted, request_id="s")
    await stream.until("acknowledged")
    heard = [URI, OTHER] if path == "/mcp" else [URI]
    assert stream.events[0]["params"]["notifications"]["resourceSubscriptions"] == heard
    await rig.stateless(path, "tools/call", {"name": PATHS[path]})
    await stream.until(UPDATED)
    while len(updates(stream)) < len(heard):
        await asyncio.sleep(0.01)
    assert sorted(updates(stream)) == heard
    await gone(stream)


async def test_nobody_subscribes_to_what_is_not_theirs(rig: Rig) -> None:
    session = await rig.open("/mcp", token="bob")
    answer = await rig.rpc("/mcp", "resources/subscribe", {"uri": URI}, token="bob", mcp_session_id=session)
    assert answer.json["error"]["code"] == -32602
    wanted: Any = {"notifications": {"resourceSubscriptions": [URI], "toolsListChanged": True}}
    stream = rig.begin_stateless("/mcp", "subscriptions/listen", wanted, token="bob")
    await stream.until("acknowledged")
    assert stream.events[0]["params"]["notifications"] == {"toolsListChanged": True}
    await gone(stream)
    # Of the servers behind the virtual one, bob may use none.
    stream = rig.begin_stateless("/s/desk/mcp", "subscriptions/listen", wanted, token="bob")
    assert (await stream.end()).status == 403


async def test_a_server_that_says_its_list_has_changed_is_heard_behind_the_aggregate(rig: Rig) -> None:
    session = await rig.open("/mcp")
    stream = await opened(rig, "/mcp", session)
    await rig.rpc("/mcp", "tools/call", {"name": "two__grow"}, mcp_session_id=session)
    await stream.until("notifications/tools/list_changed")
    await gone(stream)


async def test_a_server_that_starts_later_in_a_session_is_told_the_log_level(make: Make) -> None:
    rig = make([shelf("one", tools=["log", "die"], logging=True)], RULES)
    session = await rig.open("/mcp")
    await rig.rpc("/mcp", "logging/setLevel", {"level": "error"}, mcp_session_id=session)
    await rig.rpc("/mcp", "tools/call", {"name": "one__die"}, mcp_session_id=session)
    for _ in range(50):
        answer = await rig.rpc("/mcp", "tools/call", {"name": "one__log"}, mcp_session_id=session)
        if "result" in answer.json:
            break
        await asyncio.sleep(0.1)
    assert answer.events[0]["params"]["data"] == "error"
