"""Somebody's provider says that they are gone: what they were granted over it ends here.

Two ways to learn it: the provider says so by itself (``provider_logout``), or it is asked again when a client
refreshes (``Rechecks``). A provider that cannot be asked has said nothing, and nobody loses anything by it
(checklist F7).
"""

from __future__ import annotations

import logging

from gatekit.errors import ProviderFailed, SignInRefused, VaultError
from gatekit.identity.ports import UPSTREAM, Recheck
from gatekit.model.audit import SignOut, TokenEvent
from gatekit.model.people import Identity, User
from gatekit.oauth.core import Core

log = logging.getLogger("gatekit.oauth")


async def depart(core: Core, user: User, connection: str, reason: str) -> int:
    """End the browser sessions that came over ``connection`` and every grant of the person; return how many
    grants. Recorded first. A grant does not say how its person had signed in, so all of them end.

    Raises ``AuditUnavailable``, ``StoreError``.
    """
    reason = f"{reason} ({connection})"
    event = SignOut(at=core.at(), principal_id=user.id, principal=user.username, reason=reason)
    await core.services.audit.write(event)
    now = core.now()
    for session in await core.store.browser_sessions.list(user.id, now):
        if session.connection == connection:
            await core.store.browser_sessions.end(session.token_hash, now)
    ended = 0
    for grant in await core.store.grants.list(user.id):
        if grant.revoked_at is None and grant.expires_at > now:
            await core.services.audit.write(
                TokenEvent(
                    at=core.at(),
                    principal_id=user.id,
                    principal=user.username,
                    client_id=grant.client_id,
                    action="revoked",
                    grant_id=grant.id,
                    reason=reason,
                )
            )
            ended += await core.store.grants.revoke(grant.id, now, reason)
    core.bearer.forget()
    return ended


class Rechecks:
    """Asks a person's own provider, at refresh, whether they still count."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def refused(self, user: User) -> str:
        """Why the person is gone; empty if they are not, or nobody could say. Ends what they had.

        Raises ``AuditUnavailable``, ``StoreError``.
        """
        whom = self._core.services.recheck(user.connection)
        if whom is None:
            return ""
        provider, every = whom
        identities = await self._core.store.identities.of_user(user.id)
        home = [one for one in identities if one.connection == user.connection and one.upstream_sealed]
        if not home:
            return ""
        # One question for all clients, replicas and copies: two at once would use one refresh token of the
        # provider twice, which looks like theft there.
        now = self._core.now()
        if not await self._core.store.replays.first("recheck", user.id, now + max(1, int(every)), now):
            return ""
        try:
            await self._ask(provider, home[0])
        except SignInRefused as no:
            await depart(self._core, user, user.connection, "the identity provider says no")
            return no.detail or "the identity provider says no"
        except (ProviderFailed, VaultError) as failed:
            detail = getattr(failed, "detail", "") or str(failed)
            log.warning("not asked again person=%s connection=%s: %s", user.id, user.connection, detail)
        return ""

    async def _ask(self, provider: Recheck, known: Identity) -> None:
        """Raises ``SignInRefused``, ``ProviderFailed``, ``VaultError``."""
        identity = await provider.ask_again(self._core.services.vault.open(known.upstream_sealed, UPSTREAM))
        if (identity.issuer, identity.subject) != (known.issuer, known.subject):
            raise ProviderFailed("", f"{known.connection}: the answer is about somebody else")
        # The rules of the connection and the lists are asked again as well, with what is true there today.
        await self._core.services.mapping.admit(identity)
