"""The ways in which one person signs in, as an administrator changes them."""

from __future__ import annotations

import pytest

from gatekit.admin.desk import Actor
from gatekit.admin.identities import Identities
from gatekit.admin.people import People
from gatekit.admin.roles import EffectiveRoles
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound
from gatekit.model.rules import ByEmail, ByLogin, Rules
from gatekit.policy.engine import Policy
from tests.contract.samples import NOW, client, grant, identity, session, user
from tests.unit.admin.conftest import Setting

OKTA = {"connection": "okta", "issuer": "https://acme.okta.com", "subject": "00u1"}


@pytest.fixture
async def desk(setting: Setting) -> Identities:
    await setting.store.users.add(user())
    return Identities(*setting.parts)


async def test_a_person_gets_and_loses_a_way_in(setting: Setting, desk: Identities) -> None:
    store = setting.store
    made = await desk.link(setting.actor, "alice", **OKTA, login="ada")
    assert await store.users.by_identity(*OKTA.values()) == await store.users.get("usr_alice")
    assert await desk.list(setting.actor, "alice") == [*await store.identities.of_user("usr_alice")]
    await store.groups.replace_provider_groups("usr_alice", "okta", ["Engineering"])
    await store.browser_sessions.add(session())
    assert await desk.unlink(setting.actor, "alice", "okta") == [made]
    assert await store.users.by_identity(*OKTA.values()) is None
    assert await store.groups.of_user("usr_alice") == []
    assert await store.browser_sessions.get("bs-1", NOW) is None
    assert setting.trail.words() == ["user.link alice", "user.unlink alice"]


async def test_a_secret_of_an_identity_is_not_shown(setting: Setting, desk: Identities) -> None:
    await setting.store.identities.add(identity(upstream_sealed="sealed"))
    assert all(row.upstream_sealed == "" for row in await desk.list(setting.actor, "alice"))


async def test_somebody_moves_when_their_home_goes(setting: Setting, desk: Identities) -> None:
    with pytest.raises(Conflict, match="no other way"):
        await desk.unlink(setting.actor, "alice", "local")
    await desk.link(setting.actor, "alice", **OKTA, login="ada")
    await desk.unlink(setting.actor, "alice", "local")
    moved = await setting.store.users.get("usr_alice")
    assert moved is not None
    assert (moved.connection, moved.subject, moved.login) == ("okta", "00u1", "ada")
    with pytest.raises(InvalidInput, match="no password here"):
        await People(*setting.parts).invite(setting.actor, "alice")
    with pytest.raises(NotFound):
        await desk.unlink(setting.actor, "alice", "local")


async def test_F2_one_identity_at_each_connection_and_nobody_elses(
    setting: Setting, desk: Identities
) -> None:
    """F2: A second identity at one connection, or one that is somebody else's, is not linked."""
    await desk.link(setting.actor, "alice", **OKTA)
    with pytest.raises(Conflict, match="already"):
        await desk.link(setting.actor, "alice", **(OKTA | {"subject": "00u2"}))
    await setting.store.users.add(user("bob"))
    with pytest.raises(Conflict, match="somebody"):
        await desk.link(setting.actor, "bob", **OKTA)


@pytest.mark.parametrize(
    "wrong",
    [{"connection": "local"}, {"connection": "service"}, {"connection": "client"}, {"connection": ""},
     {"issuer": ""}, {"issuer": "scim"}, {"subject": ""}, {"subject": "a\nb"}, {"subject": "x" * 513},
     {"login": " ada"}],
    ids=str,
)  # fmt: skip
async def test_what_is_no_identity(setting: Setting, desk: Identities, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        await desk.link(setting.actor, "alice", **(OKTA | wrong))
    assert setting.trail.events == []


async def test_programs_do_not_sign_in(setting: Setting, desk: Identities) -> None:
    await setting.store.users.add(user("service:ci", connection="service"))
    with pytest.raises(InvalidInput, match="no person"):
        await desk.link(setting.actor, "service:ci", **OKTA)


async def test_F2_an_admin_links_themselves_to_nobody_with_power(setting: Setting) -> None:
    """F2: Linking gives nobody an administrator's or owner's account, nor a login to which the file gives a
    role."""
    store = setting.store
    for name, role in {"alice": "member", "peer": "admin", "boss": "owner"}.items():
        await store.users.add(user(name, role=role))
    await store.users.add(user("chief", email="c@example.com", email_verified=True))
    policy = Policy.compile(Rules(roles=(("owner", (ByEmail("c@example.com"), ByLogin("okta", "root"))),)))
    desk = Identities(*setting.parts, EffectiveRoles(store, lambda: policy))
    admin = Actor("me", "api", "usr_me", "admin")
    for whom, login in (("peer", "x"), ("boss", "x"), ("chief", "x"), ("alice", "root")):
        with pytest.raises(Forbidden):
            await desk.link(admin, whom, **OKTA, login=login)
        with pytest.raises((Forbidden, Conflict)):
            await desk.unlink(admin, whom, "local")
    await desk.link(admin, "alice", **OKTA, login="ada")
    for member in (Actor("alice", "page", "usr_alice"), Actor("a", "api", "usr_a", "auditor")):
        with pytest.raises(Forbidden):
            await desk.link(member, "alice", **OKTA)
        with pytest.raises(Forbidden):
            await desk.unlink(member, "alice", "okta")
    assert len(await desk.list(Actor("alice", "page", "usr_alice"), "alice")) == 2


async def test_an_address_and_a_name_change(setting: Setting, desk: Identities) -> None:
    people = People(*setting.parts)
    changed = await people.change(setting.actor, "alice", email="a@example.com", display_name="Alice")
    assert (changed.email, changed.email_verified, changed.display_name) == ("a@example.com", True, "Alice")
    assert await people.change(setting.actor, "alice", email="a@example.com") == changed
    assert setting.trail.words() == ["user.change alice"]
    for wrong in ({"email": "nonsense"}, {"display_name": "a\nb"}, {"display_name": "x" * 201}):
        with pytest.raises(InvalidInput):
            await people.change(setting.actor, "alice", **wrong)
    await setting.store.users.add(user("octo", connection="github"))
    with pytest.raises(InvalidInput, match="github"):
        await people.change(setting.actor, "octo", email="o@example.com")
    assert desk is not None


async def test_what_came_over_a_way_that_is_taken_away_ends(setting: Setting, desk: Identities) -> None:
    """R6: the person is no longer who that provider speaks of."""
    store = setting.store
    await desk.link(setting.actor, "alice", **OKTA)
    await store.clients.add(client())
    for name, connection in (("grt_okta", "okta"), ("grt_local", "local")):
        await store.grants.add(grant(id=name, user_id="usr_alice", connection=connection))
    await desk.unlink(setting.actor, "alice", "okta")
    assert [row.id for row in await store.grants.list("usr_alice") if row.revoked_at is None] == ["grt_local"]
