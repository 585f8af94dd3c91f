from __future__ import annotations

import asyncio

import pytest

from gatekit.errors import Conflict, InvalidInput, NotFound
from gatekit.model.people import GroupQuery, GroupRule, Membership
from gatekit.store.ports import Store
from tests.contract.samples import LATER, NOW, group, user


async def entries(store: Store, after: int = 0) -> list[str]:
    return (await store.changes.since(after))[1]


@pytest.fixture
async def family(store: Store) -> Store:
    for name in ("alice", "bob"):
        await store.users.add(user(name))
    for name in ("staff", "dev", "web"):
        await store.groups.create(group(name))
    return store


async def test_a_group_comes_back_as_stored(store: Store) -> None:
    ours, theirs = group("Engineering"), group("Engineering", id="g2", source="okta", external_id="00g1")
    await store.groups.create(ours)
    await store.groups.create(theirs)
    assert await store.groups.get("Engineering") == await store.groups.by_id(ours.id) == ours
    assert await store.groups.get("Engineering", "okta") == theirs
    assert await store.groups.list() == [ours, theirs]
    assert await store.groups.list("okta") == [theirs]
    assert await store.groups.names() == ["Engineering"]
    assert await store.groups.get("x") is await store.groups.by_id("x") is None
    assert await entries(store) == ["group:Engineering"] * 2
    with pytest.raises(Conflict, match="Engineering"):
        await store.groups.create(group("Engineering", id="g3", source="okta"))


async def test_members_of_two_sources_are_kept_apart(family: Store) -> None:
    for source in ("local", "okta"):
        await family.groups.add(Membership(user_id="usr_alice", group="dev", source=source))
    await family.groups.add(Membership(user_id="usr_bob", group="dev"))
    assert len(await family.groups.members("dev")) == 3
    assert [m.user_id for m in await family.groups.members("dev", "okta")] == ["usr_alice"]
    assert await family.groups.sizes() == {("local", "dev"): 2, ("okta", "dev"): 1}
    await family.groups.delete("dev")
    assert [m.source for m in await family.groups.members("dev")] == ["okta"]


async def test_a_group_of_a_provider_is_renamed_with_its_members(family: Store) -> None:
    theirs = group("Eng", id="g2", source="okta")
    await family.groups.create(theirs)
    await family.groups.add(Membership(user_id="usr_alice", group="Eng", source="okta"))
    start, _ = await family.changes.since(0)
    renamed = group("Engineering", id="g2", source="okta", title="E", updated_at=LATER)
    await family.groups.update(renamed)
    assert await family.groups.by_id("g2") == renamed
    assert await family.groups.members("Eng") == []
    assert [m.user_id for m in await family.groups.members("Engineering", "okta")] == ["usr_alice"]
    assert sorted(await entries(family, start)) == ["group:Engineering", "user:usr_alice"]
    with pytest.raises(NotFound):
        await family.groups.update(group("x", id="gx"))
    with pytest.raises(InvalidInput):
        await family.groups.update(group("web", id="grp_dev"))
    with pytest.raises(InvalidInput):
        await family.groups.update(group("dev", source="okta"))
    await family.groups.create(group("Ops", id="g3", source="okta"))
    with pytest.raises(Conflict):
        await family.groups.update(group("Ops", id="g2", source="okta"))


async def test_the_members_of_a_group_are_replaced(family: Store) -> None:
    await family.groups.set_members("dev", "local", ["usr_alice", "usr_alice"])
    start, _ = await family.changes.since(0)
    await family.groups.set_members("dev", "local", ["usr_bob"])
    assert [m.user_id for m in await family.groups.members("dev")] == ["usr_bob"]
    assert await entries(family, start) == ["user:usr_alice", "user:usr_bob"]
    with pytest.raises(NotFound):
        await family.groups.set_members("dev", "local", ["usr_alice", "usr_x"])
    assert [m.user_id for m in await family.groups.members("dev")] == ["usr_bob"], "all or nothing"
    with pytest.raises(NotFound):
        await family.groups.set_members("x", "local", [])
    await family.groups.set_members("x", "okta", ["usr_bob"])
    assert len(await family.groups.members("x", "okta")) == 1


async def test_groups_are_nested(family: Store) -> None:
    start, _ = await family.changes.since(0)
    assert await family.groups.nest("staff", "dev", NOW) is True
    assert await family.groups.nest("staff", "dev", NOW) is False
    assert await family.groups.nest("dev", "web", NOW) is True
    assert await family.groups.nesting() == [("dev", "web"), ("staff", "dev")]
    assert await entries(family, start) == ["group:staff", "group:dev"]
    for parent, child in (("web", "staff"), ("dev", "dev"), ("web", "dev")):
        with pytest.raises(Conflict):
            await family.groups.nest(parent, child, NOW)
    for parent, child in (("x", "dev"), ("dev", "x")):
        with pytest.raises(NotFound):
            await family.groups.nest(parent, child, NOW)
    assert await family.groups.unnest("dev", "web") is True
    assert await family.groups.unnest("dev", "web") is False
    assert await family.groups.nest("web", "staff", NOW) is True


async def test_of_two_that_would_make_a_circle_one_is_nested(family: Store) -> None:
    done = await asyncio.gather(
        family.groups.nest("staff", "dev", NOW),
        family.groups.nest("dev", "staff", NOW),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in done) == ["Conflict", "bool"]
    assert len(await family.groups.nesting()) == 1


async def test_a_deleted_group_leaves_nothing_behind(family: Store) -> None:
    await family.groups.nest("staff", "dev", NOW)
    await family.groups.nest("dev", "web", NOW)
    await family.groups.set_rule(GroupRule(group="dev", selectors=("okta:ada",)), NOW)
    await family.groups.delete("dev")
    await family.groups.create(group("dev"))
    assert await family.groups.nesting() == []
    assert await family.groups.rules() == []


async def test_a_rule_is_replaced_and_ends(family: Store) -> None:
    rule = GroupRule(group="dev", selectors=("okta:ada", "group:okta/Engineering"))
    start, _ = await family.changes.since(0)
    await family.groups.set_rule(rule, NOW)
    await family.groups.set_rule(GroupRule(group="web", selectors=("*",)), NOW)
    assert await family.groups.rules() == [rule, GroupRule(group="web", selectors=("*",))]
    await family.groups.set_rule(GroupRule(group="web", selectors=()), LATER)
    assert await family.groups.rules() == [rule]
    assert await entries(family, start) == ["group:dev", "group:web", "group:web"]
    with pytest.raises(NotFound):
        await family.groups.set_rule(GroupRule(group="x", selectors=("*",)), NOW)


async def test_groups_come_in_pages_ours_first(family: Store) -> None:
    """Those that a provider only names are among them; what is searched is letters, not a pattern."""
    await family.groups.create(group("Eng", id="g2", source="okta", title="Engine_ers 100%"))
    for source, name in (("local", "dev"), ("okta", "Eng"), ("github", "acme"), ("okta", "zed")):
        await family.groups.add(Membership(user_id="usr_alice", group=name, source=source))
    await family.groups.add(Membership(user_id="usr_bob", group="dev"))
    found: list[tuple[str, str, int]] = []
    after = ("", "")
    while lines := await family.groups.page(GroupQuery(after=after, limit=2)):
        assert len(lines) <= 2
        found += [(line.source, line.name, line.size) for line in lines]
        after = (lines[-1].source, lines[-1].name)
    assert found == [
        *(("local", "dev", 2), ("local", "staff", 0), ("local", "web", 0)),
        *(("github", "acme", 1), ("okta", "Eng", 1), ("okta", "zed", 1)),
    ]
    by_title = await family.groups.page(GroupQuery(text="E_ERS 100%"))
    assert [(line.name, line.title) for line in by_title] == [("Eng", "Engine_ers 100%")]
    assert [line.name for line in await family.groups.page(GroupQuery(text="%"))] == ["Eng"]
    assert await family.groups.size("dev", "local") == 2
    assert await family.groups.size("dev", "okta") == 0
