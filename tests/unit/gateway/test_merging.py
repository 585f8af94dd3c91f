"""Merged lists and greetings: pages, order, and what happens when one server is slow or dead."""

from __future__ import annotations

from typing import Any

from gatekit.gateway.aggregate import UNAVAILABLE
from gatekit.gateway.published import Merging
from gatekit.model.rules import Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from tests.unit.gateway.rig import Rig
from tests.unit.gateway.shelves import ALICE, BOB, Make, for_alice, shelf

DEAD = Server(name="dead", command=("/does/not/exist",))


async def pages(rig: Rig, method: str = "tools/list", path: str = "/mcp", token: str = "alice") -> list[Any]:
    """Results of a list, page by page."""
    session = await rig.open(path, token=token)
    found: list[Any] = []
    params: dict[str, Any] = {}
    while True:
        answer = await rig.rpc(path, method, params, token=token, mcp_session_id=session)
        found.append(answer.json["result"])
        if "nextCursor" not in found[-1]:
            return found
        params = {"cursor": found[-1]["nextCursor"]}


def names(results: list[Any], key: str = "tools") -> list[list[str]]:
    return [[item["name"] for item in result[key]] for result in results]


# -- pages -------------------------------------------------------------------------------------------------


async def test_pages_are_as_long_as_set_and_hold_everything_once_in_the_order_of_the_file(make: Make) -> None:
    one = shelf("one", tools=[f"t{n}" for n in range(7)], page=3)
    two = shelf("two", tools=["a", "b"])
    rig = make([one, two], merging=Merging(page_size=4))
    assert names(await pages(rig)) == [
        ["one__t0", "one__t1", "one__t2", "one__t3"],
        ["one__t4", "one__t5", "one__t6", "two__a"],
        ["two__b"],
    ]


async def test_a_page_that_ends_with_the_last_item_is_the_last_page(make: Make) -> None:
    rig = make([shelf("one", tools=["a", "b"]), shelf("two", tools=["c", "d"])], merging=Merging(page_size=2))
    assert names(await pages(rig)) == [["one__a", "one__b"], ["two__c", "two__d"]]


async def test_what_is_filtered_does_not_shift_a_page(make: Make) -> None:
    hidden = ToolRule(glob="t[135]", allowed=(BOB,))
    rules = Rules(servers=(ServerRules(server="one", allowed=(ALICE,), tools=(hidden,)),))
    rig = make([shelf("one", tools=[f"t{n}" for n in range(7)], page=2)], rules, merging=Merging(page_size=2))
    assert names(await pages(rig)) == [["one__t0", "one__t2"], ["one__t4", "one__t6"]]


async def test_pages_of_every_size_hold_everything_once(make: Make) -> None:
    hidden = ToolRule(glob="t[14]", allowed=(BOB,))
    rules = Rules(
        servers=(
            ServerRules(server="one", allowed=(ALICE,), tools=(hidden,)),
            ServerRules(server="none", allowed=(ALICE,)),
            ServerRules(server="three", allowed=(ALICE,)),
        )
    )
    servers = [
        shelf("one", instances="user", tools=[f"t{n}" for n in range(8)], page=3),
        shelf("none", instances="user", tools=[]),
        shelf("three", instances="user", tools=[f"x{n}" for n in range(4)], page=1),
    ]
    every = [f"one__t{n}" for n in (0, 2, 3, 5, 6, 7)] + [f"three__x{n}" for n in range(4)]
    rig = make(servers, rules)
    for size in range(1, 13):
        rig.gateway.apply(rig.tables(servers, rules, merging=Merging(page_size=size)))
        found = names(await pages(rig))
        assert [name for page in found for name in page] == every, size
        assert [len(page) for page in found[:-1]] == [size] * (len(found) - 1)
        assert found[-1]


async def test_a_cursor_is_good_for_its_person_its_list_and_its_endpoint_only(make: Make) -> None:
    """I5: A cursor is good for its person its list and its endpoint only."""
    both = Rules(servers=(ServerRules(server="one", allowed=(ALICE, BOB)),))
    one = shelf("one", tools=["a", "b", "c"], resources=["file:///1", "file:///2"])
    rig = make([one], both, merging=Merging(page_size=1))
    alice, bob = await rig.open("/mcp"), await rig.open("/mcp", token="bob")
    first = await rig.rpc("/mcp", "tools/list", mcp_session_id=alice)
    cursor = first.json["result"]["nextCursor"]
    assert "one" not in cursor

    async def code(method: str, cursor: Any, token: str, session: str) -> Any:
        answer = await rig.rpc("/mcp", method, {"cursor": cursor}, token=token, mcp_session_id=session)
        return answer.json.get("error", {}).get("code")

    assert await code("tools/list", cursor, "alice", alice) is None
    assert await code("tools/list", cursor, "bob", bob) == -32602
    assert await code("resources/list", cursor, "alice", alice) == -32602
    for bad in ("", "x", cursor[:-2] + "AA", 3, {"a": 1}):
        assert await code("tools/list", bad, "alice", alice) == -32602
    said = [record["reason"] for record in rig.records() if record.get("error_code") == -32602]
    assert "cursor of another principal" in said
    assert "cursor of another list" in said


async def test_a_cursor_at_a_server_that_was_taken_away_is_unknown(make: Make) -> None:
    servers = [shelf("one", tools=["a", "b"]), shelf("two", tools=["c"])]
    rig = make(servers, merging=Merging(page_size=1))
    session = await rig.open("/mcp")
    first = await rig.rpc("/mcp", "tools/list", mcp_session_id=session)
    rig.gateway.apply(rig.tables(servers, for_alice("two"), merging=Merging(page_size=1)))
    cursor = {"cursor": first.json["result"]["nextCursor"]}
    answer = await rig.rpc("/mcp", "tools/list", cursor, mcp_session_id=session)
    assert answer.json["error"]["code"] == -32602


# -- one of them is not there ------------------------------------------------------------------------------


async def test_a_dead_server_is_missing_and_told_in_meta(make: Make) -> None:
    rig = make([shelf("one", tools=["a"]), DEAD, shelf("two", tools=["b"])])
    (result,) = await pages(rig)
    assert names([result]) == [["one__a", "two__b"]]
    (absent,) = result["_meta"][UNAVAILABLE]
    assert absent["server"] == "dead"
    assert "/does/not/exist" not in absent["reason"]


async def test_a_dead_server_is_told_at_the_greeting_of_both_eras(make: Make) -> None:
    rig = make([shelf("one", tools=["a"], instructions="Use a."), DEAD])
    opened = await rig.rpc("/mcp", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    discovered = await rig.stateless("/mcp", "server/discover")
    for result in (opened.json["result"], discovered.json["result"]):
        assert result["_meta"][UNAVAILABLE][0]["server"] == "dead"
        assert "Not available at the moment, so their tools may be missing: dead (" in result["instructions"]
        assert "## one\n\nUse a." in result["instructions"]


async def test_a_slow_server_costs_its_deadline_and_is_there_the_next_time(make: Make) -> None:
    one, slow = shelf("one", tools=["a"], instances="shared"), shelf("slow", tools=["b"], start=1.5)
    rig = make([one, slow], merging=Merging(patience=0.75))
    await rig.stateless("/s/one/mcp", "tools/list")  # it runs before anybody is in a hurry
    session = await rig.open("/mcp")
    first = await rig.rpc("/mcp", "tools/list", mcp_session_id=session)
    absent = {one["server"]: one for one in first.json["result"].get("_meta", {}).get(UNAVAILABLE, ())}
    if "slow" in absent:  # or the machine was so slow that its time was enough
        reason = "it did not answer within 0.75 s; it may still be starting"
        assert absent["slow"] == {"server": "slow", "reason": reason}
    for _ in range(60):
        answer = await rig.rpc("/mcp", "tools/list", mcp_session_id=session)
        if "_meta" not in answer.json["result"]:
            break
    assert names([answer.json["result"]]) == [["one__a", "slow__b"]]


async def test_an_outage_is_recorded_once_and_so_is_its_end(make: Make) -> None:
    rig = make([shelf("one", tools=["a"]), DEAD])
    for _ in range(3):
        await pages(rig)
    fixed = shelf("dead", tools=["b"])
    rig.gateway.apply(rig.tables([shelf("one", tools=["a"]), fixed], for_alice("one", "dead")))
    assert names(await pages(rig)) == [["one__a", "dead__b"]]
    await pages(rig)
    said = [(r["action"], r["server"], r["principal"]) for r in rig.records("server")]
    assert said == [("unavailable", "dead", "alice"), ("available", "dead", "alice")]


async def test_a_call_to_a_dead_server_says_which_and_when_to_try_again(make: Make) -> None:
    rig = make([shelf("one", tools=["a"]), DEAD])
    session = await rig.open("/mcp")
    for _ in range(3):  # the back-off grows past what is waited out
        answer = await rig.rpc("/mcp", "tools/call", {"name": "dead__x"}, mcp_session_id=session)
    error = answer.json["error"]
    assert error["message"].startswith("the server 'dead' cannot answer now: ")
    assert error["data"]["server"] == "dead"
    assert error["data"]["retryAfterSeconds"] >= 1


async def test_when_none_is_there_the_list_is_an_error_that_names_them(make: Make) -> None:
    rig = make([DEAD])
    session = await rig.open("/mcp")
    answer = await rig.rpc("/mcp", "tools/list", mcp_session_id=session)
    assert answer.json["error"]["code"] == -31001
    assert answer.json["error"]["data"][UNAVAILABLE][0]["server"] == "dead"


async def test_a_server_that_dies_later_leaves_the_others(make: Make) -> None:
    rig = make([shelf("one", tools=["a", "die"]), shelf("two", tools=["b"])])
    session = await rig.open("/mcp")
    died = await rig.rpc("/mcp", "tools/call", {"name": "one__die"}, mcp_session_id=session)
    assert died.json["error"]["data"] == {"server": "one"}
    called = await rig.rpc("/mcp", "tools/call", {"name": "two__b"}, mcp_session_id=session)
    assert called.json["result"]["content"]


# -- the greeting ------------------------------------------------------------------------------------------


async def test_capabilities_are_what_the_servers_offer_together(make: Make) -> None:
    rig = make([shelf("one", tools=["a"]), shelf("two", resources=["file:///1"], subscribe=True)])
    opened = await rig.rpc("/mcp", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert opened.json["result"]["capabilities"] == {
        "tools": {"listChanged": True},
        "resources": {"subscribe": True, "listChanged": True},
    }
    discovered = await rig.stateless("/mcp", "server/discover")
    assert set(discovered.json["result"]["capabilities"]) == {"tools", "resources"}


async def test_a_server_without_a_kind_of_thing_is_not_asked_for_it(make: Make) -> None:
    rig = make([shelf("one", tools=["a"]), shelf("two", prompts=["p"])])
    (result,) = await pages(rig, "prompts/list")
    assert result == {"prompts": [{"name": "two__p"}]}


# -- names in results --------------------------------------------------------------------------------------


async def test_links_and_embedded_resources_can_be_read_back(make: Make) -> None:
    rig = make([shelf("one", tools=["a"], resources=["file:///one/a.txt"], prompts=["p"])])
    session = await rig.open("/mcp")
    called = await rig.rpc("/mcp", "tools/call", {"name": "one__a"}, mcp_session_id=session)
    _, link, embedded = called.json["result"]["content"]
    assert link["uri"] == embedded["resource"]["uri"] == "gatekit:one/file:///one/a.txt"
    read = await rig.rpc("/mcp", "resources/read", {"uri": link["uri"]}, mcp_session_id=session)
    assert read.json["result"]["contents"] == [{"uri": link["uri"], "text": "one: file:///one/a.txt"}]
    prompt = await rig.rpc("/mcp", "prompts/get", {"name": "one__p"}, mcp_session_id=session)
    assert prompt.json["result"]["messages"][0]["content"]["uri"] == link["uri"]


async def test_completion_goes_to_the_server_that_is_meant(make: Make) -> None:
    rig = make([shelf("one", prompts=["p"]), shelf("two", prompts=["p"], templates=["file:///{x}"])])
    session = await rig.open("/mcp")
    for ref, own in (
        ({"type": "ref/prompt", "name": "two__p"}, '{"type": "ref/prompt", "name": "p"}'),
        (
            {"type": "ref/resource", "uri": "gatekit:two/file:///{x}"},
            '{"type": "ref/resource", "uri": "file:///{x}"}',
        ),
    ):
        params = {"ref": ref, "argument": {"name": "x", "value": ""}}
        answer = await rig.rpc("/mcp", "completion/complete", params, mcp_session_id=session)
        assert answer.json["result"]["completion"]["values"] == ["two", own]


async def test_the_log_level_reaches_every_server_that_logs(make: Make) -> None:
    servers = [shelf("one", tools=["log"], logging=True), shelf("two", tools=["log"], logging=True)]
    rig = make([*servers, shelf("three", tools=["a"])])
    session = await rig.open("/mcp")
    set_level = await rig.rpc("/mcp", "logging/setLevel", {"level": "error"}, mcp_session_id=session)
    assert set_level.json["result"] == {}
    for server in ("one", "two"):
        answer = await rig.rpc("/mcp", "tools/call", {"name": f"{server}__log"}, mcp_session_id=session)
        assert answer.events[0]["params"]["data"] == "error"
