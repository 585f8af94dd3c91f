from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.errors import Conflict, NotFound
from gatekit.model.people import Identity, Membership, PeopleQuery, PersonWrite
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, group, identity, session, user


@pytest.fixture
async def alice(store: Store) -> Store:
    await store.users.add(user(email="a@example.com", email_verified=True))
    return store


async def entries(store: Store, after: int = 0) -> list[str]:
    return (await store.changes.since(after))[1]


HOME = Identity(
    user_id="usr_alice",
    connection="local",
    issuer="local",
    subject="usr_alice",
    email="a@example.com",
    email_verified=True,
    created_at=NOW,
)


# -- ways of signing in ------------------------------------------------------------------------------------


async def test_everybody_has_the_identity_they_were_made_with(alice: Store) -> None:
    assert await alice.identities.of_user("usr_alice") == [HOME]
    assert await alice.identities.find("local", "local", "usr_alice") == HOME
    assert await alice.identities.find("local", "local", "x") is None


async def test_a_linked_identity_finds_the_same_person(alice: Store) -> None:
    start, _ = await alice.changes.since(0)
    linked = identity(email="o@example.com", upstream_sealed="sealed", created_at=LATER)
    await alice.identities.add(linked)
    assert await alice.identities.of_user("usr_alice") == [HOME, linked]
    found = await alice.users.by_identity("github", "https://github.com", "583231")
    assert found == await alice.users.get("usr_alice")
    changed = replace(linked, login="monalisa", email=None, email_verified=True, last_seen_at=LATER)
    await alice.identities.update(changed)
    assert await alice.identities.find("github", "https://github.com", "583231") == changed
    assert await entries(alice, start) == ["user:usr_alice"] * 2
    await alice.identities.seen("github", "https://github.com", "583231", LATER + 1)
    assert await entries(alice, start) == ["user:usr_alice"] * 2
    await alice.identities.remove(linked)
    assert await alice.identities.of_user("usr_alice") == [HOME]
    assert await alice.users.by_identity("github", "https://github.com", "583231") is None
    for missing in (alice.identities.remove(linked), alice.identities.update(linked)):
        with pytest.raises(NotFound):
            await missing


async def test_an_identity_belongs_to_one_person(alice: Store) -> None:
    await alice.users.add(user("bob"))
    await alice.identities.add(identity())
    with pytest.raises(Conflict, match="octocat of github"):
        await alice.identities.add(identity(user_id="usr_bob"))
    with pytest.raises(Conflict):
        await alice.users.add(user("eve", connection="github", issuer="https://github.com", subject="583231"))
    assert await alice.users.by_username("eve") is None
    with pytest.raises(NotFound):
        await alice.identities.update(identity(user_id="usr_bob"))
    with pytest.raises(NotFound):
        await alice.identities.remove(identity(user_id="usr_bob"))
    with pytest.raises(NotFound):
        await alice.identities.add(identity("2", user_id="usr_x"))


async def test_somebody_moves_home(alice: Store) -> None:
    linked = identity(email="o@example.com")
    await alice.identities.add(linked)
    with pytest.raises(Conflict, match="at home"):
        await alice.identities.remove(HOME)
    with pytest.raises(NotFound):
        await alice.identities.settle(identity("other"))
    await alice.identities.settle(linked)
    moved = await alice.users.get("usr_alice")
    assert moved is not None
    assert (moved.connection, moved.issuer, moved.subject) == ("github", "https://github.com", "583231")
    assert (moved.login, moved.email, moved.email_verified) == ("octocat", "o@example.com", False)
    await alice.identities.remove(HOME)
    assert await alice.identities.of_user("usr_alice") == [linked]


async def test_identities_go_with_their_person(alice: Store) -> None:
    await alice.identities.add(identity())
    await alice.users.delete("usr_alice")
    assert await alice.identities.find("github", "https://github.com", "583231") is None
    await alice.users.add(user("bob", connection="github", issuer="https://github.com", subject="583231"))


async def test_browser_sessions_are_found_by_what_the_provider_calls_them(alice: Store) -> None:
    there = session("one", connection="okta", provider_session="sid-1")
    await alice.browser_sessions.add(there)
    await alice.browser_sessions.add(session("two", connection="entra", provider_session="sid-1"))
    await alice.browser_sessions.add(session("three"))
    assert await alice.browser_sessions.of_provider("okta", "sid-1") == [there]
    await alice.browser_sessions.end("one", NOW)
    assert await alice.browser_sessions.of_provider("okta", "sid-1") == []


# -- the last owner ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", [{"role": "admin"}, {"disabled": True}, None], ids=str)
async def test_the_last_owner_stays(store: Store, change: dict[str, Any] | None) -> None:
    owner, other = user(role="owner"), user("bob", role="owner")

    async def leave() -> None:
        await (
            store.users.delete(owner.id) if change is None else store.users.update(replace(owner, **change))
        )

    await store.users.add(owner)
    await store.users.add(replace(other, disabled=True))
    await store.users.add(user("ci", connection="service", role="owner"))
    with pytest.raises(Conflict, match="last owner"):
        await leave()
    assert await store.users.get(owner.id) == owner
    await store.users.update(other)
    await leave()


async def test_two_owners_cannot_remove_each_other(store: Store) -> None:
    for name in ("alice", "bob"):
        await store.users.add(user(name, role="owner"))
    done = await asyncio.gather(
        *(store.users.update(user(name, role="member")) for name in ("alice", "bob")), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "NoneType"]


async def test_without_an_owner_nothing_is_in_the_way(alice: Store) -> None:
    await alice.users.update(user(disabled=True))
    await alice.users.delete("usr_alice")


# -- many people -------------------------------------------------------------------------------------------


async def test_people_come_in_pages(store: Store) -> None:
    for name in "cdbea":
        await store.users.add(user(name))
    first = await store.users.page(PeopleQuery(limit=2))
    second = await store.users.page(PeopleQuery(limit=2, after=first[-1].username))
    last = await store.users.page(PeopleQuery(limit=2, after=second[-1].username))
    assert [row.username for row in (*first, *second, *last)] == list("abcde")
    assert await store.users.count(PeopleQuery(limit=2, after="c")) == 5


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"text": "LICE"}, ["alice"]),
        ({"text": "example.com"}, ["alice"]),
        ({"text": "%"}, ["100%"]),
        ({"text": "_"}, []),
        ({"connection": "okta"}, ["bob"]),
        ({"role": "owner"}, ["bob"]),
        ({"disabled": True}, ["carol"]),
        ({"disabled": False}, ["100%", "alice", "bob"]),
        ({"group": "dev"}, ["alice"]),
        ({"group": "dev", "source": "okta"}, ["bob"]),
        ({"connection": "okta", "disabled": True}, []),
    ],
    ids=str,
)
async def test_people_are_found(store: Store, query: dict[str, Any], names: list[str]) -> None:
    await store.users.add(user(email="a@Example.com"))
    await store.users.add(user("bob", connection="okta", role="owner"))
    await store.users.add(user("carol", disabled=True))
    await store.users.add(user("100%"))
    await store.groups.create(group())
    await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    await store.groups.replace_provider_groups("usr_bob", "okta", ["dev"])
    found = await store.users.page(PeopleQuery(**query))
    assert [row.username for row in found] == names
    assert await store.users.count(PeopleQuery(**query)) == len(names)


async def test_names_of_many_at_once(store: Store) -> None:
    await store.users.add(user())
    wanted = [f"usr_{number}" for number in range(1200)]
    assert await store.users.named([*wanted, "usr_alice"]) == {"usr_alice": "alice"}
    assert await store.users.named([]) == {}


async def test_many_are_written_as_a_whole(alice: Store) -> None:
    await alice.groups.create(group())
    await alice.groups.replace_provider_groups("usr_alice", "okta", ["x"])
    batch = [
        PersonWrite(user=user(display_name="Alice"), groups=("dev",)),
        PersonWrite(user=user("bob"), new=True, groups=("dev",)),
        PersonWrite(user=user("carol"), new=True),
    ]
    await alice.users.write(batch)
    assert [row.username for row in await alice.users.list()] == ["alice", "bob", "carol"]
    assert [m.user_id for m in await alice.groups.members("dev", "local")] == ["usr_alice", "usr_bob"]
    assert len(await alice.groups.of_user("usr_alice")) == 2, "what a provider says stays"
    start, _ = await alice.changes.since(0)
    await alice.users.write([PersonWrite(user=user("bob"), groups=())])
    assert await alice.groups.of_user("usr_bob") == []
    assert set(await entries(alice, start)) == {"user:usr_bob"}
    for wrong, error in (
        (PersonWrite(user=user("alice", id="usr_2", subject="2"), new=True), Conflict),
        (PersonWrite(user=user("bob"), groups=("nowhere",)), NotFound),
        (PersonWrite(user=user("nobody")), NotFound),
    ):
        with pytest.raises(error):
            await alice.users.write([PersonWrite(user=user("dave"), new=True), wrong])
        assert await alice.users.by_username("dave") is None


async def test_an_owner_may_follow_another_in_one_batch(store: Store) -> None:
    for name, role in (("alice", "owner"), ("bob", "member")):
        await store.users.add(user(name, role=role))
    with pytest.raises(Conflict, match="last owner"):
        await store.users.write([PersonWrite(user=user())])
    await store.users.write([PersonWrite(user=user()), PersonWrite(user=user("bob", role="owner"))])
    assert [row.role for row in await store.users.list()] == ["member", "owner"]
