"""What we publish, and what stands behind it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from gatekit.model.personal import Templates
from gatekit.model.pins import PinMode

RemoteKind = Literal["auto", "http", "sse"]
Instances = Literal["session", "user", "shared"]


class Server(Struct, frozen=True, kw_only=True):
    """One published server (``/s/<name>/mcp``) and what stands behind it: a stdio command, resolved and
    split, or the URL of a remote server."""

    name: str
    command: tuple[str, ...] = ()
    """argv; the first element is the program. Never given to a shell. Empty if there is a URL."""
    url: str = ""
    """Of a remote server's MCP endpoint; empty if there is a command."""
    transport: RemoteKind = "auto"
    """How the URL is spoken to: Streamable HTTP, HTTP+SSE of 2024-11-05, or whichever it turns out to be."""
    headers: tuple[tuple[str, str], ...] = ()
    """Sent with every request to the URL; they may hold secrets."""
    env: tuple[tuple[str, str], ...] = ()
    """Declared variables; besides them the child sees only PATH, HOME, LANG, TZ and TMPDIR."""
    personal_env: Templates = ()
    """Variables with attributes of the person whose instance it is, filled in when it is started."""
    cwd: str | None = None
    title: str = ""
    instances: Instances = "session"
    idle_timeout: float = 300.0
    """Seconds without a call or an open stream before an instance is stopped."""
    warm: int = 0
    """Processes that are kept started ahead of need."""
    max_instances: int = 50
    max_instances_per_user: int = 10
    max_waiting: int = 100
    """Starts that may wait for a place, in all."""
    max_waiting_per_user: int = 10
    max_wait: float = 2.0
    """Seconds that a start waits for a place."""
    max_calls: int | None = None
    """Calls that it carries out at the same time, all its instances together; None: as many as come."""
    max_calls_per_user: int | None = None
    """How many of these may be one person's."""
    max_calls_waiting: int = 1000
    """Calls that may wait for their turn, where ``max_calls`` is given."""
    max_call_wait: float = 30.0
    """Seconds that a call waits for it."""
    max_line_bytes: int = 16 * 1024 * 1024 + 65536
    """Longest request or notification of the server."""
    max_result_bytes: int = 64 * 1024 * 1024 + 65536
    """Longest answer; nothing shorter than ``max_line_bytes`` is refused."""
    start_timeout: float = 30.0
    """Seconds from spawn to the answer of the first request."""
    call_timeout: float = 300.0
    """Seconds without an answer or progress before a call fails."""
    probe_timeout: float = 3.0
    """Seconds to wait for ``server/discover`` before the handshake is tried (MCP 2026-07-28, stdio)."""
    pins: PinMode = "off"
    """What happens when the definition of a tool, prompt or resource template changes."""

    @property
    def largest(self) -> int:
        """Bytes of the longest message of any kind."""
        return max(self.max_line_bytes, self.max_result_bytes)

    def fingerprint(self) -> str:
        """Identifies the launch recipe; a change of it means that running instances are out of date."""
        env, sizes = (self.env, self.personal_env), (self.max_line_bytes, self.max_result_bytes)
        remote = (self.url, self.transport, self.headers)
        return repr((self.command, remote, env, self.cwd, self.instances, sizes))

    def __repr__(self) -> str:
        """Without command, headers and environment: they may hold secrets, and this ends up in logs."""
        return f"Server(name={self.name!r})"
