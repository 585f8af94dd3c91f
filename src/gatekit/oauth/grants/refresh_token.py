"""``grant_type=refresh_token`` (RFC 6749 §6) with rotation and reuse detection (OAuth 2.1 §4.3.1).

Several copies of one desktop client share one stored token and refresh it at the same moment. So for a short
grace a used token yields the *same* successor again: nobody is locked out, and there is still one chain.
After that, a used token means that somebody has a copy who should not, and the whole family falls.
"""

from __future__ import annotations

from typing import NoReturn

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import InvalidGrant, InvalidRequest, InvalidScope
from gatekit.identity.standing import Upright
from gatekit.model import scopes
from gatekit.model.access import Inactive
from gatekit.model.oauth import Client, Grant, RefreshToken
from gatekit.oauth.core import Core
from gatekit.oauth.departures import Rechecks
from gatekit.oauth.dpop import proven_key
from gatekit.oauth.http import Form
from gatekit.oauth.issuing import REFRESH_PREFIX, Action, Issuer
from gatekit.platform.vault import token_hash

GRANT_TYPE = "refresh_token"
SEAL = "refresh-successor"
MAX_LINKS = 20
"""How far a chain is followed in one request; only a client that refreshes every second gets there."""

_COMMON = frozenset(("offline_access", "openid", "profile", "email", "address", "phone"))
"""Scopes that clients add by habit. We have none of them, so they ask for nothing."""


class RefreshGrant:
    """Rotates refresh tokens."""

    def __init__(self, core: Core, issuer: Issuer) -> None:
        self._core = core
        self._issuer = issuer
        self._rechecks = Rechecks(core)

    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """Check everything that can be refused first; rotate last (checklist R5).

        Also what can fail comes first, the record among it: a token that was used up without an answer
        would fell its own family when its client tries again after the grace (R7).
        """
        token, row = await self._find(form, client)
        key = proven_key(request)
        if row.jkt and row.jkt != key:  # first of all: who has only the token changes nothing by trying
            raise InvalidGrant(INVALID, "no proof with the key that the refresh token is bound to")
        found = await self._core.standings.grant(row.grant_id, self._core.at())
        if isinstance(found, Inactive) or found.grant is None:
            reason = found.reason if isinstance(found, Inactive) else "no grant"
            raise InvalidGrant(INVALID, reason)
        if row.expires_at <= self._core.now():
            raise InvalidGrant(INVALID, "refresh token expired")
        if gone := await self._rechecks.refused(found.user, found.grant.connection):
            raise InvalidGrant(INVALID, gone)
        scopes = self._narrowed_scopes(found.grant, form, client)
        resources = self._issuer.narrowed(found.grant, form)
        access_token, claims = await self._issuer.access_token(found.grant, resources, scopes, key)
        action: Action = "refreshed" if row.used_at is None else "grace"
        if action == "grace":
            successor = await self._in_grace(request, token, row, found, client)
        await self._issuer.record(request, client, action, found=found, claims=claims, grant_type=GRANT_TYPE)
        if action == "refreshed":
            successor = await self._rotated(request, token, row, found, client)
        return self._issuer.answer(access_token, claims, successor)

    async def _find(self, form: Form, client: Client) -> tuple[str, RefreshToken]:
        token = form.get("refresh_token")
        if token is None:
            raise InvalidRequest("refresh_token is missing")
        row = None
        if token.startswith(REFRESH_PREFIX):
            row = await self._core.store.grants.refresh_token(token_hash(token))
        if row is None or row.client_id != client.id:
            raise InvalidGrant(INVALID, "unknown refresh token, or another client's")
        return token, row

    def _narrowed_scopes(self, grant: Grant, form: Form, client: Client) -> tuple[str, ...]:
        """Nothing that was not granted (RFC 6749 §6). Scopes that mean nothing here ask for nothing.

        Some clients repeat what they asked for at first, which the person may have granted in part: they get
        that part again, and the answer names it (§3.3, §5.1). To refuse them would ask the person anew at
        each refresh, and whoever is asked too often stops ticking "only let it read".
        """
        asked = frozenset((form.get("scope") or "").split())
        too_much = asked - _COMMON.union(client.scope.split(), grant.scopes, scopes.ALL, (scopes.WHOLE,))
        beyond = scopes.excess(asked, grant.scopes)
        if too_much or (beyond and not scopes.may_read(grant.scopes)):
            raise InvalidScope("the scope exceeds what was granted", f"asked for {sorted(too_much | beyond)}")
        if beyond:
            asked |= {scopes.READ}  # whatever is ours implies it, and it is what was granted
        if scopes.READ in asked and not scopes.may_call(asked):
            return tuple(scope for scope in scopes.read_only(grant.scopes) if scope in asked)
        return tuple(scope for scope in grant.scopes if scope in asked) or grant.scopes

    async def _rotated(
        self, request: Request, token: str, row: RefreshToken, found: Upright, client: Client
    ) -> str:
        """A new successor, or that of a copy that was faster."""
        if found.grant is None:
            raise InvalidGrant(INVALID, "no grant")
        successor, successor_row = self._issuer.new_refresh(found.grant, client, proven_key(request))
        sealed = self._core.services.vault.seal_with(token, successor, SEAL)
        grants = self._core.store.grants
        if await grants.rotate(row.token_hash, self._core.now(), successor_row, sealed) is not None:
            return successor
        again = await grants.refresh_token(row.token_hash)
        if again is None or again.used_at is None:
            raise InvalidGrant(INVALID, "the grant ended meanwhile")
        return await self._in_grace(request, token, again, found, client)

    async def _in_grace(
        self, request: Request, token: str, row: RefreshToken, found: Upright, client: Client
    ) -> str:
        """The end of the chain that starts at a used token. Not the next link: a faster copy may have used it
        as well, and whoever kept it would be taken for a thief once its grace is over. Later links were used
        later, so all of them are in their grace if the first is.
        """
        for _ in range(MAX_LINKS):
            if row.used_at is None:
                return token
            used_for = self._core.now() - row.used_at
            if not row.successor_sealed or used_for > self._core.settings.refresh_grace:
                await self._reused(request, row, found, client)
            token = self._core.services.vault.open_with(token, row.successor_sealed or "", SEAL)
            following = await self._core.store.grants.refresh_token(token_hash(token))
            if following is None:
                raise InvalidGrant(INVALID, "the successor is gone")
            row = following
        return token

    async def _reused(self, request: Request, row: RefreshToken, found: Upright, client: Client) -> NoReturn:
        """Somebody has a copy who should not: the whole family falls (OAuth 2.1 §4.3.1)."""
        reason = "refresh token used again after its grace"
        await self._issuer.fell(row.grant_id, reason)
        await self._issuer.record(
            request,
            client,
            "reused",
            found=found,
            grant_type=GRANT_TYPE,
            grant_id=row.grant_id,
            reason=reason,
        )
        raise InvalidGrant(INVALID, reason)


INVALID = "the refresh token is invalid"
