"""The ways in which one person signs in: look at them, add one, take one away.

What adds one at a sign-in, by itself and under conditions, is ``identity.linking``. Here somebody who may
manage people says so; whoever has that identity at the provider is that person from then on.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.people import LOCAL, PROVISIONED, SERVICE, SERVICE_ACCOUNT, Identity, User

MAX_LENGTH = 512
_NO_SIGN_IN = frozenset({LOCAL, SERVICE, SERVICE_ACCOUNT})


class Identities(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``."""

    async def list(self, actor: Actor, username: str) -> Sequence[Identity]:
        """Oldest first, without what providers need to be asked again."""
        user = await self._whom(actor, "people:read", username, own=True)
        return [replace(row, upstream_sealed="") for row in await self._store.identities.of_user(user.id)]

    async def link(
        self, actor: Actor, username: str, *, connection: str, issuer: str, subject: str, login: str = ""
    ) -> Identity:
        """Let whoever the provider calls ``subject`` sign in as this person.

        One identity at each connection: with two, nobody could say which of them left.
        """
        user = await self._whom(actor, "people:write", username)
        await self._opens_for(actor, user)
        await self._gives(actor, user)
        self._check(user, connection, issuer, subject, login)
        if any(row.connection == connection for row in await self._store.identities.of_user(user.id)):
            raise Conflict(f"{user.username} has an identity at {connection} already; unlink it first")
        identity = Identity(
            user_id=user.id,
            connection=connection,
            issuer=issuer,
            subject=subject,
            login=login,
            created_at=self._now(),
        )
        # Access lists name logins, and the file gives roles by them.
        await self._gives(actor, replace(user, connection=connection, login=login))
        await self._store.identities.add(identity)
        await self._record(actor, "user.link", user.username, after=_said(identity))
        return identity

    async def unlink(self, actor: Actor, username: str, connection: str) -> Sequence[Identity]:
        """Take away every identity of a connection; the person is signed out everywhere, and
        what they granted when they had signed in over it ends.

        If that is where they are at home, they move to another identity they have. The last one stays: who
        should not come in any more is disabled.
        """
        user = await self._whom(actor, "people:write", username)
        await self._gives(actor, user)
        rows = await self._store.identities.of_user(user.id)
        gone = [row for row in rows if row.connection == connection]
        left = [row for row in rows if row.connection != connection]
        if not gone:
            raise NotFound(f"{user.username} has no identity at {connection}")
        if not left:
            raise Conflict(f"{user.username} has no other way to sign in; disable them instead")
        if user.connection == connection:
            await self._store.identities.settle(left[0])
        for row in gone:
            await self._store.identities.remove(row)
        await self._store.groups.replace_provider_groups(user.id, connection, ())
        await self._store.browser_sessions.end_all(user.id, self._now())
        for grant in await self._store.grants.list(user.id):
            if grant.connection == connection and grant.revoked_at is None:
                await self._store.grants.revoke(grant.id, self._now(), f"unlinked from {connection}")
        before = " ".join(map(_said, gone))
        await self._record(
            actor, "user.unlink", user.username, before=before, after=words(home=left[0].connection)
        )
        return gone

    def _check(self, user: User, connection: str, issuer: str, subject: str, login: str) -> None:
        if user.connection in (SERVICE, SERVICE_ACCOUNT):
            raise InvalidInput(f"{user.username} is no person and does not sign in")
        if connection in _NO_SIGN_IN or not connection:
            raise InvalidInput(f"nobody can be linked to {connection or 'no connection'}")
        for name, text in (("issuer", issuer), ("subject", subject)):
            if not text or len(text) > MAX_LENGTH or not text.isprintable():
                raise InvalidInput(f"the {name} is 1 to {MAX_LENGTH} printable characters")
        if len(login) > MAX_LENGTH or not (login.isprintable() and login == login.strip()):
            raise InvalidInput("a login is printable characters")
        if issuer == PROVISIONED:
            raise InvalidInput(f"{PROVISIONED} is no provider's issuer")


def _said(identity: Identity) -> str:
    return words(
        connection=identity.connection, issuer=identity.issuer, subject=identity.subject, login=identity.login
    )
