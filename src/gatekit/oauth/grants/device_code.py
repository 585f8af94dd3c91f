"""The device code grant (RFC 8628 §3.4): a device asks again and again until its person has decided."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    InvalidRequest,
    SlowDown,
)
from gatekit.model.access import Inactive
from gatekit.model.oauth import DEVICE_CODE, Client, DeviceAuthorization
from gatekit.oauth.core import Core
from gatekit.oauth.device import DEVICE_PREFIX
from gatekit.oauth.dpop import proven_key
from gatekit.oauth.http import Form
from gatekit.oauth.issuing import Issuer
from gatekit.platform.vault import token_hash


class DeviceGrant:
    """Redeems device codes once their person has agreed."""

    def __init__(self, core: Core, issuer: Issuer) -> None:
        self._core = core
        self._issuer = issuer

    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """RFC 8628 §3.5. Raises ``OAuthError``."""
        run = await self._poll(form, client)
        found = await self._core.standings.grant(run.grant_id or "", self._core.at())
        if isinstance(found, Inactive) or found.grant is None:
            reason = found.reason if isinstance(found, Inactive) else "no grant"
            raise InvalidGrant(_INVALID, reason)
        resources = self._issuer.narrowed(found.grant, form)
        key = proven_key(request)
        refresh_token, row = None, None
        if "refresh_token" in client.grant_types:
            refresh_token, row = self._issuer.new_refresh(found.grant, client, key)
        token, claims = await self._issuer.access_token(found.grant, resources, found.grant.scopes, key)
        if not await self._core.store.device_authorizations.redeem(run.device_hash, self._core.now(), row):
            raise InvalidGrant(_INVALID, "device code used at the same time")
        await self._core.store.clients.used(client.id, self._core.now())
        await self._issuer.record(
            request, client, "issued", found=found, claims=claims, grant_type=DEVICE_CODE
        )
        return self._issuer.answer(token, claims, refresh_token)

    async def _poll(self, form: Form, client: Client) -> DeviceAuthorization:
        value = form.get("device_code")
        if value is None:
            raise InvalidRequest("device_code is missing")
        now = self._core.now()
        run = None
        if value.startswith(DEVICE_PREFIX):
            run = await self._core.store.device_authorizations.poll(token_hash(value), now, client.id)
        if run is None or run.status == "used":
            raise InvalidGrant(_INVALID, "unknown device code, used before, or another client's")
        if run.expires_at <= now:
            raise ExpiredToken("the device code has expired; ask for a new one")
        if run.status == "denied":
            raise AccessDenied("the person did not agree")
        if run.polled_at is not None and now - run.polled_at < run.interval:
            raise SlowDown(f"ask every {run.interval + 5} seconds")
        if run.status == "pending":
            raise AuthorizationPending("nobody has decided yet")
        return run


_INVALID = "the device code is invalid"
