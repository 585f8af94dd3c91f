"""OpenID Connect Back-Channel Logout: relying parties are told when a browser session has ended.

What is owed stands in the store: a session that ends, wherever and in whichever process, makes its rows due
in the same transaction. Here they are taken, one by one process each, and delivered. Nobody waits for it: who
signs out is signed out, whether or not a relying party answers.
"""

from __future__ import annotations

import asyncio
import logging

from gatekit.errors import OutboundRefused
from gatekit.model.oauth import Client, RelyingSession
from gatekit.oauth.core import Core
from gatekit.oauth.relying import Relying, registered_uris, sign_in_only, signed_with

log = logging.getLogger("gatekit.backchannel")

POLL_SECONDS = 3.0
"""Sessions end in other processes, too."""
AGAIN_SECONDS = 30
MAX_ATTEMPTS = 5
AT_ONCE = 8
LOGOUT_TOKEN_LIFETIME = 120
EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Notices:
    """Delivers what is owed. ``run`` it as one background task."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._relying = Relying(core)
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something has become due in this process."""
        self._woken.set()

    async def wait(self) -> None:
        """Until it is worth looking again."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return
        self._woken.clear()

    async def deliver(self) -> int:
        """Tell some of those who are due; return how many there were. Raises ``StoreError``."""
        now = self._core.now()
        rows = await self._core.store.relying_sessions.due(now, now + AGAIN_SECONDS, AT_ONCE)
        await asyncio.gather(*(self._settle(row) for row in rows))
        return len(rows)

    async def _settle(self, row: RelyingSession) -> None:
        """One relying party and one session. It stays due if the party could not be reached."""
        grant = await self._core.store.grants.get(row.grant_id)
        if grant is not None and sign_in_only(grant.scopes):
            # Back-Channel Logout §2.7: refresh tokens of the session end. A grant that opens servers as well
            # is a connected application, and stays one until the person disconnects it.
            await self._core.store.grants.revoke(grant.id, self._core.now(), "signed out")
            self._core.bearer.forget()
        client = await self._core.store.clients.get(row.client_id)
        told = client is None or client.disabled or await self._tell(client, row)
        if told or row.attempts >= MAX_ATTEMPTS:
            await self._core.store.relying_sessions.told(row.grant_id)

    async def _tell(self, client: Client, row: RelyingSession) -> bool:
        """§2.5; True if there is nothing more to do."""
        send = self._core.services.send
        uris = registered_uris(client, "backchannel_logout_uri")
        if send is None or not uris:
            return True
        token = await self.logout_token(client, row)
        try:
            status = await send(uris[0], {"logout_token": token})
        except OutboundRefused as refused:
            log.warning(
                "logout not delivered client=%s attempt=%d error=%s", client.id, row.attempts, refused
            )
            return False
        if status not in (200, 204):
            log.warning("logout refused client=%s attempt=%d status=%d", client.id, row.attempts, status)
        return status < 500  # 400 is its answer (§2.8); to say the same again changes nothing

    async def logout_token(self, client: Client, row: RelyingSession) -> str:
        """§2.4: never a nonce, so that it is no id_token."""
        now = self._core.now()
        return await self._core.statements.sign(
            "logout-token",
            {
                "iss": self._core.settings.issuer,
                "sub": row.user_id,
                "aud": row.client_id,
                "iat": now,
                "exp": now + LOGOUT_TOKEN_LIFETIME,
                "jti": self._core.services.entropy.token("", 16),
                "sid": self._relying.sid(row),
                "events": {EVENT: {}},
            },
            signed_with(client),
        )
