"""POST /ssf/{connection}: an identity provider pushes security events (RFC 8935; Shared Signals Framework,
CAEP, RISC). No browser, no cookie and no bearer token: what counts is the signature.

An event is done before it is acknowledged, and its name is kept after it was done: a transmitter that saw us
fail sends it again, and one that sends it twice changes nothing by it. What a person did after the event was
issued is not touched by it, however late it comes.
"""

from __future__ import annotations

import logging

from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatekit.errors import Conflict, EventTokenRefused, KeysUnavailable
from gatekit.identity.rules import domain_of
from gatekit.identity.signals import (
    OLDEST,
    SKEW,
    ByEmail,
    ByIdent,
    BySubject,
    EventToken,
    Pointer,
    SecurityEvent,
    read,
)
from gatekit.model.audit import AdminEvent
from gatekit.model.connections import ConnectionRules, Signals
from gatekit.model.people import User
from gatekit.oauth.backchannel import Notices
from gatekit.oauth.core import Core
from gatekit.oauth.departures import depart
from gatekit.oauth.http import NO_STORE, address, api_route, body, json_answer, place, request_id
from gatekit.platform.limits import KeyedBuckets
from gatekit.platform.remote_keys import RemoteKeys

log = logging.getLogger("gatekit.oauth")

PATH = "/ssf/{connection}"
MEDIA = "application/secevent+jwt"
MAX_BODY = 32 * 1024
MAX_LOOKED_AT = 50
_PURPOSE = "security-event"


class SignalReceiver:
    """Ends what came over a connection, because its provider says that something happened."""

    def __init__(self, core: Core, notices: Notices) -> None:
        self._core = core
        self._notices = notices
        self._budget = KeyedBuckets(core.settings.authorize_per_address, core.services.clock)
        fetch = core.services.own_key_fetch
        self._keys = RemoteKeys(fetch, core.services.clock) if fetch is not None else None

    def routes(self) -> list[Route]:
        return [api_route(PATH, self.push, ["POST"])]

    async def push(self, request: Request) -> Response:
        """RFC 8935 §2: 202 with nothing in it, or 400 with a code. Raises ``PayloadTooLarge``,
        ``AuditUnavailable``, ``StoreError``."""
        name = request.path_params["connection"]
        rules = self._core.services.rules(name)
        if rules.signals is None or not rules.enabled or self._keys is None:
            return json_answer({"error": "not_found"}, 404)
        whence = place(request)
        if wait := self._budget.take(whence):
            return json_answer({"error": "temporarily_unavailable"}, 429, {"Retry-After": str(int(wait) + 1)})
        try:
            token = await self._token(request, rules.signals)
        except EventTokenRefused as bad:
            log.warning("security event refused connection=%s code=%s: %s", name, bad.code, bad.detail)
            return _refusal(bad.code)
        except KeysUnavailable as failed:
            log.warning("security event cannot be judged connection=%s: %s", name, failed.detail)
            return json_answer({"error": "temporarily_unavailable"}, 503, {"Retry-After": "30"})
        self._budget.give_back(whence)  # it is the provider: a company that is let go comes all at once
        await self._take(request, name, rules, token)
        return Response(status_code=202, headers=NO_STORE)

    async def _token(self, request: Request, signals: Signals) -> EventToken:
        media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media != MEDIA:
            raise EventTokenRefused("invalid_request", f"the body is not {MEDIA}")
        raw = await body(request, MAX_BODY)
        if self._keys is None:
            raise KeysUnavailable("keys are not fetched here")
        return await read(raw.decode("latin-1").strip(), signals, self._keys, self._core.at())

    async def _take(self, request: Request, name: str, rules: ConnectionRules, token: EventToken) -> None:
        replays, now = self._core.store.replays, self._core.now()
        key = f"{name}\0{token.ident}"
        if await replays.seen(_PURPOSE, key, now):
            return
        for event in token.events:
            await self._follow(request, name, rules, token, event)
        await replays.first(_PURPOSE, key, int(token.issued_at + OLDEST + SKEW) + 1, now)
        self._notices.wake()

    async def _follow(
        self, request: Request, name: str, rules: ConnectionRules, token: EventToken, event: SecurityEvent
    ) -> None:
        """One event; recorded first."""
        people = await self._whose(name, rules, event.people)
        signed_in = await self._whose(name, rules, event.sessions)
        named: list[User | None] = [*people, *signed_in]
        for user in named or [None]:
            await self._core.services.audit.write(
                AdminEvent(
                    at=self._core.at(),
                    request_id=request_id(request),
                    address=address(request),
                    principal=f"connection:{name}",
                    action=f"signal.{event.name}",
                    target=user.username if user else "",
                    after=event.consequence if user else "nobody here",
                    door="provider",
                )
            )
        if event.consequence == "note":
            return
        for user in [*people, *signed_in]:
            until = token.issued_at + SKEW
            await depart(self._core, user, name, f"the identity provider says {event.name}", until=until)
            if event.consequence == "disable" and user in people and user.connection == name:
                await self._disable(request, name, user)

    async def _disable(self, request: Request, name: str, user: User) -> None:
        """Whoever keeps their account says that it is off: API keys and processes end as well. To enable
        them again is an administrator's to decide."""
        if user.disabled:
            return
        core = self._core
        try:
            await core.store.users.update(replace(user, disabled=True, updated_at=core.now()))
        except Conflict as last:  # the last owner: a provider does not lock everybody out
            log.warning("not disabled person=%s connection=%s: %s", user.id, name, last)
            return
        await core.store.browser_sessions.end_all(user.id, core.now())
        await core.services.audit.write(
            AdminEvent(
                at=core.at(),
                request_id=request_id(request),
                address=address(request),
                principal=f"connection:{name}",
                action="user.disable",
                target=user.username,
                before="enabled",
                after="disabled",
                door="provider",
            )
        )
        core.bearer.forget()

    async def _whose(self, name: str, rules: ConnectionRules, pointers: object) -> list[User]:
        """The one person whom all that is said points at. If it points at two, it is about nobody."""
        found: dict[str, User] = {}
        for pointer in pointers if isinstance(pointers, list | tuple) else ():
            for user in await self._pointed_at(name, rules, pointer):
                found[user.id] = user
        if len(found) > 1:
            log.warning("security event about several people connection=%s", name)
            return []
        return list(found.values())

    async def _pointed_at(self, name: str, rules: ConnectionRules, pointer: Pointer) -> list[User]:
        """People who have an identity at this connection, and nobody else (checklist F1)."""
        store = self._core.store
        match pointer:
            case BySubject(issuer, subject):
                one = await store.users.by_identity(name, issuer, subject)
                return [one] if one is not None else []
            case ByEmail(email):
                return await self._of_address(name, rules, email)
            case ByIdent(ident):
                issuer = rules.signals.issuer if rules.signals else ""
                one = await store.users.by_identity(name, issuer, ident)
                if one is not None:
                    return [one]
                sessions = await store.browser_sessions.of_provider(name, ident)
                users = [await store.users.get(session.user_id) for session in sessions]
                return [user for user in users if user is not None]

    async def _of_address(self, name: str, rules: ConnectionRules, email: str) -> list[User]:
        """Only by an address that this connection is believed about and that was verified (checklist F2)."""
        if domain_of(email) not in (*rules.domains, *rules.trusted_domains):
            return []
        users = await self._core.store.users.by_email(email, MAX_LOOKED_AT)
        found = []
        for user in users:
            for one in await self._core.store.identities.of_user(user.id):
                same = (one.email or "").lower() == email and one.email_verified
                if one.connection == name and same:
                    found.append(user)
        return found


def _refusal(code: str) -> Response:
    """RFC 8935 §2.3, §2.4. The cause is for our log: a stranger learns the code."""
    content = {"err": code, "description": _DESCRIPTIONS[code]}
    return json_answer(content, 400, {"Content-Language": "en"})


_DESCRIPTIONS = {
    "invalid_request": "the body is not a security event token that can be read here",
    "invalid_key": "the security event token is not signed with a key of this issuer",
    "invalid_issuer": "the security event token is from another issuer",
    "invalid_audience": "the security event token is for somebody else",
}
