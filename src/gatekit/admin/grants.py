"""Grants: which person allowed which client what. Revoking one fells every token below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.oauth import Client, Grant, GrantQuery
from gatekit.model.people import User

REASON = "revoked by an administrator"
OWN_REASON = "revoked by its person"
_FEW = 50
"""Clients that are asked for one by one; more of them all at once."""


class GrantView(Struct, frozen=True):
    grant: Grant
    username: str
    client_name: str
    state: Literal["active", "expired", "revoked"]
    client_host: str = ""
    """Host of the client's metadata document, if that is what identifies it."""
    used_at: int = 0
    """When it last gave out a token, as far as that is known; seconds."""


class Grants(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(
        self, actor: Actor, username: str | None = None, client_id: str | None = None, *, ended: bool = False
    ) -> Sequence[GrantView]:
        """Of everybody, or of one person, one client, or both; with ``ended`` also those that are over."""
        user = None
        if username is not None:
            user = await self._whom(actor, "grants:read", username, own=True)
        else:
            self._may(actor, "grants:read")
        return await self._list(user, client_id, ended)

    async def _list(self, user: User | None, client_id: str | None, ended: bool) -> Sequence[GrantView]:
        grants = await self._store.grants.list(user.id if user else None, client_id)
        if not ended:
            grants = [grant for grant in grants if self._state(grant) == "active"]
        owners = {grant.user_id for grant in grants}
        names = {user.id: user.username} if user else await self._store.users.named(owners)
        clients = await self._clients({grant.client_id for grant in grants})
        issued = await self._store.grants.last_issued(user.id) if user else {}
        return [self._view(grant, names, clients, issued) for grant in grants]

    async def page(
        self,
        actor: Actor,
        username: str | None = None,
        client_id: str = "",
        *,
        ended: bool = False,
        after: str = "",
        limit: int = 100,
    ) -> Sequence[GrantView]:
        """Up to ``limit`` by id, those after the id ``after``: there may be far more than fit into memory."""
        user = None
        if username is not None:
            user = await self._whom(actor, "grants:read", username, own=True)
        else:
            self._may(actor, "grants:read")
        query = GrantQuery(
            after=after, limit=limit, user_id=user.id if user else "", client_id=client_id, ended=ended
        )
        grants = await self._store.grants.page(query, self._now())
        names = await self._store.users.named({grant.user_id for grant in grants})
        clients = await self._clients({grant.client_id for grant in grants})
        return [self._view(grant, names, clients, {}) for grant in grants]

    async def show(self, actor: Actor, grant_id: str) -> GrantView:
        self._may(actor, "grants:read")
        found = await self._store.grants.with_parties(grant_id)
        if found is None:
            raise NotFound(f"there is no grant {grant_id}; `gatekit grants list` shows which there are")
        grant, user, client = found
        names = {user.id: user.username} if user else {}
        return self._view(grant, names, {client.id: client} if client else {}, {})

    async def revoke(self, actor: Actor, grant_id: str) -> GrantView:
        """Revoke one."""
        self._may(actor, "grants:write")
        grant = await self._store.grants.get(grant_id)
        user = await self._store.users.get(grant.user_id) if grant is not None else None
        if grant is None or user is None:
            raise NotFound(f"there is no grant {grant_id}; `gatekit grants list` shows which there are")
        await self._outranks(actor, "grants:write", user)
        clients = await self._clients({grant.client_id})
        issued = await self._store.grants.last_issued(user.id)
        view = self._view(grant, {user.id: user.username}, clients, issued)
        if not await self._revoke(actor, view):
            raise Conflict(f"the grant {grant_id} was revoked already")
        return view

    async def revoke_all(
        self, actor: Actor, username: str | None = None, client_id: str | None = None
    ) -> Sequence[GrantView]:
        """Revoke all of a person, of a client, or of a person with a client; return those that it ended.

        The approval is forgotten as well: the next sign-in asks again.
        """
        if username is None and client_id is None:
            raise InvalidInput("say whose grants: of a person, of a client, or both")
        user = None
        if username is not None:
            user = await self._whom(actor, "grants:write", username, own=True)
        else:
            self._may(actor, "grants:write")
        views = await self._list(user, client_id, ended=False)
        return [view for view in views if await self._revoke(actor, view)]

    async def _clients(self, wanted: Collection[str]) -> Mapping[str, Client]:
        store = self._store.clients
        if len(wanted) > _FEW:
            return {row.id: row for row in await store.list()}
        return {name: row for name in wanted if (row := await store.get(name)) is not None}

    def _view(
        self,
        grant: Grant,
        names: Mapping[str, str],
        clients: Mapping[str, Client],
        issued: Mapping[str, int],
    ) -> GrantView:
        client = clients.get(grant.client_id)
        document = client is not None and client.source == "document"
        return GrantView(
            grant,
            names.get(grant.user_id, grant.user_id),
            client.name if client else grant.client_id,
            self._state(grant),
            urlsplit(grant.client_id).netloc if document else "",
            max(grant.created_at, issued.get(grant.id, 0)),
        )

    def _state(self, grant: Grant) -> Literal["active", "expired", "revoked"]:
        if grant.revoked_at is not None:
            return "revoked"
        return "expired" if grant.expires_at <= self._now() else "active"

    async def _revoke(self, actor: Actor, view: GrantView) -> bool:
        grant = view.grant
        reason = OWN_REASON if actor.id == grant.user_id else REASON
        if not await self._store.grants.revoke(grant.id, self._now(), reason):
            return False
        # Without this the client would be let in again without a question, which is not what was meant.
        await self._store.transactions.forget_consents(grant.user_id, grant.client_id)
        before = words(user=view.username, client=grant.client_id, resources=",".join(grant.resources))
        await self._record(actor, "grant.revoke", grant.id, before=before, after="revoked")
        return True
