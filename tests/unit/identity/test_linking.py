"""A second way of signing in that is added to somebody by itself: when it is, and when it is not (F2)."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.errors import Conflict, SignInRefused
from gatekit.identity.mapping import Mapping
from gatekit.model.connections import ConnectionRules
from gatekit.model.people import ExternalIdentity, Principal, Role, User
from gatekit.platform.clock import SystemEntropy
from gatekit.store.sql.store import SqlStore
from tests.contract.samples import identity as row
from tests.contract.samples import user
from tests.support.clock import ManualClock

TRUSTED = ConnectionRules(link=True, trusted_domains=("example.com",))
RULES = {"okta": TRUSTED, "google": TRUSTED}


def mapping(store: SqlStore, rules: dict[str, ConnectionRules], role: Role = "member") -> Mapping:
    def of(_: Principal) -> Role:
        return role

    return Mapping(
        store.users,
        store.groups,
        store.identities,
        clock=ManualClock(),
        entropy=SystemEntropy(),
        admits=lambda _: True,
        rules=lambda name: rules.get(name, ConnectionRules()),
        role=of,
    )


def from_google(**fields: Any) -> ExternalIdentity:
    given: dict[str, Any] = {
        "connection": "google",
        "issuer": "https://accounts.google.com",
        "subject": "1",
        "login": "ada",
        "email": "Ada@example.com",
        "email_verified": True,
    }
    return ExternalIdentity(**(given | fields))


def ada(**fields: Any) -> User:
    okta = {"connection": "okta", "issuer": "https://acme.okta.com", "subject": "00u1"}
    return user(
        "ada", **({**okta, "login": "ada", "email": "ada@example.com", "email_verified": True} | fields)
    )


async def test_F2_the_same_person_gets_a_second_way_in(store: SqlStore) -> None:
    """F2: linked when both providers verified the address and both are trusted for its domain."""
    await store.users.add(ada())
    people = mapping(store, RULES)
    assert (
        await people.admit(from_google(display_name="Somebody", provider_groups=frozenset({"g"})))
    ).id == "usr_ada"
    assert (await people.admit(from_google())).id == "usr_ada"
    assert [one.connection for one in await store.identities.of_user("usr_ada")] == ["okta", "google"]
    now = await store.users.get("usr_ada")
    assert now is not None
    assert (now.connection, now.login, now.display_name) == ("okta", "ada", ""), (
        "at home the row is as it was"
    )


@pytest.mark.parametrize(
    ("person", "said", "rules"),
    [
        (ada(), from_google(email_verified=False), RULES),
        (ada(email_verified=False), from_google(), RULES),
        (ada(), from_google(), {"okta": TRUSTED}),
        (ada(), from_google(), {"google": TRUSTED}),
        (
            ada(),
            from_google(),
            RULES | {"google": ConnectionRules(link=True, trusted_domains=("other.com",))},
        ),
        (ada(), from_google(), RULES | {"okta": ConnectionRules(link=True, trusted_domains=("other.com",))}),
        (ada(), from_google(), RULES | {"google": ConnectionRules(trusted_domains=("example.com",))}),
        (ada(), from_google(email="ada@sub.example.com"), RULES),
        (ada(), from_google(email="ada@evil.com@example.com"), RULES),
        (ada(), from_google(email="xada@example.com"), RULES),
        (ada(), from_google(email=None, email_verified=True), RULES),
        (ada(role="admin"), from_google(), RULES),
        (ada(role="owner"), from_google(), RULES),
        (ada(connection="google"), from_google(), RULES),
    ],
    ids=[
        "not verified there",
        "not verified here",
        "the new connection does not link",
        "the old connection does not link",
        "the new one is not trusted for the domain",
        "the old one is not trusted for the domain",
        "trusted, but link is off",
        "a domain below",
        "two @",
        "another address that ends like it",
        "no address",
        "an admin",
        "an owner",
        "somebody else of the same connection",
    ],
)
async def test_F2_nobody_is_linked_otherwise(
    store: SqlStore, person: User, said: ExternalIdentity, rules: dict[str, ConnectionRules]
) -> None:
    """F2, F1: an address alone links nobody; whoever has it is somebody new."""
    await store.users.add(person)
    assert (await mapping(store, rules).admit(said)).id != person.id
    assert len(await store.identities.of_user(person.id)) == 1


async def test_F2_who_has_an_identity_there_gets_no_second_one(store: SqlStore) -> None:
    """F2: an address that was given to somebody else at the provider does not open the account of its first
    owner."""
    await store.users.add(ada())
    people = mapping(store, RULES)
    await people.admit(from_google())
    assert (await people.admit(from_google(subject="2"))).id != "usr_ada"


@pytest.mark.parametrize("role", ["admin", "owner"])
async def test_F2_who_has_power_by_the_file_is_not_linked(store: SqlStore, role: Role) -> None:
    """F2: nor somebody to whom the file gives a role."""
    await store.users.add(ada())
    assert (await mapping(store, RULES, role).admit(from_google())).id != "usr_ada"


async def test_F2_two_people_of_one_address(store: SqlStore) -> None:
    """F2: an address that two people have says nothing about either."""
    await store.users.add(ada())
    await store.users.add(ada(id="usr_2", username="ada2", subject="00u2"))
    assert (await mapping(store, RULES).admit(from_google())).id not in ("usr_ada", "usr_2")


async def test_F3_who_is_disabled_does_not_come_in_by_another_connection(store: SqlStore) -> None:
    """F3, F2: whoever is disabled stays out, also with a second account that would be linked."""
    await store.users.add(ada(disabled=True))
    with pytest.raises(SignInRefused, match="disabled"):
        await mapping(store, RULES).admit(from_google())
    assert len(await store.users.list()) == 1
    assert len(await store.identities.of_user("usr_ada")) == 1


async def test_F1_no_provider_speaks_for_who_has_not_come_yet(store: SqlStore) -> None:
    """F1: the issuer under which provisioned people wait is nobody's name."""
    waiting = user("ada", connection="google", issuer="scim", subject="usr_ada")
    await store.users.add(waiting)
    with pytest.raises(SignInRefused):
        await mapping(store, RULES).admit(from_google(issuer="scim", subject="usr_ada"))
    with pytest.raises(Conflict):
        await store.identities.add(row("usr_ada", connection="google", issuer="scim"))
