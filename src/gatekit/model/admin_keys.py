"""What programs of administrators present at the REST interface, and what they were answered."""

from __future__ import annotations

from msgspec import Struct


class AdminKey(Struct, frozen=True, kw_only=True):
    """A bearer secret for ``/api/v1`` and nothing else. Shown once, stored as a hash.

    It belongs to a person or a service account and never does more than they may at that moment.
    """

    id: str
    token_hash: str
    user_id: str
    name: str
    scopes: tuple[str, ...]
    """Permissions it may use, of those that its owner has. At least one."""
    addresses: tuple[str, ...] = ()
    """Networks that it may be used from, as ``192.0.2.0/24`` or ``2001:db8::/32``; empty: any."""
    hint: str
    """Last four characters, so that a person recognises it."""
    created_at: int
    expires_at: int
    revoked_at: int | None = None
    last_used_at: int | None = None


class ApiReply(Struct, frozen=True, kw_only=True):
    """What one request with an ``Idempotency-Key`` was answered."""

    key_id: str
    """The admin key that asked; nobody else finds the row."""
    name_hash: str
    """Hash of the ``Idempotency-Key``."""
    request_hash: str
    """Hash of method, path and body: the same name for another request is a mistake."""
    expires_at: int
    sealed: str | None = None
    """The answer, sealed with the admin key, because it may hold a secret that is shown once. None: the
    request is under way, or the process ended in the middle of it."""
