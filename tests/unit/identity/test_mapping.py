"""From provider assertion to stored person (checklist F1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gatekit.errors import SignInRefused
from gatekit.identity.mapping import Mapping
from gatekit.identity.names import canonical_username, username_candidates
from gatekit.model.people import ExternalIdentity, Principal
from gatekit.platform.clock import SystemEntropy
from gatekit.store.sql.store import SqlStore
from tests.support.clock import ManualClock
from tests.unit.identity.people import from_github, local

Gate = Callable[[Principal], bool]


def everybody(_: Principal) -> bool:
    return True


def mapping(store: SqlStore, admits: Gate = everybody, forgotten: list[str] | None = None) -> Mapping:
    heard: list[str] = [] if forgotten is None else forgotten
    return Mapping(
        store.users,
        store.groups,
        store.identities,
        clock=ManualClock(),
        entropy=SystemEntropy(),
        admits=admits,
        forget=heard.append,
    )


async def test_a_newcomer_is_created_with_what_github_says(store: SqlStore) -> None:
    user = await mapping(store).admit(from_github())
    assert (user.username, user.login, user.email, user.email_verified) == (
        "octocat",
        "octocat",
        "octocat@example.com",
        True,
    )
    assert await store.users.by_identity("github", "https://github.com", "583231") == user
    groups = {(m.group, m.source) for m in await store.groups.of_user(user.id)}
    assert groups == {("acme", "github"), ("acme/platform", "github")}


async def test_the_same_person_comes_back_under_a_new_login(store: SqlStore) -> None:
    forgotten: list[str] = []
    people = mapping(store, forgotten=forgotten)
    first = await people.admit(from_github())
    again = await people.admit(
        from_github(login="monalisa", email="m@example.com", provider_groups=frozenset({"other"}))
    )
    assert again.id == first.id
    assert again.username == "octocat"  # what the audit knows them by stays
    assert (again.login, again.email) == ("monalisa", "m@example.com")
    assert [m.group for m in await store.groups.of_user(first.id)] == ["other"]
    assert forgotten == [first.id, first.id]


async def test_F1_a_login_given_to_somebody_else_is_somebody_else(store: SqlStore) -> None:
    people = mapping(store)
    first = await people.admit(from_github())
    stranger = await people.admit(from_github(subject="999", email=None, provider_groups=frozenset()))
    assert stranger.id != first.id
    assert stranger.username == "octocat-github"
    assert await store.groups.of_user(stranger.id) == []


async def test_F1_github_alice_is_not_local_alice(store: SqlStore) -> None:
    """F2: GitHub's alice is not local alice."""
    await store.users.add(local("alice"), "a-password-hash")
    user = await mapping(store).admit(from_github(login="Alice"))
    assert user.username == "alice-github"
    assert user.id != "usr_alice"
    assert (await store.users.by_username("alice")) == local("alice")
    assert await store.users.password_hash(user.id) is None


@pytest.mark.parametrize(
    ("issuer", "connection"), [("https://ghe.example.com", "github"), ("https://github.com", "ghe")]
)
async def test_F1_issuer_and_connection_are_part_of_the_key(
    store: SqlStore, issuer: str, connection: str
) -> None:
    people = mapping(store)
    first = await people.admit(from_github())
    other = await people.admit(from_github(issuer=issuer, connection=connection))
    assert first.id != other.id


async def test_F1_an_equal_email_links_nobody(store: SqlStore) -> None:
    """F2: An equal email links nobody."""
    owner = msgspec.structs.replace(local("alice"), email="alice@example.com", email_verified=True)
    await store.users.add(owner)
    user = await mapping(store).admit(from_github(email="alice@example.com"))
    assert user.id != owner.id


async def test_somebody_who_is_not_admitted_leaves_no_row(store: SqlStore) -> None:
    asked: list[Principal] = []

    def nobody(principal: Principal) -> bool:
        asked.append(principal)
        return False

    with pytest.raises(SignInRefused) as refused:
        await mapping(store, nobody).admit(from_github())
    assert "octocat" in refused.value.public
    assert await store.users.list() == []
    assert asked[0].provider_groups == {"acme", "acme/platform"}  # the gate sees what GitHub asserted


async def test_leaving_the_organisation_is_noted_although_the_door_is_shut(store: SqlStore) -> None:
    def members(principal: Principal) -> bool:
        return "acme" in principal.provider_groups

    people = mapping(store, members)
    user = await people.admit(from_github())
    with pytest.raises(SignInRefused):
        await people.admit(from_github(provider_groups=frozenset()))
    assert await store.groups.of_user(user.id) == []  # so older tokens lose it as well


async def test_a_disabled_person_is_refused_and_stays_as_they_were(store: SqlStore) -> None:
    people = mapping(store)
    user = await people.admit(from_github())
    await store.users.update(msgspec.structs.replace(user, disabled=True))
    with pytest.raises(SignInRefused, match="disabled"):
        await people.admit(from_github(login="renamed"))
    stored = await store.users.get(user.id)
    assert stored is not None
    assert stored.login == "octocat"


async def test_two_first_sign_ins_at_once_make_one_person(store: SqlStore) -> None:
    people = mapping(store)
    users = await asyncio.gather(*(people.admit(from_github()) for _ in range(5)))
    assert len({user.id for user in users}) == 1
    assert len(await store.users.list()) == 1


async def test_two_newcomers_with_one_login_at_once_are_two_people(store: SqlStore) -> None:
    people = mapping(store)
    identities: list[ExternalIdentity] = [from_github(subject=str(number)) for number in range(1, 6)]
    users = await asyncio.gather(*map(people.admit, identities))
    assert len({user.username for user in users}) == 5


async def test_a_missing_email_is_never_verified(store: SqlStore) -> None:
    user = await mapping(store).admit(from_github(email=None))
    assert not user.email_verified


@pytest.mark.parametrize(
    ("written", "canonical"),
    [("Alice", "alice"), (" alice\t", "alice"), ("ÉMILE", "émile"), ("É", "é"), ("K", "k")],
)
def test_one_spelling_of_each_name(written: str, canonical: str) -> None:
    assert canonical_username(written) == canonical


@pytest.mark.parametrize(
    ("login", "first"),
    [
        ("Octo-Cat", "octo-cat"),
        ("a b/c", "a-b-c"),
        ("../../etc", "etc"),
        ("", "user"),
        ("×××", "user"),
        ("x" * 500, "x" * 40),
    ],
)
def test_names_for_newcomers(login: str, first: str) -> None:
    candidates = username_candidates(login, "github")
    assert candidates[:3] == [first, f"{first}-github", f"{first}-github-2"]
    assert len(set(candidates)) == len(candidates)
    assert all(len(name) <= 64 for name in candidates)
