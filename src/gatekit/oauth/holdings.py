"""Who still holds something that opens a door: a grant or an API key that is good now."""

from __future__ import annotations

from collections.abc import Collection

from gatekit.identity.standing import Upright
from gatekit.oauth.core import Core


class Holdings:
    """Asked when something was taken away, about the people for whom processes run."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def bereft(
        self, people: Collection[str], credentials: Collection[str], clients: Collection[str]
    ) -> frozenset[str]:
        """Those of ``people`` (ids) whose some of these grants, keys (ids) or clients are, and who hold
        nothing that is good any more. Raises ``StoreError``."""
        if self._core.settings.external is not None:
            return frozenset()  # people come with tokens that nobody here issued
        concerned = (await self._owners(credentials, clients)).intersection(people)
        return frozenset([user_id for user_id in concerned if not await self._holds(user_id)])

    async def _owners(self, credentials: Collection[str], clients: Collection[str]) -> set[str]:
        store = self._core.store
        owners = set()
        for ident in credentials:
            row = await store.grants.get(ident) or await store.api_keys.get(ident)
            if row is not None:
                owners.add(row.user_id)
        for client_id in clients:
            owners.update(grant.user_id for grant in await store.grants.list(client_id=client_id))
        return owners

    async def _holds(self, user_id: str) -> bool:
        core, now = self._core, self._core.now()
        for key in await core.store.api_keys.list(user_id):
            if key.revoked_at is None and key.expires_at > now:
                return isinstance(await core.standings.person(user_id, now), Upright)
        for grant in await core.store.grants.list(user_id):
            living = grant.revoked_at is None and grant.expires_at > now
            if living and isinstance(await core.standings.grant(grant.id, now), Upright):
                return True
        return False
