"""What belongs to no call: list changes and resource updates, from the instance that tells of them to
everybody who listens.

A ``Feed`` stands for one instance: it is its Link's sink, knows who listens, and keeps the server told of
what they want, all of them together. A handshake-era server gets ``resources/subscribe`` once for a URI,
however many want it, and ``resources/unsubscribe`` when the last one has left. A stateless server gets one
``subscriptions/listen`` with everything in it, made anew when that changes.

Nothing here follows events of the pool: a Feed compares what *is* with what *should be*, whenever somebody
comes or goes and on every sweep. So a server that was restarted is told again, and its listeners hear that
things may have changed meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from gatekit.errors import LinkError
from gatekit.gateway.ports import LinkPool
from gatekit.model.call import Fault, Notice, Question, Signal
from gatekit.model.ports import Clock
from gatekit.upstream.link import Link, UpstreamKey

SUBSCRIPTION_ID = "io.modelcontextprotocol/subscriptionId"
UPDATED = "notifications/resources/updated"
KINDS = {
    "toolsListChanged": ("notifications/tools/list_changed", "tools"),
    "promptsListChanged": ("notifications/prompts/list_changed", "prompts"),
    "resourcesListChanged": ("notifications/resources/list_changed", "resources"),
}
"""Filter key of ``subscriptions/listen`` → (notification, capability that sends it)."""
LIST_CHANGES = frozenset(method for method, _ in KINDS.values())

_log = logging.getLogger("gatekit.gateway")

_ACKNOWLEDGED = "notifications/subscriptions/acknowledged"
_LISTEN = "subscriptions/listen"
_FANNED = LIST_CHANGES | {UPDATED}
TASK_STATE = "notifications/tasks"
TASK_NOTICES = frozenset((TASK_STATE, "notifications/tasks/status"))
"""The states of tasks, by the extension and in 2025-11-25. Only who owns the task hears of it."""
_PATIENCE = 10.0
"""Seconds that a server has to take a subscription."""
_FIRST_PAUSE, _LAST_PAUSE = 1.0, 60.0
"""Seconds until a failed subscription is tried again; each time twice as many."""
_NOT_TAKEN = Fault(-32602, "the server did not take the subscription")

_NOBODY = Fault(-32601, "nobody in particular is behind this connection")

Owner = Callable[[Signal, object], None]


class Listener:
    """One session or stream, and what it wants to hear of one instance."""

    __slots__ = ("_send", "alone", "kinds", "owns", "task_ids", "uris")

    def __init__(
        self,
        kinds: Iterable[str],
        send: Callable[[Notice], None],
        alone: bool = False,
        owns: Callable[[object], bool] | None = None,
        task_ids: Iterable[str] = (),
    ) -> None:
        """``owns``: whether a task is this listener's (MCP 2025-11-25); ``task_ids``: what a stream asked
        for (the extension)."""
        self.kinds = frozenset(kinds)
        """Notifications of ``LIST_CHANGES``."""
        self.uris: set[str] = set()
        """As the server knows them."""
        self.alone = alone
        """Nobody else uses the instance: whatever it tells of is meant for this one."""
        self.owns = owns
        self.task_ids = frozenset(task_ids)
        self._send = send

    def hear(self, notice: Notice) -> None:
        if notice.method in TASK_NOTICES:
            self._hear_task(notice)
            return
        if notice.method == UPDATED:
            uri = notice.params.get("uri")
            if isinstance(uri, str) and (self.alone or covers(self.uris, uri)):
                self._send(notice)
        elif notice.method in self.kinds:
            self._send(notice)

    def _hear_task(self, notice: Notice) -> None:
        task_id = notice.params.get("taskId")
        if notice.method == TASK_STATE:
            if isinstance(task_id, str) and task_id in self.task_ids:
                self._send(notice)
        elif self.owns is not None and self.owns(task_id):
            self._send(notice)


def covers(uris: set[str], updated: str) -> bool:
    """Whether an update concerns one of ``uris``: it may be of a part of what was subscribed to (MCP)."""
    return updated in uris or any(updated.startswith(uri.rstrip("/") + "/") for uri in uris)


class Feed:
    """One instance, who listens to it, and what it was told of that."""

    def __init__(self, key: UpstreamKey, pool: LinkPool, clock: Clock) -> None:
        self.key = key
        self.owner: Owner | None = None
        """Where everything else goes, if the instance is one session's own."""
        self.listeners: set[Listener] = set()
        self._pool = pool
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._dirty = False
        self._link: Link | None = None
        self._taken: frozenset[str] = frozenset()
        """URIs that the server of ``_link`` will tell of."""
        self._refused: dict[str, Fault] = {}
        self._filter: dict[str, Any] = {}
        self._stream: asyncio.Future[Any] | None = None
        """The ``subscriptions/listen`` call at a stateless server; ``_filter`` is what it asks for."""
        self._pause = 0.0
        self._again_at = 0.0

    # -- from the instance --------------------------------------------------------------------------------

    def on_signal(self, signal: Signal) -> None:
        """The Link's sink."""
        if isinstance(signal, Notice) and (
            signal.method in _FANNED or (signal.method in TASK_NOTICES and self.owner is None)
        ):
            if not _tagged(signal):  # or it is of a stream that another one has replaced
                self._fan(signal)
        elif self.owner is not None:
            self.owner(signal, self)
        elif isinstance(signal, Question):
            signal.answer(_NOBODY)  # no capability was declared to it
        # Logs and the like of an instance that many share could be about another person's call.

    def _fan(self, notice: Notice) -> None:
        for listener in list(self.listeners):
            listener.hear(notice)

    # -- who listens --------------------------------------------------------------------------------------

    def join(self, listener: Listener) -> None:
        self.listeners.add(listener)
        link = self._pool.get(self.key)
        if link is not None and link.era == "handshake" and self._link is None:
            self._link = link  # tells of list changes by itself
        else:
            self.stir()

    def leave(self, listener: Listener) -> None:
        self.listeners.discard(listener)
        if listener.uris or self._stream is not None:
            self.stir()

    async def subscribe(self, listener: Listener, uris: Iterable[str]) -> frozenset[str]:
        """Want updates of ``uris`` as well; those that the server agreed to tell of."""
        wanted = frozenset(uris)
        listener.uris |= wanted
        try:
            await asyncio.shield(self.stir())
        finally:
            listener.uris -= wanted - self._taken
        return wanted & self._taken

    def refusal(self, uri: str) -> Fault:
        """Why the server did not take a subscription."""
        return self._refused.pop(uri, _NOT_TAKEN)

    def unsubscribe(self, listener: Listener, uri: str) -> None:
        listener.uris.discard(uri)
        self.stir()

    # -- what should be, and what is ------------------------------------------------------------------------

    def stir(self) -> asyncio.Task[None]:
        """Bring the server in step; the task ends when it is, or cannot be at the moment."""
        self._dirty = True
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._settle())
        return self._task

    @property
    def due(self) -> bool:
        """Whether it is time to look again: at another Link, or after a subscription that came to nothing."""
        link = self._pool.get(self.key)
        if link is None:
            return False
        if link is not self._link:
            return bool(self.listeners)
        return 0.0 < self._again_at <= self._clock.monotonic()

    @property
    def idle(self) -> bool:
        return not self.listeners and self._pool.get(self.key) is None

    def close(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _settle(self) -> None:
        while self._dirty:
            self._dirty = False
            link = self._pool.get(self.key)
            if link is None:
                return  # the sweep sees the next one
            changed = self._link is not None and link is not self._link
            if link is not self._link:
                self._link, self._taken, self._filter, self._stream = link, frozenset(), {}, None
            try:
                async with asyncio.timeout(_PATIENCE):
                    await (self._listen(link) if link.era == "stateless" else self._subscribe(link))
            except (LinkError, TimeoutError) as error:
                self._put_off(str(error))
            if changed:
                self._tell_all(link)

    def _put_off(self, why: str) -> None:
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE), _LAST_PAUSE)
        self._again_at = self._clock.monotonic() + self._pause
        _log.info("subscriptions are tried again later server=%s error=%s", self.key.server, why)

    def _tell_all(self, link: Link) -> None:
        """A new process stands behind the same listeners: what they know may be out of date."""
        for method, capability in KINDS.values():
            offered = link.capabilities.get(capability)
            if isinstance(offered, dict) and offered.get("listChanged"):
                self._fan(Notice(method, {}))
        for uri in self._taken:
            self._fan(Notice(UPDATED, {"uri": uri}))

    def _wanted(self, link: Link) -> frozenset[str]:
        offered = link.capabilities.get("resources")
        if not isinstance(offered, dict) or not offered.get("subscribe"):
            return frozenset()
        return frozenset(uri for listener in self.listeners for uri in listener.uris)

    async def _subscribe(self, link: Link) -> None:
        """At a handshake-era server."""
        wanted = self._wanted(link)
        for uri in self._taken - wanted:
            self._taken -= {uri}
            link.call("resources/unsubscribe", {"uri": uri}).add_done_callback(_unheard)
        asked = {uri: link.call("resources/subscribe", {"uri": uri}) for uri in wanted - self._taken}
        try:
            await asyncio.gather(*asked.values())
        finally:
            for uri, future in asked.items():
                if future.cancel() or future.exception() is not None:
                    continue
                end = future.result()
                if isinstance(end, Fault):
                    self._refused[uri] = end
                else:
                    self._taken |= {uri}
        self._again_at = self._pause = 0.0

    async def _listen(self, link: Link) -> None:
        """At a stateless server."""
        wanted = self._filter_for(link)
        open_already = self._stream is not None and not self._stream.done()
        if wanted == self._filter and (open_already or not wanted):
            return
        if not wanted:
            self._replace(None, {})
            return
        agreed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def on_notice(notice: Notice) -> None:
            if notice.method == _ACKNOWLEDGED and not agreed.done():
                agreed.set_result(None)
                self._replace(stream, wanted)
                self._taken = _granted(notice)
            elif self._stream is stream:  # between two streams the older one counts
                self.on_signal(_untagged(notice))

        stream: asyncio.Future[Any] = link.call(_LISTEN, {"notifications": wanted}, on_notice)
        try:
            await asyncio.wait([agreed, stream], return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not agreed.done():
                stream.cancel()  # too slow, or over before it began
        if not agreed.done():
            end = stream.result() if not stream.cancelled() else None
            raise LinkError(end.message if isinstance(end, Fault) else "the subscription ended at once")
        self._again_at = self._pause = 0.0

    def _filter_for(self, link: Link) -> dict[str, Any]:
        kinds = frozenset(kind for listener in self.listeners for kind in listener.kinds)
        wanted: dict[str, Any] = {}
        for key, (method, capability) in KINDS.items():
            offered = link.capabilities.get(capability)
            if method in kinds and isinstance(offered, dict) and offered.get("listChanged"):
                wanted[key] = True
        uris = self._wanted(link)
        if uris:
            wanted["resourceSubscriptions"] = sorted(uris)
        task_ids = frozenset(each for listener in self.listeners for each in listener.task_ids)
        if task_ids:
            wanted["taskIds"] = sorted(task_ids)
        return wanted

    def _replace(self, stream: asyncio.Future[Any] | None, wanted: dict[str, Any]) -> None:
        old, self._stream, self._filter = self._stream, stream, wanted
        if stream is None:
            self._taken = frozenset()
        else:
            stream.add_done_callback(self._ended)
        if old is not None and not old.done():
            old.cancel()

    def _ended(self, stream: asyncio.Future[Any]) -> None:
        _unheard(stream)
        if stream is self._stream:  # by the server; a dead one is seen by its new Link
            self._put_off("the server ended the subscription")


def _granted(acknowledged: Notice) -> frozenset[str]:
    granted = acknowledged.params.get("notifications")
    uris = granted.get("resourceSubscriptions") if isinstance(granted, dict) else None
    return frozenset(uri for uri in (uris if isinstance(uris, list) else ()) if isinstance(uri, str))


def _tagged(notice: Notice) -> bool:
    meta = notice.params.get("_meta")
    return isinstance(meta, dict) and SUBSCRIPTION_ID in meta


def _untagged(notice: Notice) -> Notice:
    meta = {k: v for k, v in notice.params.get("_meta", {}).items() if k != SUBSCRIPTION_ID}
    params = {k: v for k, v in notice.params.items() if k != "_meta"}
    return Notice(notice.method, {**params, "_meta": meta} if meta else params)


def _unheard(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


class Feeds:
    """All Feeds of the process, by instance."""

    def __init__(self, pool: LinkPool, clock: Clock) -> None:
        self._pool = pool
        self._clock = clock
        self._feeds: dict[UpstreamKey, Feed] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    def of(self, key: UpstreamKey) -> Feed:
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(key, self._pool, self._clock)
        return feed

    def sweep(self) -> None:
        """Look after Feeds whose server has changed, and forget those that nobody needs."""
        for key, feed in list(self._feeds.items()):
            if feed.due:
                feed.stir()
            elif feed.idle:
                del self._feeds[key]

    def close(self) -> None:
        for feed in self._feeds.values():
            feed.close()
