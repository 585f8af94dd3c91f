"""A published server that has no process of its own: chosen things of other servers under one name."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

ExposedKind = Literal["tool", "prompt"]


class Exposed(Struct, frozen=True, kw_only=True):
    """One tool or prompt that a virtual server shows."""

    kind: ExposedKind
    name: str
    """As clients of the virtual server know it."""
    server: str
    original: str
    """Its name on that server."""
    title: str = ""
    """Shown instead of the server's own title; empty: the server's own. The same for ``description``."""
    description: str = ""
    annotations: tuple[tuple[str, bool], ...] = ()
    """Hints that replace the server's own, one by one."""
    fixed: tuple[tuple[str, Any], ...] = ()
    """Arguments that are always sent like this; clients neither see nor choose them."""


class Virtual(Struct, frozen=True, kw_only=True):
    """One virtual server (``/s/<name>/mcp``)."""

    name: str
    title: str = ""
    instructions: str = ""
    """Said to clients instead of what the servers say; empty: the servers' own, merged."""
    exposed: tuple[Exposed, ...] = ()
    resources: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Server → globs of the URIs (and URI templates) of its that are shown."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The servers behind it, in the order in which they are first named."""
        named = [entry.server for entry in self.exposed] + [server for server, _ in self.resources]
        return tuple(dict.fromkeys(named))
