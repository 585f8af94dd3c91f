"""A call that waits for somebody's yes, and what was said about it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

ApprovalState = Literal["waiting", "allowed", "denied", "expired", "cancelled", "ended"]
"""``expired``: nobody decided in time; ``cancelled``: whoever asked wants it no more, or may not any more;
``ended``: the gateway it waited in is gone, or what was allowed for a while was taken back."""

ARGUMENTS = "approval arguments"
"""What the stored arguments are sealed for."""
MAX_ARGUMENTS = 64 * 1024
"""Characters of the arguments that are kept for the approver; the digest covers all of them."""
LONGEST = 24 * 3600
"""Seconds for which calls may be allowed in advance."""


class Approval(Struct, frozen=True, kw_only=True):
    """One call that a rule holds back."""

    id: str
    gateway: str
    """Writer of the process that it waits in, as in the audit."""
    request_id: str
    principal_id: str
    principal: str
    """Username."""
    client_id: str
    """Of the OAuth client; of the API key, if one was presented instead."""
    client: str
    server: str
    method: str
    name: str
    """Of the tool or prompt, or URI of the resource; empty where the method has none."""
    rule: str
    reason: str
    """The rule's."""
    digest: str
    """Of the method and all that will be forwarded but ``_meta``: what is approved, and nothing else."""
    arguments: str
    """Sealed JSON for the approver's eyes; empty: not to be seen, or decided already."""
    asked_at: int
    expires_at: int
    """When it has waited long enough."""
    state: ApprovalState = "waiting"
    decided_at: int | None = None
    decided_by_id: str = ""
    decided_by: str = ""
    until: int = 0
    """Allowed for all such calls until then; 0: for this one call."""
    whatever: int = 0
    """1: and with any arguments."""
    taken_at: int | None = None
    """When the call went on. It does so once."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What an approver says."""

    state: Literal["allowed", "denied"]
    by_id: str
    """Empty for an operator at the command line."""
    by: str
    at: int
    until: int = 0
    whatever: int = 0
