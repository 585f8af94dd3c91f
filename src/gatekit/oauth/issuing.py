"""Making tokens: what the grant types share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import InvalidGrant, InvalidTarget
from gatekit.identity.standing import Upright
from gatekit.model.audit import TokenEvent
from gatekit.model.oauth import Client, Grant, RefreshToken
from gatekit.model.people import ExternalIdentity
from gatekit.oauth.claims import AccessClaims, Confirmation
from gatekit.oauth.core import Core
from gatekit.oauth.http import Form, address, json_answer, request_id
from gatekit.platform.vault import token_hash

REFRESH_PREFIX = "gk_rt_"

Action = Literal["issued", "refreshed", "grace", "reused", "revoked", "refused"]


class Issuer:
    """Makes access tokens and their answers; shared by the grant types."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def new_refresh(self, grant: Grant, client: Client, jkt: str = "") -> tuple[str, RefreshToken]:
        """A refresh token and its row: it ends without use, and never outlives the grant.

        ``jkt``: the key that its client has proven to hold. The token of a public client is bound to it; one
        that authenticates is bound to its credentials already, and may change keys (RFC 9449 §5).
        """
        token = self._core.services.entropy.token(REFRESH_PREFIX)
        now = self._core.now()
        return token, RefreshToken(
            token_hash=token_hash(token),
            grant_id=grant.id,
            client_id=client.id,
            created_at=now,
            expires_at=min(now + self._core.settings.refresh_token_lifetime, grant.expires_at),
            jkt=jkt if client.auth_method == "none" else "",
        )

    async def access_token(
        self,
        grant: Grant,
        resources: Sequence[str],
        scopes: Sequence[str],
        jkt: str = "",
        *,
        parent: AccessClaims | None = None,
    ) -> tuple[str, AccessClaims]:
        """RFC 9068 §2.2, bound to the key ``jkt`` if there is one (RFC 9449 §6.1).

        ``parent``: the token that it is made of, which it ends with (``token_exchange``).
        To be called *before* a code or refresh token is used up: if an opaque token cannot be stored, nothing
        is lost. Raises ``StoreError``, or ``InvalidGrant`` if the lists have changed."""
        await self._check_elsewhere(grant, resources)
        now = self._core.now()
        name = self._core.services.entropy.token("", 16)
        ends = min(now + self._core.settings.access_token_lifetime, grant.expires_at)
        claims = AccessClaims(
            iss=self._core.settings.issuer,
            sub=grant.user_id,
            aud=tuple(resources) or (self._core.settings.issuer,),  # none: it opens /userinfo only
            client_id=grant.client_id,
            gid=grant.id,
            jti=f"{parent.jti}.{name}" if parent else name,
            iat=now,
            exp=min(ends, parent.exp) if parent else ends,
            scope=" ".join(scopes),
            auth_time=grant.auth_time,
            cnf=Confirmation(jkt) if jkt else None,
        )
        return await self._core.access_tokens.mint(claims), claims

    async def _check_elsewhere(self, grant: Grant, resources: Sequence[str]) -> None:
        """At our own endpoints the rules decide at each call. Elsewhere nobody asks them, so a person or a
        client that was taken off the list must get no further token."""
        known = self._core.resources
        if len(resources) != 1 or known.ours(resources[0]):  # a grant for elsewhere is for nothing else
            return
        other = known.elsewhere(resources)
        principal = await self._core.services.directory.principal(grant.user_id)
        client = await self._core.store.clients.get(grant.client_id)
        if other is not None and principal is not None and client is not None:
            rights = self._core.services.policy().rights(principal)
            if other.name in rights.resources() and (not client.servers or other.name in client.servers):
                return
        raise InvalidGrant("the resource may not be used any more", f"nobody may have {resources[0]!r} now")

    def answer(
        self,
        token: str,
        claims: AccessClaims,
        refresh_token: str | None,
        id_token: str | None = None,
        **more: str,
    ) -> Response:
        """RFC 6749 §5.1, RFC 9449 §5; ``more``: what a grant type adds to it."""
        content = {
            **more,
            "access_token": token,
            "token_type": "DPoP" if claims.cnf else "Bearer",
            "expires_in": claims.exp - claims.iat,
            "scope": claims.scope,
        }
        if refresh_token is not None:
            content["refresh_token"] = refresh_token
        if id_token is not None:
            content["id_token"] = id_token
        return json_answer(content)

    def narrowed(self, grant: Grant, form: Form) -> tuple[str, ...]:
        """The resources of the grant, or the part of them that the request names (RFC 8707 §2.2)."""
        wanted = self._core.resources.resolve(form.all("resource"))
        if any(resource not in grant.resources for resource in wanted):
            raise InvalidTarget("the grant does not cover this resource")
        return wanted or grant.resources

    async def fell(self, grant_id: str, reason: str) -> Upright | None:
        """Somebody has what they should not: the whole grant falls, and the person is asked anew.

        Returns who it was, if they are still in good standing.
        """
        now = self._core.now()
        found = await self._core.standings.grant(grant_id, now)
        grant = await self._core.store.grants.get(grant_id)
        await self._core.store.grants.revoke(grant_id, now, reason)
        self._core.bearer.forget()
        if grant is not None:
            await self._core.store.transactions.forget_consents(grant.user_id, grant.client_id)
        return found if isinstance(found, Upright) else None

    async def record(
        self,
        request: Request,
        client: Client,
        action: Action,
        *,
        found: Upright | None = None,
        claims: AccessClaims | None = None,
        grant_type: str = "",
        grant_id: str = "",
        reason: str = "",
        asserted: ExternalIdentity | None = None,
    ) -> None:
        """Write the audit event; raises ``AuditUnavailable``, and then nothing is answered."""
        await self._core.services.audit.write(
            TokenEvent(
                at=self._core.at(),
                request_id=request_id(request),
                principal_id=found.user.id if found else "",
                principal=found.user.username if found else "",
                client_id=client.id,
                client=client.name,
                address=address(request),
                action=action,
                grant_type=grant_type,
                grant_id=claims.gid if claims else grant_id,
                token_id=claims.jti if claims else "",
                resources=claims.aud if claims else (),
                reason=reason,
                issuer=asserted.issuer if asserted else "",
                subject=asserted.subject if asserted else "",
            )
        )
