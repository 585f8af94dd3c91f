"""Who may do what to others, at every door."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gatekit.admin.browser_sessions import BrowserSessions
from gatekit.admin.clients import Clients
from gatekit.admin.desk import Actor, Desk
from gatekit.admin.factors import Factors
from gatekit.admin.grants import Grants
from gatekit.admin.groups import Groups
from gatekit.admin.identities import Identities
from gatekit.admin.keys import Keys
from gatekit.admin.people import People
from gatekit.admin.permissions import PERMISSIONS, Permission, permissions_of, permitted
from gatekit.admin.provisioned_groups import ProvisionedGroups
from gatekit.admin.provisioning import ProvisionedPeople
from gatekit.admin.roles import EffectiveRoles, RoleDesk
from gatekit.admin.scim_tokens import ScimTokens
from gatekit.admin.service_accounts import ServiceAccounts
from gatekit.admin.transfer import Transfer
from gatekit.errors import Conflict, Forbidden, NotFound
from gatekit.model.connections import ConnectionRules, GroupRules
from gatekit.model.people import ROLES, Membership, Role
from gatekit.model.rules import ByEmail, ByGroup, ByLogin, Rules
from gatekit.policy.engine import Policy
from gatekit.policy.stored import Stored, with_stored
from tests.contract.samples import api_key, client, code, grant, group, session, user
from tests.unit.admin.conftest import NOW, Setting

Act = Callable[[Setting, Actor, str], Awaitable[Any]]


def actor(name: str, role: Role = "member", scopes: frozenset[Permission] | None = None) -> Actor:
    return Actor(name, "page", f"usr_{name}", role, scopes)


def test_each_role_may_more_than_the_one_before() -> None:
    for lower, upper in itertools.pairwise(ROLES):
        assert permissions_of(lower) < permissions_of(upper)
    assert permissions_of("owner") == set(PERMISSIONS)
    assert not permissions_of("member")
    assert all(name.endswith(":read") for name in permissions_of("auditor"))
    for forging in ("signing_keys:write", "connections:write"):
        assert not permitted("admin", forging)
        assert permitted("owner", forging)


ACTS: dict[str, tuple[Permission, Act]] = {
    "users show": ("people:read", lambda s, a, who: People(*s.parts).show(a, who)),
    "users disable": ("people:write", lambda s, a, who: People(*s.parts).disable(a, who)),
    "users enable": ("people:write", lambda s, a, who: People(*s.parts).enable(a, who)),
    "users delete": ("people:write", lambda s, a, who: People(*s.parts).delete(a, who)),
    "users invite": ("people:write", lambda s, a, who: People(*s.parts).invite(a, who)),
    "users password": (
        "people:write",
        lambda s, a, who: People(*s.parts).set_password(a, who, "correct horse", hashed),
    ),
    "users end-sessions": ("sessions:write", lambda s, a, who: People(*s.parts).end_sessions(a, who)),
    "sessions list": ("sessions:read", lambda s, a, who: BrowserSessions(*s.parts).list(a, who)),
    "users role": ("roles:write", lambda s, a, who: RoleDesk(*s.parts).set(a, who, "auditor")),
    "factors show": ("keys:read", lambda s, a, who: Factors(*s.parts).show(a, who)),
    "factors reset": ("keys:write", lambda s, a, who: Factors(*s.parts).reset(a, who)),
    "keys create": ("keys:write", lambda s, a, who: Keys(*s.parts).create(a, who, name="x")),
    "keys revoke": ("keys:write", lambda s, a, who: Keys(*s.parts).revoke(a, f"key_{who}")),
    "keys list": ("keys:read", lambda s, a, who: Keys(*s.parts).list(a, who)),
    "grants list": ("grants:read", lambda s, a, who: Grants(*s.parts).list(a, who)),
    "grants revoke": ("grants:write", lambda s, a, who: Grants(*s.parts).revoke(a, f"grt_{who}")),
    "grants revoke all": ("grants:write", lambda s, a, who: Grants(*s.parts).revoke_all(a, who)),
}
OWN = {
    "users show",
    "users end-sessions",
    "sessions list",
    "factors show",
    "keys create",
    "keys list",
    "grants list",
    "grants revoke all",
}
OTHERS: dict[str, tuple[Permission, Act]] = {
    "users list": ("people:read", lambda s, a, _: People(*s.parts).list(a)),
    "users create": ("people:write", lambda s, a, _: People(*s.parts).create(a, "new")),
    "groups list": ("groups:read", lambda s, a, _: Groups(*s.parts).list(a)),
    "groups show": ("groups:read", lambda s, a, _: Groups(*s.parts).show(a, "dev")),
    "groups create": ("groups:write", lambda s, a, _: Groups(*s.parts).create(a, "new")),
    "groups delete": ("groups:write", lambda s, a, _: Groups(*s.parts).delete(a, "dev")),
    "groups add": ("groups:write", lambda s, a, _: Groups(*s.parts).add(a, "dev", ["bob"])),
    "groups remove": ("groups:write", lambda s, a, _: Groups(*s.parts).remove(a, "dev", ["alice"])),
    "groups nest": ("groups:write", lambda s, a, _: Groups(*s.parts).nest(a, "sre", "dev")),
    "groups unnest": ("groups:write", lambda s, a, _: Groups(*s.parts).unnest(a, "sre", "dev")),
    "groups rule": ("groups:write", lambda s, a, _: Groups(*s.parts).rule(a, "dev", ["okta:ada"])),
    "keys list all": ("keys:read", lambda s, a, _: Keys(*s.parts).list(a)),
    "grants list all": ("grants:read", lambda s, a, _: Grants(*s.parts).list(a)),
    "grants of a client": ("grants:write", lambda s, a, _: Grants(*s.parts).revoke_all(a, client_id="cli_1")),
    "clients list": ("clients:read", lambda s, a, _: Clients(*s.parts).list(a)),
    "clients show": ("clients:read", lambda s, a, _: Clients(*s.parts).show(a, "cli_1")),
    "clients disable": ("clients:write", lambda s, a, _: Clients(*s.parts).disable(a, "cli_1")),
    "clients delete": ("clients:write", lambda s, a, _: Clients(*s.parts).delete(a, "cli_1")),
}


async def hashed(password: str) -> str:
    return f"hash of {password}"


@pytest.fixture
async def house(setting: Setting) -> Setting:
    """alice is a member, the other names are roles; everybody has a key and a grant."""
    store = setting.store
    await store.clients.add(client())
    for name in ("dev", "sre"):
        await store.groups.create(group(name))
    await store.groups.nest("sre", "dev", NOW)
    people: dict[str, Role] = {"alice": "member", "bob": "member"}
    for name, role in (people | {role: role for role in ROLES}).items():
        await store.users.add(user(name, role=role))
        await store.api_keys.add(api_key(f"key_{name}", user_id=f"usr_{name}"))
        await store.grants.approve(
            grant(f"grt_{name}", user_id=f"usr_{name}"), code(f"code-{name}", grant_id=f"grt_{name}")
        )
        await store.browser_sessions.add(session(f"bs-{name}", user_id=f"usr_{name}"))
    await store.users.add(user("second", role="owner"))
    await store.groups.add(Membership(user_id="usr_alice", group="dev"))
    return setting


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", [*ACTS, *OTHERS])
async def test_a_use_case_asks_for_its_permission(house: Setting, name: str, role: Role) -> None:
    permission, act = (ACTS | OTHERS)[name]
    who = actor(role, role)
    if permitted(role, permission):
        await act(house, who, "alice")
    else:
        with pytest.raises(Forbidden, match=permission):
            await act(house, who, "alice")
        assert house.trail.events == []


@pytest.mark.parametrize("name", [*ACTS, *OTHERS])
async def test_a_key_for_other_things_opens_nothing(house: Setting, name: str) -> None:
    permission, act = (ACTS | OTHERS)[name]
    with pytest.raises(Forbidden, match=permission):
        await act(house, actor("owner", "owner", frozenset(PERMISSIONS) - {permission}), "alice")
    with pytest.raises(Forbidden, match=permission):
        await act(house, actor("member", "member", frozenset(PERMISSIONS)), "alice")
    with pytest.raises(Forbidden, match=permission):  # not even to oneself
        await act(house, actor("alice", "member", frozenset()), "alice")


@pytest.mark.parametrize("name", ACTS)
async def test_nobody_touches_who_is_above_them(house: Setting, name: str) -> None:
    permission, act = ACTS[name]
    if permission.endswith(":read"):
        await act(house, actor("auditor", "auditor"), "owner")
    else:
        with pytest.raises(Forbidden):
            await act(house, actor("admin", "admin"), "owner")
        assert house.trail.events == []


@pytest.mark.parametrize("name", ACTS)
async def test_members_look_after_themselves_only(house: Setting, name: str) -> None:
    _, act = ACTS[name]
    with pytest.raises(Forbidden):
        await act(house, actor("alice"), "bob")
    if name in OWN or name == "keys revoke":
        await act(house, actor("alice"), "alice")
    else:
        with pytest.raises(Forbidden):
            await act(house, actor("alice"), "alice")


async def test_who_may_not_ask_does_not_learn_who_exists(house: Setting) -> None:
    for name, (_, act) in ACTS.items():
        with pytest.raises(Forbidden):
            await act(house, actor("alice"), "nobody")
        with pytest.raises(NotFound):
            await act(house, actor("owner", "owner"), "nobody")
        assert name


@pytest.mark.parametrize("role", ["admin", "owner"])
@pytest.mark.parametrize("name", ["users disable", "users delete", "users role"])
async def test_nobody_locks_out_or_promotes_themselves(house: Setting, name: str, role: Role) -> None:
    with pytest.raises(Forbidden, match="nobody"):
        await ACTS[name][1](house, actor(role, role), role)


@pytest.mark.parametrize(
    ("by", "whom", "role", "allowed"),
    [
        ("admin", "alice", "auditor", True),
        ("admin", "auditor", "member", True),
        ("admin", "alice", "admin", False),
        ("admin", "alice", "owner", False),
        ("owner", "alice", "owner", True),
        ("owner", "admin", "member", True),
        ("owner", "second", "member", True),
    ],
)
async def test_roles_are_given_from_above(
    house: Setting, by: Role, whom: str, role: Role, allowed: bool
) -> None:
    roles = RoleDesk(*house.parts)
    if not allowed:
        with pytest.raises(Forbidden):
            await roles.set(actor(by, by), whom, role)
        return
    before = await house.store.users.by_username(whom)
    changed = await roles.set(actor(by, by), whom, role)
    assert before is not None
    assert changed.role == role
    assert await house.store.users.by_username(whom) == changed
    (event,) = house.trail.events
    assert (event.before, event.after) == (before.role, role)  # type: ignore[attr-defined]


async def test_another_admin_cannot_be_unmade_by_an_admin(house: Setting) -> None:
    await house.store.users.add(user("boss", role="admin"))
    with pytest.raises(Forbidden):
        await RoleDesk(*house.parts).set(actor("admin", "admin"), "boss", "member")


async def test_the_last_owner_stays_whoever_asks(house: Setting) -> None:
    await house.store.users.delete("usr_second")
    for act in (
        RoleDesk(*house.parts).set(house.actor, "owner", "member"),
        People(*house.parts).disable(house.actor, "owner"),
        People(*house.parts).delete(house.actor, "owner"),
    ):
        with pytest.raises(Conflict, match="last owner"):
            await act
    assert house.trail.events == []


# -- roles that the file gives -----------------------------------------------------------------------------

FILE = Rules(
    groups=(("bosses", (ByGroup("chiefs"),)),),
    roles=(
        ("owner", (ByGroup("bosses"), ByEmail("boss@example.com"), ByLogin("local", "root"))),
        ("auditor", (ByGroup("sre"),)),
    ),
)


def with_file(house: Setting) -> tuple[Any, ...]:
    policy = Policy.compile(with_stored(FILE, Stored((("sre", "dev"),))))
    return (*house.parts, EffectiveRoles(house.store, lambda: policy))


async def test_what_the_file_gives_counts(house: Setting) -> None:
    parts, admin = with_file(house), actor("admin", "admin")
    await house.store.users.update(user("bob", email="boss@example.com", email_verified=True))
    with pytest.raises(Forbidden, match="higher role"):
        await People(*parts).disable(admin, "bob")
    await house.store.users.update(user("bob", email="boss@example.com", email_verified=False))
    await People(*parts).disable(admin, "bob")


async def test_an_admin_cannot_become_an_owner_by_a_group_a_name_or_an_address(house: Setting) -> None:
    parts, admin = with_file(house), actor("admin", "admin")
    for name in ("chiefs", "bosses"):
        await house.store.groups.create(group(name))
    groups, people = Groups(*parts), People(*parts)
    for attempt in (
        groups.add(admin, "chiefs", ["admin"]),
        groups.remove(admin, "bosses", ["alice"]),
        groups.nest(admin, "chiefs", "dev"),
        groups.rule(admin, "chiefs", ["local:admin"]),
        groups.delete(admin, "bosses"),
        people.create(admin, "new", groups=["chiefs"]),
        people.create(admin, "root"),
        people.create(admin, "new", email="Boss@example.com"),
    ):
        with pytest.raises(Forbidden, match="owner"):
            await attempt
    assert house.trail.events == []
    await groups.add(admin, "dev", ["bob"])
    await people.create(house.actor, "root")


# -- nothing is forgotten ----------------------------------------------------------------------------------


def test_every_use_case_takes_an_actor_first() -> None:
    # A directory is no actor: it is let in for its own connection, and ``Provider`` says which that is.
    directories = {ProvisionedPeople, ProvisionedGroups}
    desks = set(Desk.__subclasses__()) - directories
    assert {
        People,
        Groups,
        Keys,
        Grants,
        Clients,
        BrowserSessions,
        RoleDesk,
        ServiceAccounts,
        Identities,
        Transfer,
        ScimTokens,
    } <= desks
    for desk in desks:
        for name, method in inspect.getmembers(desk, inspect.iscoroutinefunction):
            if not name.startswith("_"):
                assert next(iter(list(inspect.signature(method).parameters)[1:]), "") == "actor", (desk, name)


async def test_a_role_that_comes_by_a_mapped_group_of_a_provider_counts(house: Setting) -> None:
    await house.store.users.add(user("chief", connection="okta", subject="00u1"))
    await house.store.groups.replace_provider_groups("usr_chief", "okta", ["Directors"])
    policy = Policy.compile(FILE)
    mapped = GroupRules(mapped=(("Directors", "bosses"),), keep=False)
    rules = {"okta": ConnectionRules(groups=mapped)}
    roles = EffectiveRoles(house.store, lambda: policy, lambda name: rules.get(name, ConnectionRules()))
    chief = await house.store.users.get("usr_chief")
    assert chief is not None
    assert await roles.of(chief) == "owner"
    with pytest.raises(Forbidden, match="higher role"):
        await People(*house.parts, roles).disable(actor("admin", "admin"), "chief")
