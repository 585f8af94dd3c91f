"""What belongs to no call: list changes and resource updates, fanned out to whoever listens.

A Link has one sink. For an instance that belongs to one session that is the session itself; for instances
that several sessions or streams share it is a ``Hub``, which hands notices to all and answers questions for
none: nobody can tell whom such a question is meant for (architecture §5.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatekit.gateway.reply import Reply
from gatekit.model.call import Fault, Notice, Question, RequestId, Signal
from gatekit.protocol import jsonrpc
from gatekit.upstream.link import UpstreamKey

SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"

_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_UPDATED = "notifications/resources/updated"
_KINDS = {
    "toolsListChanged": ("notifications/tools/list_changed", "tools"),
    "promptsListChanged": ("notifications/prompts/list_changed", "prompts"),
    "resourcesListChanged": ("notifications/resources/list_changed", "resources"),
}
"""Filter key of ``subscriptions/listen`` → (notification, capability that sends it)."""

_SHARED_NOTICES = frozenset({method for method, _ in _KINDS.values()} | {_UPDATED})
_NOBODY = Fault(-32601, "nobody in particular is behind this connection")

Listener = Callable[[Notice], None]


class Hub:
    """The sink of one shared Link."""

    __slots__ = ("listeners",)

    def __init__(self) -> None:
        self.listeners: set[Listener] = set()

    def on_signal(self, signal: Signal) -> None:
        """Hand on what everybody may know; logs could belong to another person's call and are dropped."""
        if isinstance(signal, Question):
            signal.answer(_NOBODY)
            return
        if signal.method in _SHARED_NOTICES:
            for listener in list(self.listeners):
                listener(signal)


class Hubs:
    """One Hub per shared instance that somebody listens to."""

    def __init__(self) -> None:
        self._hubs: dict[UpstreamKey, Hub] = {}

    def of(self, key: UpstreamKey) -> Hub:
        return self._hubs.setdefault(key, Hub())

    def join(self, key: UpstreamKey, listener: Listener) -> None:
        self.of(key).listeners.add(listener)

    def leave(self, key: UpstreamKey, listener: Listener) -> None:
        hub = self._hubs.get(key)
        if hub is not None:
            hub.listeners.discard(listener)
            if not hub.listeners:
                del self._hubs[key]


class Subscription:
    """One ``subscriptions/listen`` stream (MCP 2026-07-28): acknowledged first, every message tagged with the
    id of the request, nothing that was not asked for."""

    __slots__ = ("_methods", "_uris", "honoured", "reply", "request_id")

    def __init__(
        self,
        request_id: RequestId,
        wanted: dict[str, Any],
        capabilities: dict[str, Any],
        may_read: Callable[[str], bool],
        reply: Reply,
    ) -> None:
        self.request_id = request_id
        self.reply = reply
        self._methods: set[str] = set()
        self.honoured: dict[str, Any] = {}
        for key, (method, capability) in _KINDS.items():
            offered = capabilities.get(capability)
            if wanted.get(key) is True and isinstance(offered, dict) and offered.get("listChanged"):
                self._methods.add(method)
                self.honoured[key] = True
        uris = wanted.get("resourceSubscriptions")
        offered = capabilities.get("resources")
        can = isinstance(offered, dict) and bool(offered.get("subscribe"))
        self._uris = frozenset(
            u for u in (uris if isinstance(uris, list) and can else ()) if isinstance(u, str) and may_read(u)
        )
        if self._uris:
            self.honoured["resourceSubscriptions"] = sorted(self._uris)

    @property
    def uris(self) -> frozenset[str]:
        return self._uris

    def open(self) -> None:
        """Send the stream's head and the acknowledgement, which MUST come first."""
        self.reply.open_stream()
        self._send(Notice(_ACKNOWLEDGED, {"notifications": self.honoured}))

    def on_notice(self, notice: Notice) -> None:
        if notice.method in self._methods or (
            notice.method == _UPDATED and notice.params.get("uri") in self._uris
        ):
            self._send(notice)

    def result(self) -> bytes:
        """The graceful end."""
        return jsonrpc.encode_result(
            self.request_id, {"resultType": "complete", "_meta": {SUBSCRIPTION_ID: self.request_id}}
        )

    def _send(self, notice: Notice) -> None:
        meta = {**notice.params.get("_meta", {}), SUBSCRIPTION_ID: self.request_id}
        self.reply.signal(jsonrpc.encode_notification(notice.method, {**notice.params, "_meta": meta}))
