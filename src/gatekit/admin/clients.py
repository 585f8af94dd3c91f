"""OAuth clients: look at them, disable them, remove them. They register by themselves (``oauth``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.audit import ClientEvent
from gatekit.model.oauth import Client
from gatekit.platform.vault import token_hash

MAX_OVERLAP = 30 * 86400


class Clients(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(self, actor: Actor) -> Sequence[Client]:
        """Oldest first."""
        self._may(actor, "clients:read")
        return await self._store.clients.list()

    async def show(self, actor: Actor, client_id: str) -> Client:
        self._may(actor, "clients:read")
        return await self._client(client_id)

    async def _client(self, client_id: str) -> Client:
        client = await self._store.clients.get(client_id)
        if client is None:
            raise NotFound(f"there is no client {client_id}; `gatekit clients list` shows which there are")
        return client

    async def disable(self, actor: Actor, client_id: str) -> Client:
        """Refuse the client everywhere; nothing is lost, ``enable`` takes it back."""
        return await self._set_disabled(actor, client_id, True)

    async def enable(self, actor: Actor, client_id: str) -> Client:
        return await self._set_disabled(actor, client_id, False)

    async def delete(self, actor: Actor, client_id: str) -> Client:
        """Remove the client and all its grants; whoever uses it has to register and sign in again."""
        self._may(actor, "clients:write")
        client = await self._client(client_id)
        if client.source == "configured":
            raise Conflict(
                f"{client_id} stands in the configuration file; remove it there "
                f"(`gatekit clients disable {client_id}` refuses it at once)"
            )
        await self._store.clients.delete(client_id)
        await self._note(actor, "deleted", client)
        return client

    async def renew_secret(self, actor: Actor, client_id: str, overlap: int) -> tuple[Client, str]:
        """Give a client another secret, shown this once; the one it has is good for ``overlap`` seconds more.

        0 ends it at once, which is what to do when it leaked.
        """
        self._may(actor, "clients:write")
        client = await self._client(client_id)
        if client.source == "configured":
            raise Conflict(f"{client_id} stands in the configuration file; change its secret there")
        if client.secret_hash is None:
            raise InvalidInput(f"{client_id} has no secret ({client.auth_method})")
        if not 0 <= overlap <= MAX_OVERLAP:
            raise InvalidInput(f"an old secret may stay good for at most {MAX_OVERLAP // 86400} days")
        secret = self._entropy.token("gk_cs_")
        await self._store.clients.renew_secret(client_id, token_hash(secret), self._now() + overlap)
        await self._note(actor, "changed", client)
        return client, secret

    async def _set_disabled(self, actor: Actor, client_id: str, disabled: bool) -> Client:
        self._may(actor, "clients:write")
        client = await self._client(client_id)
        if client.disabled is not disabled:
            await self._store.clients.set_disabled(client_id, disabled)
            await self._note(actor, "disabled" if disabled else "enabled", client)
        return replace(client, disabled=disabled)

    async def _note(
        self, actor: Actor, action: Literal["changed", "disabled", "enabled", "deleted"], client: Client
    ) -> None:
        await self._audit.write(
            ClientEvent(
                at=self._clock.now(),
                principal_id=actor.id,
                principal=actor.name,
                client_id=client.id,
                client=client.name,
                action=action,
                redirect_uris=client.redirect_uris,
                reason=f"by {actor.name} ({actor.door})",
                request_id=actor.request_id,
                address=actor.address,
                credential_id=actor.credential_id,
            )
        )
