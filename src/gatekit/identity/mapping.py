"""From what a provider asserted to a stored person.

The key is (connection, issuer, subject) and nothing else (checklist F1): logins are renamed and given to
other people, e-mail addresses are typed in by anybody. Another account of the same person is added to it only
as ``linking`` allows. What a connection asks of everybody who comes over it stands in ``rules``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from gatekit.errors import Conflict, ProviderFailed, SignInRefused
from gatekit.identity import rules as judging
from gatekit.identity.directory import as_principal
from gatekit.identity.linking import Rules, linked, to_link
from gatekit.identity.names import username_candidates
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import PROVISIONED, ExternalIdentity, Membership, Principal, Role, User
from gatekit.model.ports import Clock, Entropy
from gatekit.store.people_ports import Groups, Identities, Users

DISABLED = "Your account here is disabled. Ask whoever runs this gateway."


class Provisioned(Protocol):
    """People whom a provider wrote here before they came (SCIM)."""

    async def claim(self, identity: ExternalIdentity) -> User | None:
        """Add the sign-in to the one provisioned person whom it fits; None if there is not exactly one."""
        ...


class Mapping:
    """Finds, creates and refreshes people at sign-in."""

    def __init__(
        self,
        users: Users,
        groups: Groups,
        identities: Identities,
        *,
        clock: Clock,
        entropy: Entropy,
        admits: Callable[[Principal], bool],
        forget: Callable[[str], None] = lambda _: None,
        rules: Rules = lambda _: ConnectionRules(),
        seal: Callable[[str], str] = lambda _: "",
        provisioned: Provisioned | None = None,
        role: Callable[[Principal], Role] = lambda _: "member",
    ) -> None:
        """``admits`` is the gateway-wide gate; ``forget`` hears the id of each person that changed; ``rules``
        gives those of a connection now; ``seal`` makes what a provider needs to be asked again storable;
        ``role`` is what the file makes of somebody."""
        self._rules = rules
        self._seal = seal
        self._provisioned = provisioned
        self._role = role
        self._users = users
        self._groups = groups
        self._identities = identities
        self._clock = clock
        self._entropy = entropy
        self._admits = admits
        self._forget = forget

    async def admit(self, identity: ExternalIdentity) -> User:
        """The stored person, created at the first sign-in and refreshed at every one.

        Raises ``SignInRefused`` (disabled, not admitted; a stranger leaves no row), ``StoreError``.
        """
        if identity.issuer == PROVISIONED:  # ours: it would be whoever has not come yet
            raise _not_let_in(identity, f"no provider is called {PROVISIONED}")
        rules = self._rules(identity.connection)
        judged = judging.apply(identity, rules)
        if isinstance(judged, judging.NotAdmitted):
            raise _not_let_in(identity, judged.reason)
        identity = judged.identity
        known = await self._find(identity)
        if known is None:
            known = await self._newcomer(identity, rules)
        if known.disabled:
            raise SignInRefused(DISABLED, f"user {known.username} is disabled")
        user = await self._refresh(known, identity)
        if not self._admits(await self._principal(user)):
            raise self._not_admitted(identity)
        return user

    async def _principal(self, user: User) -> Principal:
        return as_principal(
            user,
            await self._groups.of_user(user.id),
            await self._identities.of_user(user.id),
            self._rules,
        )

    async def _powerful(self, user: User) -> bool:
        """Whether the file lets them change others; what the row says was asked before (checklist F2)."""
        return self._role(await self._principal(user)) in ("admin", "owner")

    async def _find(self, identity: ExternalIdentity) -> User | None:
        return await self._users.by_identity(identity.connection, identity.issuer, identity.subject)

    async def _newcomer(self, identity: ExternalIdentity, rules: ConnectionRules) -> User:
        """Somebody who was never seen over this connection: provisioned, known otherwise, or new."""
        if self._provisioned is not None and rules.provisioning is not None:
            claimed = await self._provisioned.claim(identity)
            if claimed is not None:
                return claimed
        if rules.link:
            user = await to_link(identity, self._users, self._identities, self._rules)
            if user is not None and not await self._powerful(user):
                if user.disabled:
                    raise SignInRefused(DISABLED, f"user {user.username} is disabled")
                try:
                    await self._identities.add(linked(identity, user, int(self._clock.now())))
                except Conflict:  # another sign-in of the same person was faster
                    return await self._find(identity) or user
                return user
        if not rules.create:
            raise _not_let_in(identity, "nobody new comes in over this connection (`create: false`)")
        return await self._create(identity)

    async def _refresh(self, known: User, identity: ExternalIdentity) -> User:
        """Write what the provider says now, also of somebody who is then not admitted: the organisation they
        left must not keep opening doors through tokens they still have.

        The person's row holds what the provider at home says, and no other.
        """
        now = int(self._clock.now())
        user = _with_facts(known, identity) if identity.connection == known.connection else known
        if user != known:
            user = msgspec.structs.replace(user, updated_at=now)
            await self._users.refresh(user)
        await self._note(identity, now)
        asserted = sorted(identity.provider_groups)
        memberships = await self._groups.of_user(user.id)
        if asserted != sorted(m.group for m in memberships if m.source == identity.connection):
            await self._groups.replace_provider_groups(user.id, identity.connection, asserted)
        self._forget(user.id)
        return user

    async def _note(self, identity: ExternalIdentity, now: int) -> None:
        key = (identity.connection, identity.issuer, identity.subject)
        known = await self._identities.find(*key)
        if known is None:  # removed in this moment
            return
        current = msgspec.structs.replace(
            known,
            login=identity.login,
            email=identity.email,
            email_verified=_verified(identity),
            upstream_sealed=self._seal(identity.upstream) if identity.upstream else known.upstream_sealed,
        )
        if current != known:
            await self._identities.update(msgspec.structs.replace(current, last_seen_at=now))
        else:
            await self._identities.seen(*key, now)

    async def _create(self, identity: ExternalIdentity) -> User:
        user_id = self._entropy.ident("usr_")
        now = int(self._clock.now())
        for username in username_candidates(identity.login, identity.connection):
            user = _with_facts(
                User(
                    id=user_id,
                    connection=identity.connection,
                    issuer=identity.issuer,
                    subject=identity.subject,
                    username=username,
                    created_at=now,
                    updated_at=now,
                ),
                identity,
            )
            asserted = [
                Membership(user_id=user_id, group=name, source=user.connection)
                for name in identity.provider_groups
            ]
            if not self._admits(as_principal(user, asserted, (), self._rules)):
                raise self._not_admitted(identity)
            if await self._users.by_username(username) is not None:
                continue
            try:
                await self._users.add(user)
            except Conflict:
                # Either a second sign-in of the same newcomer won (use its row) or the name was taken.
                if (winner := await self._find(identity)) is not None:
                    return winner
                continue
            return user
        raise ProviderFailed(
            "No free username could be found for you here.", f"no free username for {identity.login!r}"
        )

    def _not_admitted(self, identity: ExternalIdentity) -> SignInRefused:
        return SignInRefused(
            f"You are signed in as {identity.login[:100]}, but nobody has given you access here yet. "
            "Ask whoever runs this gateway to add you.",
            f"{identity.connection}:{identity.login} ({identity.subject}) is not admitted by the policy",
        )


def _not_let_in(identity: ExternalIdentity, reason: str) -> SignInRefused:
    return SignInRefused(
        f"You are signed in as {identity.login[:100]}, but this gateway does not let you in: {reason}. "
        "Ask whoever runs it.",
        f"{identity.connection}:{identity.login} ({identity.subject}): {reason}",
    )


def _with_facts(user: User, identity: ExternalIdentity) -> User:
    """The row with everything that the provider may change. The username stays: the audit knows it."""
    return msgspec.structs.replace(
        user,
        login=identity.login,
        email=identity.email,
        email_verified=_verified(identity),
        display_name=identity.display_name,
    )


def _verified(identity: ExternalIdentity) -> bool:
    return identity.email is not None and identity.email_verified
