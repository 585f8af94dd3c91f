"""Many groups at once, out and in."""

from __future__ import annotations

import pytest

from gatekit.admin.desk import Actor
from gatekit.admin.roles import EffectiveRoles
from gatekit.admin.sheets import Format, GroupRow, read, write
from gatekit.admin.transfer_groups import GroupTransfer
from gatekit.errors import Conflict, Forbidden, InvalidInput
from gatekit.model.people import GroupRule, Membership
from gatekit.model.rules import ByGroup, Rules
from gatekit.policy.engine import Policy
from tests.contract.samples import NOW, group, user
from tests.unit.admin.conftest import Setting


@pytest.fixture
async def transfer(setting: Setting) -> GroupTransfer:
    store = setting.store
    for name in ("alice", "bob"):
        await store.users.add(user(name))
    for name in ("dev", "staff"):
        await store.groups.create(group(name))
    await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    await store.groups.replace_provider_groups("usr_alice", "okta", ["dev"])
    await store.groups.nest("staff", "dev", NOW)
    await store.groups.set_rule(GroupRule(group="dev", selectors=("okta:ada", "group:okta/a;b")), NOW)
    return GroupTransfer(*setting.parts)


async def bring(transfer: GroupTransfer, actor: Actor, text: str, form: Format = "csv") -> list[str]:
    plan = await transfer.plan(actor, read(text, form, GroupRow))
    await transfer.carry_out(actor, plan)
    return [one.action for one in plan]


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_was_taken_out_changes_nothing_when_it_comes_back(
    setting: Setting, transfer: GroupTransfer, form: Format
) -> None:
    rows = await transfer.export(setting.actor)
    assert rows[0] == GroupRow(
        name="dev", title="", members=("alice",), children=(), rule=("okta:ada", "group:okta/a;b")
    )
    assert await bring(transfer, setting.actor, write(rows, form, GroupRow), form) == ["nothing", "nothing"]
    assert setting.trail.events == []


async def test_groups_are_made_and_changed(setting: Setting, transfer: GroupTransfer) -> None:
    text = (
        "name,title,members,children,rule\n"
        "all,Everybody,,staff;web,\n"
        "web,,bob,,okta:eve\n"
        "dev,Developers,alice;bob,,\n"
        "staff,,,,\n"
    )
    assert await bring(transfer, setting.actor, text) == ["create", "create", "update", "update"]
    groups = setting.store.groups
    assert await groups.names() == ["all", "dev", "staff", "web"]
    assert await groups.nesting() == [("all", "staff"), ("all", "web")]
    assert await groups.rules() == [GroupRule(group="web", selectors=("okta:eve",))]
    assert len(await groups.members("dev", "local")) == 2
    assert len(await groups.members("dev", "okta")) == 1, "what a provider says stays"
    dev = await groups.get("dev")
    assert dev is not None
    assert (dev.id, dev.title) == ("grp_dev", "Developers")
    assert setting.trail.words() == [
        "group.create all",
        "group.create web",
        "group.update dev",
        "group.update staff",
    ]


async def test_a_column_that_is_not_there_changes_nothing(setting: Setting, transfer: GroupTransfer) -> None:
    assert await bring(transfer, setting.actor, "name\ndev\n") == ["nothing"]


async def test_two_groups_change_places(setting: Setting, transfer: GroupTransfer) -> None:
    assert await bring(transfer, setting.actor, "name,children\nstaff,\ndev,staff\n") == ["update", "update"]
    assert await setting.store.groups.nesting() == [("dev", "staff")]


async def test_every_fault_is_told_and_nothing_happens(setting: Setting, transfer: GroupTransfer) -> None:
    text = (
        "name,members,children,rule\n"
        "new,alice,,\n"
        "bad name,,,\n"
        "x1,nobody,,\n"
        "x2,,nowhere,\n"
        "x3,,,*\n"
        "x4,,,group:x4\n"
        "dev,,staff,\n"
        "new,,,\n"
    )
    with pytest.raises(InvalidInput) as caught:
        await bring(transfer, setting.actor, text)
    said = str(caught.value)
    assert sorted({int(line.split()[1].rstrip(":")) for line in said.splitlines()[1:]}) == [
        3,
        4,
        5,
        6,
        7,
        8,
        9,
    ]
    assert await setting.store.groups.names() == ["dev", "staff"]
    assert setting.trail.events == []


async def test_what_fails_while_it_is_written_leaves_nothing_half_done(
    setting: Setting, transfer: GroupTransfer
) -> None:
    plan = await transfer.plan(setting.actor, read("name\nweb\nops\n", "csv", GroupRow))
    await setting.store.groups.create(group("ops"))
    with pytest.raises(Conflict):
        await transfer.carry_out(setting.actor, plan)
    assert await setting.store.groups.get("web") is None


async def test_an_import_changes_no_group_that_makes_owners(
    setting: Setting, transfer: GroupTransfer
) -> None:
    policy = Policy.compile(Rules(roles=(("owner", (ByGroup("dev"),)),)))
    careful = GroupTransfer(*setting.parts, EffectiveRoles(setting.store, lambda: policy))
    admin = Actor("bob", "api", "usr_bob", "admin")
    for line in ("dev,alice;bob,,", "dev,,staff,", "dev,,,local:bob"):
        with pytest.raises(InvalidInput, match="owner"):
            await bring(careful, admin, f"name,members,children,rule\n{line}\n")
    assert await bring(careful, admin, "name,members\nstaff,bob\n") == ["update"]
    for somebody in (Actor("eve", "page", "usr_eve"), Actor("eve", "api", "usr_eve", "auditor")):
        with pytest.raises(Forbidden):
            await bring(careful, somebody, "name\nweb\n")
    with pytest.raises(Forbidden):
        await transfer.export(Actor("eve", "page", "usr_eve"))
    assert await careful.export(Actor("eve", "api", "usr_eve", "auditor"))
