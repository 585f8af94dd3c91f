"""The client credentials grant (RFC 6749 §4.4): a program that acts for itself, and for no person.

Only clients that the operator wrote into the configuration, because nobody is asked. Such a client is a
principal of its own, ``client:<id>``, on the same access lists as people; it is stored like one, so that it
can be disabled, put into groups and found in the audit like one.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gatekit.errors import Conflict, InvalidGrant, InvalidTarget, UnauthorizedClient
from gatekit.identity.standing import Upright, acts_for_itself
from gatekit.model.access import Inactive
from gatekit.model.oauth import CLIENT_CREDENTIALS, Client, Grant
from gatekit.model.people import SERVICE, User, service_name
from gatekit.oauth.bounds import granted_to
from gatekit.oauth.core import Core
from gatekit.oauth.dpop import proven_key
from gatekit.oauth.http import Form
from gatekit.oauth.issuing import Issuer


class ClientCredentialsGrant:
    """``grant_type=client_credentials``."""

    def __init__(self, core: Core, issuer: Issuer) -> None:
        self._core = core
        self._issuer = issuer

    async def answer(self, request: Request, form: Form, client: Client) -> Response:
        """RFC 6749 §4.4.2, §4.4.3: an access token, and never a refresh token. Raises ``OAuthError``."""
        if not acts_for_itself(client):
            raise UnauthorizedClient("the client may not act for itself")
        found = await self._principal(client)
        resources = self._resources(form, client, found)
        grant = await self._grant(client, found, resources, self._scopes(form, client, resources))
        standing = await self._core.standings.grant(grant.id, self._core.at())
        if isinstance(standing, Inactive):
            raise InvalidGrant("the client may not act for itself now", standing.reason)
        await self._core.store.clients.used(client.id, self._core.now())
        token, claims = await self._issuer.access_token(
            grant, grant.resources, grant.scopes, proven_key(request)
        )
        await self._issuer.record(
            request, client, "issued", found=standing, claims=claims, grant_type=CLIENT_CREDENTIALS
        )
        return self._issuer.answer(token, claims, None)

    async def _principal(self, client: Client) -> Upright:
        """The client as somebody who can be on a list; made at its first use."""
        users = self._core.store.users
        user = await users.by_identity(SERVICE, SERVICE, client.id)
        if user is None:
            now = self._core.now()
            user = User(
                id=self._core.services.entropy.ident("svc_"),
                connection=SERVICE,
                issuer=SERVICE,
                subject=client.id,
                username=service_name(client.id),
                login=client.id,
                display_name=client.name,
                created_at=now,
                updated_at=now,
            )
            try:
                await users.add(user)
            except Conflict:  # two first requests at once
                user = await users.by_identity(SERVICE, SERVICE, client.id)
        found = await self._core.standings.person(user.id if user else "", self._core.at())
        if isinstance(found, Inactive):
            raise UnauthorizedClient("the client may not act for itself now", found.reason)
        return found

    def _resources(self, form: Form, client: Client, found: Upright) -> tuple[str, ...]:
        """What was asked for; everything the client may use if it named nothing. All of it, or nothing: half
        of what a program asked for would fail later and elsewhere (RFC 8707 §2)."""
        known = self._core.resources
        wanted = known.asked(form.all("resource"), client.servers)
        rights = self._core.services.policy().rights(found.principal)
        permitted = known.offered(wanted, rights)
        if not permitted or any(resource not in permitted for resource in wanted):
            raise InvalidTarget(
                "the client may not use this resource", f"{found.user.username} is on no list for {wanted}"
            )
        return permitted

    def _scopes(self, form: Form, client: Client, resources: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the resources only: others say who a person is."""
        return granted_to(client, self._core.scopes(form.get("scope"), resources))

    async def _grant(
        self, client: Client, found: Upright, resources: tuple[str, ...], scopes: tuple[str, ...]
    ) -> Grant:
        """One that is there already if possible: a program may ask every minute, for years."""
        now, settings = self._core.now(), self._core.settings
        for known in reversed(await self._core.store.grants.list(found.user.id, client.id)):
            lasts = known.revoked_at is None and known.expires_at >= now + settings.access_token_lifetime
            if lasts and (known.resources, known.scopes) == (resources, scopes):
                return known
        grant = Grant(
            id=self._core.services.entropy.ident("gkg_"),
            user_id=found.user.id,
            client_id=client.id,
            resources=resources,
            scopes=scopes,
            auth_time=now,
            created_at=now,
            expires_at=now + settings.grant_lifetime,
        )
        await self._core.store.grants.add(grant)
        return grant
