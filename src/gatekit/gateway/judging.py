"""The question to the policy, with what the rules may want to know of a call; and what a caller hears who may
not go on *yet*.

Circumstances are gathered only where some rule looks at them. A list knows everything but the arguments.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from gatekit.errors import WeakSignIn
from gatekit.gateway.ports import Door
from gatekit.gateway.reply import Reply
from gatekit.gateway.router import Target
from gatekit.model.access import Access
from gatekit.model.call import Approved, Call, Fault
from gatekit.model.circumstances import UNASKED, Circumstances
from gatekit.model.decision import Allow, Ask, Decision, StepUp
from gatekit.model.ports import Clock
from gatekit.model.server import Server
from gatekit.policy.engine import Kind, Rights
from gatekit.protocol import methods
from gatekit.protocol.era import bridge

_WITH_ARGUMENTS = frozenset(("tools/call", "prompts/get"))
_WEAK, UNAPPROVED = -31014, -31015
_NOT_YET = "this call needs an approval, and nobody can give one here"


def about(
    rights: Rights, access: Access, clock: Clock, address: str | None = None, arguments: Any = UNSET
) -> Circumstances:
    """What is known where there is no Target: for lists, and for what servers tell by themselves."""
    return _circumstances(access, clock, address, arguments, "") if rights.conditional else UNASKED


def judge(rights: Rights, call: Call, target: Target, clock: Clock) -> Decision:
    """What the rules say of a call at one server, and at the virtual server that it came through.

    Both must allow: being let in at a virtual server gives no right on the servers behind it.
    """
    if not rights.conditional:
        known = UNASKED
    else:
        given = target.params.get("arguments", {}) if call.method in _WITH_ARGUMENTS else UNSET
        known = _circumstances(call.access, clock, call.address, given, _folder(target.server))
        if call.approved is not None:
            known = replace(known, approved=_approved(call.approved, call, target))
    shadow = ""
    if target.view is not None and target.view.name:
        decision = _one(rights, target.view.name, target.kind, target.asked, call.method, known)
        if not isinstance(decision, Allow):
            return decision
        shadow = decision.shadow
    decision = _one(rights, target.server.name, target.kind, target.name, call.method, known)
    return replace(decision, shadow=shadow) if shadow and not decision.shadow else decision


def _one(rights: Rights, server: str, kind: Kind, name: str, method: str, known: Circumstances) -> Decision:
    if kind == "server":
        # What we do not know may do anything, so it takes more than the right to use something there.
        return rights.decide(server, kind, "" if methods.spec(method).known else method, known)
    if method in _WITH_ARGUMENTS:
        return rights.decide(server, kind, name, known)
    return rights.could(server, kind, name, known)  # a completion, a subscription: arguments play no part


def _circumstances(
    access: Access, clock: Clock, address: str | None, arguments: Any, folder: str
) -> Circumstances:
    return Circumstances(
        client_id=access.client_id,
        client_name=access.client_name,
        address=address,
        auth_time=access.auth_time,
        amr=access.amr,
        at=clock.now(),
        arguments=arguments,
        folder=folder,
    )


def _approved(given: Approved, call: Call, target: Target) -> frozenset[str]:
    """A yes is for what the approver saw: what a plugin makes of it afterwards is something else."""
    if given.server != target.server.name or given.digest != bridge.call_digest(call.method, target.params):
        return frozenset()
    return given.rules


def _folder(server: Server) -> str:
    """Where relative paths begin, if the server runs on this machine."""
    return (server.cwd or "") if server.command else ""


def may_send(rights: Rights, access: Access, clock: Clock, server: str, method: str) -> bool:
    """Whether a notification that we do not know may go to a server. Of where it comes from nothing is known
    here, which counts against it where a rule wants to know."""
    return isinstance(rights.decide(server, "server", method, about(rights, access, clock)), Allow)


def refused(door: Door, call: Call, decision: StepUp | Ask, reply: Reply) -> Fault:
    """What the caller hears who would be allowed under a condition. Nothing was forwarded."""
    if isinstance(decision, Ask):
        return Fault(UNAPPROVED, _NOT_YET, status=403)
    error = WeakSignIn(decision.reason, max_age=decision.max_age)
    if call.access.jkt:
        error.schemes = ("DPoP",)
    header = door.challenge(error, call.server)
    reply.add_headers((b"www-authenticate", header.encode("latin-1", "replace")))
    return Fault(_WEAK, decision.reason, status=WeakSignIn.status)
