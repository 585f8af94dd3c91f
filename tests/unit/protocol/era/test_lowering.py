"""Each novelty of each revision, for readers before and after it. One row of the specification, one test."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from mcp_types import methods as official

from gatekit.protocol.era import handshake, lowering
from gatekit.protocol.methods import HANDSHAKE_VERSIONS, TASKS_EXTENSION, at_least

V1, V2, V3, V4 = HANDSHAKE_VERSIONS
ICONS = [{"src": "https://x.example/i.png"}]
IMPLEMENTATION = {"name": "s", "version": "1"}


def _listed(key: str, **item: Any) -> Any:
    method = {"tools": "tools/list", "prompts": "prompts/list", "resources": "resources/list"}.get(
        key, "resources/templates/list"
    )
    base: dict[str, dict[str, Any]] = {
        "tools": {"name": "t", "inputSchema": {"type": "object"}},
        "prompts": {"name": "p"},
        "resources": {"uri": "u:x", "name": "r"},
        "resourceTemplates": {"uriTemplate": "u:{x}", "name": "r"},
    }
    return lambda version: handshake.result(method, {key: [{**base[key], **item}]}, version)[key][0]


def _argument(version: str) -> Any:
    body = {"prompts": [{"name": "p", "arguments": [{"name": "a", "title": "A"}]}]}
    return handshake.result("prompts/list", body, version)["prompts"][0]["arguments"][0]


def _introduced(**more: Any) -> Any:
    return lambda version: handshake.initialize_result(version, {**IMPLEMENTATION, **more}, {}, None)[
        "serverInfo"
    ]


def _capable(**capabilities: Any) -> Any:
    return lambda version: handshake.initialize_result(version, IMPLEMENTATION, capabilities, None)[
        "capabilities"
    ]


def _content(version: str, **block: Any) -> Any:
    return handshake.result("tools/call", {"content": [block]}, version)["content"][0]


def _annotations(version: str) -> Any:
    marked = {"lastModified": "2025-01-01T00:00:00Z", "priority": 1}
    return _content(version, type="text", text="t", annotations=marked)["annotations"]


def _link_icons(version: str) -> Any:
    return _content(version, type="resource_link", uri="u:x", name="n", icons=ICONS)


def _progress(version: str) -> Any:
    return handshake.notice("notifications/progress", {"progress": 1, "message": "half"}, version)


ROWS: list[tuple[str, str, Any]] = [
    (V2, "annotations", _listed("tools", annotations={"readOnlyHint": True})),
    (V2, "message", _progress),
    (V2, "completions", _capable(completions={})),
    (V3, "title", _listed("tools", title="T")),
    (V3, "outputSchema", _listed("tools", outputSchema={"type": "object"})),
    (V3, "title", _listed("prompts", title="T")),
    (V3, "title", _argument),
    (V3, "title", _listed("resources", title="T")),
    (V3, "title", _listed("resourceTemplates", title="T")),
    (V3, "title", _introduced(title="T")),
    (V3, "lastModified", _annotations),
    (V4, "icons", _listed("tools", icons=ICONS)),
    (V4, "execution", _listed("tools", execution={"taskSupport": "optional"})),
    (V4, "icons", _listed("prompts", icons=ICONS)),
    (V4, "icons", _listed("resources", icons=ICONS)),
    (V4, "icons", _listed("resourceTemplates", icons=ICONS)),
    (V4, "icons", _introduced(icons=ICONS)),
    (V4, "description", _introduced(description="d")),
    (V4, "websiteUrl", _introduced(websiteUrl="https://x.example")),
    (V4, "tasks", _capable(tasks={})),
]


@pytest.mark.parametrize(("since", "key", "seen"), ROWS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_key_is_seen_from_its_revision_on(since: str, key: str, seen: Any) -> None:
    for version in HANDSHAKE_VERSIONS:
        assert (key in seen(version)) == at_least(version, since), version


def test_every_row_of_the_table_is_tested() -> None:
    assert {(row.since, row.key) for row in lowering.KEYS} == {(since, key) for since, key, _ in ROWS}


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_what_no_revision_knows_stays_everywhere(version: str) -> None:
    vendor = {"x-vendor": [1], "_meta": {"com.example/k": {"deep": [None]}}}
    for key in ("tools", "prompts", "resources", "resourceTemplates"):
        item = _listed(key, **vendor)(version)
        assert {name: item[name] for name in vendor} == vendor
    assert _content(version, type="com.example/kind", **vendor) == {"type": "com.example/kind", **vendor}
    assert _introduced(**vendor)(version) == {**IMPLEMENTATION, **vendor}
    assert _capable(experimental={"a": {}}, **vendor)(version) == {"experimental": {"a": {}}, **vendor}
    assert handshake.notice("notifications/vendor", vendor, version) is vendor


def test_extensions_stay_but_for_tasks_which_are_core_here() -> None:
    both: dict[str, Any] = {"io.modelcontextprotocol/ui": {}, TASKS_EXTENSION: {}}
    assert _capable(extensions=both)(V4) == {"extensions": {"io.modelcontextprotocol/ui": {}}}
    assert _capable(extensions={TASKS_EXTENSION: {}})(V4) == {}


@pytest.mark.parametrize(
    ("method", "since"),
    [("notifications/elicitation/complete", V4), ("notifications/tasks/status", V4)],
)
def test_a_notification_that_a_revision_lacks_is_not_sent(method: str, since: str) -> None:
    for version in HANDSHAKE_VERSIONS:
        assert (handshake.notice(method, {"taskId": "t"}, version) is None) != at_least(version, since)
    assert handshake.notice("notifications/subscriptions/acknowledged", {}, V4) is None


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
@pytest.mark.parametrize("schema", [None, True, {}, {"anyOf": [{"type": "object"}]}, {"type": ["object"]}])
def test_input_schemas_are_objects(version: str, schema: Any) -> None:
    tool = _listed("tools", inputSchema=schema)(version)
    assert tool["inputSchema"]["type"] == "object"
    official.validate_server_result("tools/list", version, {"tools": [tool]})


@pytest.mark.parametrize("schema", [{"type": "array"}, {"anyOf": []}, True])
def test_output_schemas_that_are_no_objects_are_left_out(schema: Any) -> None:
    for version in HANDSHAKE_VERSIONS:
        assert "outputSchema" not in _listed("tools", outputSchema=schema)(version)


def test_a_handle_of_a_task_is_no_result_of_a_tool() -> None:
    handle = {"task": {"taskId": "t", "status": "working"}}
    assert handshake.result("tools/call", handle, V4) == handle


# -- forms -------------------------------------------------------------------------------------------------

FORM: dict[str, Any] = {
    "type": "object",
    "required": ["several"],
    "properties": {
        "plain": {"type": "string", "title": "P", "maxLength": 9, "default": "x"},
        "number": {"type": "integer", "minimum": 1, "default": 2},
        "flag": {"type": "boolean", "default": True},
        "one": {"type": "string", "enum": ["a", "b"], "default": "a"},
        "titled": {"type": "string", "oneOf": [{"const": "a", "title": "Ah"}, {"const": "b", "title": "B"}]},
        "several": {"type": "array", "title": "S", "description": "Pick.", "items": {"enum": ["x", "y, z"]}},
        "named": {
            "type": "array",
            "default": ["r"],
            "items": {"anyOf": [{"const": "r", "title": "Red"}, {"const": "g", "title": "Green"}]},
        },
    },
}


def test_forms_of_2025_11_25_are_asked_as_they_are() -> None:
    assert lowering.form(FORM, V4) is FORM
    assert lowering.raised(FORM, V4, content := {"several": "x"}) is content


def test_older_forms_know_no_multiple_choice_and_defaults_for_booleans_only() -> None:
    before = copy.deepcopy(FORM)
    assert lowering.form(FORM, V3) == {
        "type": "object",
        "required": ["several"],
        "properties": {
            "plain": {"type": "string", "title": "P", "maxLength": 9},
            "number": {"type": "integer", "minimum": 1},
            "flag": {"type": "boolean", "default": True},
            "one": {"type": "string", "enum": ["a", "b"]},
            "titled": {"type": "string", "enum": ["a", "b"], "enumNames": ["Ah", "B"]},
            "several": {
                "type": "string",
                "title": "S",
                "description": "Pick. Any of, separated by commas: x, y, z",
            },
            "named": {
                "type": "string",
                "description": "Any of, separated by commas: r (Red), g (Green)",
            },
        },
    }
    assert before == FORM


@pytest.mark.parametrize(
    ("field", "written", "meant"),
    [
        ("named", "r, g", ["r", "g"]),
        ("named", " Red ,green,", ["r", "g"]),
        ("named", "", []),
        ("named", "blue", ["blue"]),
        ("named", ["r"], ["r"]),
        ("several", "y, z", ["y, z"]),
        ("plain", "a, b", "a, b"),
        ("unknown", "a, b", "a, b"),
    ],
)
def test_an_answer_is_brought_back_to_what_was_asked(field: str, written: Any, meant: Any) -> None:
    assert lowering.raised(FORM, V3, {field: written}) == {field: meant}


@pytest.mark.parametrize("junk", [None, 3, [], {}, {"properties": 3}, {"properties": {"a": 3}}])
def test_junk_in_a_form_never_raises(junk: Any) -> None:
    lowering.form(junk, V3)
    lowering.raised(junk, V3, {"a": "b"})
    lowering.raised(FORM, V3, junk)
    for inner in ({"type": "array", "items": junk}, {"type": "array", "items": {"anyOf": junk}}):
        schema = {"properties": {"a": inner}}
        lowering.form(schema, V3)
        lowering.raised(schema, V3, {"a": "b"})
