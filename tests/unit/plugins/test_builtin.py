"""What comes with Gatekit, each by itself: tools, size, paths, schema, trace, usage."""

from __future__ import annotations

import os
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest

from gatekit.model.plugins import PluginSpec
from gatekit.plugin import (
    Answered,
    Asked,
    Block,
    Listed,
    Pass,
    Pieces,
    Plugin,
    PluginError,
    Replace,
    Subject,
)
from gatekit.plugins import loader
from gatekit.plugins.builtin.schema_cost import TooComplex, cost_of, nodes_and_depth

ALICE = Subject(server="s", request_id="r-1")


def made(use: str, **options: Any) -> Plugin:
    return loader.make(PluginSpec(name=use, use=use, options=options), "").plugin


def asked(name: str = "t", method: str = "tools/call", **arguments: Any) -> Asked:
    return Asked(method=method, name=name, arguments=arguments)


async def request(plugin: Plugin, given: Asked) -> Any:
    found = plugin.on_request(ALICE, given)
    return await found if isinstance(found, Awaitable) else found


# -- tools -------------------------------------------------------------------------------------------------


def tools(*names: str) -> Listed:
    return Listed(method="tools/list", key="tools", items=tuple({"name": n, "description": n} for n in names))


async def test_tools_lists_and_calls_agree() -> None:
    plugin = made(
        "tools",
        allow=["get_*", "drop", "find"],
        deny=["get_secret"],
        rename={"get_a": "find", "drop": "remove"},
        describe={"get_a": "Finds."},
    )
    names = ("get_a", "get_b", "get_secret", "drop", "find", "other", "_get_a")
    shown = plugin.on_list(ALICE, tools(*names))
    assert isinstance(shown, Replace)
    listed: Any = shown.content
    assert [(tool["name"], tool["description"]) for tool in listed] == [
        ("find", "Finds."),
        ("get_b", "get_b"),
        ("remove", "drop"),
    ]
    reached = {}
    for name in (*names, "remove"):
        went = await request(plugin, asked(name))
        if not isinstance(went, Block):
            reached[name] = went.name if isinstance(went, Replace) else name
        else:
            assert went.missing
    assert reached == {"find": "get_a", "get_b": "get_b", "remove": "drop"}


async def test_tools_leaves_everything_else_alone() -> None:
    plugin = made("tools", allow=[])
    assert await request(plugin, asked("file:///x", "resources/read")) == Pass()
    assert plugin.on_list(ALICE, Listed(method="prompts/list", key="prompts", items=())) == Pass()
    assert isinstance(await request(plugin, asked("any")), Block)
    with pytest.raises(PluginError, match="two tools"):
        made("tools", rename={"a": "x", "b": "x"})


# -- size, usage, trace ----------------------------------------------------------------------------------


async def test_size() -> None:
    plugin = made("size", max_arguments=20, max_result=30)
    assert await request(plugin, asked(a="x")) == Pass()
    assert isinstance(await request(plugin, asked(a="x" * 30)), Block)
    small = Answered("tools/call", "t", raw=Pieces((b'{"a":', b"1}")))
    large = Answered("tools/call", "t", raw=Pieces((b'{"a":"', b"x" * 40, b'"}')))
    assert plugin.on_response(ALICE, asked(), small) == Pass()
    assert isinstance(plugin.on_response(ALICE, asked(), large), Block)
    assert not large.decoded
    assert made("size").hooks == frozenset()
    assert made("size", max_result=5).hooks == {"on_response"}
    with pytest.raises(PluginError, match="max_result"):
        made("size", max_result=0)


def test_usage_notes_tokens_and_decodes_nothing() -> None:
    plugin = made("usage")
    answered = Answered("tools/call", "t", raw=Pieces((b"{" + b" " * 398 + b"}",)))
    assert plugin.on_response(ALICE, asked(a="x" * 32), answered) == Pass("in=10 out=100")
    assert not answered.decoded
    assert plugin.kind == "audit"


def test_trace() -> None:
    plugin = made("trace", arguments=True, max_length=5)
    answered = Answered("tools/call", "t", {"content": [{"type": "text", "text": "x"}], "isError": False})
    added: Any = plugin.on_response(ALICE, asked(a="secret"), answered)
    texts = [part["text"] for part in added.content["content"]]
    assert texts == ["x", '[server=s tool=t bytes=56 arguments={"a":… request=r-1]']
    assert plugin.on_response(ALICE, asked(method="prompts/get"), answered) == Pass()
    error = Answered("tools/call", "t", {"code": 1, "message": "x"}, kind="error")
    assert plugin.on_response(ALICE, asked(), error) == Pass()


# -- paths -------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    inside = tmp_path / "in"
    (inside / "deep").mkdir(parents=True)
    (tmp_path / "in-other").mkdir()
    (tmp_path / "out").mkdir()
    os.symlink(tmp_path / "out", inside / "link")
    os.symlink(inside / "deep", tmp_path / "back")
    return inside


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("{in}/a.txt", True),
        ("{in}", True),
        ("a.txt", True),
        ("deep/../a.txt", True),
        ("./deep//x", True),
        ("{up}/back/x", True),
        ("file://{in}/a%20b.txt", True),
        ("file://localhost{in}/a", True),
        ("new/folder/that/is/not/there", True),
        ("/etc/passwd", False),
        ("../out/x", False),
        ("{in}/../out/x", False),
        ("{in}-other/x", False),
        ("link/x", False),
        ("{in}/link/x", False),
        ("deep/../link/../x", False),
        ("file:///etc/passwd", False),
        ("FILE:///etc/passwd", False),
        ("file://{in}/%2e%2e/out/x", False),
        ("file://{in}/..%2fout/x", False),
        ("file://host{in}/a", False),
        ("file://{in}/a?b", False),
        ("file:{in}/../out", False),
        ("~/x", False),
        ("~root/x", False),
        ("a\0b", False),
        ("..\\out", False),
        ("http:/../../out/x", False),
        ("http://../../../etc/passwd", False),
    ],
)
async def test_paths(root: Path, path: str, allowed: bool) -> None:
    path = path.replace("{in}", str(root)).replace("{up}", str(root.parent))
    plugin = made("paths", roots=[str(root)])
    for given in (
        asked(path=path),
        asked(file_path=[path]),
        asked(edits=[{"working-directory": path}]),
        asked(paths={"first": {"any": path}}),
    ):
        assert isinstance(await request(plugin, given), Pass) == allowed, given
    if path.lower().startswith("file:"):
        assert isinstance(await request(plugin, asked(url=path)), Pass) == allowed
        assert isinstance(await request(plugin, asked(path, "resources/read", uri=path)), Pass) == allowed


async def test_paths_where_the_operator_says(root: Path) -> None:
    plugin = made("paths", roots=[str(root)], arguments=["/where", "/*/at~1to", "/list/0"], tools=["read_*"])
    assert await request(plugin, asked("read_x", path="/etc/passwd")) == Pass()
    assert isinstance(await request(plugin, asked("read_x", where="/etc/passwd")), Block)
    assert isinstance(await request(plugin, asked("read_x", a={"at/to": "/etc/passwd"})), Block)
    assert isinstance(await request(plugin, asked("read_x", list=["/etc/passwd"])), Block)
    assert await request(plugin, asked("read_x", list=["a", "/etc/passwd"])) == Pass()
    assert await request(plugin, asked("other", where="/etc/passwd")) == Pass()
    wrong_ones: list[dict[str, Any]] = [
        {"roots": []},
        {"roots": ["in"]},
        {"roots": ["/"], "arguments": ["where"]},
        {},
    ]
    for wrong in wrong_ones:
        with pytest.raises(PluginError):
            made("paths", **wrong)


async def test_paths_says_no_path(root: Path) -> None:
    blocked = await request(made("paths", roots=[str(root)]), asked(path="/etc/passwd"))
    assert isinstance(blocked, Block)
    assert "passwd" not in blocked.reason + blocked.public


async def test_many_paths_are_not_looked_at(root: Path) -> None:
    plugin = made("paths", roots=[str(root)])
    assert isinstance(await request(plugin, asked(paths=["a"] * 1001)), Block)


# -- schema ------------------------------------------------------------------------------------------------

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$"},
        "count": {"type": "integer", "minimum": 1},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def of_tool(schema: Any, **arguments: Any) -> Asked:
    tool = {"name": "t", "inputSchema": schema}

    async def read(name: str) -> Any:
        return tool if name == "t" else None

    return Asked(method="tools/call", name="t", arguments=arguments, tool=read)


async def test_schema() -> None:
    plugin = made("schema")
    assert await request(plugin, of_tool(SCHEMA, name="a", count=2)) == Pass()
    for wrong in ({}, {"name": 7}, {"name": "A"}, {"name": "a", "count": 0}, {"name": "a", "more": 1}):
        blocked = await request(plugin, of_tool(SCHEMA, **wrong))
        assert isinstance(blocked, Block), wrong
        assert blocked.note == "invalid"


async def test_schema_tells_what_is_wrong_and_no_value() -> None:
    blocked = await request(made("schema"), of_tool(SCHEMA, name="SECRET", count="hunter2"))
    assert isinstance(blocked, Block)
    assert "/name" in blocked.public
    assert "/count" in blocked.public
    assert "SECRET" not in blocked.public
    assert "hunter2" not in blocked.public
    assert len(blocked.public) < 800


UNUSABLE: list[Any] = [
    None,
    {"$ref": "http://127.0.0.1:1/schema"},
    {"$ref": "file:///etc/passwd"},
    {"$ref": "#/nowhere"},
    {"type": "nonsense"},
    {"properties": {"a": {"pattern": "(?=a)"}}},
    {"$dynamicRef": "#a"},
    {"description": "x" * 300_000},
]


@pytest.mark.parametrize("schema", UNUSABLE, ids=str)
async def test_schemas_that_cannot_be_used_pass_with_a_note_unless_strict(schema: Any) -> None:
    noted = await request(made("schema"), of_tool(schema, a="x"))
    assert isinstance(noted, Pass)
    assert noted.note.startswith("unchecked:")
    assert isinstance(await request(made("schema", strict=True), of_tool(schema, a="x")), Block)


def exploding(levels: int) -> Any:
    defs: dict[str, Any] = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 4} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": {**defs, f"d{levels}": {"type": "string"}}}


def nested(depth: int) -> Any:
    return {} if depth == 0 else {"a": nested(depth - 1)}


async def test_a_hostile_schema_cannot_make_work() -> None:
    """Exponential in its references, or in the depth of the arguments: refused before anything is tried."""
    with pytest.raises(TooComplex):
        cost_of(exploding(30))
    assert cost_of(exploding(2))[0] < 100
    again = {"properties": {"a": {"$ref": "#"}}}
    both = {"anyOf": [again, again | {"x": 1}]}
    assert cost_of(both)[1] == 2
    for schema in (exploding(30), both):
        noted = await request(made("schema"), of_tool(schema, **nested(60)))
        assert isinstance(noted, Pass)
        assert noted.note.startswith("unchecked:")
    assert await request(made("schema"), of_tool(both, **nested(5))) == Pass()
    assert await request(made("schema"), of_tool({"$ref": "#"}, a=1)) == Pass()


def test_how_much_there_is() -> None:
    assert nodes_and_depth({"a": [1, {"b": 2}], "c": 3}) == (6, 4)
