"""List changes and resource updates: from servers of both eras to clients of both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.rules import ByGroup, ByLogin, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from tests.unit.gateway.answering import Client, connect, text
from tests.unit.gateway.rig import Answer, Rig, child, person

ID = "io.modelcontextprotocol/subscriptionId"
A, B, HIDDEN = "file:///a", "file:///b", "file:///hidden"
UPDATED = "notifications/resources/updated"
SERVERS = (
    Server(name="library", command=child("library.py")),
    Server(name="shelf", command=child("library.py"), instances="user"),
    Server(name="common", command=child("library.py"), instances="shared"),
    Server(name="plain", command=child("library.py", "plain"), instances="shared"),
    Server(name="modern", command=child("modern.py")),
    Server(name="modern-common", command=child("modern.py"), instances="shared"),
    Server(name="deaf", command=child("modern.py", "deaf")),
    Server(name="broken", command=("/does/not/exist",)),
)
PEOPLE = (ByLogin("local", "alice"), ByLogin("local", "bob"))
RULES = Rules(
    servers=tuple(
        ServerRules(
            server=each.name,
            allowed=PEOPLE,
            tools=(ToolRule(glob=HIDDEN, allowed=(ByGroup("sre"),), kind="resource"),),
        )
        for each in SERVERS
    )
)
BOTH = pytest.mark.parametrize("server", ["common", "modern-common"])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = Rig(tmp_path, SERVERS, RULES)
    made.door.give("alice", person("alice"))
    made.door.give("alice2", person("alice"), client="cli_2")
    made.door.give("bob", person("bob"))
    made.door.give("sre", person("carol", "sre"))
    yield made
    await made.close()


def path(server: str) -> str:
    return f"/s/{server}/mcp"


async def listen(
    rig: Rig, where: str, *uris: str, token: str = "alice", request_id: Any = "sub", **kinds: bool
) -> Answer:
    """A ``subscriptions/listen`` stream, acknowledged."""
    wanted: dict[str, Any] = {**kinds, **({"resourceSubscriptions": list(uris)} if uris else {})}
    params = {"notifications": wanted}
    stream = rig.begin_stateless(where, "subscriptions/listen", params, request_id=request_id, token=token)
    await stream.until("acknowledged", 20)
    assert stream.events[0]["method"] == "notifications/subscriptions/acknowledged"
    return stream


def honoured(stream: Answer) -> dict[str, Any]:
    return dict(stream.events[0]["params"]["notifications"])


async def do(rig: Rig, server: str, tool: str, token: str = "alice", **arguments: str) -> Any:
    """A call of a stateless client."""
    params = {"name": tool, "arguments": arguments}
    answer = await rig.stateless(path(server), "tools/call", params, token=token)
    return answer.json.get("result")


async def get(rig: Rig, client: Client) -> Answer:
    """The GET stream of a session."""
    stream = rig.start(client.path, method="GET", token=client.token, mcp_session_id=client.session)
    async with asyncio.timeout(5):
        while not stream.status:
            await asyncio.sleep(0.01)
    return stream


async def subscribed(rig: Rig, server: str) -> tuple[set[str], dict[str, int]]:
    """What the server was told of."""
    if server.startswith("modern"):
        listens = text(await do(rig, server, "listens"))
        return {uri for each in listens for uri in each.get("resourceSubscriptions", ())}, {}
    said = text(await do(rig, server, "subscribed"))
    return set(said["subscribed"]), said["times"]


async def until_subscribed(rig: Rig, server: str, *uris: str) -> None:
    async with asyncio.timeout(10):
        while (await subscribed(rig, server))[0] != set(uris):
            await asyncio.sleep(0.05)


async def leave(stream: Answer) -> None:
    stream.disconnect()
    await stream.end()


def heard(stream: Answer) -> list[tuple[str, Any]]:
    events = (event for event in stream.events if "method" in event)
    return [
        (event["method"].removeprefix("notifications/"), event.get("params", {}).get("uri"))
        for event in events
        if "acknowledged" not in event["method"]
    ]


@BOTH
async def test_updates_reach_streams_and_sessions_alike(rig: Rig, server: str) -> None:
    stream = await listen(rig, path(server), A, B, toolsListChanged=True)
    assert honoured(stream) == {"toolsListChanged": True, "resourceSubscriptions": [A, B]}
    client = await connect(rig, path(server), token="bob")
    session = await get(rig, client)
    assert await client.request("resources/subscribe", {"uri": A}) == {}
    await do(rig, server, "touch", uri=A)
    await do(rig, server, "touch", uri=B)
    await do(rig, server, "grow")
    await stream.until("tools/list_changed")
    await session.until("tools/list_changed")
    changes = [("resources/updated", A), ("resources/updated", B), ("tools/list_changed", None)]
    assert heard(stream) == changes
    assert {event["params"]["_meta"][ID] for event in stream.events} == {"sub"}
    assert heard(session) == [("resources/updated", A), ("tools/list_changed", None)]
    assert ID not in session.body.decode()  # that is the other era's
    await leave(stream)
    await leave(session)


@BOTH
async def test_a_server_is_told_once_and_untold_when_the_last_one_leaves(rig: Rig, server: str) -> None:
    one = await listen(rig, path(server), A, B)
    two = await listen(rig, path(server), A, token="bob", request_id=7)
    client = await connect(rig, path(server), token="alice2")
    assert await client.request("resources/subscribe", {"uri": A}) == {}
    assert await client.request("resources/subscribe", {"uri": A}) == {}
    await until_subscribed(rig, server, A, B)
    if server == "common":
        assert (await subscribed(rig, server))[1] == {A: 1, B: 1}
    await leave(one)
    await until_subscribed(rig, server, A)
    assert await client.request("resources/unsubscribe", {"uri": A}) == {}
    await do(rig, server, "touch", uri=A)
    await two.until(UPDATED)
    await leave(two)
    await until_subscribed(rig, server)
    assert await client.request("resources/subscribe", {"uri": B}) == {}
    await until_subscribed(rig, server, B)
    await rig.http(path(server), method="DELETE", token="alice2", mcp_session_id=client.session)
    await until_subscribed(rig, server)


async def test_parts_of_a_resource_count_as_it(rig: Rig) -> None:
    stream = await listen(rig, path("common"), A)
    await do(rig, "common", "touch", uri=f"{A}/part")
    await do(rig, "common", "shout", uri=f"{A}bc")
    await do(rig, "common", "touch", uri=A)
    await stream.until(f'"uri":"{A}"')
    assert heard(stream) == [("resources/updated", f"{A}/part"), ("resources/updated", A)]
    await leave(stream)


@BOTH
async def test_nobody_hears_what_they_may_not_read(rig: Rig, server: str) -> None:
    alice = await listen(rig, path(server), HIDDEN, A)
    assert honoured(alice) == {"resourceSubscriptions": [A]}
    client = await connect(rig, path(server))
    refused = await client.request("resources/subscribe", {"uri": HIDDEN})
    assert refused["code"] == -32602
    session = await get(rig, client)
    if server == "common":
        await do(rig, server, "shout", uri=HIDDEN)
    await do(rig, server, "touch", uri=A)
    await do(rig, server, "grow")
    await session.until("list_changed")
    assert heard(session) == [("tools/list_changed", None)]
    assert heard(alice) == [("resources/updated", A)]
    await leave(alice)
    await leave(session)


async def test_rights_withdrawn_while_the_stream_is_open(rig: Rig) -> None:
    stream = await listen(rig, path("common"), A, B, toolsListChanged=True)
    rules = ServerRules(
        server="common", allowed=PEOPLE, tools=(ToolRule(glob=A, allowed=(ByGroup("sre"),), kind="resource"),)
    )
    rig.gateway.apply(rig.tables(SERVERS, Rules(servers=(rules,))))
    await do(rig, "common", "touch", uri=A)
    await do(rig, "common", "touch", uri=B)
    await stream.until(f'"uri":"{B}"')
    assert heard(stream) == [("resources/updated", B)]
    rig.gateway.apply(rig.tables(SERVERS, Rules()))
    await rig.gateway.recheck()
    await stream.end(5)
    assert stream.events[-1] == {
        "jsonrpc": "2.0",
        "id": "sub",
        "result": {"resultType": "complete", "_meta": {ID: "sub"}},
    }


@BOTH
async def test_only_what_was_asked_for(rig: Rig, server: str) -> None:
    tools = await listen(rig, path(server), toolsListChanged=True, promptsListChanged=True)
    resources = await listen(rig, path(server), resourcesListChanged=True, vendorChanged=True)
    assert honoured(tools) == {"toolsListChanged": True}  # prompts never change there
    assert honoured(resources) == {"resourcesListChanged": True}
    await do(rig, server, "grow")
    if server == "common":
        await do(rig, server, "grow", what="resources")
        await resources.until("list_changed")
    await tools.until("list_changed")
    assert heard(tools) == [("tools/list_changed", None)]
    assert heard(resources) == ([("resources/list_changed", None)] if server == "common" else [])
    await leave(tools)
    await leave(resources)


@pytest.mark.parametrize("server", ["common", "modern-common", "library", "modern"])
async def test_a_restarted_server_is_told_again(rig: Rig, server: str) -> None:
    stream = await listen(rig, path(server), A, toolsListChanged=True)
    if server.startswith("modern"):
        client = await connect(rig, path(server), {"elicitation/create": [{"action": "accept"}]})
        if server == "modern":  # a session has its own instance there: crash the other one
            rig.pool.stop_server("modern")
        else:
            await client.call("crash")
    else:
        await do(rig, server, "crash") if server == "common" else rig.pool.stop_server(server)
    if server in ("library", "modern"):  # stopped by hand: nothing brings it back but a call
        await do(rig, server, "ran" if server == "modern" else "subscribed")
    await stream.until(UPDATED, 15)  # who listens is told that things may have changed
    assert ("tools/list_changed", None) in heard(stream)
    await until_subscribed(rig, server, A)
    before = len(heard(stream))
    await do(rig, server, "touch", uri=A)
    async with asyncio.timeout(5):
        while len(heard(stream)) == before:
            await stream.news()
    assert heard(stream)[before:] == [("resources/updated", A)]
    await leave(stream)


@pytest.mark.parametrize("server", ["library", "modern"])
async def test_sessions_with_instances_of_their_own(rig: Rig, server: str) -> None:
    client = await connect(rig, path(server), {"elicitation/create": [{"action": "accept"}]})
    session = await get(rig, client)
    assert await client.request("resources/subscribe", {"uri": A}) == {}
    await client.call("touch", uri=B)
    await client.call("touch", uri=A)
    await client.call("grow")
    await session.until("list_changed")
    assert heard(session) == [("resources/updated", A), ("tools/list_changed", None)]
    await client.call("crash")
    await session.until("list_changed", 15)
    async with asyncio.timeout(10):  # the next process knows of it as well
        while heard(session).count(("resources/updated", A)) < 3:
            await client.call("touch", uri=A)
            await asyncio.sleep(0.1)
    await leave(session)


async def test_what_the_server_says_of_a_subscription(rig: Rig) -> None:
    client = await connect(rig, path("library"))
    refused = await client.request("resources/subscribe", {"uri": "file:///missing"})
    assert refused == {"code": -32002, "message": "cannot: resources/subscribe"}
    stream = await listen(rig, path("common"), "file:///missing", A)
    assert honoured(stream) == {"resourceSubscriptions": [A]}
    await leave(stream)


async def test_servers_without_subscriptions(rig: Rig) -> None:
    stream = await listen(rig, path("plain"), A, toolsListChanged=True)
    assert honoured(stream) == {}
    await leave(stream)
    for server in ("plain", "deaf"):
        client = await connect(rig, path(server))
        assert (await client.request("resources/subscribe", {"uri": A}))["code"] == -32601
    stream = await listen(rig, path("deaf"), A, toolsListChanged=True)
    assert honoured(stream) == {}
    await leave(stream)


async def test_shared_instances_offer_subscriptions_now(rig: Rig) -> None:
    for server in ("common", "modern-common"):
        answer = await rig.rpc(path(server), "initialize", {"protocolVersion": "2025-11-25"})
        assert answer.json["result"]["capabilities"]["resources"]["subscribe"] is True


async def test_an_open_subscription_keeps_no_idle_instance_running(rig: Rig) -> None:
    client = await connect(rig, path("modern"))
    await client.call("ran")
    link = next(iter(rig.pool._links.values()))
    async with asyncio.timeout(5):
        while not any(reply.method == "subscriptions/listen" for reply in link._pending.values()):
            await asyncio.sleep(0.02)
    assert link.pending == 0


async def test_the_aggregate_endpoint_hears_of_all_under_its_own_names(rig: Rig) -> None:
    stream = await listen(rig, "/mcp", f"gatekit:common/{A}", f"gatekit:modern-common/{B}", "file:///x")
    wanted = [f"gatekit:common/{A}", f"gatekit:modern-common/{B}"]
    assert sorted(honoured(stream)["resourceSubscriptions"]) == wanted
    client = await connect(rig, "/mcp")
    session = await get(rig, client)
    assert await client.request("resources/subscribe", {"uri": wanted[0]}) == {}
    await do(rig, "common", "touch", uri=A)
    await do(rig, "modern-common", "touch", uri=B)
    await do(rig, "common", "grow")
    await stream.until(wanted[1])
    await session.until("list_changed")
    assert sorted(heard(stream), key=str) == [("resources/updated", uri) for uri in wanted]
    assert heard(session) == [("resources/updated", wanted[0]), ("tools/list_changed", None)]
    await leave(stream)
    await leave(session)


async def test_feeds_are_forgotten_with_their_instances(rig: Rig) -> None:
    for _ in range(3):
        client = await connect(rig, path("library"))
        await rig.http(path("library"), method="DELETE", mcp_session_id=client.session)
    async with asyncio.timeout(5):
        while len(rig.gateway.feeds):
            await asyncio.sleep(0.1)


async def test_what_nobody_knows_is_not_swallowed(rig: Rig) -> None:
    client = await connect(rig, path("library"))
    await client.call("vendor")
    assert client.events[0] == {
        "jsonrpc": "2.0",
        "method": "notifications/vendor/news",
        "params": {"x": 1},
    }
