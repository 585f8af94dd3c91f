"""Many people at once, out and in."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekit.admin.desk import Actor
from gatekit.admin.roles import EffectiveRoles
from gatekit.admin.sheets import Format, GroupRow, PersonRow, read, write
from gatekit.admin.transfer import Plan, Transfer
from gatekit.errors import Conflict, Forbidden, InvalidInput
from gatekit.model.people import Membership, Role
from gatekit.model.rules import ByEmail, ByGroup, ByLogin, Rules
from gatekit.policy.engine import Policy
from tests.contract.samples import NOW, group, session, user
from tests.unit.admin.conftest import Setting


@pytest.fixture
async def transfer(setting: Setting) -> Transfer:
    store = setting.store
    for name in ("dev", "sre"):
        await store.groups.create(group(name))
    await store.users.add(
        user(login="alice", email="a@example.com", email_verified=True, display_name="Alice")
    )
    await store.users.add(user("octo", connection="github", subject="1", login="octocat"))
    await store.users.add(user("service:ci", connection="service"))
    await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    await store.groups.replace_provider_groups("usr_octo", "github", ["acme"])
    return Transfer(*setting.parts)


async def bring(transfer: Transfer, actor: Actor, text: str, form: Format = "csv") -> Plan:
    plan = await transfer.plan(actor, read(text, form, PersonRow))
    await transfer.carry_out(actor, plan)
    return plan


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_what_was_taken_out_changes_nothing_when_it_comes_back(
    setting: Setting, transfer: Transfer, form: Format
) -> None:
    rows = await transfer.export(setting.actor)
    assert [row.username for row in rows] == ["alice", "octo"]
    assert rows[0].groups == ("dev",)
    assert rows[1].groups == (), "what a provider says is not ours to write down as a group"
    plan = await bring(transfer, setting.actor, write(rows, form, PersonRow), form)
    assert plan.changes() == ()
    assert setting.trail.events == []


async def test_people_are_added_changed_and_disabled(setting: Setting, transfer: Transfer) -> None:
    await setting.store.browser_sessions.add(session("bs", user_id="usr_octo"))
    plan = await bring(
        transfer,
        setting.actor,
        "username,email,display_name,role,disabled,groups\n"
        "bob,b@example.com,Bob,auditor,,dev;sre\n"
        "alice,,Alice L.,,no,sre\n"
        "octo,,,,yes,\n",
    )
    assert [(one.line, one.action) for one in plan.people] == [(2, "create"), (3, "update"), (4, "disable")]
    bob = await setting.store.users.by_username("bob")
    alice = await setting.store.users.by_username("alice")
    octo = await setting.store.users.by_username("octo")
    assert bob is not None
    assert alice is not None
    assert octo is not None
    assert (bob.email, bob.email_verified, bob.role, bob.connection) == (
        "b@example.com",
        True,
        "auditor",
        "local",
    )
    assert (alice.email, alice.email_verified, alice.display_name) == (None, False, "Alice L.")
    assert octo.disabled
    assert await setting.store.browser_sessions.get("bs", NOW) is None
    assert [m.user_id for m in await setting.store.groups.members("sre", "local")] == sorted(
        [alice.id, bob.id]
    )
    assert await setting.store.groups.members("dev", "local") == [Membership(user_id=bob.id, group="dev")]
    assert setting.trail.words() == ["user.create bob", "user.update alice", "user.disable octo"]
    assert await setting.store.identities.of_user(bob.id), "they can be linked and sign in"


async def test_a_column_that_is_not_there_changes_nothing(setting: Setting, transfer: Transfer) -> None:
    before = await setting.store.users.by_username("alice")
    plan = await bring(transfer, setting.actor, "username\nalice\n")
    assert plan.changes() == ()
    assert await setting.store.users.by_username("alice") == before


async def test_every_fault_is_told_with_its_line_and_nothing_happens(
    setting: Setting, transfer: Transfer
) -> None:
    text = (
        "username,email,groups,connection\n"
        "new,n@example.com,dev,\n"
        "UPPER,,,\n"
        "new,,,\n"
        "carol,not-an-address,,\n"
        "dave,,nowhere,\n"
        "erin,,,okta\n"
        "octo,o@example.com,,\n"
        "alice,a@example.com,dev,github\n"
    )
    with pytest.raises(InvalidInput) as caught:
        await bring(transfer, setting.actor, text)
    said = str(caught.value).splitlines()
    assert said[0] == "nothing was changed:"
    assert [line.split(":")[0] for line in said[1:]] == [f"line {number}" for number in range(3, 10)]
    assert await setting.store.users.by_username("new") is None
    assert setting.trail.events == []


async def test_what_fails_while_it_is_written_leaves_nothing_half_done(
    setting: Setting, transfer: Transfer
) -> None:
    rows = read("username,groups\nbob,dev\ncarol,sre\n", "csv", PersonRow)
    plan = await transfer.plan(setting.actor, rows)
    await setting.store.users.add(user("carol", id="usr_other", subject="other"))
    with pytest.raises(Conflict):
        await transfer.carry_out(setting.actor, plan)
    assert await setting.store.users.by_username("bob") is None
    assert setting.trail.events == []


async def test_the_last_owner_hands_over_but_does_not_go(setting: Setting, transfer: Transfer) -> None:
    await setting.store.users.add(user("boss", role="owner"))
    with pytest.raises(Conflict, match="last owner"):
        await bring(transfer, setting.actor, "username,role\nboss,member\n")
    await bring(transfer, setting.actor, "username,role\nboss,member\nalice,owner\n")
    boss = await setting.store.users.by_username("boss")
    assert boss is not None
    assert boss.role == "member"


FILE = Rules(roles=(("owner", (ByGroup("sre"), ByEmail("chief@example.com"), ByLogin("local", "root"))),))


@pytest.mark.parametrize(
    "line",
    ["alice,,admin,,", "bob,,owner,,", "boss,,member,,", "boss,,,yes,", "me,,auditor,,", "alice,,,,sre",
     "alice,chief@example.com,,,dev", "bob,Chief@example.com,,,", "root,,,,"],
)  # fmt: skip
async def test_an_import_gives_nobody_more_than_its_actor_may(setting: Setting, line: str) -> None:
    store = setting.store
    for name, role in {"alice": "member", "boss": "owner", "me": "admin", "second": "owner"}.items():
        await store.users.add(user(name, role=role))
    for name in ("dev", "sre"):
        await store.groups.create(group(name))
    policy = Policy.compile(FILE)
    careful = Transfer(*setting.parts, EffectiveRoles(store, lambda: policy))
    admin = Actor("me", "api", "usr_me", "admin")
    with pytest.raises(InvalidInput, match="line 2"):
        await bring(careful, admin, f"username,email,role,disabled,groups\n{line}\n")
    assert setting.trail.events == []


@pytest.mark.parametrize("role", ["member", "auditor"])
async def test_who_may_not_manage_people_imports_nobody(
    setting: Setting, transfer: Transfer, role: Role
) -> None:
    somebody = Actor("me", "api", "usr_me", role)
    with pytest.raises(Forbidden):
        await bring(transfer, somebody, "username\nbob\n")
    with pytest.raises(Forbidden):
        await transfer.carry_out(somebody, Plan(()))


# -- the sheets themselves ---------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12).map(str.strip)


@given(
    display_name=TEXTS,
    groups=st.lists(TEXTS.filter(bool), max_size=3).map(tuple),
    form=st.sampled_from(["csv", "json"]),
)
def test_a_sheet_is_read_as_it_was_written(display_name: str, groups: tuple[str, ...], form: Format) -> None:
    row = PersonRow(username="alice", display_name=display_name, groups=groups, disabled=True, role="admin")
    ((_, found),) = read(write([row], form, PersonRow), form, PersonRow)
    assert (found.display_name, found.groups, found.disabled, found.role) == (
        display_name,
        groups,
        True,
        "admin",
    )


@given(display_name=TEXTS, groups=st.lists(TEXTS.filter(bool), max_size=3).map(tuple))
def test_no_cell_is_a_formula(display_name: str, groups: tuple[str, ...]) -> None:
    """A name that somebody chose at a provider runs nothing in an administrator's spreadsheet."""
    row = PersonRow(username="=1+1", display_name=display_name, groups=groups)
    for cells in csv.reader(io.StringIO(write([row], "csv", PersonRow))):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


@pytest.mark.parametrize(
    ("text", "form", "why"),
    [
        ("", "csv", "names the columns"),
        ("username,colour\nbob,red\n", "csv", "names the columns"),
        ("username,username\nbob,bob\n", "csv", "names the columns"),
        ("username,email\nbob\n", "csv", "line 2: 1 cells"),
        ('username\n"bob\n', "csv", "line"),
        ("username,disabled\nbob,perhaps\n", "csv", "line 2"),
        ("username,role\nbob,king\n", "csv", "line 2"),
        ('username,groups\nbob,"[1]"\n', "csv", "line 2"),
        ("{", "json", "not JSON"),
        ("{}", "json", "list of objects"),
        ('["bob"]', "json", "list of objects"),
        ('[{"email": "b@example.com"}]', "json", "entry 1"),
        ('[{"username": "bob"}, {"username": "eve", "admin": true}]', "json", "entry 2"),
    ],
)
def test_what_is_no_sheet(text: str, form: Format, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        read(text, form, PersonRow)


def test_a_byte_order_mark_and_empty_lines_are_no_harm() -> None:
    text = '\ufeffusername , groups\n\nbob,"dev; sre"\n,\n'
    assert read(text, "csv", PersonRow) == [(3, PersonRow(username="bob", groups=("dev", "sre")))]
    assert read("name,rule\ndev,okta:ada;group:okta/x\n", "csv", GroupRow) == [
        (2, GroupRow(name="dev", rule=("okta:ada", "group:okta/x")))
    ]


def test_many_faults_are_cut() -> None:
    text = "username,role\n" + "bob,king\n" * 80
    with pytest.raises(InvalidInput) as caught:
        read(text, "csv", PersonRow)
    assert str(caught.value).splitlines()[-1] == "… and 30 more"
