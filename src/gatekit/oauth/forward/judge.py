"""May this request pass, and who sends it?  The same people, policy and audit as at every MCP endpoint."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from starlette.requests import Request

from gatekit.errors import BearerError, ForwardRefused, InsufficientScope, TokenInvalid, TokenMissing
from gatekit.identity.standing import Upright
from gatekit.model.access import EVERY_SERVER, Access, Inactive
from gatekit.model.audit import DoorRefused, ForwardEvent
from gatekit.model.circumstances import Circumstances
from gatekit.model.decision import Allow, Decision
from gatekit.model.oauth import Client
from gatekit.model.people import BrowserSession, Principal
from gatekit.model.scopes import may_call
from gatekit.model.target import Target
from gatekit.oauth.browser import SignedIn
from gatekit.oauth.core import Core
from gatekit.oauth.forward.identity import identity_headers, smuggled
from gatekit.oauth.forward.original import Original, read_original, target_of
from gatekit.oauth.forward.passes import Passes
from gatekit.oauth.http import address, request_id

Targets = Callable[[], Sequence[Target]]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""RFC 9110 §9.2.1: what a token may do that is for reading only."""


class Sender(Struct, frozen=True, kw_only=True):
    """Who sends the request, and how we know."""

    principal: Principal
    credential_id: str
    client_id: str = ""
    client: str = ""
    auth_time: int | None = None


class Passed(Struct, frozen=True):
    """It may pass, with these headers."""

    headers: dict[str, str]


class SignInFirst(Struct, frozen=True):
    """Nobody is known. ``error`` says what was wrong with what was presented, if anything was."""

    target: Target
    original: Original
    error: BearerError


class Turned(Struct, frozen=True):
    """Known, and not allowed."""

    target: Target
    username: str


Answer = Passed | SignInFirst | Turned


class Judge:
    """Answers a proxy."""

    def __init__(self, core: Core, passes: Passes, targets: Targets) -> None:
        self._core = core
        self._passes = passes
        self._targets = targets

    def target(self, name: str | None) -> Target | None:
        """The application of that name."""
        return next((target for target in self._targets() if target.name == name), None)

    async def judge(self, request: Request, named: str | None) -> Answer:
        """Raises ``ForwardRefused`` (a question without an answer), ``StoreError``, ``AuditUnavailable``."""
        original = read_original(request)
        if name := smuggled([name for name, _ in request.scope["headers"]]):
            raise ForwardRefused(403, "a header of this request is not acceptable", f"smuggled {name!r}")
        target = target_of(original, self._targets(), named)
        try:
            sender = await self._sender(request, target, original)
        except BearerError as error:
            await self._record_stranger(request, target, error)
            return SignInFirst(target, original, error)
        decision = self.decide(sender, target, request)
        await self._record(request, target, original, sender, decision)
        if not isinstance(decision, Allow):
            return Turned(target, sender.principal.username)
        return Passed(
            await identity_headers(self._core, sender.principal, target, sender.auth_time, sender.client_id)
        )

    def decide(self, sender: Sender, target: Target, request: Request) -> Decision:
        """What the policy says of a person and an application."""
        about = Circumstances(
            client_id=sender.client_id,
            client_name=sender.client,
            address=address(request),
            auth_time=sender.auth_time or 0,
            at=self._core.at(),
        )
        return self._core.services.policy().rights(sender.principal).decide(target.name, "server", "", about)

    async def may_enter(self, request: Request, target: Target, to: str, someone: SignedIn) -> bool:
        """Whether a browser that has no pass yet gets one; who is turned away is on record, as at the door.

        ``to``: the path it wants. Raises ``AuditUnavailable``.
        """
        person, session = someone.person, someone.session
        sender = _by_browser(person.principal, session)
        decision = self.decide(sender, target, request)
        if isinstance(decision, Allow):
            return True
        wanted = Original(method=request.method, origin=target.origin, path=to.partition("?")[0], uri=to)
        await self._record(request, target, wanted, sender, decision)
        return False

    async def _sender(self, request: Request, target: Target, original: Original) -> Sender:
        """Who it is; raise ``BearerError``. A token that was presented decides, good or bad: a browser's pass
        does not make up for it."""
        headers = [value for name, value in request.scope["headers"] if name == b"authorization"]
        try:
            access = await self._core.bearer.check(headers, resource=target.url)
            client = await self._core.store.clients.get(access.client_id) if access.client_id else None
            return _bearer(access, client, target, original.method)
        except TokenMissing as missing:
            if not target.sign_in:
                raise
            session = await self._passes.session(request, target)
            if session is None:
                raise
            found = await self._core.standings.person(session.user_id, self._core.at(), session.connection)
            if not isinstance(found, Upright):
                raise _ended(missing, found) from missing
            return _by_browser(found.principal, session)

    async def _record(
        self, request: Request, target: Target, original: Original, sender: Sender, decision: Decision
    ) -> None:
        allowed = isinstance(decision, Allow)
        await self._core.services.audit.write(
            ForwardEvent(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=sender.principal.id,
                principal=sender.principal.username,
                client_id=sender.client_id,
                client=sender.client,
                address=address(request),
                server=target.name,
                method=original.method,
                path=original.path[:500],
                decision="allow" if allowed else "deny",
                rule=getattr(decision, "rule", ""),
                credential_id=sender.credential_id,
            )
        )

    async def _record_stranger(self, request: Request, target: Target, error: BearerError) -> None:
        """A token that does not count is worth a record; a browser that has not signed in yet is not."""
        if isinstance(error, TokenMissing):
            return
        await self._core.services.audit.write(
            DoorRefused(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=error.principal_id,
                principal=error.principal,
                address=address(request),
                server=target.name,
                status=error.status,
                reason=error.detail,
            )
        )


def _by_browser(principal: Principal, session: BrowserSession) -> Sender:
    # Named by its hash, as rows do: no record may hold what opens anything.
    return Sender(
        principal=principal,
        credential_id=f"session:{session.token_hash[:16]}",
        auth_time=session.auth_time,
    )


def _bearer(access: Access, client: Client | None, target: Target, method: str) -> Sender:
    """RFC 8707 §2, checklist T3: a token for another resource is no token here. API keys name applications
    as they name servers."""
    meant = target.url in access.audience or not access.servers.isdisjoint((target.name, EVERY_SERVER))
    limit = client.servers if client else ()
    if not meant or (limit and target.name not in limit):
        raise TokenInvalid("the access token is meant for another resource")
    if method not in SAFE and not may_call(access.scopes):
        raise InsufficientScope("the access token may only read")
    return Sender(
        principal=access.principal,
        credential_id=access.credential_id,
        client_id=access.client_id,
        client=access.client_name,
        auth_time=access.auth_time or None,
    )


def _ended(missing: TokenMissing, found: Inactive) -> BearerError:
    """The pass of somebody who may not come in any more: as if there were none, but the audit knows."""
    return TokenInvalid(
        missing.description, found.reason, principal_id=found.user_id, principal=found.username
    )
