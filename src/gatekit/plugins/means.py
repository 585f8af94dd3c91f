"""What plugins that reach out of the process need of the gateway. ``app`` fits the real things in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from msgspec import Struct

from gatekit.model.call import Fault, Result
from gatekit.model.ports import Clock, Entropy


class Worker(Protocol):
    """A running process that is spoken to in JSON-RPC lines."""

    @property
    def alive(self) -> bool: ...

    async def call(self, method: str, params: dict[str, Any]) -> Result | Fault:
        """Raises LinkError if it ends meanwhile."""
        ...

    async def end(self, reason: str) -> None: ...


Post = Callable[[str, Mapping[str, str], bytes, float, int], Awaitable[tuple[int, bytes]]]
"""(URL, headers, body, timeout in seconds, most bytes of the answer) → status and body. Raises
OutboundRefused."""
Start = Callable[[str, tuple[str, ...], Mapping[str, str], int], Awaitable[Worker]]
"""(name, argv, environment, most bytes of a line) → the process. Raises LinkError."""


class Means(Struct, frozen=True, kw_only=True):
    """What is injected."""

    clock: Clock
    entropy: Entropy
    post: Post
    start: Start
