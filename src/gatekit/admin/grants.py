"""Grants: which person allowed which client what. Revoking one fells every token below it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.oauth import Grant

REASON = "revoked by an administrator"


class GrantView(Struct, frozen=True):
    grant: Grant
    username: str
    client_name: str
    state: Literal["active", "expired", "revoked"]


class Grants(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(
        self, username: str | None = None, client_id: str | None = None, *, ended: bool = False
    ) -> Sequence[GrantView]:
        """Of everybody, or of one person, one client, or both; with ``ended`` also those that are over."""
        user = await self._person(username) if username is not None else None
        grants = await self._store.grants.list(user.id if user else None, client_id)
        people = {row.id: row.username for row in await self._store.users.list()}
        clients = {row.id: row.name for row in await self._store.clients.list()}
        views = [
            GrantView(
                grant,
                people.get(grant.user_id, grant.user_id),
                clients.get(grant.client_id, grant.client_id),
                self._state(grant),
            )
            for grant in grants
        ]
        return [view for view in views if ended or view.state == "active"]

    async def revoke(self, actor: Actor, grant_id: str) -> GrantView:
        """Revoke one."""
        found = [view for view in await self.list(ended=True) if view.grant.id == grant_id]
        if not found:
            raise NotFound(f"there is no grant {grant_id}; `gatekit grants list` shows which there are")
        if not await self._revoke(actor, found[0]):
            raise Conflict(f"the grant {grant_id} was revoked already")
        return found[0]

    async def revoke_all(
        self, actor: Actor, username: str | None = None, client_id: str | None = None
    ) -> Sequence[GrantView]:
        """Revoke all of a person, of a client, or of a person with a client; return those that it ended.

        The approval is forgotten as well: the next sign-in asks again.
        """
        if username is None and client_id is None:
            raise InvalidInput("say whose grants: of a person, of a client, or both")
        return [view for view in await self.list(username, client_id) if await self._revoke(actor, view)]

    def _state(self, grant: Grant) -> Literal["active", "expired", "revoked"]:
        if grant.revoked_at is not None:
            return "revoked"
        return "expired" if grant.expires_at <= self._now() else "active"

    async def _revoke(self, actor: Actor, view: GrantView) -> bool:
        grant = view.grant
        if not await self._store.grants.revoke(grant.id, self._now(), REASON):
            return False
        # Without this the client would be let in again without a question, which is not what was meant.
        await self._store.transactions.forget_consents(grant.user_id, grant.client_id)
        before = words(user=view.username, client=grant.client_id, resources=",".join(grant.resources))
        await self._record(actor, "grant.revoke", grant.id, before=before, after="revoked")
        return True
