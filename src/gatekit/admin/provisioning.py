"""People as their provider provisions them (SCIM): make, change, deactivate, remove, find.

A connection reaches the people whose home it is, and nobody else: not those of other connections, no local
accounts, no service accounts. Who came by signing in before provisioning began belongs to it as well, and
gets an account of theirs the first time the provider asks.

``active: false`` disables the person at once, and everything that hangs on them with it; ``true`` after it
gives back, unless an administrator here had disabled them before. A provider that says ``true`` all the time
does not undo what an administrator did.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatekit.admin.desk import Actor, Desk, words
from gatekit.admin.scim_search import Found, Question, search
from gatekit.errors import (
    Conflict,
    NotFound,
    Outpaced,
    ScimError,
    ScimForbidden,
    ScimStale,
    ScimTaken,
    ScimUnknown,
)
from gatekit.identity.names import username_candidates
from gatekit.identity.scim.patch import Operation, patched
from gatekit.identity.scim.records import (
    account_of,
    address,
    adopted,
    facts,
    folded,
    is_name,
    stored,
    user_resource,
    with_groups,
)
from gatekit.identity.scim.schema import USERS, Kind
from gatekit.model.people import PROVISIONED, User
from gatekit.model.provisioning import Account, Provisioned

Resource = dict[str, Any]

TRIES = 3
"""How often a change is begun anew because somebody else was faster."""


class Provider(Struct, frozen=True):
    """Who provisions: a connection, at the door it came through."""

    actor: Actor
    connection: str
    base: str
    """Address under which its resources lie, without a slash at the end."""


class ProvisionedPeople(Desk):
    """Raises ``ScimError``, ``Forbidden``, ``StoreError`` or ``AuditUnavailable``."""

    async def create(self, provider: Provider, resource: Resource) -> Resource:
        self._may(provider.actor, "people:write")
        if await self._by_name(provider.connection, str(resource["userName"])) is not None:
            raise ScimTaken("there is a user of that name")  # RFC 7644 §3.3
        ident, now = self._entropy.ident("usr_"), self._now()
        account = account_of(
            resource,
            Account(
                user_id=ident,
                connection=provider.connection,
                user_name="",
                user_key="",
                created_at=now,
                updated_at=now,
            ),
        )
        user = User(
            id=ident,
            connection=provider.connection,
            issuer=PROVISIONED,
            subject=ident,
            username="",
            disabled=not account.active,
            created_at=now,
            updated_at=now,
        )
        user = await self._added(facts(user, None, account, claimed=False), account)
        await self._record(provider.actor, "user.create", user.username, after=_words(user, account))
        return user_resource(Provisioned(user, account), (), provider.base)

    async def get(self, provider: Provider, ident: str, *, whole: bool = True) -> Resource:
        self._may(provider.actor, "people:read")
        return await self._shown(provider, await self._one(provider.connection, ident), whole)

    async def replace(
        self, provider: Provider, ident: str, resource: Resource, version: int | None
    ) -> Resource:
        """``version``: what it must be at (RFC 7644 §3.14); None: whatever it is."""
        return await self._changed(provider, ident, version, lambda account: account_of(resource, account))

    async def patch(
        self, provider: Provider, ident: str, operations: Sequence[Operation], version: int | None
    ) -> Resource:
        def change(account: Account) -> Account:
            return account_of(patched(USERS, stored(account), operations), account)

        return await self._changed(provider, ident, version, change)

    async def delete(self, provider: Provider, ident: str, version: int | None) -> None:
        """Remove the person and everything that hangs on them: sessions, grants, keys, memberships."""
        self._may(provider.actor, "people:write")
        found = await self._one(provider.connection, ident)
        try:
            await self._store.accounts.delete(provider.connection, ident, version)
        except NotFound:
            raise _unknown() from None
        except Outpaced:
            raise ScimStale("it is not what If-Match says any more") from None
        except Conflict as error:
            raise ScimForbidden(str(error)) from None
        before = _words(found.user, found.account)
        await self._record(provider.actor, "user.delete", found.user.username, before=before)

    async def search(self, provider: Provider, question: Question, *, whole: bool = True) -> Found:
        """``whole``: whether groups are shown."""
        self._may(provider.actor, "people:read")
        asks = "groups" in f"{question.filter} {question.sort_by}".lower()
        return await search(_People(self, provider, asks, whole), question)

    # -- one person ------------------------------------------------------------------------------------

    async def _added(self, user: User, account: Account) -> User:
        """Under a username that is free over all connections."""
        for username in username_candidates(account.user_name, account.connection):
            if await self._store.users.by_username(username) is not None:
                continue
            named = replace(user, username=username)
            try:
                await self._store.accounts.add(named, account)
            except Conflict:
                if await self._by_name(account.connection, account.user_name) is not None:
                    raise ScimTaken("there is a user of that name") from None
                continue
            return named
        raise ScimTaken("no free username could be found")

    async def _changed(
        self, provider: Provider, ident: str, version: int | None, change: Callable[[Account], Account]
    ) -> Resource:
        self._may(provider.actor, "people:write")
        for _ in range(TRIES):
            found = await self._one(provider.connection, ident)
            if version is not None and version != found.account.version:
                raise ScimStale("it is not what If-Match says any more")
            account = change(found.account)
            if account == found.account:
                return await self._shown(provider, found)
            now = self._now()
            account = _held(replace(account, version=account.version + 1, updated_at=now), found)
            user = replace(_standing(found, account), updated_at=now)
            try:
                await self._store.accounts.save(found, user, account)
            except NotFound:
                raise _unknown() from None
            except Outpaced:
                continue
            except Conflict as error:
                raise await self._refused(found, account, error) from None
            await self._follow(provider.actor, found, Provisioned(user, account))
            return await self._shown(provider, Provisioned(user, account))
        raise ScimStale("it is being changed by others; try again")

    async def _refused(self, found: Provisioned, wanted: Account, error: Conflict) -> ScimError:
        other = await self._by_name(wanted.connection, wanted.user_name)
        if other is not None and other.user.id != found.user.id:
            return ScimTaken("there is a user of that name")
        return ScimForbidden(str(error))  # the last owner

    async def _follow(self, actor: Actor, before: Provisioned, after: Provisioned) -> None:
        was, now = before.user.disabled, after.user.disabled
        if now and not was:
            await self._store.browser_sessions.end_all(after.user.id, self._now())
        action = "user.update" if was == now else "user.disable" if now else "user.enable"
        told = _words(before.user, before.account), _words(after.user, after.account)
        also = _also(before.account, after.account)
        await self._record(
            actor, action, after.user.username, told[0], f"{told[1]} changed={also}" if also else told[1]
        )

    async def _one(self, connection: str, ident: str) -> Provisioned:
        found = await self._store.accounts.get(connection, ident)
        if found is None:
            await self._adopt(await self._store.accounts.without(connection, 1, user_id=ident))
            found = await self._store.accounts.get(connection, ident)
        if found is None:
            raise _unknown()
        return found

    async def _by_name(self, connection: str, name: str) -> Provisioned | None:
        found = await self._store.accounts.by_user_key(connection, folded(name))
        if found is None:
            await self._adopt(await self._store.accounts.without(connection, 10, login=name.strip()))
            found = await self._store.accounts.by_user_key(connection, folded(name))
        return found

    async def _adopt(self, users: Sequence[User]) -> None:
        """Accounts for people who came by signing in. Two may have had one login, one after the other."""
        for user in users:
            for name in (user.login, user.email or "", user.username, user.id):
                if is_name(name) and await self._store.accounts.adopt(adopted(user, name)):
                    break

    async def _shown(self, provider: Provider, found: Provisioned, whole: bool = True) -> Resource:
        ident = found.user.id
        known = await self._store.scim_groups.of_users(provider.connection, [ident]) if whole else {}
        return user_resource(found, known.get(ident, ()), provider.base)

    # -- all of them -----------------------------------------------------------------------------------

    async def adopt_all(self, connection: str) -> None:
        newcomers: Sequence[User] = ()
        while left := await self._store.accounts.without(connection, 500):
            if left == newcomers:  # every name that they could have is taken
                return
            newcomers = left
            await self._adopt(newcomers)

    async def listed(self, provider: Provider, found: Sequence[Provisioned], groups: bool) -> list[Resource]:
        idents = [each.user.id for each in found] if groups else []
        known = await self._store.scim_groups.of_users(provider.connection, idents)
        return [user_resource(each, known.get(each.user.id, ()), provider.base) for each in found]

    async def grouped(self, provider: Provider, resources: Sequence[Resource]) -> list[Resource]:
        idents = [str(each["id"]) for each in resources]
        known = await self._store.scim_groups.of_users(provider.connection, idents)
        return [with_groups(each, known.get(str(each["id"]), ()), provider.base) for each in resources]

    async def named(self, connection: str, attribute: str, value: str) -> Sequence[Provisioned] | None:
        if attribute == "userName":
            found = await self._by_name(connection, value)
        elif attribute == "id":
            try:
                found = await self._one(connection, value)
            except ScimUnknown:
                found = None
        elif attribute == "externalId":
            return await self._store.accounts.by_external_id(connection, value)
        else:
            return None
        return [found] if found is not None else []

    async def page(self, connection: str, after: str, skip: int, limit: int) -> Sequence[Provisioned]:
        return await self._store.accounts.page(connection, after, skip, limit)

    async def count(self, connection: str) -> int:
        return await self._store.accounts.count(connection)


class _People:
    """``admin.scim_search.Source``."""

    kind: Kind = USERS
    chunk = 100

    def __init__(self, people: ProvisionedPeople, provider: Provider, asks: bool, shows: bool) -> None:
        """``asks``: the question is about groups, so they are needed to answer it."""
        self._people = people
        self._provider = provider
        self._asks = asks
        self._shows = shows
        self._complete = False

    async def named(self, attribute: str, value: str) -> Sequence[Resource] | None:
        found = await self._people.named(self._provider.connection, attribute, value)
        return None if found is None else await self._listed(found)

    async def page(self, after: str, skip: int, limit: int) -> Sequence[Resource]:
        await self._adopt()
        return await self._listed(await self._people.page(self._provider.connection, after, skip, limit))

    async def count(self) -> int:
        await self._adopt()
        return await self._people.count(self._provider.connection)

    async def completed(self, resources: Sequence[Resource]) -> Sequence[Resource]:
        if self._asks or not self._shows:
            return resources
        return await self._people.grouped(self._provider, resources)

    async def _adopt(self) -> None:
        if not self._complete:
            await self._people.adopt_all(self._provider.connection)
            self._complete = True

    async def _listed(self, found: Sequence[Provisioned]) -> list[Resource]:
        return await self._people.listed(self._provider, found, self._asks)


def _held(account: Account, before: Provisioned) -> Account:
    if before.account.active and not account.active:
        return replace(account, held=before.user.disabled)
    return account


def _standing(before: Provisioned, account: Account) -> User:
    """The person's row. Only a change of what the provider says changes whether they may come in."""
    user = facts(before.user, before.account, account, claimed=before.user.issuer != PROVISIONED)
    if account.active != before.account.active:
        user = replace(user, disabled=not account.active or account.held)
    return user


def _unknown() -> ScimUnknown:
    return ScimUnknown("there is no such user")


def _words(user: User, account: Account) -> str:
    return words(
        id=user.id,
        userName=account.user_name,
        externalId=account.external_id,
        active=str(account.active).lower(),
        email=address(stored(account)),
        disabled="true" if user.disabled else "",
    )


def _also(before: Account, after: Account) -> str:
    """Names of what changed and is not in ``_words``; the values are the provider's to know."""
    was, now = stored(before), stored(after)
    told = {"userName", "externalId", "active"}
    return ",".join(
        sorted(
            name for name in was.keys() | now.keys() if name not in told and was.get(name) != now.get(name)
        )
    )
