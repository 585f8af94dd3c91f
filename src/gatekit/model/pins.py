"""What a server says of its tools, prompts and resource templates, as it was when somebody agreed to it.

A *definition* is the item of a list as the server sent it, in one canonical form. Its digest is what is
compared, so that nothing that a model reads can change without being noticed.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

PinMode = Literal["off", "flag", "quarantine", "approve"]
"""``flag``: noticed and recorded. ``quarantine``: what changed is withheld; ``approve``: what is new too."""
PinKind = Literal["tool", "prompt", "template"]
PinState = Literal["trusted", "approved", "waiting", "rejected"]
"""``trusted``: it was the first that was seen of its name; ``approved``: somebody looked at it."""

GOOD: frozenset[PinState] = frozenset(("trusted", "approved"))
KINDS: dict[str, tuple[PinKind, str]] = {
    "tools": ("tool", "name"),
    "prompts": ("prompt", "name"),
    "resourceTemplates": ("template", "uriTemplate"),
}
"""Key of a list result's array → what is in it, and the key of an item that names it."""

MAX_DEFINITION = 64 * 1024
"""Characters of a definition that are kept; of longer ones the digest still covers all."""
MAX_COMPARED = 600
"""Lines of a definition that are compared with another: whoever wrote it may want that to take long."""
_UI_KEYS = ("ui", "ui/resourceUri")
"""Of ``_meta``: what a client shows of a tool (MCP Apps). The rest of it is the server's own business."""

Item = Mapping[str, Any]


class Brief(Struct, frozen=True, kw_only=True):
    """What the data plane keeps in memory of a pin."""

    server: str
    kind: PinKind
    name: str
    digest: str
    state: PinState
    size: int
    """Characters that are kept."""


class Pin(Struct, frozen=True, kw_only=True):
    """One definition of one name of a server."""

    id: str
    """``ident`` of the next four: 32 hex digits, of which people type the first ones."""
    server: str
    kind: PinKind
    name: str
    digest: str
    """SHA-256 of the canonical form, hex."""
    definition: str
    """The canonical form; cut after ``MAX_DEFINITION`` characters."""
    state: PinState
    flags: tuple[str, ...] = ()
    """What is suspicious about it (``policy.suspicion``)."""
    seen_at: int
    decided_at: int | None = None
    decided_by: str = ""


def canonical(item: Item) -> str:
    """The definition of an item: all of it but what says nothing to a model or a person."""
    meta = item.get("_meta")
    kept = {key: value for key, value in item.items() if key != "_meta"}
    if isinstance(meta, Mapping):
        shown = {key: meta[key] for key in _UI_KEYS if key in meta}
        if shown:
            kept["_meta"] = shown
    return msgspec.json.encode(kept, order="deterministic").decode("utf-8", "surrogatepass")


def digest_of(definition: str) -> str:
    return hashlib.sha256(definition.encode("utf-8", "surrogatepass")).hexdigest()


def ident(server: str, kind: PinKind, name: str, digest: str) -> str:
    """Whoever approves means exactly one definition, so the name they give it depends on all of it."""
    named = json.dumps([server, kind, name, digest])
    return hashlib.sha256(named.encode()).hexdigest()[:32]


def readable(definition: str) -> list[str]:
    """A definition in lines for people. Long texts stand on lines of their own; whatever cannot be seen, or
    would steer a terminal, is written as an escape."""
    try:
        return _lines(json.loads(definition))
    except (ValueError, RecursionError):  # cut, or nested beyond reading
        return [visible(definition[at : at + 160]) for at in range(0, len(definition), 160)]


def visible(text: str) -> str:
    """``text`` with everything that has no shape of its own as ``\\u{…}``."""
    return "".join(char if char.isprintable() else f"\\u{{{ord(char):x}}}" for char in text)


def _lines(found: Any) -> list[str]:
    lines: list[str] = []
    if isinstance(found, dict):
        for key in ("name", "title", "description", "uriTemplate"):
            value = found.pop(key, None)
            if isinstance(value, str):
                first, *more = value.split("\n")
                lines += [f"{key}: {visible(first)}", *(f"  | {visible(line)}" for line in more)]
            elif value is not None:
                lines.append(f"{key}: {visible(json.dumps(value, ensure_ascii=False))}")
    pretty = json.dumps(found, indent=2, sort_keys=True, ensure_ascii=False)
    return lines + [visible(line) for line in pretty.split("\n")]


def difference(before: str, after: str) -> Sequence[str]:
    """Lines of a unified diff, without a head; empty if there is nothing to be seen. Of what is too long to
    be compared, all of the old and all of the new."""
    old, new = readable(before), readable(after)
    if max(len(old), len(new)) > MAX_COMPARED and old != new:
        return [*(f"-{line}" for line in old), *(f"+{line}" for line in new)]
    return [line for line in difflib.unified_diff(old, new, lineterm="", n=2)][2:]
