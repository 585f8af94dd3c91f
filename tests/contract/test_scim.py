from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from gatekit.errors import Conflict, NotFound, Outpaced
from gatekit.model.people import PROVISIONED, Identity, Membership, User
from gatekit.model.provisioning import Account, Provisioned, SavedGroup, ScimToken, is_live
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, group, user


async def entries(store: Store, after: int = 0) -> list[str]:
    return (await store.changes.since(after))[1]


def person(name: str, connection: str = "okta") -> User:
    ident = f"usr_{name}"
    return replace(
        user(name),
        id=ident,
        connection=connection,
        issuer=PROVISIONED,
        subject=ident,
        login=name,
        username=name,
    )


def account(name: str, connection: str = "okta", **more: object) -> Account:
    made = Account(
        user_id=f"usr_{name}",
        connection=connection,
        user_name=name.title(),
        user_key=name,
        body='{"title": "x"}',
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **more)


async def test_an_account_comes_back_as_stored_and_to_its_connection_only(store: Store) -> None:
    ada, stored = person("ada"), account("ada", external_id="00u1", active=False, held=True)
    await store.accounts.add(ada, stored)
    both = Provisioned(ada, stored)
    assert await store.accounts.get("okta", ada.id) == both
    assert await store.accounts.by_user_key("okta", "ada") == both
    assert await store.accounts.by_external_id("okta", "00u1") == [both]
    assert await store.accounts.page("okta", "", 0, 10) == [both]
    assert await store.accounts.count("okta") == 1
    assert await store.users.get(ada.id) == ada
    assert [each.issuer for each in await store.identities.of_user(ada.id)] == [PROVISIONED]
    assert await entries(store) == ["user:usr_ada"]
    assert await store.accounts.get("entra", ada.id) is None
    assert await store.accounts.by_user_key("entra", "ada") is None
    assert await store.accounts.by_external_id("entra", "00u1") == []
    assert await store.accounts.page("entra", "", 0, 10) == []
    assert await store.accounts.count("entra") == 0


async def test_names_are_taken_once_in_a_connection(store: Store) -> None:
    await store.accounts.add(person("ada"), account("ada"))
    with pytest.raises(Conflict, match="okta has provisioned"):
        await store.accounts.add(person("bob"), account("bob", user_key="ada"))
    assert await store.users.get("usr_bob") is None
    with pytest.raises(Conflict, match="person called ada"):
        await store.accounts.add(replace(person("eve"), username="ada"), account("eve"))
    await store.accounts.add(person("bob", "entra"), account("bob", "entra", user_key="ada"))


async def test_saving_is_a_swap(store: Store) -> None:
    ada = person("ada")
    await store.accounts.add(ada, account("ada"))
    before = Provisioned(ada, account("ada"))
    newer = account("ada", version=2, user_key="ada2")
    await store.accounts.save(before, replace(ada, disabled=True), newer)
    after = Provisioned(replace(ada, disabled=True), newer)
    assert await store.accounts.get("okta", ada.id) == Provisioned(replace(ada, disabled=True), newer)
    assert (await entries(store)) == ["user:usr_ada"] * 2
    with pytest.raises(Outpaced):
        await store.accounts.save(before, ada, account("ada", version=2))
    with pytest.raises(NotFound):
        await store.accounts.save(after, ada, account("ada", "entra"))
    with pytest.raises(Outpaced):  # the account is as it was, the person is not
        await store.accounts.save(Provisioned(ada, newer), ada, account("ada", version=3))
    await store.accounts.add(person("bob"), account("bob"))
    with pytest.raises(Conflict, match="okta has provisioned"):
        await store.accounts.save(after, ada, account("ada", user_key="bob", version=3))
    assert (await store.accounts.get("okta", ada.id)) == Provisioned(replace(ada, disabled=True), newer)


async def test_of_two_who_save_at_once_one_wins(store: Store) -> None:
    ada = person("ada")
    await store.accounts.add(ada, account("ada"))
    tries = [
        store.accounts.save(Provisioned(ada, account("ada")), ada, account("ada", version=2, user_name=name))
        for name in ("A", "B", "C")
    ]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Outpaced", "Outpaced"]


async def test_the_last_owner_stays(store: Store) -> None:
    ada = replace(person("ada"), role="owner")
    await store.accounts.add(ada, account("ada"))
    with pytest.raises(Conflict, match="last owner"):
        await store.accounts.save(
            Provisioned(ada, account("ada")),
            replace(ada, disabled=True),
            account("ada", version=2, active=False),
        )
    assert (await store.accounts.get("okta", ada.id)) == Provisioned(ada, account("ada"))
    with pytest.raises(Conflict, match="last owner"):
        await store.accounts.delete("okta", ada.id, None)


async def test_deleting(store: Store) -> None:
    ada = person("ada")
    await store.accounts.add(ada, account("ada"))
    with pytest.raises(NotFound):
        await store.accounts.delete("entra", ada.id, None)
    with pytest.raises(Conflict):
        await store.accounts.delete("okta", ada.id, 7)
    await store.accounts.delete("okta", ada.id, 1)
    assert await store.users.get(ada.id) is None
    assert await store.accounts.get("okta", ada.id) is None
    with pytest.raises(NotFound):
        await store.accounts.delete("okta", ada.id, None)


async def test_whoever_is_at_home_elsewhere_meanwhile_is_no_business_of_the_connection(store: Store) -> None:
    ada = person("ada")
    await store.accounts.add(ada, account("ada"))
    moved = Identity(
        user_id=ada.id, connection="entra", issuer="https://entra.example", subject="s", created_at=NOW
    )
    await store.identities.add(moved)
    await store.identities.settle(moved)
    assert await store.accounts.get("okta", ada.id) is None
    assert await store.accounts.page("okta", "", 0, 9) == []
    with pytest.raises(NotFound):
        await store.accounts.save(Provisioned(ada, account("ada")), ada, account("ada", version=2))
    with pytest.raises(NotFound):
        await store.accounts.delete("okta", ada.id, None)


async def test_pages(store: Store) -> None:
    for name in "abcde":
        await store.accounts.add(person(name), account(name))
    idents = [each.user.id for each in await store.accounts.page("okta", "", 1, 2)]
    assert idents == ["usr_b", "usr_c"]
    assert [each.user.id for each in await store.accounts.page("okta", "usr_c", 0, 9)] == ["usr_d", "usr_e"]


async def test_who_came_by_signing_in_has_no_account_until_adopted(store: Store) -> None:
    ada = replace(person("ada"), issuer="https://okta.example", subject="00u1", login="Ada@X")
    await store.users.add(ada)
    await store.users.add(person("bob", "entra"))
    assert await store.accounts.without("okta", 10) == [ada]
    assert await store.accounts.without("okta", 10, login="ada@x") == [ada]
    assert await store.accounts.without("okta", 10, login="ada") == []
    assert await store.accounts.without("okta", 10, user_id=ada.id) == [ada]
    assert await store.accounts.without("okta", 10, user_id="usr_bob") == []
    assert await store.accounts.adopt(account("ada"))
    assert not await store.accounts.adopt(account("ada"))
    assert await store.accounts.without("okta", 10) == []


# -- the first sign-in -------------------------------------------------------------------------------------


def identity(name: str, subject: str = "00u1") -> Identity:
    return Identity(
        user_id=f"usr_{name}",
        connection="okta",
        issuer="https://okta.example",
        subject=subject,
        created_at=LATER,
    )


async def test_whoever_has_not_signed_in_yet_can_be_claimed_once(store: Store) -> None:
    await store.accounts.add(person("ada"), account("ada", external_id="00u1"))
    await store.accounts.add(person("bob"), account("bob"))

    async def open_ones(external_id: str, *keys: str) -> list[str]:
        return [each.user.id for each in await store.accounts.unclaimed("okta", external_id, keys)]

    assert await open_ones("00u1") == ["usr_ada"]
    assert await open_ones("", "bob", "ada") == ["usr_ada", "usr_bob"]
    assert await open_ones("") == []
    assert await store.accounts.unclaimed("entra", "00u1", ["ada"]) == []
    tries = [store.accounts.claim(identity("ada", subject), LATER) for subject in ("00u1", "00u2")]
    assert sorted(await asyncio.gather(*tries)) == [False, True]
    claimed = await store.users.get("usr_ada")
    assert claimed is not None
    assert claimed.issuer == "https://okta.example"
    ways = await store.identities.of_user("usr_ada")
    assert [(each.issuer, each.subject) for each in ways] == [("https://okta.example", claimed.subject)]
    assert await open_ones("00u1", "ada") == []
    assert not await store.accounts.claim(replace(identity("bob", "x"), connection="entra"), LATER)


# -- groups ------------------------------------------------------------------------------------------------


async def test_groups_and_their_members(store: Store) -> None:
    for name in ("ada", "bob"):
        await store.accounts.add(person(name), account(name))
    await store.accounts.add(person("eve", "entra"), account("eve", "entra"))
    dev = group("Dev", id="g1", source="okta", external_id="x")
    before = len(await entries(store))
    await store.scim_groups.add(dev, ["usr_ada"])
    assert sorted((await entries(store))[before:]) == ["group:Dev", "user:usr_ada"]
    found = await store.scim_groups.get("okta", "g1")
    assert found is not None
    assert (found.group, found.version) == (dev, 1)
    assert await store.scim_groups.by_name("okta", "Dev") == found
    assert await store.scim_groups.by_external_id("okta", "x") == [found]
    assert await store.scim_groups.page("okta", "", 0, 5) == [found]
    assert await store.scim_groups.members("okta", "Dev") == ["usr_ada"]
    assert await store.scim_groups.of_users("okta", ["usr_ada", "usr_bob"]) == {"usr_ada": [dev]}
    assert await store.groups.of_user("usr_ada") == [
        Membership(user_id="usr_ada", group="Dev", source="okta")
    ]
    assert await store.scim_groups.save(
        dev, 1, join=["usr_bob"], leave=["usr_ada", "usr_none"]
    ) == SavedGroup(2, ("usr_bob",), ("usr_ada",))
    assert await store.scim_groups.members("okta", "Dev") == ["usr_bob"]
    with pytest.raises(Conflict):
        await store.scim_groups.save(dev, 1)
    later = replace(dev, updated_at=LATER)
    assert await store.scim_groups.save(later, 2, join=["usr_bob"], leave=["usr_ada"]) == SavedGroup(2)
    for stranger in ("usr_eve", "usr_none"):
        with pytest.raises(NotFound):
            await store.scim_groups.save(replace(dev, name="Other"), 2, join=[stranger])
    assert await store.scim_groups.by_name("okta", "Other") is None
    assert await store.scim_groups.save(replace(dev, name="Ops"), None) == SavedGroup(3)
    assert await store.scim_groups.members("okta", "Ops") == ["usr_bob"]
    with pytest.raises(Conflict):
        await store.scim_groups.add(group("Ops", id="g2", source="okta"), [])
    with pytest.raises(Conflict):
        await store.scim_groups.delete("okta", "g1", 1)
    with pytest.raises(NotFound):
        await store.scim_groups.delete("entra", "g1", None)
    assert await store.scim_groups.get("entra", "g1") is None
    assert await store.scim_groups.count("okta") == 1
    await store.scim_groups.delete("okta", "g1", 3)
    assert await store.scim_groups.count("okta") == 0
    assert await store.groups.of_user("usr_bob") == []


async def test_a_sign_in_leaves_provisioned_groups_alone(store: Store) -> None:
    await store.accounts.add(person("ada"), account("ada"))
    await store.groups.replace_provider_groups("usr_ada", "okta", ["Dev", "Ops", "New"])
    await store.scim_groups.add(group("Dev", id="g1", source="okta"), [])
    await store.scim_groups.add(group("Sre", id="g2", source="okta"), ["usr_ada"])
    await store.scim_groups.save(group("New", id="g1", source="okta"), 1)

    async def names() -> list[str]:
        return [each.group for each in await store.groups.of_user("usr_ada")]

    assert await names() == ["Ops", "Sre"]
    await store.groups.replace_provider_groups("usr_ada", "okta", ["New", "Web"])
    assert await names() == ["Sre", "Web"]


# -- tokens ------------------------------------------------------------------------------------------------


async def test_tokens(store: Store) -> None:
    one = ScimToken(id="s1", connection="okta", token_hash="h1", hint="abcd", created_at=NOW)
    two = ScimToken(
        id="s2", connection="entra", token_hash="h2", hint="efgh", created_at=NOW, expires_at=LATER
    )
    for token in (one, two):
        await store.scim_tokens.add(token)
    assert await store.scim_tokens.by_hash("h1") == one
    assert await store.scim_tokens.by_hash("h3") is None
    assert await store.scim_tokens.list() == [one, two]
    assert await store.scim_tokens.list("entra") == [two]
    await store.scim_tokens.used("s1", LATER)
    assert await store.scim_tokens.revoke("s1", LATER)
    assert not await store.scim_tokens.revoke("s1", LATER)
    ended = await store.scim_tokens.by_hash("h1")
    assert ended is not None
    assert (ended.revoked_at, ended.last_used_at) == (LATER, LATER)
    assert [is_live(token, NOW) for token in (one, two, ended)] == [True, True, False]
    assert not is_live(two, LATER)
