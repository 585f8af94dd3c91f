"""What the data plane needs from its neighbours, as narrow as it is used. ``app`` fits the real things in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, Protocol

from msgspec import Struct, field

from gatekit.errors import BearerError, TokenInvalid
from gatekit.model.access import Access, Asked
from gatekit.model.approvals import Approval
from gatekit.model.audit import AuditEvent
from gatekit.model.call import Fault, Result
from gatekit.model.ports import Clock, Entropy
from gatekit.model.server import Server
from gatekit.store.approval_ports import Approvals
from gatekit.upstream.link import Hello, Link, UpstreamKey

Headers = Sequence[tuple[bytes, bytes]]


class Wire(Protocol):
    """One HTTP answer, and the news that nobody reads it any more."""

    started: bool
    """Whether anything was sent."""

    async def respond(self, status: int, headers: Headers, body: bytes) -> None:
        """A whole answer at once."""
        ...

    async def start(self, status: int, headers: Headers, first: bytes = b"") -> None:
        """The head of an answer that comes in parts, with the first part if there is one."""
        ...

    async def write(self, data: bytes, more: bool) -> None: ...

    async def gone(self) -> None:
        """Return when the client has disconnected."""
        ...

    def abort(self) -> None:
        """Cut the connection, if this kind can; what was not read yet is lost."""
        ...


class Door(Protocol):
    """The bearer check (``oauth.bearer.Bearer``)."""

    def cached(self, authorization: bytes) -> Access | None: ...

    async def check(self, authorization: Sequence[bytes], asked: Asked | None = None) -> Access: ...

    def challenge(self, error: BearerError, server: str, legacy: bool = False) -> str: ...


class Trail(Protocol):
    """The audit recorder (``audit.recorder.Recorder``)."""

    @property
    def healthy(self) -> bool: ...

    def record(self, event: AuditEvent) -> asyncio.Future[None]: ...


class LinkPool(Protocol):
    """The upstream pool (``upstream.pool.Pool``)."""

    def get(self, key: UpstreamKey) -> Link | None: ...

    async def acquire(self, key: UpstreamKey, server: Server, hello: Hello) -> Link: ...

    def rename(self, key: UpstreamKey, new: UpstreamKey) -> None: ...

    async def stop(self, key: UpstreamKey, reason: str) -> None: ...

    def principals(self) -> Collection[str]: ...

    def stop_principal(self, principal_id: str) -> None: ...

    def hold(self, key: UpstreamKey) -> None: ...

    def unhold(self, key: UpstreamKey) -> None: ...


class Verdicts(Protocol):
    """What plugins say about a call (``inspection.Inspection``)."""

    seen: list[str]

    async def question(
        self, method: str, params: dict[str, Any]
    ) -> tuple[str, dict[str, Any]] | Result | Fault: ...

    async def answer(
        self, method: str, params: dict[str, Any], body: dict[str, Any]
    ) -> dict[str, Any] | Fault: ...


class Sealer(Protocol):
    """Authenticated encryption (``platform.vault.Vault``). ``open`` raises VaultError."""

    def seal(self, plain: str, purpose: str) -> str: ...

    def open(self, sealed: str, purpose: str) -> str: ...


class Bereft(Protocol):
    """Of ``people``, by id: those whose some of these grants, API keys or clients are, and who hold no grant
    or key that is still good. Raises ``StoreError``."""

    async def __call__(
        self, people: Collection[str], credentials: Collection[str], clients: Collection[str], /
    ) -> frozenset[str]: ...


class GatewaySettings(Struct, frozen=True, kw_only=True):
    """What an operator may set about the data plane."""

    max_body_bytes: int = 17 * 1024 * 1024
    max_depth: int = 64
    allowed_origins: frozenset[str] = frozenset()
    """Origins besides loopback ones that browser pages may call from."""
    session_idle: float = 3600.0
    """Seconds after which a session without traffic or open stream ends."""
    sessions_per_principal: int = 100
    keepalive: float = 15.0
    """Seconds of silence after which an event stream gets a comment."""
    stream_life: float = 0.0
    """Seconds after which a stream that can be resumed is closed; 0: never."""
    replay_bytes: int = 4 * 1024 * 1024
    """Events kept for one session, for a client whose stream breaks."""
    replay_total_bytes: int = 64 * 1024 * 1024
    input_patience: float = 600.0
    """Seconds that a call waits for the input its server asked for."""
    parked_per_principal: int = 32
    """Calls of one person that may wait for input, without an open request."""
    parked: int = 2000
    approval_wait: float = 300.0
    """Seconds that a call waits for somebody to approve it."""
    approvals_per_principal: int = 10
    """Calls of one person that may wait for that …"""
    approvals_in_all: int = 500
    """… and of all."""
    approval_arguments: bool = True
    """Whether approvers see the arguments."""
    writer: str = "gateway"
    """What this process is called in the audit."""
    legacy_sse: bool = False
    """Whether HTTP+SSE of MCP 2024-11-05 is served as well."""
    name: str = "gatekit"
    version: str = ""


class Epoch(Struct):
    """Counts how often somebody's standing may have changed. What was judged before the last time, and has
    waited since, is judged again: whoever ends what is open finds only what is open by then."""

    count: int = 0


class Surroundings(Struct, frozen=True, kw_only=True):
    """Everything that is injected once."""

    door: Door
    trail: Trail
    pool: LinkPool
    clock: Clock
    entropy: Entropy
    sealer: Sealer
    settings: GatewaySettings
    is_active: Callable[[Access], Awaitable[bool]]
    """Asked for everybody with something open when somebody's standing may have changed."""
    is_person_active: Callable[[str], Awaitable[bool]]
    """The same about a person (by id) whatever they came with: for processes of their own."""
    bereft: Bereft
    """For processes too: whoever holds nothing any more cannot use them."""
    epoch: Epoch = field(default_factory=Epoch)
    approvals: Approvals | None = None
    """None: nobody can approve anything here."""
    announce: Callable[[Approval], None] = lambda _: None
    """Told of every call that begins to wait for an approval."""

    async def still(self, access: Access, since: int) -> int:
        """The epoch in which ``access``, judged in the epoch ``since``, stands. Ask right before something is
        opened: there must be no wait in between. Raises ``TokenInvalid``, ``StoreError``."""
        while since != self.epoch.count:
            since = self.epoch.count
            if not await self.is_active(access):
                raise TokenInvalid("the access token was revoked", "access ended meanwhile")
        return since


ServerInfo = dict[str, Any]
