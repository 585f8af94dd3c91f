"""The closed set of audit events. Names and fields are stable: they are what auditors and SIEMs read.

Every record has ``at`` (seconds since the epoch, UTC, microsecond precision) and the ``request_id`` that the
caller saw as ``X-Request-Id`` (empty where no request caused it). Principals, clients and servers appear with
id *and* name, so that a record still reads well after the row is gone. No secret and no argument value is
ever part of a record: arguments appear as ``args_digest`` (``sha256:`` + hex of their canonical JSON).
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class AuditEvent(Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True, tag_field="event"):
    """What all records share."""

    at: float
    request_id: str = ""
    principal_id: str = ""
    principal: str = ""
    """Username."""
    client_id: str = ""
    client: str = ""
    """Name the client registered with; self-asserted."""
    address: str = ""
    """Network peer."""


class SignIn(AuditEvent, frozen=True, kw_only=True, tag="sign_in"):
    connection: str
    outcome: Literal["ok", "refused"]
    reason: str = ""
    amr: tuple[str, ...] = ()
    """How the person showed who they are (RFC 8176)."""


class SignOut(AuditEvent, frozen=True, kw_only=True, tag="sign_out"):
    reason: str = ""


class ConsentGiven(AuditEvent, frozen=True, kw_only=True, tag="consent"):
    decision: Literal["approve", "deny"]
    resources: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    redirect_host: str = ""


class TokenEvent(AuditEvent, frozen=True, kw_only=True, tag="token"):
    action: Literal["issued", "refreshed", "grace", "reused", "revoked", "refused", "accepted"]
    """``accepted``: a token of another authorization server was seen for the first time."""
    grant_type: str = ""
    grant_id: str = ""
    token_id: str = ""
    resources: tuple[str, ...] = ()
    reason: str = ""
    issuer: str = ""
    """Another issuer whose word it rests on, and who the person is there."""
    subject: str = ""


class KeyEvent(AuditEvent, frozen=True, kw_only=True, tag="key"):
    action: Literal["created", "revoked"]
    key_id: str
    name: str = ""
    owner: str = ""
    servers: tuple[str, ...] = ()
    expires_at: int = 0
    read_only: bool = False
    credential_id: str = ""
    """The admin key that it was done with, if one was."""


class ClientEvent(AuditEvent, frozen=True, kw_only=True, tag="client"):
    action: Literal["registered", "readmitted", "changed", "refused", "disabled", "enabled", "deleted"]
    redirect_uris: tuple[str, ...] = ()
    reason: str = ""
    credential_id: str = ""


DecisionWord = Literal["allow", "deny", "ask", "step_up"]


class CallEvent(AuditEvent, frozen=True, kw_only=True, tag="call"):
    """A call that was decided: allowed and ended, or refused."""

    server: str
    method: str
    name: str = ""
    """Tool or prompt name, resource URI; empty where the method has none."""
    via: str = ""
    """Path of the endpoint, if it is not the server's own: ``/mcp``, or that of a virtual server."""
    asked: str = ""
    """What the caller named there, if ``via`` says so; ``name`` is what that is on ``server``."""
    decision: DecisionWord
    rule: str = ""
    shadow: str = ""
    """A rule that is only tried out, and would have changed the decision."""
    reason: str = ""
    outcome: Literal["ok", "tool_error", "error", "cancelled", "input_required", "refused"]
    error_code: int = 0
    duration_ms: float = 0.0
    args_digest: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    session: str = ""
    credential_id: str = ""
    client_era: str = ""
    upstream_era: str = ""
    parent: str = ""
    """``request_id`` of the first request of a call that took several, because the server asked for input."""
    rounds: int = 0
    """How many times the server had asked for input when this request was answered."""
    verdicts: tuple[str, ...] = ()
    """What plugins said of it: the plugin's name and a few words each, never content."""


class DoorRefused(AuditEvent, frozen=True, kw_only=True, tag="refused"):
    """A request that was turned away before it became a call: bad token, foreign session, an authorization
    for servers that the person may not use."""

    server: str = ""
    status: int
    reason: str


class ForwardEvent(AuditEvent, frozen=True, kw_only=True, tag="forward"):
    """A request to an application behind a reverse proxy that asked us: let through, or turned away."""

    server: str
    """The application's name in the file."""
    method: str
    path: str
    """As it was asked for, without the query, at most 500 characters."""
    decision: Literal["allow", "deny"]
    rule: str = ""
    credential_id: str = ""


class SessionEvent(AuditEvent, frozen=True, kw_only=True, tag="session"):
    action: Literal["opened", "closed", "foreign"]
    server: str
    session: str
    reason: str = ""


class AdminEvent(AuditEvent, frozen=True, kw_only=True, tag="admin"):
    """Somebody changed people, groups, clients, grants or keys. ``principal`` is who did it."""

    action: str
    """``noun.verb``, e.g. ``user.create``, ``group.add``, ``grant.revoke``."""
    target: str
    before: str = ""
    after: str = ""
    door: Literal["cli", "file", "api", "page", "scim", "provider"] = "cli"
    credential_id: str = ""
    """The admin key that it was done with, if one was."""


class ConfigEvent(AuditEvent, frozen=True, kw_only=True, tag="config"):
    action: Literal["loaded", "applied", "refused"]
    detail: str = ""


class ProcessEvent(AuditEvent, frozen=True, kw_only=True, tag="process"):
    """A stdio server process: what was started for whom, and how it ended."""

    action: Literal["started", "exited", "failed", "stopped"]
    server: str
    pid: int = 0
    detail: str = ""


class ServerEvent(AuditEvent, frozen=True, kw_only=True, tag="server"):
    """A server that an endpoint with several servers behind it had to leave out for somebody, and its return.

    Once each time it happens, not once for each list.
    """

    action: Literal["unavailable", "available"]
    server: str
    reason: str = ""


class PinEvent(AuditEvent, frozen=True, kw_only=True, tag="pin"):
    """A server defined something anew or suspiciously; ``principal`` is for whom it was listed."""

    action: Literal["new", "changed"]
    server: str
    kind: Literal["tool", "prompt", "template"]
    name: str
    digest: str = ""
    """Of the definition: what ``gatekit pins`` calls it."""
    withheld: bool = False
    """Nobody sees it until an administrator approves it."""
    flags: tuple[str, ...] = ()
    """What is suspicious: ``hidden-characters``, ``hidden-markup``, ``instructions``, ``other-tools``."""


class ApprovalEvent(AuditEvent, frozen=True, kw_only=True, tag="approval"):
    """A call that a rule held back until somebody agreed, and what became of that. ``principal`` and
    ``request_id`` are the call's; who decided is ``by``."""

    action: Literal["asked", "allowed", "denied", "expired", "cancelled", "ended"]
    approval_id: str
    server: str
    method: str
    name: str = ""
    rule: str = ""
    digest: str = ""
    """Of what is approved: method, name and arguments."""
    by_id: str = ""
    by: str = ""
    until: int = 0
    """Allowed for all such calls until then."""
    whatever: bool = False
    """And with any arguments."""
    door: Literal["call", "cli", "api", "page"] = "call"
    """``call``: it happened to the call itself."""
    credential_id: str = ""
    """The admin key that it was decided with, if one was."""


class TrailEvent(AuditEvent, frozen=True, kw_only=True, tag="trail"):
    """The trail speaks of itself; written by the recorder only."""

    action: Literal["created", "repaired", "resumed", "reopened"]
    lost: int = 0
    """``resumed``: how many records could not be kept (the calls they describe were refused)."""
    detail: str = ""


AnyAuditEvent = (
    SignIn
    | SignOut
    | ConsentGiven
    | TokenEvent
    | KeyEvent
    | ClientEvent
    | CallEvent
    | DoorRefused
    | ForwardEvent
    | SessionEvent
    | AdminEvent
    | ConfigEvent
    | ProcessEvent
    | ServerEvent
    | PinEvent
    | ApprovalEvent
    | TrailEvent
)
