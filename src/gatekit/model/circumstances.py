"""What is known of one use besides who, where and what: the rules with conditions look at it."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, Struct


class Circumstances(Struct, frozen=True, kw_only=True):
    """``None`` and ``UNSET`` mean that nobody asked, as for a list; every other value is what the caller came
    with, however senseless."""

    client_id: str | None = None
    client_name: str = ""
    """Self-asserted."""
    address: str | None = None
    """Network peer, as the trusted proxies tell it; empty where there is no network."""
    auth_time: int | None = None
    """When the person signed in, seconds since the epoch; 0: nobody knows, as for API keys."""
    amr: frozenset[str] = frozenset()
    """How (RFC 8176)."""
    at: float = 0.0
    """Seconds since the epoch; 0: nobody asked."""
    arguments: Any = UNSET
    """As they will be forwarded."""
    folder: str = ""
    """Where relative paths begin at the server; empty: it does not run on this machine."""
    approved: frozenset[str] = frozenset()
    """Titles of the rules that asked for an approval of this very call, and have it."""


UNASKED = Circumstances()
