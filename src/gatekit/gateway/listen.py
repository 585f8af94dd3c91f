"""``subscriptions/listen`` (MCP 2026-07-28): one stream of what belongs to no call, for as long as the client
stays.

Acknowledged first, every message tagged with the id of the request, nothing that was not asked for, nothing
about what this person may not read. What the streams listen to are the ``feeds`` of the instances.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from gatekit.gateway.feeds import KINDS, SUBSCRIPTION_ID, Feed, Listener
from gatekit.gateway.reply import Reply
from gatekit.model.access import Access
from gatekit.model.call import Call, Notice
from gatekit.protocol import jsonrpc
from gatekit.protocol.methods import TASKS_EXTENSION
from gatekit.upstream.link import Link, UpstreamKey

_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
Send = Callable[[Notice], None]

_MAX_URIS = 1000
"""Resources of one stream; the acknowledgement names those that are heard of."""


def list_changes(wanted: Any, capabilities: dict[str, Any]) -> list[str]:
    """The filter keys of list changes that were asked for and can be heard of."""
    kinds = []
    for key in KINDS if isinstance(wanted, dict) else ():
        offered = capabilities.get(KINDS[key][1])
        if wanted.get(key) is True and isinstance(offered, dict) and offered.get("listChanged"):
            kinds.append(key)
    return kinds


def promised(capabilities: dict[str, Any]) -> dict[str, str]:
    """Capability → the notification of list changes that it promises."""
    found = {}
    for method, capability in KINDS.values():
        offered = capabilities.get(capability)
        if isinstance(offered, dict) and offered.get("listChanged"):
            found[capability] = method
    return found


def resources(wanted: Any) -> list[str]:
    """The URIs that were asked for."""
    uris = wanted.get("resourceSubscriptions") if isinstance(wanted, dict) else None
    asked = dict.fromkeys(uri for uri in (uris if isinstance(uris, list) else ()) if isinstance(uri, str))
    return list(asked)[:_MAX_URIS]


def tasks(wanted: Any, link: Link, owned: Callable[[object], bool]) -> list[str]:
    """The tasks that were asked for, are the caller's own, and can be heard of (SEP-2663)."""
    extensions = link.capabilities.get("extensions") if link.era == "stateless" else None
    if not isinstance(wanted, dict) or not isinstance(extensions, dict) or TASKS_EXTENSION not in extensions:
        return []
    asked = wanted.get("taskIds")
    listed = [each for each in (asked if isinstance(asked, list) else ()) if isinstance(each, str)]
    return [each for each in dict.fromkeys(listed) if owned(each)][:_MAX_URIS]


class Subscription:
    """One stream."""

    def __init__(self, call: Call, reply: Reply) -> None:
        self.call = call
        self.access: Access = call.access
        self.endpoint = call.server
        self.reply = reply
        self.honoured: dict[str, Any] = {}
        self._id = call.id
        self.held: list[UpstreamKey] = []
        """Instances that are kept for it."""
        self._ears: list[tuple[Feed, Listener]] = []
        self._early: list[Notice] | None = []

    async def hear(
        self,
        feed: Feed,
        kinds: list[str],
        uris: dict[str, str],
        shown: Callable[[Notice], Notice | None],
        task_ids: list[str],
        through: Callable[[Send], Send],
    ) -> None:
        """Listen to one instance. ``uris``: the server's name of a resource → the client's; ``shown``: a
        notice as this client may see it, None if not at all; ``through``: the plugins on the way."""
        passed = through(self._on_notice)

        def send(notice: Notice) -> None:
            seen = shown(notice)
            if seen is not None:
                passed(seen)

        listener = Listener([KINDS[key][0] for key in kinds], send, task_ids=task_ids)
        self._ears.append((feed, listener))
        feed.join(listener)
        self.honoured |= dict.fromkeys(kinds, True)
        if task_ids:
            self.honoured["taskIds"] = [*self.honoured.get("taskIds", ()), *task_ids]
        taken = await feed.subscribe(listener, uris)
        named = [name for uri, name in uris.items() if uri in taken]
        if named:
            before = self.honoured.get("resourceSubscriptions", ())
            self.honoured["resourceSubscriptions"] = [*before, *named]

    @property
    def ended(self) -> bool:
        return self.reply.ended

    def promise(self, kinds: list[str]) -> None:
        """List changes that are told of whichever server they come from."""
        self.honoured |= dict.fromkeys(kinds, True)

    def lists_changed(self, capabilities: Collection[str]) -> None:
        """What this person may use has changed by no doing of a server."""
        for key, (method, capability) in KINDS.items():
            if capability in capabilities and self.honoured.get(key):
                self._on_notice(Notice(method, {}))

    def open(self) -> None:
        """Send the stream's head and the acknowledgement, which MUST come first."""
        self.reply.open_stream()
        self._send(Notice(_ACKNOWLEDGED, {"notifications": self.honoured}))
        early, self._early = self._early, None
        for notice in early or ():
            self._send(notice)

    def end(self) -> None:
        """The graceful end: the request has its result."""
        if self._early is None and not self.reply.ended:
            self.reply.signal(
                jsonrpc.encode_result(
                    self._id, {"resultType": "complete", "_meta": {SUBSCRIPTION_ID: self._id}}
                )
            )
        self.reply.abandon()

    def close(self) -> None:
        """Nobody listens any more."""
        for feed, listener in self._ears:
            feed.leave(listener)

    def _on_notice(self, notice: Notice) -> None:
        if self._early is None:
            self._send(notice)
        else:
            self._early.append(notice)

    def _send(self, notice: Notice) -> None:
        meta = {**notice.params.get("_meta", {}), SUBSCRIPTION_ID: self._id}
        message = jsonrpc.encode_notification(notice.method, {**notice.params, "_meta": meta})
        if not self.reply.signal(message):
            self.reply.drop("the client reads too slowly")  # it listens again and fetches all anew
