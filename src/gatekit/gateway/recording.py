"""What the audit hears of one call: the record that must be safe before the answer leaves."""

from __future__ import annotations

from gatekit.gateway import router
from gatekit.gateway.outcomes import Answered, outcome_name
from gatekit.gateway.router import Route, Target
from gatekit.model.audit import CallEvent, DecisionWord
from gatekit.model.call import Call, Fault
from gatekit.model.decision import Allow, Ask, Decision, Deny, StepUp
from gatekit.model.ports import Clock
from gatekit.protocol import jsonrpc

_WORDS: dict[type, DecisionWord] = {Allow: "allow", Deny: "deny", Ask: "ask", StepUp: "step_up"}


def event(
    clock: Clock, call: Call, target: Route, decision: Decision, answered: Answered, bytes_out: int
) -> CallEvent:
    """The record of a call that was answered or refused with ``bytes_out`` bytes."""
    link = answered.link
    access = call.access
    allowed = isinstance(decision, Allow)
    arguments = call.params.get("arguments")
    outcome = answered.outcome
    return CallEvent(
        at=clock.now(),
        request_id=call.request_id,
        principal_id=access.principal.id,
        principal=access.principal.username,
        client_id=access.client_id,
        client=access.client_name,
        address=call.address,
        server=target.server.name if isinstance(target, Target) else call.server,
        method=call.method,
        name=router.named(target),
        via=router.via(target),
        asked=target.asked if isinstance(target, Target) else "",
        decision=_WORDS[type(decision)],
        rule=decision.rule,
        shadow=decision.shadow,
        reason=answered.detail,
        outcome=outcome_name(outcome) if allowed or answered.waited else "refused",
        error_code=outcome.code if isinstance(outcome, Fault) else 0,
        duration_ms=round((clock.monotonic() - call.started) * 1000, 3),
        args_digest=jsonrpc.digest(arguments) if arguments else "",
        bytes_in=call.bytes_in,
        bytes_out=bytes_out,
        session=call.session,
        credential_id=access.credential_id,
        client_era=call.client.version,
        upstream_era=link.version if link is not None else "",
        parent=answered.parent,
        rounds=answered.rounds,
        verdicts=answered.verdicts,
    )
