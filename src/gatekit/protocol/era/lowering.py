"""What each revision added to the messages of older ones, and how a newer server is understood by an older
client.

Three kinds of novelty. A *key* that an older reader has no use for is left out (the table ``KEYS``). A *kind
of content* becomes a text that tells of it, because content must not be lost in silence (``BLOCKS``). A
*shape* that would make a strict older client refuse the whole message is brought to the older one (schemas,
structured content, form fields).

What no specification knows (vendor fields, ``_meta``) is left alone in every direction, and so are requests:
a receiver ignores the fields it does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from gatekit.protocol.methods import HANDSHAKE_VERSIONS, at_least

_V2, _V3, _V4 = HANDSHAKE_VERSIONS[1:]

Place = Literal[
    "tool", "prompt", "argument", "resource", "implementation", "capabilities", "annotations", "progress"
]
Shape = dict[str, Any]


class Key(Struct, frozen=True):
    """A key that readers before ``since`` do not know, at one kind of place."""

    since: str
    place: Place
    key: str


# Source: the schemas and change logs of the revisions; the row order is theirs.
KEYS: Final = (
    # 2025-03-26
    Key(_V2, "tool", "annotations"),
    Key(_V2, "progress", "message"),
    Key(_V2, "capabilities", "completions"),
    # 2025-06-18
    Key(_V3, "tool", "title"),
    Key(_V3, "tool", "outputSchema"),
    Key(_V3, "prompt", "title"),
    Key(_V3, "argument", "title"),
    Key(_V3, "resource", "title"),
    Key(_V3, "implementation", "title"),
    Key(_V3, "annotations", "lastModified"),
    # 2025-11-25
    Key(_V4, "tool", "icons"),
    Key(_V4, "tool", "execution"),
    Key(_V4, "prompt", "icons"),
    Key(_V4, "resource", "icons"),
    Key(_V4, "implementation", "icons"),
    Key(_V4, "implementation", "description"),
    Key(_V4, "implementation", "websiteUrl"),
    Key(_V4, "capabilities", "tasks"),
)

BLOCKS: Final[Mapping[str, str]] = {"audio": _V2, "resource_link": _V3}
"""Kind of content → first revision that knows it."""

STRUCTURED: Final = _V3
"""First revision with ``structuredContent``, which has to be an object until 2026-07-28."""
FORMS: Final = _V4
"""First revision with titled and multiple choice and with defaults for more than booleans in forms."""

_NEWS: Final = frozenset(
    (place, version)
    for place in {row.place for row in KEYS}
    for version in HANDSHAKE_VERSIONS
    if any(row.place == place and not at_least(version, row.since) for row in KEYS)
)
_UNKNOWN: Final = {
    (place, version): frozenset(
        row.key for row in KEYS if row.place == place and not at_least(version, row.since)
    )
    for place, version in _NEWS
}


def trimmed(item: Any, place: Place, version: str) -> Any:
    """``item`` without the keys that readers of ``version`` do not know at this place."""
    unknown = _UNKNOWN.get((place, version))
    if unknown is None or not isinstance(item, dict) or unknown.isdisjoint(item):
        return item
    return {key: value for key, value in item.items() if key not in unknown}


def lowered(method: str, body: Shape, version: str) -> Shape:
    """A result as readers of handshake revision ``version`` know it; ``body`` is a copy of ours."""
    lower = _RESULTS.get(method)
    return body if lower is None else lower(body, version)


def has_rules(method: str) -> bool:
    """Whether results of this method ever differ between handshake revisions."""
    return method in _RESULTS


# -- content -----------------------------------------------------------------------------------------------


def _call_result(body: Shape, version: str) -> Shape:
    content = body.get("content")
    if "task" in body and not isinstance(content, list):
        return body  # 2025-11-25: the task's handle came instead of the tool's result
    blocks = [_block(item, version) for item in content] if isinstance(content, list) else []
    body["content"] = blocks
    if "structuredContent" not in body:
        return body
    structured = body["structuredContent"]
    if at_least(version, STRUCTURED) and isinstance(structured, dict):
        return body
    # Any JSON is structured content since 2026-07-28, an object since 2025-06-18, and nothing before.
    del body["structuredContent"]
    if not blocks:
        blocks.append({"type": "text", "text": msgspec.json.encode(structured).decode()})
    return body


def _block(item: Any, version: str) -> Any:
    """One piece of content."""
    if not isinstance(item, dict):
        return item
    kind = item.get("type")
    if isinstance(kind, str) and kind in BLOCKS and not at_least(version, BLOCKS[kind]):
        return _told(item, kind, version)
    if kind == "resource_link":
        return _annotated(trimmed(item, "resource", version), version)
    return _annotated(item, version)


def _told(item: Shape, kind: str, version: str) -> Shape:
    if kind == "audio":
        text = f"[audio, {item.get('mimeType', 'unknown type')}: not shown by this client]"
    else:
        text = f"[{item.get('title') or item.get('name') or 'resource'}]({item.get('uri', '')})"
    block: Shape = {"type": "text", "text": text}
    if isinstance(item.get("annotations"), dict):
        block["annotations"] = trimmed(item["annotations"], "annotations", version)
    return block


def _annotated(item: Shape, version: str) -> Shape:
    marks = item.get("annotations")
    kept = trimmed(marks, "annotations", version)
    return item if kept is marks else {**item, "annotations": kept}


def _prompt_result(body: Shape, version: str) -> Shape:
    messages = body.get("messages")
    if isinstance(messages, list):
        body["messages"] = [
            {**item, "content": _block(item.get("content"), version)} if isinstance(item, dict) else item
            for item in messages
        ]
    return body


# -- lists -------------------------------------------------------------------------------------------------


def _tool(item: Any, version: str) -> Any:
    if not isinstance(item, dict):
        return item
    tool = dict(trimmed(item, "tool", version))
    schema = tool.get("inputSchema")
    if not isinstance(schema, dict):
        tool["inputSchema"] = {"type": "object"}
    elif schema.get("type") != "object":
        # One tool without it makes strict clients of this era refuse the whole list.
        tool["inputSchema"] = {**schema, "type": "object"}
    output = tool.get("outputSchema")
    if not (isinstance(output, dict) and output.get("type") == "object"):
        tool.pop("outputSchema", None)
    return tool


def _prompt(item: Any, version: str) -> Any:
    item = trimmed(item, "prompt", version)
    if isinstance(item, dict) and isinstance(item.get("arguments"), list):
        return {**item, "arguments": [trimmed(each, "argument", version) for each in item["arguments"]]}
    return item


def _resource(item: Any, version: str) -> Any:
    return _annotated(trimmed(item, "resource", version), version) if isinstance(item, dict) else item


def _listing(key: str, change: Callable[[Any, str], Any]) -> Callable[[Shape, str], Shape]:
    def lower(body: Shape, version: str) -> Shape:
        items = body.get(key)
        if isinstance(items, list):
            body[key] = [change(item, version) for item in items]
        return body

    return lower


_RESULTS: Final[Mapping[str, Callable[[Shape, str], Shape]]] = {
    "tools/call": _call_result,
    "tools/list": _listing("tools", _tool),
    "prompts/get": _prompt_result,
    "prompts/list": _listing("prompts", _prompt),
    "resources/list": _listing("resources", _resource),
    "resources/templates/list": _listing("resourceTemplates", _resource),
}


# -- forms (elicitation) -----------------------------------------------------------------------------------


def form(schema: Any, version: str) -> Any:
    """A form's ``requestedSchema`` as readers of ``version`` know it; ``raised`` brings the answer back."""
    if at_least(version, FORMS) or not isinstance(schema, dict):
        return schema
    fields = schema.get("properties")
    if not isinstance(fields, dict):
        return schema
    return {**schema, "properties": {name: _field(field) for name, field in fields.items()}}


def raised(schema: Any, version: str, content: Any) -> Any:
    """What a person of ``version`` filled in, as the server that asked by ``schema`` expects it."""
    if at_least(version, FORMS) or not isinstance(schema, dict) or not isinstance(content, dict):
        return content
    fields = schema.get("properties")
    if not isinstance(fields, dict):
        return content
    return {name: _chosen(fields.get(name), value) for name, value in content.items()}


def _field(field: Any) -> Any:
    """2025-06-18 knows titles in ``enumNames``, one choice only, and defaults for booleans."""
    if not isinstance(field, dict):
        return field
    choices = _choices(field)
    if choices is not None:
        names = ", ".join(value if value == title else f"{value} ({title})" for value, title in choices)
        told = f"{field['description']} " if isinstance(field.get("description"), str) else ""
        kept = {key: field[key] for key in ("title",) if key in field}
        return {**kept, "type": "string", "description": f"{told}Any of, separated by commas: {names}"}
    kept = {key: value for key, value in field.items() if key != "default" or field.get("type") == "boolean"}
    single = kept.get("oneOf")
    if isinstance(single, list) and all(isinstance(each, dict) and "const" in each for each in single):
        del kept["oneOf"]
        kept["enum"] = [each["const"] for each in single]
        kept["enumNames"] = [str(each.get("title", each["const"])) for each in single]
    return kept


def _choices(field: Any) -> list[tuple[str, str]] | None:
    """(value, title) of a field of multiple choice; None if it is none."""
    items = field.get("items") if isinstance(field, dict) and field.get("type") == "array" else None
    if not isinstance(items, dict):
        return None
    if isinstance(items.get("enum"), list):
        return [(str(value), str(value)) for value in items["enum"]]
    listed = items.get("anyOf")
    if not isinstance(listed, list):
        return None
    return [
        (str(each["const"]), str(each.get("title", each["const"])))
        for each in listed
        if isinstance(each, dict) and "const" in each
    ]


def _chosen(field: Any, value: Any) -> Any:
    choices = _choices(field)
    if choices is None or not isinstance(value, str):
        return value
    if value in {each for each, _ in choices}:
        return [value]  # a choice whose own name holds a comma
    by_name = {name.strip().casefold(): each for each, title in reversed(choices) for name in (title, each)}
    words = [word.strip() for word in value.split(",")]
    # What is no choice is passed on as it was written: the server says best what it wants instead.
    return [by_name.get(word.casefold(), word) for word in words if word]
