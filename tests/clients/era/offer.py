"""What both servers of the era matrix offer, in the words of the wire, and what the clients expect to hear.

The scripts in this folder run in environments of their own, each with one release of the official SDK, so
they import nothing from here but this file, and name the SDK's types only at run time.
"""

from __future__ import annotations

import base64
from typing import Any

NAME = "era-matrix"
INSTRUCTIONS = "Use these tools to find out what a revision can carry."
VENDOR = "example.com/kept"
"""A ``_meta`` key that no revision knows."""
WATCHED = "era://notes/watched"
PIXEL = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
SOUND = base64.b64encode(b"RIFF\x00\x00\x00\x00WAVE").decode()
ICON = {"src": "https://example.com/icon.png", "mimeType": "image/png"}
NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
VISIT = "https://example.com/sign"
PERSON = "Ada"
THOUGHT = "forty-two"
ROOT = "file:///home/ada"
RESOURCES = 7
PAGE = 3


def _tool(name: str, **properties: str) -> dict[str, Any]:
    schema = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}}
    return {"name": name, "description": f"{name} of the era matrix", "inputSchema": schema}


TOOLS: list[dict[str, Any]] = [
    {
        **_tool("echo", text="string"),
        "title": "Echo, titled",
        "icons": [ICON],
        "annotations": {"readOnlyHint": True},
    },
    {
        **_tool("measure"),
        "outputSchema": {
            "type": "object",
            "properties": {"celsius": {"type": "number"}},
            "required": ["celsius"],
        },
    },
    _tool("show"),
    _tool("slow", steps="integer"),
    _tool("chatter"),
    _tool("wait", key="string"),
    _tool("cancelled", key="string"),
    _tool("grow", key="string"),
    _tool("touch", uri="string"),
    _tool("ask"),
    _tool("visit"),
    _tool("think"),
    _tool("where"),
    _tool("meta"),
    _tool("big", bytes="integer"),
    _tool("fail"),
]
PROMPTS: list[dict[str, Any]] = [
    {
        "name": "greet",
        "title": "Greet, titled",
        "description": "Greets somebody",
        "arguments": [{"name": "who", "required": True}],
    }
]
TEMPLATES: list[dict[str, Any]] = [
    {
        "uriTemplate": "era://people/{name}",
        "name": "people",
        "description": "Somebody",
        "mimeType": "text/plain",
    }
]


def resources_page(cursor: str | None) -> dict[str, Any]:
    """Seven resources in pages of three."""
    start = int(cursor or 0)
    items = [
        {"uri": WATCHED if number == 0 else f"era://notes/{number}", "name": f"note {number}"}
        for number in range(start, min(start + PAGE, RESOURCES))
    ]
    page: dict[str, Any] = {"resources": items}
    if start + PAGE < RESOURCES:
        page["nextCursor"] = str(start + PAGE)
    return page


def read(uri: str) -> dict[str, Any] | None:
    """The result of ``resources/read``; None for an unknown URI."""
    if uri == "era://pixel":
        return {"contents": [{"uri": uri, "mimeType": "image/png", "blob": PIXEL}]}
    if uri.startswith("era://people/"):
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": f"this is {uri[13:]}"}]}
    if uri.startswith("era://notes/"):
        return {"contents": [{"uri": uri, "mimeType": "text/plain", "text": f"note {uri[12:]}"}]}
    return None


def prompt(arguments: dict[str, str] | None) -> dict[str, Any]:
    """The result of ``prompts/get``."""
    text = f"Say hello to {(arguments or {}).get('who')}"
    return {"messages": [{"role": "user", "content": {"type": "text", "text": text}}]}


def completion(value: str) -> dict[str, Any]:
    """The result of ``completion/complete``."""
    values = [name for name in ("Ada", "Adele", "Bob") if name.startswith(value)]
    return {"completion": {"values": values, "total": len(values), "hasMore": False}}


def text(value: str, **more: Any) -> dict[str, Any]:
    """A tool result of one text."""
    return {"content": [{"type": "text", "text": value}], **more}


def show() -> dict[str, Any]:
    """Every kind of content that any revision knows."""
    link = {"type": "resource_link", "uri": "era://notes/1", "name": "note 1"}
    held = {"uri": "era://notes/2", "mimeType": "text/plain", "text": "note 2"}
    return {
        "content": [
            {"type": "text", "text": "look"},
            {"type": "image", "data": PIXEL, "mimeType": "image/png"},
            {"type": "audio", "data": SOUND, "mimeType": "audio/wav"},
            {"type": "resource", "resource": held},
            link,
        ]
    }


def simple(name: str, arguments: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any] | None:
    """The tools that need nothing from the protocol; None for any other."""
    if name == "echo":
        return text(arguments.get("text", ""), _meta={VENDOR: "back"})
    if name == "measure":
        return text('{"celsius": 21.5}', structuredContent={"celsius": 21.5})
    if name == "show":
        return show()
    if name == "meta":
        return text(str(meta.get(VENDOR)))
    if name == "big":
        return text("x" * int(arguments.get("bytes", 0)))
    if name == "fail":
        return text("it did not work", isError=True)
    return None
