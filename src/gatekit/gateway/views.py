"""Endpoints that show things of several servers, and under which names.

A *view* is how such an endpoint looks: ``Everything`` is ``/mcp`` (``server__tool``), ``Chosen`` is a virtual
server (names that the operator chose). A view finds whose thing a name is, and shows a server's thing under
the view's name; whether somebody may use it is for the rules of the server that it belongs to, always.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from fnmatch import translate
from typing import Any, Protocol

from msgspec import Struct

from gatekit.model.virtual import Exposed, Virtual
from gatekit.policy.engine import Kind
from gatekit.policy.rules import readings
from gatekit.protocol import names

Item = dict[str, Any]

LISTED: dict[str, tuple[Kind, str]] = {
    "tools": ("tool", "name"),
    "prompts": ("prompt", "name"),
    "resources": ("resource", "uri"),
    "resourceTemplates": ("resource", "uriTemplate"),
}
"""Key of a list result's array → what the rules judge, and the key of an item that names it."""

_APP_SCHEME = "ui://"
_MAX_PAGES = 10_000
_APP_KEYS = ("ui", "ui/resourceUri")
"""Keys of a tool's ``_meta`` that bind a page to it (MCP Apps, SEP-1865, and its older flat form)."""


Show = Callable[[str, Item], Sequence[Item]]
"""A server's name of an item, and the item, as the view shows it: not at all, once, or under several names.
(One function for a whole list, because lists are long.)"""


class Place(Struct, frozen=True):
    """Whose thing a name of the view is."""

    server: str
    name: str
    """As that server knows it."""
    fixed: tuple[tuple[str, Any], ...] = ()
    """Arguments that take the place of whatever the caller sends."""


class View(Protocol):
    """How an endpoint with several servers behind it looks."""

    @property
    def name(self) -> str:
        """Name of the virtual server; ``""`` for ``/mcp``."""
        ...

    @property
    def title(self) -> str: ...

    @property
    def instructions(self) -> str:
        """What clients are told instead of the servers' own instructions; empty: those."""
        ...

    @property
    def shape(self) -> object:
        """Equal for views that show the same things of the same servers."""
        ...

    @property
    def sources(self) -> tuple[str, ...] | None:
        """The servers that it draws on; None: all there are."""
        ...

    def find(self, kind: Kind, asked: str, within: Collection[str]) -> Place | None:
        """Whose thing is meant by ``asked``; None if nobody's. ``within``: the servers to look at."""
        ...

    def showing(self, server: str, list_key: str) -> Show:
        """How items of one server's list are shown."""
        ...

    def uri(self, server: str, uri: str) -> str:
        """The view's name of a server's resource."""
        ...

    def expected(self, server: str, list_key: str) -> frozenset[str]:
        """Names, as the server knows them, that its list should hold because the operator chose them."""
        ...


class Everything:
    """``/mcp``: all of what the caller may use, with the server's name in front."""

    name = ""
    title = ""
    instructions = ""
    shape: object = None
    sources: tuple[str, ...] | None = None

    def find(self, kind: Kind, asked: str, within: Collection[str]) -> Place | None:
        found = names.split_uri(asked, within) if kind == "resource" else names.split(asked, within)
        return None if found is None else Place(*found)

    def showing(self, server: str, list_key: str) -> Show:
        kind, key = LISTED[list_key]
        prefix = names.join_uri(server, "") if kind == "resource" else names.join(server, "")

        def shown(own: str, item: Item) -> Sequence[Item]:
            if "_meta" in item and kind != "resource":
                item = without_app(item)
            return ({**item, key: prefix + own},)

        return shown

    def uri(self, server: str, uri: str) -> str:
        return names.join_uri(server, uri)

    def expected(self, server: str, list_key: str) -> frozenset[str]:  # noqa: ARG002
        return frozenset()


class Chosen:
    """A virtual server: what the operator chose, under the names that the operator gave."""

    __slots__ = (
        "_apps",
        "_globs",
        "_named",
        "_pages",
        "_shown",
        "instructions",
        "name",
        "shape",
        "sources",
        "title",
    )

    def __init__(self, virtual: Virtual) -> None:
        self.name = virtual.name
        self.title = virtual.title
        self.instructions = virtual.instructions
        self.shape: object = virtual
        self.sources: tuple[str, ...] | None = virtual.sources
        self._named: dict[tuple[str, str], Place] = {}
        self._shown: dict[tuple[str, str], dict[str, tuple[Exposed, ...]]] = {}
        self._globs = {
            server: tuple(re.compile(translate(glob)) for glob in globs)
            for server, globs in virtual.resources
        }
        self._apps: dict[str, str] = {}
        """Servers with tools that keep their names, by folded name: pages of such tools can be shown."""
        self._pages: set[tuple[str, str]] = set()
        """Pages that such tools were seen to have: server and URI there. No other page is shown."""
        for entry in virtual.exposed:
            self._named[(entry.kind, entry.name)] = Place(entry.server, entry.original, entry.fixed)
            here = self._shown.setdefault((entry.kind, entry.server), {})
            here[entry.original] = (*here.get(entry.original, ()), entry)
            if entry.kind == "tool" and entry.name == entry.original:
                self._apps[entry.server.lower()] = entry.server

    def find(self, kind: Kind, asked: str, within: Collection[str]) -> Place | None:  # noqa: ARG002
        # Not only ``within``: what the caller may not use is refused, and recorded, by the rules.
        if kind != "resource":
            return self._named.get((kind, asked))
        app = self._app(asked)
        if app is not None:
            return app
        found = names.split_uri(asked, self._globs)
        return Place(*found) if found is not None and self._chose(*found) else None

    def showing(self, server: str, list_key: str) -> Show:
        kind, key = LISTED[list_key]
        if kind == "resource":
            return lambda own, item: (
                ({**item, key: self.uri(server, own)},) if self._chose(server, own) else ()
            )
        chosen = self._shown.get((kind, server), {})
        return lambda own, item: [self._as(entry, item) for entry in chosen.get(own, ())]

    def uri(self, server: str, uri: str) -> str:
        if uri.startswith(_APP_SCHEME) and server.lower() in self._apps:
            # Hosts know a page by its scheme, so the server's name goes behind it.
            return f"{_APP_SCHEME}{server}/{uri.removeprefix(_APP_SCHEME)}"
        return names.join_uri(server, uri)

    def expected(self, server: str, list_key: str) -> frozenset[str]:
        kind, _ = LISTED[list_key]
        return frozenset(self._shown.get((kind, server), ()))

    def _chose(self, server: str, uri: str) -> bool:
        """Whether a glob covers the URI, however a server may read it (escapes, dot segments)."""
        return all(
            any(glob.match(reading) for glob in self._globs.get(server, ()))
            for reading in readings("resource", uri)
        )

    def _app(self, asked: str) -> Place | None:
        if not asked.startswith(_APP_SCHEME):
            return None
        server, _, rest = asked.removeprefix(_APP_SCHEME).partition("/")
        found = self._apps.get(server.lower())
        if found is None or (found, f"{_APP_SCHEME}{rest}") not in self._pages:
            return None
        return Place(found, f"{_APP_SCHEME}{rest}")

    def _as(self, entry: Exposed, item: Item) -> Item:
        item = self._with_app(entry.server, item) if entry.name == entry.original else without_app(item)
        changed: Item = {**item, "name": entry.name}
        if entry.title:
            changed["title"] = entry.title
        if entry.description:
            changed["description"] = entry.description
        if entry.annotations:
            old = item.get("annotations")
            changed["annotations"] = {**(old if isinstance(old, dict) else {}), **dict(entry.annotations)}
            if entry.title and "title" in changed["annotations"]:
                changed["annotations"]["title"] = entry.title
        return _without_arguments(changed, {name for name, _ in entry.fixed}) if entry.fixed else changed

    def _with_app(self, server: str, tool: Item) -> Item:
        meta = tool.get("_meta")
        if not isinstance(meta, dict) or not any(key in meta for key in _APP_KEYS):
            return tool
        meta = dict(meta)
        page, flat = meta.get("ui"), meta.get("ui/resourceUri")
        if isinstance(page, dict) and isinstance(page.get("resourceUri"), str):
            meta["ui"] = {**page, "resourceUri": self._page(server, page["resourceUri"])}
        if isinstance(flat, str):
            meta["ui/resourceUri"] = self._page(server, flat)
        return {**tool, "_meta": meta}

    def _page(self, server: str, uri: str) -> str:
        if len(self._pages) < _MAX_PAGES:
            self._pages.add((server, uri))
        return self.uri(server, uri)


def without_app(item: Item) -> Item:
    """A renamed tool without its page, which would call tools by names that do not exist here (MCP Apps)."""
    meta = item.get("_meta")
    if not isinstance(meta, dict) or not any(key in meta for key in _APP_KEYS):
        return item
    rest = {key: value for key, value in meta.items() if key not in _APP_KEYS}
    plain = {key: value for key, value in item.items() if key != "_meta"}
    return {**plain, "_meta": rest} if rest else plain


def _without_arguments(item: Item, hidden: set[str]) -> Item:
    """A tool or prompt that no longer mentions arguments which are fixed."""
    schema, arguments = item.get("inputSchema"), item.get("arguments")
    if isinstance(schema, dict):
        schema = dict(schema)
        if isinstance(schema.get("properties"), dict):
            schema["properties"] = {k: v for k, v in schema["properties"].items() if k not in hidden}
        if isinstance(schema.get("required"), list):
            schema["required"] = [name for name in schema["required"] if name not in hidden]
            if not schema["required"]:
                del schema["required"]  # JSON Schema draft 4 has no empty list here
        item = {**item, "inputSchema": schema}
    if isinstance(arguments, list):
        kept = [a for a in arguments if not (isinstance(a, dict) and a.get("name") in hidden)]
        item = {**item, "arguments": kept}
    return item
