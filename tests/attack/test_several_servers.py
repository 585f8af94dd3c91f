"""Several servers behind one endpoint: no name, URI, cursor or credential opens what is not one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.gateway.published import Merging
from gatekit.model.rules import Rules, ServerRules, ToolRule
from gatekit.model.virtual import Exposed, Virtual
from tests.unit.gateway.rig import Rig
from tests.unit.gateway.shelves import ALICE, BOB, rig_of, shelf

OPEN = shelf("open", tools=["a", "closed__b", "_c", "only-bob"], resources=["file:///a"])
CLOSED = shelf("closed", tools=["b"], resources=["file:///b"])
DESK = Virtual(
    name="desk",
    exposed=(
        Exposed(kind="tool", name="b", server="closed", original="b"),
        Exposed(kind="tool", name="a", server="open", original="a"),
        Exposed(kind="tool", name="theirs", server="open", original="only-bob"),
    ),
    resources=(("closed", ("*",)), ("open", ("file:///public/*",))),
)
EVERY_NAME = ["open__a", "open__closed__b", "open___c", "open__only-bob", "closed__b", "a", "b", "theirs"]
RULES = Rules(
    servers=(
        ServerRules(server="open", allowed=(ALICE, BOB), tools=(ToolRule(glob="only-bob", allowed=(BOB,)),)),
        ServerRules(server="closed", allowed=(BOB,)),
        ServerRules(server="desk", allowed=(ALICE, BOB), place="virtual_servers"),
    )
)


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    made = rig_of(tmp_path, [OPEN, CLOSED], RULES, virtual=[DESK], merging=Merging(page_size=1))
    yield made
    await made.close()


async def refused(rig: Rig, path: str, method: str, params: Any, token: str = "alice") -> int:
    """The code of the refusal; the record of it must name who and what."""
    answer = await rig.stateless(path, method, params, token=token)
    record = rig.records()[-1]
    assert record["decision"] == "deny", (params, answer.json)
    assert record["principal"] == "alice"
    code: int = answer.json["error"]["code"]
    return code


@pytest.mark.parametrize(
    "name",
    [
        "closed__b", "closed__closed__b", "__b", "closed____b", "closed__", "closed",
        "Closed__b", "open__only-bob", "desk__a", "desk__b", "/s/closed/mcp__b", "*__b",
        "closed.b", "gatekit:closed/b",
    ],
)  # fmt: skip
async def test_no_name_reaches_a_server_that_is_not_ones_own(rig: Rig, name: str) -> None:
    """I12: No name reaches a server that is not one's own."""
    assert await refused(rig, "/mcp", "tools/call", {"name": name}) == -32602


async def test_a_tools_name_may_look_like_anothers_and_is_none(rig: Rig) -> None:
    answer = await rig.stateless("/mcp", "tools/call", {"name": "open__closed__b"})
    assert '"server": "open", "tool": "closed__b"' in answer.json["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    "uri",
    [
        "gatekit:closed/file:///b",
        "GATEKIT:closed/file:///b",
        "gatekit:/closed/file:///b",
        "gatekit://closed/file:///b",
        "gatekit:Closed/file:///b",
        "gatekit:%63losed/file:///b",
        "gatekit:closed%2Ffile:///b",
        "file:///b",
        "ui://closed/file:///b",
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/s/desk/mcp"])
async def test_no_uri_does_either(rig: Rig, path: str, uri: str) -> None:
    """I12: No URI does either."""
    assert await refused(rig, path, "resources/read", {"uri": uri}) == -32602


async def test_a_uri_that_climbs_stays_with_the_server_that_it_names(rig: Rig) -> None:
    uri = "gatekit:open/../closed/file:///b"
    answer = await rig.stateless("/mcp", "resources/read", {"uri": uri})
    assert answer.json["result"]["contents"][0]["text"].startswith("open: ")


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "b"}),
        ("tools/call", {"name": "theirs"}),
        ("tools/call", {"name": "closed__b"}),
        ("tools/call", {"name": "only-bob"}),
        ("resources/read", {"uri": "gatekit:closed/file:///b"}),
        ("resources/read", {"uri": "gatekit:open/file:///a"}),
        ("resources/read", {"uri": "gatekit:open/file:///public/../a"}),
        ("prompts/get", {"name": "b"}),
        (
            "completion/complete",
            {"ref": {"type": "ref/resource", "uri": "gatekit:closed/file:///b"}, "argument": {}},
        ),
    ],
)
async def test_a_virtual_name_gives_no_right_on_the_server_behind(rig: Rig, method: str, params: Any) -> None:
    assert await refused(rig, "/s/desk/mcp", method, params) == -32602


async def test_lists_show_exactly_what_can_be_called(rig: Rig) -> None:
    """I12: Lists show exactly what can be called."""
    for token in ("alice", "bob"):
        for path in ("/mcp", "/s/desk/mcp"):
            shown: set[str] = set()
            params: dict[str, Any] = {}
            while True:
                answer = await rig.stateless(path, "tools/list", params, token=token)
                shown |= {tool["name"] for tool in answer.json["result"]["tools"]}
                if "nextCursor" not in answer.json["result"]:
                    break
                params = {"cursor": answer.json["result"]["nextCursor"]}
            every = {
                "open__a",
                "open__closed__b",
                "open___c",
                "open__only-bob",
                "closed__b",
                "a",
                "b",
                "theirs",
            }
            for name in every:
                answer = await rig.stateless(path, "tools/call", {"name": name}, token=token)
                assert ("result" in answer.json) == (name in shown), (token, path, name)


async def test_another_persons_cursor_is_none(rig: Rig) -> None:
    """I5: Another person's cursor is none."""
    for path in ("/mcp", "/s/desk/mcp"):
        first = await rig.stateless(path, "tools/list", token="bob")
        cursor = first.json["result"]["nextCursor"]
        answer = await rig.stateless(path, "tools/list", {"cursor": cursor})
        assert answer.json["error"] == {"code": -32602, "message": "Invalid params: unknown cursor"}
        other = "/s/desk/mcp" if path == "/mcp" else "/mcp"
        answer = await rig.stateless(other, "tools/list", {"cursor": cursor}, token="bob")
        assert answer.json["error"]["code"] == -32602


async def test_a_cursor_does_not_outlive_the_right(rig: Rig) -> None:
    first = await rig.stateless("/s/desk/mcp", "tools/list", token="bob")
    gone = replace(RULES, servers=(RULES.servers[0], replace(RULES.servers[1], allowed=()), RULES.servers[2]))
    tables = rig.tables([OPEN, CLOSED], gone, [DESK], Merging(page_size=10))
    rig.gateway.apply(tables)
    params = {"cursor": first.json["result"]["nextCursor"]}
    answer = await rig.stateless("/s/desk/mcp", "tools/list", params, token="bob")
    assert "closed" not in answer.body.decode()


async def test_a_key_for_some_servers_opens_no_others(rig: Rig) -> None:
    """T3, I24: A key for some servers opens no others."""
    alice = rig.door.tokens[b"Bearer bob"]
    key = replace(alice, credential="api_key", servers=frozenset({"open"}), aggregate=True)
    rig.door.tokens[b"Bearer key"] = key
    answer = await rig.stateless("/mcp", "tools/call", {"name": "closed__b"}, token="key")
    assert answer.json["error"]["message"] == "Unknown tool: closed__b"
    listed = await rig.stateless("/mcp", "tools/list", token="key")
    assert listed.json["result"]["tools"][0]["name"] == "open__a"
    assert (await rig.stateless("/s/desk/mcp", "tools/list", token="key")).status == 401
    rig.door.tokens[b"Bearer desk"] = replace(key, servers=frozenset({"desk"}))
    called = await rig.stateless("/s/desk/mcp", "tools/call", {"name": "b"}, token="desk")
    assert "result" in called.json
    assert (await rig.stateless("/s/closed/mcp", "tools/list", token="desk")).status == 401
    everything = await rig.stateless("/mcp", "tools/list", token="desk")
    assert everything.status == 403


async def test_a_session_of_one_endpoint_is_none_at_another(rig: Rig) -> None:
    """I5: A session of one endpoint is none at another."""
    session = await rig.open("/s/desk/mcp")
    for path in ("/mcp", "/s/open/mcp"):
        assert (await rig.rpc(path, "tools/list", mcp_session_id=session)).status == 404
