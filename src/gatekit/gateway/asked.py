"""What is put to approvers of a call, what its caller hears meanwhile, and what is recorded of it."""

from __future__ import annotations

import asyncio
from typing import Any, Literal, Protocol

import msgspec
from msgspec import Struct

from gatekit.errors import AccessEnded
from gatekit.gateway.judging import UNAPPROVED
from gatekit.gateway.outcomes import CANCELLED, Answered, fault_of
from gatekit.gateway.ports import Surroundings
from gatekit.gateway.router import Target
from gatekit.gateway.sessions import InFlight, McpSession
from gatekit.model.access import Access
from gatekit.model.approvals import ARGUMENTS, MAX_ARGUMENTS, Approval
from gatekit.model.audit import ApprovalEvent
from gatekit.model.call import Approved, Call, Fault, Notice
from gatekit.model.decision import Ask
from gatekit.protocol.era import bridge

ENDED = fault_of(AccessEnded("your access has ended; sign in again if you should still have it"))
GONE = Fault(UNAPPROVED, "this call was withdrawn while it waited for an approval", status=403)
CROWDED = Fault(UNAPPROVED, "too many calls wait for an approval; try again later", status=403)
UNKEPT = Fault(UNAPPROVED, "this call needs an approval, which cannot be asked for now", status=503)
WORDS = {
    "denied": "the approval was refused",
    "expired": "nobody approved this call in time",
    "ended": "the approval was taken back",
    "cancelled": "the call was withdrawn",
}


class Face(Protocol):
    """The client's dialect (``exchange.Face``)."""

    def notice(self, notice: Notice) -> bytes | None: ...


class Waiting(Struct, eq=False):
    """One approval that this process waits for."""

    approval: Approval
    future: asyncio.Future[Approval]
    """What was decided."""
    access: Access
    endpoint: str
    """Where the call came in."""
    watch: asyncio.Task[None] | None = None


class Caller(Struct, frozen=True):
    """One request that waits, and how its client is reached."""

    call: Call
    flight: InFlight
    face: Face
    session: McpSession | None


def written(around: Surroundings, call: Call, target: Target, ask: Ask, digest: str) -> Approval:
    """What approvers are shown."""
    access, now = call.access, int(around.clock.now())
    shown = ""
    if around.settings.approval_arguments:
        given = {key: value for key, value in target.params.items() if key not in ("_meta", "name")}
        # All that is forwarded is shown: beside other members, "arguments" need not be what the server reads.
        seen = given["arguments"] if given.keys() == {"arguments"} else given
        text = msgspec.json.encode(seen).decode()
        shown = around.sealer.seal(text[:MAX_ARGUMENTS], ARGUMENTS)
    return Approval(
        id=around.entropy.token("apr_", 12),
        gateway=around.settings.writer,
        request_id=call.request_id,
        principal_id=access.principal.id,
        principal=access.principal.username,
        client_id=client_of(call),
        client=access.client_name,
        server=target.server.name,
        method=call.method,
        name=target.name,
        rule=ask.rule,
        reason=ask.reason,
        digest=digest,
        arguments=shown,
        asked_at=now,
        expires_at=now + max(1, int(around.settings.approval_wait)),
    )


def event_of(
    action: Literal["asked", "expired", "cancelled", "ended"], approval: Approval, at: float
) -> ApprovalEvent:
    """The record of something that nobody decided."""
    return ApprovalEvent(
        at=at,
        action=action,
        approval_id=approval.id,
        request_id=approval.request_id,
        principal_id=approval.principal_id,
        principal=approval.principal,
        client_id=approval.client_id,
        client=approval.client,
        server=approval.server,
        method=approval.method,
        name=approval.name,
        rule=approval.rule,
        digest=approval.digest,
    )


def given_up(flight: InFlight, error: asyncio.CancelledError) -> Answered:
    """How a call ends that is cancelled on its way to a yes, wherever it is: answered and recorded as any.
    Raises ``error`` if it was not the call that was cancelled."""
    task = asyncio.current_task()
    if not flight.cancelled or task is None:
        raise error
    task.uncancel()
    return Answered(flight.ending or CANCELLED, None, "given up while it waited for an approval", waited=True)


def agreed(call: Call, target: Target, rule: str) -> Approved:
    """What a yes to ``rule`` comes to, with those that were given before."""
    digest = bridge.call_digest(call.method, target.params)
    before = call.approved
    same = before is not None and (before.digest, before.server) == (digest, target.server.name)
    rules = before.rules if before is not None and same else frozenset()
    return Approved(rules | {rule}, digest, target.server.name)


def client_of(call: Call) -> str:
    """Who acts for the person: an OAuth client, or whoever has the key."""
    return call.access.client_id or call.access.credential_id


def standing_key(approval: Approval) -> tuple[str, ...]:
    one = approval
    return (one.principal_id, one.client_id, one.server, one.method, one.name, one.rule)


def can_be_told(capabilities: dict[str, Any]) -> bool:
    return bridge.refusal(bridge.ELICITATION, {"mode": "form"}, capabilities) is None


def standing_words(approval: Approval) -> str:
    reason = f" ({approval.reason})" if approval.reason else ""
    return f"waiting until somebody approves this call{reason}; the request is {approval.id}"


def question(approval: Approval) -> dict[str, Any]:
    """There is nothing to fill in: it says where the call stands, and lets the person give up."""
    words = standing_words(approval)
    text = f"{words[:1].upper()}{words[1:]}. Decline to give up."
    return {"message": text, "requestedSchema": {"type": "object", "properties": {}}}
