"""Principals from rows and memberships."""

from __future__ import annotations

import asyncio

import msgspec

from gatekit.identity.directory import Directory
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import Identity, Membership, User
from gatekit.store.people_ports import Groups, Users
from gatekit.store.sql.store import SqlStore
from tests.contract.samples import group
from tests.unit.identity.people import local


class SlowUsers:
    """The store's users, with a pause in which something else can happen."""

    def __init__(self, users: Users) -> None:
        self._users = users
        self.reading = asyncio.Event()
        self.go_on = asyncio.Event()
        self.reads = 0

    async def get(self, user_id: str) -> User | None:
        self.reads += 1
        found = await self._users.get(user_id)
        self.reading.set()
        await self.go_on.wait()
        return found


async def test_local_and_provider_groups_are_kept_apart(store: SqlStore) -> None:
    user = msgspec.structs.replace(local("octocat"), connection="github", login="octocat")
    await store.users.add(user)
    await store.groups.create(group("developers"))
    await store.groups.add(Membership(user_id=user.id, group="developers"))
    await store.groups.replace_provider_groups(user.id, "github", ["acme", "acme/platform"])
    await store.groups.replace_provider_groups(user.id, "another-connection", ["admins"])
    principal = await Directory(store.users, store.groups, store.identities).principal(user.id)
    assert principal is not None
    assert principal.groups == {"developers"}
    assert principal.provider_groups == {"acme", "acme/platform"}  # not what somebody else asserts
    assert (principal.id, principal.connection, principal.login) == (user.id, "github", "octocat")


async def test_nobody_for_unknown_and_disabled(store: SqlStore) -> None:
    await store.users.add(local("eve", disabled=True))
    directory = Directory(store.users, store.groups, store.identities)
    assert await directory.principal("usr_eve") is None
    assert await directory.principal("usr_nobody") is None


async def test_a_change_shows_after_forget(store: SqlStore) -> None:
    await store.users.add(local("alice"))
    await store.groups.create(group("developers"))
    directory = Directory(store.users, store.groups, store.identities)
    before = await directory.principal("usr_alice")
    await store.groups.add(Membership(user_id="usr_alice", group="developers"))
    assert await directory.principal("usr_alice") is before
    directory.forget("usr_alice")
    after = await directory.principal("usr_alice")
    assert after is not None
    assert after.groups == {"developers"}
    await store.users.update(local("alice", disabled=True))
    directory.forget()
    assert await directory.principal("usr_alice") is None


async def test_what_was_read_before_a_forget_is_not_kept_after_it(store: SqlStore) -> None:
    await store.users.add(local("alice"))
    slow = SlowUsers(store.users)
    users: Users = slow  # type: ignore[assignment]  # only ``get`` is asked
    groups: Groups = store.groups
    directory = Directory(users, groups, store.identities)
    reading = asyncio.create_task(directory.principal("usr_alice"))
    await slow.reading.wait()
    directory.forget("usr_alice")
    slow.go_on.set()
    assert await reading is not None
    await directory.principal("usr_alice")
    assert slow.reads == 2


async def test_memory_is_bounded(store: SqlStore) -> None:
    for name in ("a", "b", "c"):
        await store.users.add(local(name))
    directory = Directory(store.users, store.groups, store.identities, max_kept=2)
    kept = {name: await directory.principal(f"usr_{name}") for name in ("a", "b")}
    await directory.principal("usr_a")  # most recently used now
    await directory.principal("usr_c")
    assert await directory.principal("usr_a") is kept["a"]
    assert await directory.principal("usr_b") is not kept["b"]


async def test_a_linked_connection_that_is_switched_off_says_nothing(store: SqlStore) -> None:
    """F2: neither its groups nor its logins open anything, and the person stays who they are at home."""
    user = msgspec.structs.replace(local("ada"), connection="okta", issuer="i", login="ada")
    await store.users.add(user)
    other = Identity(
        user_id=user.id, connection="github", issuer="g", subject="1", login="octo-ada", created_at=1
    )
    await store.identities.add(other)
    await store.groups.replace_provider_groups(user.id, "github", ["acme"])
    await store.groups.replace_provider_groups(user.id, "okta", ["staff"])
    rules = {"github": ConnectionRules(), "okta": ConnectionRules()}
    directory = Directory(store.users, store.groups, store.identities, rules=rules.__getitem__)
    before = await directory.principal(user.id)
    assert before is not None
    assert before.linked_groups == {("github", "acme")}
    assert ("github", "octo-ada") in before.logins
    rules["github"] = ConnectionRules(enabled=False)
    directory.forget()
    after = await directory.principal(user.id)
    assert after is not None
    assert after.linked_groups == frozenset()
    assert after.logins == {("okta", "ada")}
    assert after.provider_groups == {"staff"}
