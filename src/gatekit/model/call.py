"""One MCP exchange, free of protocol revision: the request, how it ends, and what may come in between.

The client's dialect (``protocol/era``) turns bytes into a ``Call`` and an ``Outcome`` into bytes; the
upstream's dialect does the same on the other side. Nothing between them knows a revision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from msgspec import Raw, Struct

from gatekit.model.access import Access

RequestId = str | int
EraName = Literal["handshake", "stateless"]


class ClientSide(Struct, frozen=True, kw_only=True):
    """What the gateway knows of the client's end for one call."""

    era: EraName
    version: str
    """Protocol revision that the client speaks on this call."""
    capabilities: dict[str, Any]
    info: dict[str, Any]
    log_level: str | None = None
    offered: dict[str, Any] | None = None
    """Handshake era: what stateless servers are told of it; None: not worked out (``bridge.offered``)."""


class HeaderTable(Protocol):
    """The HTTP headers of a request, names in lower case."""

    def get(self, name: bytes, /) -> Sequence[bytes] | None: ...


class Retry(Struct, frozen=True):
    """What a client adds to a call that it makes again, with the input it was asked for (MCP 2026-07-28)."""

    responses: dict[str, Any]
    state: str | None
    """``requestState``, which is whatever the client says it is until it was opened."""


class Held(Protocol):
    """What a call has taken of quotas and gives back, or adds to, when it ends (``gateway.quotas.Taken``)."""

    def sent(self, size: int) -> None:
        """Bytes of its answer."""
        ...

    def release(self) -> None:
        """It does not run any more. Idempotent."""
        ...

    def moved(self) -> Held:
        """What of it lasts as long as the call at the server, which may be longer than the request."""
        ...


class Approved(Struct, frozen=True):
    """What somebody has agreed to: the rules that asked, and the one call that they may let pass."""

    rules: frozenset[str]
    digest: str
    """Of method and params (``bridge.call_digest``), as they are forwarded."""
    server: str


class Call(Struct, kw_only=True):
    """One request on its way through the gateway."""

    id: RequestId
    method: str
    params: dict[str, Any]
    """Decoded in full; ``_meta`` keys of the client's era are already taken out."""
    server: str
    """Name of the Server, or ``""`` for the aggregate endpoint."""
    access: Access
    client: ClientSide
    session: str = ""
    """McpSession id in the handshake era, else ``""``."""
    request_id: str = ""
    """Correlation id, also sent back as ``X-Request-Id``."""
    address: str = ""
    """Network peer, for the audit."""
    started: float = 0.0
    """``Clock.monotonic()`` at arrival."""
    bytes_in: int = 0
    retry: Retry | None = None
    headers: HeaderTable | None = None
    """Stateless era, ``tools/call`` only: for the arguments that are repeated in headers."""
    rounds: bool = False
    """Stateless era: this call may be asked for input by a server of the older era, or is a retry."""
    verdicts: list[str] = []
    """What plugins have said of it so far."""
    held: Held | None = None
    """What it has taken of quotas."""
    approved: Approved | None = None


class Pieces(Struct, frozen=True, gc=False):
    """Bytes that are too many to be put together or looked at in one go."""

    parts: tuple[bytes, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def __bytes__(self) -> bytes:
        return b"".join(self.parts)


class Large(Struct, frozen=True, gc=False):
    """A result of many megabytes, and what the gateway has to know of it."""

    pieces: Pieces
    members: frozenset[str]
    """Names of its own members."""
    is_error: bool
    """``isError`` of a tool's result."""
    kind: str
    """``resultType``, empty where there is none."""


class Result(Struct, frozen=True, gc=False):
    """The call ended with a JSON-RPC result: raw bytes when nobody had to look inside, else an object."""

    body: Raw | dict[str, Any] | Large


class Fault(Struct, frozen=True, gc=False):
    """The call ended with a JSON-RPC error. ``status`` is the HTTP status where the era assigns one."""

    code: int
    message: str
    data: Any = None
    status: int = 200


class NeedsInput(Struct, frozen=True):
    """The upstream (stateless era) asks for input before it can go on (MCP 2026-07-28, MRTR)."""

    body: dict[str, Any]


Outcome = Result | Fault | NeedsInput


class Notice(Struct, frozen=True):
    """A Signal: a notification from the upstream (progress, log, list changed, unknown ones too)."""

    method: str
    params: dict[str, Any]


class Question(Struct, frozen=True):
    """A Signal: a request from the upstream to the client (ping, sampling, elicitation, roots).

    ``answer`` is called exactly once, with a result object or with a Fault.
    """

    method: str
    params: dict[str, Any]
    answer: Callable[[Result | Fault], None]
    ref: int = 0
    """Names it in a later ``notifications/cancelled`` Notice (``requestId``); unique among Links."""


Signal = Notice | Question
