"""Calls that wait for somebody's yes: who may give it, and what it then says.

Whom the rule names decides, whatever role they have; nobody decides about a call of their own. The operator
at the command line may decide anything but what they asked for themselves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from msgspec import Struct

from gatekit.admin.desk import Actor, Audit, Desk, Roles
from gatekit.admin.permissions import permitted
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound, VaultError
from gatekit.model.approvals import LONGEST, MAX_ARGUMENTS, Approval, Verdict
from gatekit.model.audit import ApprovalEvent
from gatekit.model.ports import Clock, Entropy
from gatekit.store.ports import Store

Approves = Callable[[str, str], Awaitable[bool]]
"""(user id, rule as the audit calls it): whether this person, in good standing, is among its approvers."""
Opened = Callable[[str], str]
"""Opens sealed arguments. Raises ``VaultError``."""
ON_A_LIST = 500


class ApprovalView(Struct, frozen=True, kw_only=True):
    """One request, as far as whoever looks may know it."""

    approval: Approval
    arguments: str
    """JSON; empty where they are not to be seen, or not any more."""
    cut: bool
    """There is more of them than is shown."""
    decides: bool
    """Whether whoever looks may decide it now."""


class Approvals(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        roles: Roles | None = None,
        *,
        opened: Opened,
        approves: Approves | None = None,
    ) -> None:
        """``approves`` None: nobody but the operator stands at this door."""
        super().__init__(store, audit, clock, entropy, roles)
        self._opened = opened
        self._approves = approves

    async def list(self, actor: Actor, *, waiting: bool = False) -> Sequence[Approval]:
        """The newest first; of who has no permission to see all, what they may decide or have decided."""
        self._reads(actor)
        found = await self._store.approvals.list(waiting=waiting, limit=ON_A_LIST)
        if permitted(actor.role, "approvals:read"):
            return found
        told: dict[tuple[bool, str], bool] = {}  # 500 requests are about a few rules: each is asked once
        seen = []
        for one in found:
            key = (_own(actor, one), one.rule)
            if key not in told:
                told[key] = not await self._against(actor, one)
            if told[key] or (actor.id and one.decided_by_id == actor.id):
                seen.append(one)
        return seen

    async def show(self, actor: Actor, approval_id: str) -> ApprovalView:
        """Raises ``NotFound``, also for what is none of the actor's business."""
        self._reads(actor)
        approval = await self._found(actor, approval_id)
        arguments = ""
        if approval.arguments:
            try:
                arguments = self._opened(approval.arguments)
            except VaultError:  # sealed under a key that is gone: it can still be refused
                arguments = ""
        decides = approval.state == "waiting" and approval.expires_at > self._now()
        return ApprovalView(
            approval=approval,
            arguments=arguments,
            cut=len(arguments) >= MAX_ARGUMENTS,
            decides=decides and not await self._against(actor, approval),
        )

    async def allow(
        self, actor: Actor, approval_id: str, *, seconds: int = 0, whatever: bool = False
    ) -> Approval:
        """Let the call go on. ``seconds``: and all that are like it for so long (same person, client, server,
        name); with ``whatever`` also if their arguments differ."""
        if not 0 <= seconds <= LONGEST:
            raise InvalidInput(f"calls can be allowed for at most {LONGEST // 3600} hours")
        if whatever and not seconds:
            raise InvalidInput("any arguments: that takes a time for which it holds")
        until = self._now() + seconds if seconds else 0
        return await self._decide(actor, approval_id, "allowed", until, whatever)

    async def deny(self, actor: Actor, approval_id: str) -> Approval:
        """The call is refused."""
        return await self._decide(actor, approval_id, "denied")

    async def end(self, actor: Actor, approval_id: str) -> Approval:
        """What was allowed for a while is allowed no more."""
        approval = await self._found(actor, approval_id)
        # Taking back gives nobody anything: whoever runs the approvals may, as well as the approvers.
        if not self._may_run(actor) and (reason := await self._against(actor, approval)):
            raise Forbidden(reason)
        ended = await self._store.approvals.take_back(approval.id, actor.name, self._now())
        if ended is None:
            raise Conflict(f"{approval.id} allows nothing any more")
        await self._audit.write(self._event("ended", ended, actor))
        return ended

    # -- who may ---------------------------------------------------------------------------------------------

    def _reads(self, actor: Actor) -> None:
        if actor.scopes is not None and "approvals:read" not in actor.scopes:
            raise Forbidden("this key is not good for approvals:read")

    def _may_run(self, actor: Actor) -> bool:
        return permitted(actor.role, "approvals:write") and (
            actor.scopes is None or "approvals:write" in actor.scopes
        )

    async def _against(self, actor: Actor, approval: Approval) -> str:
        """Why this one may not decide; empty: they may."""
        if _own(actor, approval):
            return "nobody approves a call of their own"
        if actor.door == "cli" and not actor.id:
            return ""
        if actor.scopes is not None and "approvals:write" not in actor.scopes:
            return "this key is not good for approvals:write"
        if not actor.id or self._approves is None or not await self._approves(actor.id, approval.rule):
            return f"{actor.name} is not among the approvers of {approval.rule}"
        return ""

    async def _concerns(self, actor: Actor, approval: Approval) -> bool:
        if actor.id and approval.decided_by_id == actor.id:
            return True
        return not await self._against(actor, approval)

    async def _found(self, actor: Actor, approval_id: str) -> Approval:
        approval = await self._store.approvals.get(approval_id.strip())
        if approval is None or not (
            permitted(actor.role, "approvals:read") or await self._concerns(actor, approval)
        ):
            raise NotFound("there is no such request for approval; `gatekit approvals list` shows them")
        return approval

    # -- deciding --------------------------------------------------------------------------------------------

    async def _decide(
        self,
        actor: Actor,
        approval_id: str,
        state: Literal["allowed", "denied"],
        until: int = 0,
        whatever: bool = False,
    ) -> Approval:
        approval = await self._found(actor, approval_id)
        if reason := await self._against(actor, approval):
            raise Forbidden(reason)
        verdict = Verdict(
            state=state, by_id=actor.id, by=actor.name, at=self._now(), until=until, whatever=int(whatever)
        )
        decided = await self._store.approvals.decide(approval.id, verdict)
        if decided is None:
            now = await self._store.approvals.get(approval.id) or approval
            word = "expired" if now.state == "waiting" else now.state
            by = f" by {now.decided_by}" if now.decided_by else ""
            raise Conflict(f"{approval.id} does not wait any more: it is {word}{by}")
        await self._audit.write(self._event(state, decided, actor))
        return decided

    def _event(
        self, action: Literal["allowed", "denied", "ended"], approval: Approval, actor: Actor
    ) -> ApprovalEvent:
        door = actor.door
        assert door in ("cli", "api", "page")
        return ApprovalEvent(
            at=self._clock.now(),
            action=action,
            approval_id=approval.id,
            request_id=approval.request_id,
            principal_id=approval.principal_id,
            principal=approval.principal,
            client_id=approval.client_id,
            client=approval.client,
            address=actor.address,
            server=approval.server,
            method=approval.method,
            name=approval.name,
            rule=approval.rule,
            digest=approval.digest,
            by_id=actor.id,
            by=actor.name,
            until=approval.until,
            whatever=bool(approval.whatever),
            door=door,
            credential_id=actor.credential_id,
        )


def _own(actor: Actor, approval: Approval) -> bool:
    return actor.id == approval.principal_id or actor.name == approval.principal
