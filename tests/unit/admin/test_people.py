from __future__ import annotations

import pytest

from gatekit.admin.groups import Groups
from gatekit.admin.people import INVITE_SECONDS, People
from gatekit.errors import AuditUnavailable, Conflict, InvalidInput, NotFound, SignInRefused
from gatekit.model.audit import AdminEvent
from gatekit.platform.vault import token_hash
from tests.contract.samples import group, session, user
from tests.unit.admin.conftest import NOW, Setting


@pytest.fixture
def people(setting: Setting) -> People:
    return People(*setting.parts)


async def hash_password(password: str) -> str:
    if len(password) < 8:
        raise SignInRefused("Choose a longer one.", "password too short")
    return f"hash of {password}"


async def test_a_person_is_created_with_groups_and_recorded(setting: Setting, people: People) -> None:
    await setting.store.groups.create(group("dev"))
    created = await people.create(setting.actor, "alice", email="a@example.com", groups=["dev"])
    view = await people.show(setting.actor, "ALICE")
    assert view.user == created
    assert [m.group for m in view.groups] == ["dev"]
    assert not view.has_password
    assert created.email_verified, "an administrator vouches for it"
    (event,) = setting.trail.events
    assert isinstance(event, AdminEvent)
    assert (event.principal, event.door, event.action, event.target) == ("ops", "cli", "user.create", "alice")
    assert event.after == f"id={created.id} email=a@example.com groups=dev"


@pytest.mark.parametrize(
    "name", ["", "Alice", "al ice", "-x", ".x", "al/ice", "älice", "a" * 65, "a\n", "github:alice", "a@b"]
)
async def test_usernames_that_are_refused(setting: Setting, people: People, name: str) -> None:
    with pytest.raises(InvalidInput, match="username"):
        await people.create(setting.actor, name)
    assert await people.list(setting.actor) == []


@pytest.mark.parametrize("name", ["a", "a" * 64, "0", "alice.b_c-d"])
async def test_usernames_that_are_fine(setting: Setting, people: People, name: str) -> None:
    assert (await people.create(setting.actor, name)).username == name


async def test_nothing_is_written_when_something_is_wrong(setting: Setting, people: People) -> None:
    with pytest.raises(NotFound, match="gatekit groups create dev"):
        await people.create(setting.actor, "alice", groups=["dev"])
    with pytest.raises(InvalidInput, match="e-mail"):
        await people.create(setting.actor, "alice", email="nonsense")
    with pytest.raises(InvalidInput, match="longer"):
        await people.create(setting.actor, "alice", password=("short", hash_password))
    assert await people.list(setting.actor) == []
    assert setting.trail.events == []


async def test_the_same_name_twice(setting: Setting, people: People) -> None:
    await people.create(setting.actor, "alice")
    with pytest.raises(Conflict, match="alice"):
        await people.create(setting.actor, "alice")
    assert setting.trail.words() == ["user.create alice"]


async def test_an_invite_is_shown_once_and_stored_as_a_hash(setting: Setting, people: People) -> None:
    alice = await people.create(setting.actor, "alice")
    invited = await people.invite(setting.actor, "alice")
    assert invited.token.startswith("gk_inv_")
    assert invited.expires_at == NOW + INVITE_SECONDS
    found = await setting.store.invites.get(token_hash(invited.token), NOW)
    assert found is not None
    assert found.user_id == alice.id
    assert invited.token not in repr(setting.trail.events)
    again = await people.invite(setting.actor, "alice", 60)
    assert await setting.store.invites.get(token_hash(invited.token), NOW) is None
    assert await setting.store.invites.get(token_hash(again.token), NOW + 61) is None


@pytest.mark.parametrize("valid_for", [0, -5, 31 * 86400])
async def test_invites_of_absurd_length(setting: Setting, people: People, valid_for: int) -> None:
    await people.create(setting.actor, "alice")
    with pytest.raises(InvalidInput):
        await people.invite(setting.actor, "alice", valid_for)


async def test_who_cannot_be_invited(setting: Setting, people: People) -> None:
    await setting.store.users.add(user("octo", connection="github"))
    with pytest.raises(InvalidInput, match="github"):
        await people.invite(setting.actor, "octo")
    with pytest.raises(InvalidInput, match="github"):
        await people.set_password(setting.actor, "octo", "long enough", hash_password)
    with pytest.raises(NotFound, match="gatekit users list"):
        await people.invite(setting.actor, "nobody")
    await people.create(setting.actor, "alice")
    await people.disable(setting.actor, "alice")
    with pytest.raises(Conflict, match="enable"):
        await people.invite(setting.actor, "alice")


async def test_disabling_ends_sign_ins_and_can_be_taken_back(setting: Setting, people: People) -> None:
    alice = await people.create(setting.actor, "alice")
    await setting.store.browser_sessions.add(session(user_id=alice.id))
    setting.clock.at += 5
    disabled = await people.disable(setting.actor, "alice")
    assert disabled.disabled
    assert disabled.updated_at == NOW + 5
    assert await setting.store.browser_sessions.get("bs-1", NOW) is None
    await people.disable(setting.actor, "alice")
    assert not (await people.enable(setting.actor, "alice")).disabled
    assert setting.trail.words() == ["user.create alice", "user.disable alice", "user.enable alice"]
    changed = setting.trail.events[1]
    assert isinstance(changed, AdminEvent)
    assert (changed.before, changed.after) == ("enabled", "disabled")


async def test_a_new_password_ends_old_sign_ins(setting: Setting, people: People) -> None:
    alice = await people.create(setting.actor, "alice", password=("first password", hash_password))
    assert (await people.show(setting.actor, "alice")).has_password
    await setting.store.browser_sessions.add(session(user_id=alice.id))
    await people.set_password(setting.actor, "alice", "second password", hash_password)
    assert await setting.store.users.password_hash(alice.id) == "hash of second password"
    assert await setting.store.browser_sessions.get("bs-1", NOW) is None
    assert setting.trail.words()[-1] == "user.password alice"
    assert "password" not in repr(setting.trail.events[-1]).replace("user.password", "")


async def test_deleting_records_who_it_was(setting: Setting, people: People) -> None:
    await setting.store.groups.create(group("dev"))
    alice = await people.create(setting.actor, "alice", groups=["dev"])
    await people.delete(setting.actor, "alice")
    assert await people.list(setting.actor) == []
    event = setting.trail.events[-1]
    assert isinstance(event, AdminEvent)
    assert event.before == f"id={alice.id} groups=dev"
    with pytest.raises(NotFound):
        await people.delete(setting.actor, "alice")


async def test_what_cannot_be_recorded_is_not_answered(setting: Setting, people: People) -> None:
    await people.create(setting.actor, "alice")
    setting.trail.full = True
    with pytest.raises(AuditUnavailable):
        await people.invite(setting.actor, "alice")


async def test_groups(setting: Setting, people: People) -> None:
    groups = Groups(*setting.parts)
    for name in ("alice", "bob"):
        await people.create(setting.actor, name)
    setting.trail.events.clear()
    await groups.create(setting.actor, "dev")
    await groups.add(setting.actor, "dev", ["alice", "bob"])
    await groups.add(setting.actor, "dev", ["alice"])
    assert [(view.name, view.members) for view in await groups.list(setting.actor, members=True)] == [
        ("dev", ("alice", "bob"))
    ]
    await groups.remove(setting.actor, "dev", ["bob"])
    deleted = await groups.delete(setting.actor, "dev")
    assert deleted.members == ("alice",)
    assert setting.trail.words() == [
        "group.create dev",
        "group.add dev",
        "group.add dev",
        "group.remove dev",
        "group.delete dev",
    ]


async def test_groups_are_changed_for_all_or_for_none(setting: Setting, people: People) -> None:
    groups = Groups(*setting.parts)
    await people.create(setting.actor, "alice")
    await people.create(setting.actor, "bob")
    with pytest.raises(NotFound, match="dev"):
        await groups.add(setting.actor, "dev", ["alice"])
    await groups.create(setting.actor, "dev")
    with pytest.raises(NotFound, match="carol"):
        await groups.add(setting.actor, "dev", ["alice", "carol"])
    assert (await groups.list(setting.actor, members=True))[0].members == ()
    await groups.add(setting.actor, "dev", ["alice"])
    with pytest.raises(NotFound, match="bob is not in dev"):
        await groups.remove(setting.actor, "dev", ["alice", "bob"])
    assert (await groups.list(setting.actor, members=True))[0].members == ("alice",)
    for name in ("", "a b", "x" * 65, "a/b"):
        with pytest.raises(InvalidInput):
            await groups.create(setting.actor, name)
