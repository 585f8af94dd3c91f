"""People ask for what they may not use; administrators grant it for a while.

Only what the file calls ``requestable`` can be asked for, so that nobody learns of anything else by asking.
What is granted is a stored rule with an end, like any that an administrator makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from gatekit.admin.desk import Actor, Audit, Desk, Roles, words
from gatekit.admin.rules import Rules
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound
from gatekit.model.people import User
from gatekit.model.ports import Clock, Entropy
from gatekit.model.requests import (
    LONGEST,
    MAX_OF_ONE,
    MAX_REASON,
    MAX_WAITING,
    SHORTEST,
    AccessRequest,
    RequestState,
)
from gatekit.policy.written import Written
from gatekit.store.ports import Store

MAX_TOOL = 128
_UNKNOWN = "there is no such request for access"


class Requests(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    def __init__(
        self,
        store: Store,
        audit: Audit,
        clock: Clock,
        entropy: Entropy,
        roles: Roles | None = None,
        *,
        rules: Rules,
        requestable: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        """``requestable``: names of the servers that may be asked for, now."""
        super().__init__(store, audit, clock, entropy, roles)
        self._rules = rules
        self._requestable = requestable

    # -- who asks --------------------------------------------------------------------------------------------

    async def ask(
        self, actor: Actor, server: str, *, tool: str = "", reason: str = "", seconds: int = 86400
    ) -> AccessRequest:
        """Ask in one's own name. ``tool`` empty: for all of the server."""
        user = await self._self(actor)
        if server not in self._requestable():
            raise NotFound("nothing of that name can be asked for")
        if not SHORTEST <= seconds <= LONGEST:
            raise InvalidInput(f"ask for at least an hour and at most {LONGEST // 86400} days")
        reason, tool = reason.strip(), tool.strip()
        if not reason:
            raise InvalidInput("say what it is needed for")
        if len(reason) > MAX_REASON or len(tool) > MAX_TOOL or not (reason + tool).isprintable():
            raise InvalidInput("the reason or the name of the tool is too long, or not printable")
        if any(char in tool for char in "*?["):
            raise InvalidInput("ask for one tool by its name, or for the whole server")
        request = AccessRequest(
            id=self._entropy.token("req_", 12),
            principal_id=user.id,
            principal=user.username,
            server=server,
            tool=tool,
            reason=reason,
            seconds=seconds,
            asked_at=self._now(),
        )
        await self._store.access_requests.add(request, MAX_WAITING, MAX_OF_ONE)
        await self._record(actor, "request.ask", _what(request), after=words(id=request.id, seconds=seconds))
        return request

    async def own(self, actor: Actor) -> Sequence[AccessRequest]:
        """What the actor has asked for, the newest first."""
        return await self._store.access_requests.list(user_id=(await self._self(actor)).id, limit=20)

    async def withdraw(self, actor: Actor, request_id: str) -> AccessRequest:
        """The actor needs it no more."""
        request = await self._store.access_requests.get(request_id)
        if request is None or request.principal_id != (await self._self(actor)).id:
            raise NotFound(_UNKNOWN)
        return await self._decided(actor, request, "withdrawn")

    # -- who decides -----------------------------------------------------------------------------------------

    async def list(self, actor: Actor, *, waiting: bool = False) -> Sequence[AccessRequest]:
        """The newest first."""
        self._may(actor, "requests:read")
        return await self._store.access_requests.list(waiting=waiting)

    async def show(self, actor: Actor, request_id: str) -> AccessRequest:
        self._may(actor, "requests:read")
        return await self._found(request_id)

    async def grant(self, actor: Actor, request_id: str, *, seconds: int = 0) -> AccessRequest:
        """Let the person in, for ``seconds`` from now; 0: for as long as they asked."""
        request, user = await self._foreign(actor, request_id)
        wanted = seconds or request.seconds
        if not 60 <= wanted <= LONGEST:
            raise InvalidInput(f"grant it for at most {LONGEST // 86400} days")
        end = self._now() + wanted
        # A name of its own, so that the rule tells whence it comes and no other has it.
        rule = f"request-{request.id.removeprefix('req_').lower().replace('_', '.')}"
        decided = replace(request, rule=rule, expires_at=end)
        written = Written(
            effect="allow",
            who=(_selector(user),),
            servers=(request.server,),
            tools=(request.tool,) if request.tool else (),
            reason=f"asked for by {request.principal}",
        )
        granted = await self._settled(actor, decided, "granted")
        try:
            # Whoever may decide requests may let in what is requestable, and nothing else.
            await self._rules.add(_as_rule_maker(actor), rule, written, expires_at=end)
        except (
            BaseException
        ):  # also who went away meanwhile: it must not read "granted" where nobody is let in
            await asyncio.shield(self._undo(request.id, rule))
            raise
        await self._said(actor, granted)
        return granted

    async def refuse(self, actor: Actor, request_id: str) -> AccessRequest:
        """The person is not let in."""
        request, _ = await self._foreign(actor, request_id)
        return await self._decided(actor, request, "refused")

    async def _foreign(self, actor: Actor, request_id: str) -> tuple[AccessRequest, User]:
        self._may(actor, "requests:write")
        request = await self._found(request_id)
        if request.principal_id == actor.id or (not actor.id and request.principal == actor.name):
            raise Forbidden("nobody decides about a request of their own")
        if request.server not in self._requestable():
            raise Conflict(f"{request.server} cannot be asked for any more")
        user = await self._store.users.get(request.principal_id)
        if user is None or user.disabled:
            raise Conflict(f"{request.principal} is not here any more, or is disabled")
        return request, user

    async def _decided(self, actor: Actor, request: AccessRequest, state: RequestState) -> AccessRequest:
        decided = await self._settled(actor, request, state)
        await self._said(actor, decided)
        return decided

    async def _settled(self, actor: Actor, request: AccessRequest, state: RequestState) -> AccessRequest:
        """Nobody else decides after this."""
        decided = replace(request, state=state, decided_at=self._now(), decided_by=actor.name)
        if not await self._store.access_requests.decide(decided):
            now = await self._found(request.id)
            raise Conflict(f"{request.id} does not wait any more: it is {now.state}")
        return decided

    async def _undo(self, request_id: str, rule: str) -> None:
        with suppress(NotFound):
            await self._store.rules.remove(rule)
        await self._store.access_requests.reopen(request_id)

    async def _said(self, actor: Actor, decided: AccessRequest) -> None:
        verb = {"granted": "request.grant", "refused": "request.refuse"}
        facts = words(id=decided.id, person=decided.principal, rule=decided.rule, until=decided.expires_at)
        action = verb.get(decided.state, "request.withdraw")
        await self._record(actor, action, _what(decided), before="waiting", after=facts)

    async def _found(self, request_id: str) -> AccessRequest:
        request = await self._store.access_requests.get(request_id.strip())
        if request is None:
            raise NotFound("there is no such request for access; `gatekit requests list` shows them")
        return request

    async def _self(self, actor: Actor) -> User:
        user = await self._store.users.get(actor.id) if actor.id and actor.scopes is None else None
        if user is None or user.disabled:
            raise Forbidden("only a person who is signed in asks for something")
        return user


def _what(request: AccessRequest) -> str:
    return f"{request.server}/{request.tool}" if request.tool else request.server


def _selector(user: User) -> str:
    """The person by the name at their provider, which is what rules know people by."""
    return f"{user.connection}:{user.login or user.username}"


def _as_rule_maker(actor: Actor) -> Actor:
    """The same, for the one rule that a granted request is: its permission was judged already."""
    return replace(actor, scopes=None if actor.scopes is None else actor.scopes | {"rules:write"})
