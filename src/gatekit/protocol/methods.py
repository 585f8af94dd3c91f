"""The one table of MCP: which methods exist, who sends them, what they name, and what may be done with them.

Source: the method lists of the revisions 2024-11-05 to 2026-07-28. A method that is not listed passes through
(extensions, vendors) under the permission of its server.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from msgspec import Struct

from gatekit.errors import InvalidParams
from gatekit.model.call import EraName

HANDSHAKE_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Revisions that open with ``initialize``, oldest first."""

STATELESS_VERSIONS: Final = ("2026-07-28",)
"""Revisions that carry their envelope in every request, oldest first."""

ALL_VERSIONS: Final = HANDSHAKE_VERSIONS + STATELESS_VERSIONS
LATEST_HANDSHAKE: Final = HANDSHAKE_VERSIONS[-1]
LATEST_STATELESS: Final = STATELESS_VERSIONS[-1]

ASSUMED_VERSION: Final = "2025-03-26"
"""What a handshake client without ``MCP-Protocol-Version`` and without a session speaks (2025-06-18)."""

BATCH_VERSIONS: Final = frozenset({"2024-11-05", "2025-03-26"})
"""Revisions that know JSON-RPC batches."""

TASKS_EXTENSION: Final = "io.modelcontextprotocol/tasks"
"""Tasks since 2026-07-28. In 2025-11-25 they are core, with other methods."""

PRIMING_VERSION: Final = "2025-11-25"
"""First revision whose clients take an event without data (SEP-1699); older ones fail on it."""

Direction = Literal["client", "server", "both"]
Permission = Literal["tool", "prompt", "resource", "server", "none"]

_FORMS: Final = HANDSHAKE_VERSIONS[2]
_TASKS: Final = HANDSHAKE_VERSIONS[3]

_BOTH: Final[frozenset[EraName]] = frozenset(("handshake", "stateless"))
_OLD: Final[frozenset[EraName]] = frozenset(("handshake",))
_NEW: Final[frozenset[EraName]] = frozenset(("stateless",))


class MethodSpec(Struct, frozen=True, kw_only=True):
    """What the gateway must know of one method."""

    method: str
    direction: Direction = "client"
    """Who sends it."""
    notification: bool = False
    name_key: str = ""
    """Key in ``params`` whose value the request is about; mirrored as ``Mcp-Name`` where ``mirrored``."""
    mirrored: bool = False
    permission: Permission = "server"
    """What the rules judge. ``server``: the right to use the server is enough; ``none``: not even that."""
    acts: bool = False
    """It makes the server do something, so a token that is for reading only is not enough."""
    pageable: bool = False
    cacheable: bool = False
    """A complete stateless result must carry ``ttlMs`` and ``cacheScope``."""
    list_key: str = ""
    """Key of the result's array, for methods that list."""
    may_ask: bool = False
    """A stateless server may answer ``input_required`` (MCP 2026-07-28, MRTR)."""
    eras: frozenset[EraName] = _BOTH
    since: str = HANDSHAKE_VERSIONS[0]
    """First revision that knows it; for ``eras`` stateless only, the first of those."""
    known: bool = True

    def known_in(self, version: str) -> bool:
        """Whether revision ``version`` has this method."""
        era: EraName = "stateless" if version in STATELESS_VERSIONS else "handshake"
        return era in self.eras and at_least(version, self.since)


def _lists(method: str, key: str) -> MethodSpec:
    return MethodSpec(method=method, pageable=True, cacheable=True, list_key=key)


_ROWS: Final = (
    # Opening and housekeeping
    MethodSpec(method="initialize", permission="server", eras=_OLD),
    MethodSpec(method="ping", direction="both", permission="none", eras=_OLD),
    MethodSpec(method="logging/setLevel", eras=_OLD),
    MethodSpec(method="server/discover", cacheable=True, eras=_NEW),
    MethodSpec(method="subscriptions/listen", eras=_NEW),
    # What servers offer
    _lists("tools/list", "tools"),
    MethodSpec(
        method="tools/call", name_key="name", mirrored=True, permission="tool", acts=True, may_ask=True
    ),
    _lists("prompts/list", "prompts"),
    MethodSpec(method="prompts/get", name_key="name", mirrored=True, permission="prompt", may_ask=True),
    _lists("resources/list", "resources"),
    _lists("resources/templates/list", "resourceTemplates"),
    MethodSpec(
        method="resources/read",
        name_key="uri",
        mirrored=True,
        permission="resource",
        cacheable=True,
        may_ask=True,
    ),
    MethodSpec(method="resources/subscribe", name_key="uri", permission="resource", eras=_OLD),
    MethodSpec(method="resources/unsubscribe", name_key="uri", permission="resource", eras=_OLD),
    MethodSpec(method="completion/complete"),  # about a prompt or a resource: see target()
    # Tasks: core in 2025-11-25, an extension later
    MethodSpec(method="tasks/get", name_key="taskId", mirrored=True, since=_TASKS),
    MethodSpec(method="tasks/cancel", name_key="taskId", mirrored=True, acts=True, since=_TASKS),
    MethodSpec(method="tasks/update", name_key="taskId", mirrored=True, acts=True, eras=_NEW),
    MethodSpec(method="tasks/result", name_key="taskId", eras=_OLD, since=_TASKS),
    MethodSpec(method="tasks/list", pageable=True, list_key="tasks", eras=_OLD, since=_TASKS),
    # What servers ask of clients
    MethodSpec(method="sampling/createMessage", direction="server", eras=_OLD),
    MethodSpec(method="elicitation/create", direction="server", eras=_OLD, since=_FORMS),
    MethodSpec(method="roots/list", direction="server", eras=_OLD),
    # Notifications
    MethodSpec(method="notifications/initialized", notification=True, eras=_OLD),
    MethodSpec(method="notifications/roots/list_changed", notification=True, eras=_OLD),
    MethodSpec(method="notifications/cancelled", direction="both", notification=True),
    MethodSpec(method="notifications/progress", direction="both", notification=True),
    MethodSpec(method="notifications/message", direction="server", notification=True),
    MethodSpec(method="notifications/tools/list_changed", direction="server", notification=True),
    MethodSpec(method="notifications/prompts/list_changed", direction="server", notification=True),
    MethodSpec(method="notifications/resources/list_changed", direction="server", notification=True),
    MethodSpec(
        method="notifications/resources/updated",
        direction="server",
        notification=True,
        name_key="uri",
        permission="resource",
    ),
    MethodSpec(
        method="notifications/elicitation/complete",
        direction="server",
        notification=True,
        eras=_OLD,
        since=_TASKS,
    ),
    MethodSpec(
        method="notifications/subscriptions/acknowledged", direction="server", notification=True, eras=_NEW
    ),
    MethodSpec(
        method="notifications/tasks/status", direction="both", notification=True, eras=_OLD, since=_TASKS
    ),
    MethodSpec(method="notifications/tasks", direction="server", notification=True, eras=_NEW),
)

METHODS: Final[Mapping[str, MethodSpec]] = MappingProxyType({row.method: row for row in _ROWS})


def spec(method: str) -> MethodSpec:
    """The row of ``method``; for an unknown one a row that passes it through (``known`` is False)."""
    row = METHODS.get(method)
    if row is not None:
        return row
    return MethodSpec(
        method=method,
        direction="both",
        notification=method.startswith("notifications/"),
        acts=True,  # perhaps
        known=False,
    )


class Target(Struct, frozen=True):
    """What a request is about, for the rules: ``name`` is a tool, a prompt, a resource URI, or empty."""

    permission: Permission
    name: str = ""


def target(method: str, params: Mapping[str, Any]) -> Target:
    """What the rules have to judge before this request may go on.

    Raises InvalidParams if the request must name something and does not.
    """
    if method == "completion/complete":
        return _completed(params.get("ref"))
    row = spec(method)
    if not row.name_key:
        return Target(row.permission)
    name = params.get(row.name_key)
    if not isinstance(name, str) or not name:
        raise InvalidParams(f"Invalid params: {row.name_key} must be a string")
    return Target(row.permission, name)


def _completed(ref: Any) -> Target:
    """An argument is completed for a prompt or a resource template, so the right to use that is needed."""
    if isinstance(ref, dict):
        kind, name, uri = ref.get("type"), ref.get("name"), ref.get("uri")
        if kind == "ref/prompt" and isinstance(name, str) and name:
            return Target("prompt", name)
        if kind == "ref/resource" and isinstance(uri, str) and uri:
            return Target("resource", uri)
    raise InvalidParams("Invalid params: ref must be a prompt or resource reference")


def at_least(version: str, minimum: str) -> bool:
    """Whether both are known revisions and ``version`` is not the older one."""
    if version not in ALL_VERSIONS or minimum not in ALL_VERSIONS:
        return False
    return ALL_VERSIONS.index(version) >= ALL_VERSIONS.index(minimum)
