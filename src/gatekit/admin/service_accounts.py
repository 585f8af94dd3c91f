"""Service accounts: principals that are programs, with API keys and without a sign-in.

A client that gets tokens for itself stands in the file (``client:NAME``); a service account is for programs
that can only send a key.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from gatekit.admin.desk import Actor, Desk, words
from gatekit.errors import InvalidInput, NotFound
from gatekit.model.people import SERVICE_ACCOUNT, Membership, PeopleQuery, User, service_account_name

MAX_LISTED = 10_000

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")


class ServiceAccountView(Struct, frozen=True):
    user: User
    groups: tuple[str, ...]
    keys: int
    """API keys that are good now."""


class ServiceAccounts(Desk):
    """Every method that changes something raises ``AdminError``, ``StoreError`` or ``AuditUnavailable``.

    To disable, enable or delete one, or to give it keys: ``People`` and ``Keys``, by its username
    (``service:NAME``).
    """

    async def create(self, actor: Actor, name: str, *, title: str = "", groups: Sequence[str] = ()) -> User:
        """An account that no key opens yet, as a member of existing groups."""
        self._may(actor, "people:write")
        if not _NAME.fullmatch(name):
            raise InvalidInput(
                f"{name!r} cannot be a service account: lower case letters, digits and . _ -, at most 48"
            )
        if len(title) > 200 or not title.isprintable():
            raise InvalidInput("a title is at most 200 printable characters")
        for group in groups:
            self._gives_group(actor, group)
            if await self._store.groups.get(group) is None:
                raise NotFound(f"there is no group {group}; `gatekit groups create {group}` makes it")
        ident, now = self._entropy.ident("usr_"), self._now()
        user = User(
            id=ident,
            connection=SERVICE_ACCOUNT,
            issuer=SERVICE_ACCOUNT,
            subject=ident,
            username=service_account_name(name),
            login=name,
            display_name=title,
            created_at=now,
            updated_at=now,
        )
        await self._gives(actor, user)
        await self._store.users.add(user)
        for group in groups:
            await self._store.groups.add(Membership(user_id=ident, group=group))
        after = words(id=ident, title=title, groups=",".join(groups))
        await self._record(actor, "service_account.create", user.username, after=after)
        return user

    async def list(self, actor: Actor) -> Sequence[ServiceAccountView]:
        """By name."""
        self._may(actor, "people:read")
        now = self._now()
        found = []
        for user in await self._store.users.page(PeopleQuery(connection=SERVICE_ACCOUNT, limit=MAX_LISTED)):
            keys = await self._store.api_keys.list(user.id)
            good = sum(key.revoked_at is None and key.expires_at > now for key in keys)
            groups = tuple(membership.group for membership in await self._store.groups.of_user(user.id))
            found.append(ServiceAccountView(user, groups, good))
        return found
