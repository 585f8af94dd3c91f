"""Names on the aggregate endpoint ``/mcp``, where several servers share one list.

**Tools and prompts** are called ``server__tool``. A server's name holds no ``__`` and does not end in ``_``
(``can_be_prefix``), so the first ``__`` is always the seam: whatever the tool is called, also ``_hidden`` or
``a__b``, there is one way to read the joined name, and it gives back the parts. A name that does not parse
belongs to nobody and is refused; nothing is ever matched against rules without its server.

**Resources** and templates are called ``gatekit:`` + server + ``/`` + the original, unchanged::

    gatekit:notes/file:///srv/a%20b?x          gatekit:notes/file:///{+path}

That is a valid URI of a scheme of our own wherever the original is one (RFC 3986 §3.3: a path may hold ``:``
and ``//``). Because no ``/`` follows the scheme, its path is opaque to URL libraries, which therefore do not
tidy away the original's dots and slashes. Nothing is encoded, so nothing is decoded: an expanded template
(RFC 6570) comes back as the server meant it, and one URI has one spelling. The server's name stands in the
path and not in the scheme, because schemes know neither ``_`` nor capitals.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

SEAM = "__"
URI_PREFIX = "gatekit:"

_PUBLISHED = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def may_be_published(name: str) -> bool:
    """Whether a server can have this name at all. Anything else in a path is no endpoint, so that nothing a
    stranger spells there gets as far as a challenge header."""
    return _PUBLISHED.fullmatch(name) is not None


def can_be_prefix(server: str) -> bool:
    """Whether the first ``__`` in a joined name is the seam, whatever stands after it."""
    return SEAM not in server and not server.endswith("_")


def join(server: str, name: str) -> str:
    """The aggregate's name of a server's tool or prompt."""
    return f"{server}{SEAM}{name}"


def split(prefixed: str, servers: Collection[str]) -> tuple[str, str] | None:
    """The server and the original name; None if no server of ``servers`` is meant."""
    server, _, name = prefixed.partition(SEAM)
    return (server, name) if name and server in servers else None


def join_uri(server: str, uri: str) -> str:
    """The aggregate's name of a server's resource or resource template."""
    return f"{URI_PREFIX}{server}/{uri}"


def split_uri(joined: str, servers: Collection[str]) -> tuple[str, str] | None:
    """The server and the original URI; None if no server of ``servers`` is meant."""
    # A scheme is the same in capitals (RFC 3986 §3.1); the rest is compared as it stands.
    if joined[: len(URI_PREFIX)].lower() != URI_PREFIX:
        return None
    server, _, uri = joined[len(URI_PREFIX) :].partition("/")
    return (server, uri) if uri and server in servers else None


# -- results -----------------------------------------------------------------------------------------------


Rename = Callable[[str], str]
"""A server's URI → the one that the client knows."""


RENAMED = frozenset(("resources/read", "tools/call", "prompts/get"))
"""Methods whose results name resources."""


def rename_result(method: str, body: dict[str, Any], rename: Rename) -> dict[str, Any]:
    """A server's result with the URIs in it renamed; ``body`` is not changed.

    Knows resources/read (a client expects the URI it asked for), and the links and embedded resources of
    tools/call, of tasks that came of it, and of prompts/get. Text that merely mentions a URI is left alone.
    """
    if method == "resources/read":
        return _with_items(body, "contents", lambda item: _prefixed(rename, item))
    if method == "tasks/get" and isinstance(body.get("result"), dict):
        return {**body, "result": rename_result("tools/call", body["result"], rename)}
    if method in ("tools/call", "tasks/result"):
        return _with_items(body, "content", lambda item: _content(rename, item))
    if method == "prompts/get":
        return _with_items(body, "messages", lambda item: _prompt_message(rename, item))
    return body


def _with_items(body: dict[str, Any], key: str, change: Any) -> dict[str, Any]:
    items = body.get(key)
    if not isinstance(items, list):
        return body
    return {**body, key: [change(item) if isinstance(item, dict) else item for item in items]}


def _prefixed(rename: Rename, item: dict[str, Any]) -> dict[str, Any]:
    uri = item.get("uri")
    return {**item, "uri": rename(uri)} if isinstance(uri, str) else item


def _content(rename: Rename, item: dict[str, Any]) -> dict[str, Any]:
    if item.get("type") == "resource_link":
        return _prefixed(rename, item)
    if item.get("type") == "resource" and isinstance(item.get("resource"), dict):
        return {**item, "resource": _prefixed(rename, item["resource"])}
    return item


def _prompt_message(rename: Rename, item: dict[str, Any]) -> dict[str, Any]:
    content = item.get("content")
    return {**item, "content": _content(rename, content)} if isinstance(content, dict) else item
