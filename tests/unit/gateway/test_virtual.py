"""Virtual servers: what an operator chose of several servers, under names of the operator's own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.config.load import load
from gatekit.gateway.aggregate import MISSING, UNAVAILABLE
from gatekit.gateway.published import Merging
from gatekit.model.rules import AccessList, ByEmail, Rules, ServerRules, ToolRule
from gatekit.model.server import Server
from gatekit.model.virtual import Exposed, Virtual
from tests.unit.gateway.rig import Rig, person
from tests.unit.gateway.shelves import ALICE, BOB, Make, shelf
from tests.unit.gateway.test_merging import names, pages

SEARCH = {
    "name": "search",
    "title": "Search",
    "description": "Searches.",
    "inputSchema": {
        "type": "object",
        "properties": {"project": {"type": "string"}, "text": {"type": "string"}},
        "required": ["project"],
    },
    "annotations": {"readOnlyHint": False, "openWorldHint": False},
    "icons": [{"src": "data:,"}],
    "x-vendor": 1,
}
TICKETS = shelf(
    "tickets",
    tools=["close", SEARCH, "secret"],
    prompts=[{"name": "triage", "arguments": [{"name": "tone"}, {"name": "text"}]}],
    templates=["file:///tickets/{+path}"],
)
NOTES = shelf("notes", tools=["add"], resources=["file:///notes/a.txt", "file:///private/b.txt"])


def tool(name: str, server: str, original: str = "", **more: Any) -> Exposed:
    return Exposed(kind="tool", name=name, server=server, original=original or name, **more)


FIND = tool(
    "find",
    "tickets",
    "search",
    title="Find",
    description="Finds tickets of the help desk.",
    annotations=(("readOnlyHint", True),),
    fixed=(("project", "HELP"),),
)
DESK = Virtual(
    name="desk",
    title="Help desk",
    exposed=(
        FIND,
        tool("add", "notes"),
        Exposed(kind="prompt", name="first", server="tickets", original="triage", fixed=(("tone", "kind"),)),
    ),
    resources=(("notes", ("file:///notes/*",)), ("tickets", ("file:///tickets/*",))),
)


def rules(desk: AccessList = (ALICE,), tickets: AccessList = (ALICE,), *narrowed: ToolRule) -> Rules:
    return Rules(
        servers=(
            ServerRules(server="tickets", allowed=tickets, tools=narrowed),
            ServerRules(server="notes", allowed=(ALICE, BOB)),
            ServerRules(server="desk", allowed=desk, place="virtual_servers"),
        )
    )


@pytest.fixture
def rig(make: Make) -> Rig:
    return make([TICKETS, NOTES], rules(), virtual=[DESK])


async def call(rig: Rig, name: str, arguments: Any = None, token: str = "alice") -> Any:
    params = {"name": name, **({} if arguments is None else {"arguments": arguments})}
    return (await rig.stateless("/s/desk/mcp", "tools/call", params, token=token)).json


def said(answer: Any) -> Any:
    return json.loads(answer["result"]["content"][0]["text"])


# -- what is shown -----------------------------------------------------------------------------------------


async def test_only_what_was_chosen_is_listed_and_looks_as_it_was_said(rig: Rig) -> None:
    (result,) = await pages(rig, path="/s/desk/mcp")
    found, added = result["tools"]
    assert added["name"] == "add"
    assert found == {
        **SEARCH,
        "name": "find",
        "title": "Find",
        "description": "Finds tickets of the help desk.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
        "annotations": {"readOnlyHint": True, "openWorldHint": False},
    }


async def test_prompts_resources_and_templates(rig: Rig) -> None:
    (prompts,) = await pages(rig, "prompts/list", "/s/desk/mcp")
    assert prompts["prompts"] == [{"name": "first", "arguments": [{"name": "text"}]}]
    (resources,) = await pages(rig, "resources/list", "/s/desk/mcp")
    assert [r["uri"] for r in resources["resources"]] == ["gatekit:notes/file:///notes/a.txt"]
    (templates,) = await pages(rig, "resources/templates/list", "/s/desk/mcp")
    assert [t["uriTemplate"] for t in templates["resourceTemplates"]] == [
        "gatekit:tickets/file:///tickets/{+path}"
    ]


async def test_the_greeting_is_its_own(make: Make) -> None:
    told = replace(DESK, instructions="Search first.")
    rig = make([TICKETS, NOTES], rules(), virtual=[told])
    opened = await rig.rpc("/s/desk/mcp", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert opened.json["result"]["serverInfo"] == {"name": "desk", "version": "test", "title": "Help desk"}
    assert opened.json["result"]["instructions"] == "Search first."
    found = (await rig.stateless("/s/desk/mcp", "server/discover")).json["result"]
    assert found["_meta"]["io.modelcontextprotocol/serverInfo"] == opened.json["result"]["serverInfo"]
    assert found["instructions"] == "Search first."
    assert set(opened.json["result"]["capabilities"]) == {"tools", "prompts", "completions", "resources"}


async def test_a_tool_may_be_shown_twice_and_pages_keep_it_together(make: Make) -> None:
    twice = Virtual(
        name="desk",
        exposed=(FIND, tool("look", "tickets", "search", fixed=(("project", "X"),)), tool("add", "notes")),
    )
    rig = make([TICKETS, NOTES], rules(), virtual=[twice], merging=Merging(page_size=1))
    assert names(await pages(rig, path="/s/desk/mcp")) == [["find", "look"], ["add"]]
    assert said(await call(rig, "look"))["arguments"] == {"project": "X"}


async def test_what_a_server_lacks_is_named_in_meta(make: Make) -> None:
    wrong = Virtual(name="desk", exposed=(tool("find", "tickets", "serch"), tool("add", "notes")))
    rig = make([TICKETS, NOTES], rules(), virtual=[wrong])
    (result,) = await pages(rig, path="/s/desk/mcp")
    assert names([result]) == [["add"]]
    assert result["_meta"] == {MISSING: ["tickets/serch"]}


async def test_a_dead_server_takes_only_its_own_things_away(make: Make) -> None:
    dead = Server(name="tickets", command=("/does/not/exist",))
    rig = make([dead, NOTES], rules(), virtual=[DESK])
    (result,) = await pages(rig, path="/s/desk/mcp")
    assert names([result]) == [["add"]]
    assert result["_meta"][UNAVAILABLE][0]["server"] == "tickets"
    assert (await call(rig, "find"))["error"]["data"]["server"] == "tickets"


# -- calls -------------------------------------------------------------------------------------------------


async def test_a_call_goes_to_the_tool_behind_with_the_fixed_arguments(rig: Rig) -> None:
    got = said(await call(rig, "find", {"text": "x", "project": "OTHER"}))
    assert (got["server"], got["tool"], got["arguments"]) == (
        "tickets",
        "search",
        {"text": "x", "project": "HELP"},
    )
    assert said(await call(rig, "find"))["arguments"] == {"project": "HELP"}
    wrong: tuple[Any, ...] = (None, [], "x")
    for bad in wrong:
        params = {"name": "find", "arguments": bad}
        answer = await rig.stateless("/s/desk/mcp", "tools/call", params)
        assert answer.json["error"]["code"] == -32602


async def test_the_record_names_both(rig: Rig) -> None:
    await call(rig, "find")
    (record,) = [r for r in rig.records() if r["method"] == "tools/call"]
    assert (record["server"], record["name"]) == ("tickets", "search")
    assert (record["via"], record["asked"]) == ("/s/desk/mcp", "find")


async def test_a_prompt_is_asked_with_its_fixed_arguments(rig: Rig) -> None:
    params = {"name": "first", "arguments": {"tone": "rude", "text": "x"}}
    answer = await rig.stateless("/s/desk/mcp", "prompts/get", params)
    (message,) = answer.json["result"]["messages"]
    sent = json.loads(message["content"]["name"])
    assert (sent["name"], sent["arguments"]) == ("triage", {"tone": "kind", "text": "x"})
    assert message["content"]["uri"] == "gatekit:tickets/file:///tickets/a.txt"


async def test_a_chosen_resource_can_be_read_and_no_other(rig: Rig) -> None:
    async def read(uri: str) -> Any:
        return (await rig.stateless("/s/desk/mcp", "resources/read", {"uri": uri})).json

    uri = "gatekit:notes/file:///notes/a.txt"
    assert (await read(uri))["result"]["contents"] == [{"uri": uri, "text": "notes: file:///notes/a.txt"}]
    for bad in (
        "file:///notes/a.txt",
        "gatekit:notes/file:///private/b.txt",
        "gatekit:notes/file:///notes/../private/b.txt",
        "gatekit:notes/file:///notes/%2e%2e/private/b.txt",
        "gatekit:tickets/file:///notes/a.txt",
        "ui://notes/x",
    ):
        assert (await read(bad))["error"]["code"] == -32602, bad


# -- who may -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("desk", "tickets", "narrowed", "listed", "rule"),
    [
        ((ALICE,), (ALICE,), (), ["find", "add"], 'servers.tickets.allowed_users'),
        ((ALICE,), (BOB,), (), ["add"], "servers.tickets.allowed_users"),
        ((ALICE,), (ALICE,), (ToolRule(glob="sea*", allowed=(BOB,)),), ["add"],
         'servers.tickets.tools["sea*"]'),
        ((ALICE,), (ALICE,), (ToolRule(glob="find", allowed=()),), ["find", "add"],
         "servers.tickets.allowed_users"),
    ],
)  # fmt: skip
async def test_both_must_allow(
    make: Make,
    desk: AccessList,
    tickets: AccessList,
    narrowed: tuple[ToolRule, ...],
    listed: list[str],
    rule: str,
) -> None:
    rig = make([TICKETS, NOTES], rules(desk, tickets, *narrowed), virtual=[DESK])
    assert names(await pages(rig, path="/s/desk/mcp")) == [listed]
    answer = await call(rig, "find")
    if "find" in listed:
        assert "result" in answer
    else:
        assert answer["error"] == {"code": -32602, "message": "Unknown tool: find"}
    record = [r for r in rig.records() if r["method"] == "tools/call"][-1]
    assert (record["rule"], record["decision"]) == (rule, "allow" if "find" in listed else "deny")
    assert record["via"] == "/s/desk/mcp"


async def test_whoever_is_not_on_its_list_is_turned_away_and_recorded(make: Make) -> None:
    rig = make([TICKETS, NOTES], rules((BOB,), (ALICE,)), virtual=[DESK])
    for method, params in (
        ("tools/list", {}),
        ("server/discover", {}),
        ("tools/call", {"name": "find"}),
        ("tools/call", {"name": "nothing"}),
        ("resources/read", {"uri": "x:y"}),
        ("subscriptions/listen", {"notifications": {}}),
    ):
        answer = await rig.stateless("/s/desk/mcp", method, params)
        assert (answer.status, answer.json["error"]["message"]) == (403, "you may not use this server")
        assert rig.records()[-1]["rule"] == "virtual_servers.desk.allowed_users", method
    opened = await rig.rpc("/s/desk/mcp", "initialize", {"protocolVersion": "2025-11-25", "capabilities": {}})
    assert opened.status == 403


async def test_an_entry_may_be_for_some_only(make: Make) -> None:
    narrowed = replace(
        rules(), servers=(*rules().servers[:2], ServerRules(
            server="desk", allowed=(ALICE,), tools=(ToolRule(glob="find", allowed=(BOB,)),),
            place="virtual_servers",
        ))
    )  # fmt: skip
    rig = make([TICKETS, NOTES], narrowed, virtual=[DESK])
    assert names(await pages(rig, path="/s/desk/mcp")) == [["add"]]
    assert (await call(rig, "find"))["error"]["code"] == -32602
    assert rig.records()[-1]["rule"] == 'virtual_servers.desk.tools["find"]'


async def test_the_aggregate_endpoint_does_not_repeat_it(rig: Rig) -> None:
    (result,) = await pages(rig)
    assert {name.split("__")[0] for name in names([result])[0]} == {"tickets", "notes"}
    session = await rig.open("/mcp")
    answer = await rig.rpc("/mcp", "tools/call", {"name": "desk__find"}, mcp_session_id=session)
    assert answer.json["error"]["message"] == "Unknown tool: desk__find"


async def test_it_comes_and_goes_with_the_configuration(rig: Rig) -> None:
    session = await rig.open("/s/desk/mcp")
    rig.gateway.apply(
        rig.tables([TICKETS, NOTES], rules(), [replace(DESK, exposed=(tool("x", "notes", "add"),))])
    )
    await rig.gateway.recheck()
    listed = await rig.rpc("/s/desk/mcp", "tools/list", mcp_session_id=session)
    assert names([listed.json["result"]]) == [["x"]]
    rig.gateway.apply(rig.tables([TICKETS, NOTES], rules()))
    await rig.gateway.recheck()
    assert (await rig.rpc("/s/desk/mcp", "tools/list", mcp_session_id=session)).status == 404
    assert (await rig.stateless("/s/desk/mcp", "tools/list")).status == 403


# -- pages of tools (MCP Apps) -----------------------------------------------------------------------------


async def test_a_tool_with_a_page_keeps_it_where_it_keeps_its_name(make: Make) -> None:
    page = {"ui": {"resourceUri": "ui://chart/main.html", "visibility": ["model"]}, "vendor": 1}
    chart = {"name": "chart", "inputSchema": {"type": "object"}, "_meta": page}
    shown = Virtual(name="desk", exposed=(tool("chart", "tickets"), tool("drawing", "tickets", "chart")))
    rig = make([shelf("tickets", tools=[chart], resources=[]), NOTES], rules(), virtual=[shown])
    (result,) = await pages(rig, path="/s/desk/mcp")
    kept, renamed = result["tools"]
    assert kept["_meta"] == {**page, "ui": {**page["ui"], "resourceUri": "ui://tickets/chart/main.html"}}  # type: ignore[dict-item]
    assert renamed["_meta"] == {"vendor": 1}
    read = await rig.stateless("/s/desk/mcp", "resources/read", {"uri": "ui://tickets/chart/main.html"})
    assert read.json["result"]["contents"] == [
        {"uri": "ui://tickets/chart/main.html", "text": "tickets: ui://chart/main.html"}
    ]
    (merged,) = await pages(rig)
    assert merged["tools"][0]["_meta"] == {"vendor": 1}


async def test_a_page_is_for_those_who_may_use_the_virtual_server(make: Make) -> None:
    chart = {"name": "chart", "inputSchema": {"type": "object"}, "_meta": {"ui": {"resourceUri": "ui://c/m"}}}
    shown = Virtual(name="desk", exposed=(tool("chart", "tickets"),))
    both = replace(
        rules(), servers=(ServerRules(server="tickets", allowed=(ALICE, BOB)), *rules().servers[1:])
    )
    rig = make([shelf("tickets", tools=[chart], resources=[]), NOTES], both, virtual=[shown])
    await pages(rig, path="/s/desk/mcp")
    uri = {"uri": "ui://tickets/c/m"}
    assert "result" in (await rig.stateless("/s/desk/mcp", "resources/read", uri)).json
    refused = await rig.stateless("/s/desk/mcp", "resources/read", uri, token="bob")
    assert (refused.status, rig.records()[-1]["rule"]) == (403, "virtual_servers.desk.allowed_users")


# -- the example in the documentation ----------------------------------------------------------------------


async def test_the_example_in_the_documentation_runs(make: Make, tmp_path: Path) -> None:
    document = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text(encoding="utf-8")
    (text,) = [t for t in re.findall(r"```yaml\n(.*?)```", document, re.DOTALL) if "virtual_servers" in t]
    file = tmp_path / "gatekit.yaml"
    file.write_text(text, encoding="utf-8")
    config = load(file, {})
    servers = [
        shelf("tickets", tools=["search", "close_ticket", "delete"], prompts=["triage"]),
        shelf("notes", tools=["add_note"], resources=["file:///srv/notes/a", "file:///etc/passwd"]),
    ]
    rig = make(servers, config.rules, virtual=[entry.virtual for entry in config.virtual])
    assert ByEmail("alice@example.com") in dict(config.rules.groups)["leads"]
    for name in ("alice", "bob"):
        someone = replace(person(name), email=f"{name}@example.com", email_verified=True)
        rig.door.give(name, someone)
    alice, bob = (
        await pages(rig, path="/s/helpdesk/mcp"),
        await pages(rig, path="/s/helpdesk/mcp", token="bob"),
    )
    assert names(alice) == [["search_tickets", "close_ticket", "add_note"]]
    assert names(bob) == [["search_tickets", "add_note"]]
    (resources,) = await pages(rig, "resources/list", "/s/helpdesk/mcp")
    assert [r["uri"] for r in resources["resources"]] == ["gatekit:notes/file:///srv/notes/a"]
    called = await rig.stateless("/s/helpdesk/mcp", "tools/call", {"name": "search_tickets"}, token="bob")
    assert said(called.json)["arguments"] == {"project": "HELP"}
