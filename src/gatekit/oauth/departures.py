"""Somebody's provider says that they are gone: what they were granted over it ends here.

Two ways to learn it: the provider says so by itself (``provider_logout``), or it is asked again when a client
refreshes (``Rechecks``). A provider that cannot be asked has said nothing, and nobody loses anything by it
(checklist F7).
"""

from __future__ import annotations

import logging

from gatekit.errors import PageProblem, ProviderFailed, SignInRefused, VaultError
from gatekit.identity.ports import UPSTREAM, Recheck
from gatekit.model.audit import SignOut, TokenEvent
from gatekit.model.oauth import Grant
from gatekit.model.people import BrowserSession, Identity, User
from gatekit.oauth.browser import START_AGAIN
from gatekit.oauth.core import Core

log = logging.getLogger("gatekit.oauth")


async def depart(core: Core, user: User, connection: str, reason: str, *, until: float = float("inf")) -> int:
    """End the browser sessions and the grants of the person that came over ``connection``; return how many
    grants. Recorded first. Grants from before it was kept how their person had signed in end with them.
    ``until``: of when the provider speaks; who signed in after it has not left.

    Raises ``AuditUnavailable``, ``StoreError``.
    """
    reason = f"{reason} ({connection})"
    event = SignOut(at=core.at(), principal_id=user.id, principal=user.username, reason=reason)
    await core.services.audit.write(event)
    now = core.now()
    for session in await core.store.browser_sessions.list(user.id, now):
        if session.connection == connection and session.auth_time <= until:
            await core.store.browser_sessions.end(session.token_hash, now)
    ended = 0
    for grant in await core.store.grants.list(user.id):
        concerned = grant.connection in ("", connection) and grant.auth_time <= until
        if concerned and grant.revoked_at is None and grant.expires_at > now:
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


async def stays(core: Core, session: BrowserSession, grant: Grant) -> None:
    """Ask once more after ``grant`` was added: who left between the click and the row was not found there by
    ``depart``, which ends sessions first and looks at grants then.

    Raises ``PageProblem`` after the grant was taken back, ``StoreError``, ``AuditUnavailable``.
    """
    now = core.now()
    if await core.store.browser_sessions.get(session.token_hash, now) is None:
        reason = "signed out meanwhile"
        await core.store.grants.revoke(grant.id, now, reason)
        await core.services.audit.write(
            TokenEvent(
                at=core.at(),
                principal_id=grant.user_id,
                client_id=grant.client_id,
                action="revoked",
                grant_id=grant.id,
                reason=reason,
            )
        )
        raise PageProblem(403, "You were signed out meanwhile", "Nothing was connected.", START_AGAIN)


class Rechecks:
    """Asks, at refresh, the provider over which a grant came whether its person still counts."""

    def __init__(self, core: Core) -> None:
        self._core = core

    async def refused(self, user: User, connection: str) -> str:
        """Why the person is gone; empty if they are not, or nobody could say. Ends what came over
        ``connection`` (empty, from before it was kept: over the person's home).

        Raises ``AuditUnavailable``, ``StoreError``.
        """
        connection = connection or user.connection
        whom = self._core.services.recheck(connection)
        if whom is None:
            return ""
        provider, every = whom
        identities = await self._core.store.identities.of_user(user.id)
        known = [one for one in identities if one.connection == connection and one.upstream_sealed]
        if not known:
            return ""
        # One question for all clients, replicas and copies: two at once would use one refresh token of the
        # provider twice, which looks like theft there.
        now = self._core.now()
        name = f"{user.id}\0{connection}"
        if not await self._core.store.replays.first("recheck", name, now + max(1, int(every)), now):
            return ""
        try:
            await self._ask(provider, known[0])
        except SignInRefused as no:
            await depart(self._core, user, connection, "the identity provider says no")
            return no.detail or "the identity provider says no"
        except (ProviderFailed, VaultError) as failed:
            detail = getattr(failed, "detail", "") or str(failed)
            log.warning("not asked again person=%s connection=%s: %s", user.id, connection, detail)
        return ""

    async def _ask(self, provider: Recheck, known: Identity) -> None:
        """Raises ``SignInRefused``, ``ProviderFailed``, ``VaultError``."""
        identity = await provider.ask_again(self._core.services.vault.open(known.upstream_sealed, UPSTREAM))
        if (identity.issuer, identity.subject) != (known.issuer, known.subject):
            raise ProviderFailed("", f"{known.connection}: the answer is about somebody else")
        # The rules of the connection and the lists are asked again as well, with what is true there today.
        await self._core.services.mapping.admit(identity)
