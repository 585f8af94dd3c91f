from __future__ import annotations

import pytest
from msgspec.structs import replace

from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.people import Membership
from gatekit.store.ports import Store
from tests.contract.samples import (
    LATER,
    NOW,
    api_key,
    client,
    code,
    consent,
    grant,
    group,
    invite,
    refresh,
    session,
    transaction,
    user,
)


async def entries(store: Store, after: int = 0) -> list[str]:
    return (await store.changes.since(after))[1]


async def test_a_person_comes_back_as_stored(store: Store) -> None:
    alice = user(email="a@example.com", email_verified=True, display_name="Алиса 🐈", last_seen_at=3)
    await store.users.add(alice, "argon2-hash")
    assert await store.users.get(alice.id) == alice
    assert await store.users.by_username("alice") == alice
    assert await store.users.by_identity("local", "local", "usr_alice") == alice
    assert await store.users.password_hash(alice.id) == "argon2-hash"
    assert await entries(store) == ["user:usr_alice"]


async def test_nobody_is_none(store: Store) -> None:
    assert await store.users.get("usr_x") is None
    assert await store.users.by_username("x") is None
    assert await store.users.by_identity("github", "https://github.com", "1") is None
    assert await store.users.password_hash("usr_x") is None
    assert await store.users.list() == []


async def test_people_are_listed_by_username(store: Store) -> None:
    for name in ("carol", "alice", "bob"):
        await store.users.add(user(name))
    assert [row.username for row in await store.users.list()] == ["alice", "bob", "carol"]


@pytest.mark.parametrize(
    "second",
    [
        user("alice", id="usr_2", subject="other"),
        user("bob", id="usr_2", subject="usr_alice"),
        user("bob", id="usr_alice", subject="other"),
    ],
    ids=["username", "identity", "id"],
)
async def test_a_second_of_the_same_name_or_identity_is_a_conflict(store: Store, second: object) -> None:
    await store.users.add(user())
    with pytest.raises(Conflict):
        await store.users.add(second)  # type: ignore[arg-type]
    assert len(await store.users.list()) == 1
    assert await entries(store) == ["user:usr_alice"]


async def test_update_replaces_all_but_the_password(store: Store) -> None:
    await store.users.add(user(), "hash")
    changed = user(username="alina", disabled=True, email="b@example.com", updated_at=LATER)
    await store.users.update(changed)
    assert await store.users.get("usr_alice") == changed
    assert await store.users.password_hash("usr_alice") == "hash"
    assert await entries(store) == ["user:usr_alice"] * 2


async def test_update_of_nobody_and_to_a_taken_name(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.users.update(user())
    await store.users.add(user())
    await store.users.add(user("bob"))
    with pytest.raises(Conflict, match="bob"):
        await store.users.update(user(username="bob"))
    assert await store.users.get("usr_alice") == user()


async def test_password_and_last_sign_in(store: Store) -> None:
    await store.users.add(user())
    assert await store.users.password_hash("usr_alice") is None
    await store.users.set_password("usr_alice", "new", LATER)
    before, _ = await store.changes.since(0)
    await store.users.seen("usr_alice", LATER + 1)
    assert await store.users.password_hash("usr_alice") == "new"
    assert await store.users.get("usr_alice") == user(updated_at=LATER, last_seen_at=LATER + 1)
    assert await entries(store, before) == []
    with pytest.raises(NotFound):
        await store.users.set_password("usr_x", "new", LATER)


async def test_text_that_is_not_unicode_is_refused(store: Store) -> None:
    with pytest.raises(InvalidInput):
        await store.users.add(user(display_name="\ud800"))
    await store.users.add(user(display_name="null \0 and quote ' and :name"))
    assert (await store.users.list())[0].display_name == "null \0 and quote ' and :name"


async def test_deleting_a_person_removes_what_hangs_on_them(store: Store) -> None:
    await store.users.add(user())
    await store.users.add(user("bob"))
    await store.clients.add(client())
    await store.groups.create(group("dev"))
    await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    await store.invites.add(invite())
    await store.browser_sessions.add(session())
    await store.grants.approve(grant(), code())
    await store.grants.redeem("code-1", NOW, refresh())
    await store.grants.approve(grant("grt_2", user_id="usr_bob"), code("code-2", grant_id="grt_2"))
    await store.api_keys.add(api_key())
    await store.transactions.add(transaction(user_id="usr_alice"))
    await store.transactions.remember_consent(consent())
    newest, _ = await store.changes.since(0)

    await store.users.delete("usr_alice")

    assert sorted(await entries(store, newest)) == ["grant:grt_1", "key:key_1", "user:usr_alice"]
    assert await store.users.get("usr_alice") is None
    assert await store.groups.members("dev") == []
    assert await store.invites.get("inv-1", NOW) is None
    assert await store.browser_sessions.get("bs-1", NOW) is None
    assert await store.grants.code("code-1") is None
    assert await store.grants.refresh_token("rt-1") is None
    assert await store.api_keys.list() == []
    assert await store.transactions.get("txn-1", NOW) is None
    wanted = consent()
    assert (
        await store.transactions.consent(
            wanted.user_id, wanted.client_id, wanted.redirect_uri, wanted.scopes, wanted.resources
        )
        is None
    )
    assert [row.id for row in await store.grants.list()] == ["grt_2"]
    assert await store.grants.code("code-2") is not None
    with pytest.raises(NotFound):
        await store.users.delete("usr_alice")


# -- groups ------------------------------------------------------------------------------------------------


async def test_groups_are_made_and_removed(store: Store) -> None:
    await store.groups.create(group("sre"))
    await store.groups.create(group("dev"))
    assert await store.groups.names() == ["dev", "sre"]
    with pytest.raises(Conflict, match="dev"):
        await store.groups.create(group("dev"))
    await store.groups.delete("dev")
    assert await store.groups.names() == ["sre"]
    with pytest.raises(NotFound, match="dev"):
        await store.groups.delete("dev")


async def test_members_come_and_go(store: Store) -> None:
    await store.users.add(user())
    await store.groups.create(group("dev"))
    start, _ = await store.changes.since(0)
    member = Membership(user_id="usr_alice", group="dev")
    await store.groups.add(member)
    await store.groups.add(member)
    assert await store.groups.members("dev") == [member]
    assert await store.groups.of_user("usr_alice") == [member]
    assert await entries(store, start) == ["user:usr_alice"], "doing it again changes nothing"
    assert await store.groups.remove(member) is True
    assert await store.groups.remove(member) is False
    assert await store.groups.of_user("usr_alice") == []
    assert await entries(store, start) == ["user:usr_alice"] * 2


async def test_only_existing_groups_and_people_are_joined(store: Store) -> None:
    await store.users.add(user())
    with pytest.raises(NotFound, match="dev"):
        await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    await store.groups.create(group("dev"))
    with pytest.raises(NotFound):
        await store.groups.add(Membership(user_id="usr_x", group="dev"))


async def test_what_a_provider_asserts_is_kept_apart(store: Store) -> None:
    await store.users.add(user())
    await store.groups.create(group("acme"))
    local = Membership(user_id="usr_alice", group="acme")
    await store.groups.add(local)
    await store.groups.replace_provider_groups("usr_alice", "github", ["acme", "acme/web"])
    start, _ = await store.changes.since(0)
    await store.groups.replace_provider_groups("usr_alice", "github", ["acme/web", "acme", "acme"])
    assert await entries(store, start) == [], "the same groups in another order are no change"
    await store.groups.replace_provider_groups("usr_alice", "github", ["acme/ops"])
    assert await entries(store, start) == ["user:usr_alice"]
    asserted = Membership(user_id="usr_alice", group="acme/ops", source="github")
    assert await store.groups.of_user("usr_alice") == [local, asserted]
    await store.groups.delete("acme")
    assert await store.groups.of_user("usr_alice") == [asserted]


async def test_deleting_a_group_tells_of_its_members(store: Store) -> None:
    for name in ("alice", "bob"):
        await store.users.add(user(name))
    await store.groups.create(group("dev"))
    await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    start, _ = await store.changes.since(0)
    await store.groups.delete("dev")
    assert await entries(store, start) == ["user:usr_alice", "group:dev"]


# -- invites -----------------------------------------------------------------------------------------------


async def test_an_invite_works_once_and_in_time(store: Store) -> None:
    await store.users.add(user())
    await store.invites.add(invite())
    assert await store.invites.get("inv-1", NOW) == invite()
    assert await store.invites.get("inv-1", LATER) is None
    assert await store.invites.consume("inv-1", LATER) is None
    used = await store.invites.consume("inv-1", NOW)
    assert used is not None
    assert used.user_id == "usr_alice"
    assert await store.invites.consume("inv-1", NOW) is None
    assert await store.invites.get("inv-1", NOW) is None


async def test_a_new_invite_ends_the_older_one_of_that_person(store: Store) -> None:
    await store.users.add(user())
    await store.users.add(user("bob"))
    await store.invites.add(invite("old"))
    await store.invites.add(invite("bobs", user_id="usr_bob"))
    await store.invites.add(invite("new"))
    assert await store.invites.get("old", NOW) is None
    assert await store.invites.get("new", NOW) is not None
    assert await store.invites.get("bobs", NOW) is not None


async def test_what_a_provider_says_does_not_undo_what_was_done_meanwhile(store: Store) -> None:
    """F3: Somebody is disabled, or given a role, between the moments in which a sign-in reads and writes."""
    read = user("alice", connection="okta", login="alice")
    await store.users.add(read)
    await store.users.update(replace(read, disabled=True, role="admin"))
    said = replace(
        read, login="al", email="a@x.example", email_verified=True, display_name="Al", updated_at=LATER
    )
    await store.users.refresh(said)
    assert await store.users.get(read.id) == replace(said, disabled=True, role="admin")
    with pytest.raises(NotFound):
        await store.users.refresh(user("bob"))


async def test_people_by_their_address(store: Store) -> None:
    """Case folds in ASCII only, and nothing in it is a wild card."""
    for number, email in enumerate(("Ada@Example.com", "ada@example.com", "xada@example.com", None)):
        await store.users.add(user(f"ada{number}", email=email))
    found = await store.users.by_email("ADA@example.COM", 10)
    assert [one.username for one in found] == ["ada0", "ada1"]
    assert len(await store.users.by_email("ada@example.com", 1)) == 1
    for stranger in ("%", "_da@example.com", "\u212ada@example.com", ""):
        assert await store.users.by_email(stranger, 10) == []
