"""``store.merge_ports.Merging``."""

from __future__ import annotations

import pytest

from gatekit.errors import Conflict, NotFound
from gatekit.model.people import Identity
from gatekit.store.merge_ports import Moved
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, api_key, client, grant, session, user

OKTA = {"connection": "okta", "issuer": "https://acme.okta.com", "subject": "00u1"}


async def two(store: Store) -> None:
    await store.users.add(user("ada"), "hash")
    await store.users.add(user("ada-2", **OKTA, login="ada@acme"))
    await store.clients.add(client())
    await store.grants.add(grant(user_id="usr_ada-2"))
    await store.api_keys.add(api_key(user_id="usr_ada-2"))
    await store.browser_sessions.add(session(user_id="usr_ada-2"))
    for ident, group, source in (
        ("usr_ada", "Engineering", "okta"),
        ("usr_ada-2", "Engineering", "okta"),
        ("usr_ada-2", "Sales", "okta"),
    ):
        await store.groups.replace_provider_groups(
            ident, source, [*(m.group for m in await store.groups.of_user(ident)), group]
        )


async def test_everything_of_one_is_the_others(store: Store) -> None:
    await two(store)
    before, _ = await store.changes.since(0)
    assert await store.merging.merge("usr_ada-2", "usr_ada", LATER) == Moved(1, 1, 1, 1)
    assert await store.users.get("usr_ada-2") is None
    found = await store.users.by_identity("okta", "https://acme.okta.com", "00u1")
    assert found is not None
    assert (found.id, found.connection) == ("usr_ada", "local")
    assert await store.users.password_hash("usr_ada") == "hash"
    assert [row.connection for row in await store.identities.of_user("usr_ada")] == ["local", "okta"]
    groups = {membership.group for membership in await store.groups.of_user("usr_ada")}
    assert groups == {"Engineering", "Sales"}
    assert [one.user_id for one in await store.grants.list("usr_ada", None)] == ["usr_ada"]
    assert [one.user_id for one in await store.api_keys.list("usr_ada")] == ["usr_ada"]
    assert await store.browser_sessions.list("usr_ada", NOW) == []
    (alias,) = await store.merging.aliases("usr_ada")
    assert (alias.old_id, alias.username, alias.merged_at) == ("usr_ada-2", "ada-2", LATER)
    _, changes = await store.changes.since(before)
    assert {entry.partition(":")[0] for entry in changes} == {"user", "grant", "key"}
    assert {"user:usr_ada", "user:usr_ada-2"} <= set(changes)


async def test_who_was_merged_before_goes_along(store: Store) -> None:
    await two(store)
    await store.users.add(user("ada-3", connection="github", issuer="https://github.com", subject="3"))
    await store.merging.merge("usr_ada-3", "usr_ada-2", NOW)
    await store.merging.merge("usr_ada-2", "usr_ada", LATER)
    assert [alias.old_id for alias in await store.merging.aliases("usr_ada")] == ["usr_ada-3", "usr_ada-2"]
    await store.users.delete("usr_ada")
    assert await store.merging.aliases("usr_ada") == []


async def test_what_cannot_be_one_stays_two(store: Store) -> None:
    await two(store)
    linked = Identity(user_id="usr_ada", connection="okta", issuer="x", subject="y", created_at=NOW)
    await store.identities.add(linked)
    with pytest.raises(Conflict, match="both have an identity at okta"):
        await store.merging.merge("usr_ada-2", "usr_ada", NOW)
    for pair in (("usr_ada", "usr_ada"), ("usr_none", "usr_ada"), ("usr_ada-2", "usr_none")):
        with pytest.raises(NotFound):
            await store.merging.merge(*pair, NOW)
    assert [one.user_id for one in await store.grants.list("usr_ada-2", None)] == ["usr_ada-2"]
    assert await store.merging.aliases("usr_ada") == []
