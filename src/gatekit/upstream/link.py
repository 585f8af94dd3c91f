"""The face of one live connection to an upstream, as the gateway sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from gatekit.model.call import EraName, Fault, Notice, Result, Signal
from gatekit.model.people import Principal

SignalSink = Callable[[Signal], None]
NoticeSink = Callable[[Notice], None]


class Hello(Struct, frozen=True, kw_only=True):
    """What a new Link tells its upstream about the client's end."""

    era: EraName
    """The era the client speaks; a Link of the same era is preferred, because nothing is lost in it."""
    version: str
    capabilities: dict[str, Any]
    """What the client can do (roots, sampling, elicitation …); empty for shared instances."""
    person: Principal | None = None
    """Whose instance it is; None for shared ones."""


class UpstreamKey(Struct, frozen=True, gc=False):
    """Who shares what: equal keys share one Link."""

    server: str
    scope: str
    """``session:<id>``, ``user:<principal>``, ``user:<principal>:<client>`` or ``shared``."""
    principal_id: str = ""
    """Owner, for the per-person cap; empty for shared instances."""


class Link(Protocol):
    """One live connection. All methods are called from the event loop and none of them blocks."""

    @property
    def era(self) -> EraName:
        """The era that was negotiated with the upstream."""
        ...

    @property
    def version(self) -> str: ...

    @property
    def server_info(self) -> dict[str, Any]: ...

    @property
    def capabilities(self) -> dict[str, Any]: ...

    @property
    def instructions(self) -> str | None: ...

    @property
    def alive(self) -> bool: ...

    @property
    def tools_changed(self) -> int:
        """How often the upstream has said that its list of tools changed (``Signals.tools_changed``)."""
        ...

    def call(
        self, method: str, params: dict[str, Any], on_notice: NoticeSink | None = None
    ) -> asyncio.Future[Result | Fault]:
        """Send a request; ids and progress tokens are rewritten. ``params`` is not kept and not changed.

        ``on_notice`` gets the progress notifications of this call (with the caller's own progressToken) and,
        in the stateless era, every notification that the upstream relates to it. The future ends with a
        Result (raw bytes) or Fault as the upstream sent it, or raises ``LinkError``. Cancelling the future
        sends ``notifications/cancelled`` to the upstream.
        """
        ...

    def notify(self, method: str, params: dict[str, Any]) -> None: ...

    def listen(self, sink: SignalSink | None) -> None:
        """Where signals go that belong to no call: questions, logs, list changes. One sink per Link;
        None: questions are answered with MethodNotFound (ping always locally), notices are dropped."""
        ...
