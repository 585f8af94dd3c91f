"""Admin keys: who makes them for whom, with what, and when they are good."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.admin.admin_keys import SCOPES, AdminKeys
from gatekit.admin.desk import Actor
from gatekit.admin.entry import NOTED_EVERY, Admitted, Entry, Turned
from gatekit.errors import AuditUnavailable, Conflict, Forbidden, InvalidInput, NotFound
from gatekit.identity.standing import Upright
from gatekit.model.access import Inactive
from gatekit.model.audit import AdminEvent
from gatekit.model.people import LOCAL, Principal, Role, User
from gatekit.platform.vault import token_hash
from tests.unit.admin.conftest import NOW, Setting


async def add(setting: Setting, name: str, role: Role = "admin", **fields: Any) -> User:
    user = User(
        id=f"usr_{name}", connection=LOCAL, issuer=LOCAL, subject=name, username=name, role=role, **fields
    )
    await setting.store.users.add(user)
    return user


def acting(user: User) -> Actor:
    """At their own page."""
    return Actor(user.username, "page", user.id, user.role)


@pytest.fixture
def keys(setting: Setting) -> AdminKeys:
    return AdminKeys(*setting.parts)


async def test_a_key_is_shown_once_and_recorded(setting: Setting, keys: AdminKeys) -> None:
    await add(setting, "alice")
    issued = await keys.create(
        setting.actor, "alice", name=" terraform ", scopes=["groups:write", "people:read"], valid_for=60
    )
    assert issued.token.startswith("gk_adm_")
    assert issued.key == await setting.store.admin_keys.by_hash(token_hash(issued.token))
    assert (issued.key.name, issued.key.scopes) == ("terraform", ("people:read", "groups:write"))
    assert (issued.key.expires_at, issued.key.hint) == (NOW + 60, issued.token[-4:])
    (event,) = setting.trail.events
    assert isinstance(event, AdminEvent)
    assert (event.action, event.target) == ("admin_key.create", issued.key.id)
    assert "scopes=people:read,groups:write" in event.after
    assert issued.token not in repr(event)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"name": ""}, InvalidInput),
        ({"name": "a\nb"}, InvalidInput),
        ({"name": "a" * 101}, InvalidInput),
        ({"scopes": []}, InvalidInput),
        ({"scopes": ["people:everything"]}, InvalidInput),
        ({"valid_for": 0}, InvalidInput),
        ({"valid_for": 367 * 86400}, InvalidInput),
        ({"addresses": ["192.0.2.1/24"]}, InvalidInput),
        ({"addresses": ["somewhere"]}, InvalidInput),
        ({"addresses": ["192.0.2.1"] * 21}, InvalidInput),
        ({"username": "nobody"}, NotFound),
        ({"username": "gone"}, Conflict),
    ],
)
async def test_a_key_that_cannot_be(
    setting: Setting, keys: AdminKeys, wrong: dict[str, Any], expected: type[Exception]
) -> None:
    await add(setting, "alice")
    await add(setting, "gone", disabled=True)
    given: dict[str, Any] = {"username": "alice", "name": "x", "scopes": ["people:read"]} | wrong
    with pytest.raises(expected):
        await keys.create(setting.actor, given.pop("username"), **given)
    assert await setting.store.admin_keys.list() == []


async def test_nobody_gives_what_they_have_not(setting: Setting, keys: AdminKeys) -> None:
    """I24: by role, and by the scopes of the key that one came with."""
    auditor, admin = await add(setting, "audrey", "auditor"), await add(setting, "adam", "admin")
    with pytest.raises(Forbidden):
        await keys.create(acting(auditor), "audrey", name="x", scopes=["people:write"])
    await keys.create(acting(auditor), "audrey", name="x", scopes=["people:read"])
    narrow = Actor("adam", "api", admin.id, "admin", frozenset({"admin_keys:write", "people:read"}))
    with pytest.raises(Forbidden):
        await keys.create(narrow, "adam", name="x", scopes=["people:write"])
    with pytest.raises(Forbidden):
        await keys.create(acting(admin), "adam", name="x", scopes=["signing_keys:write"])


async def test_nobody_makes_a_key_in_the_name_of_another(setting: Setting, keys: AdminKeys) -> None:
    """I24: what a key does is recorded under its owner's name."""
    one = await add(setting, "one", "owner")
    await add(setting, "two", "member")
    with pytest.raises(Forbidden):
        await keys.create(acting(one), "two", name="x", scopes=["people:read"])


async def test_a_key_ends_once(setting: Setting, keys: AdminKeys) -> None:
    alice = await add(setting, "alice", "auditor")
    issued = await keys.create(setting.actor, "alice", name="x", scopes=["people:read"])
    other = await add(setting, "bob", "auditor")
    with pytest.raises(Forbidden):
        await keys.revoke(acting(other), issued.key.id)
    assert (await keys.revoke(acting(alice), issued.key.id)).state == "revoked"
    with pytest.raises(Conflict):
        await keys.revoke(setting.actor, issued.key.id)
    with pytest.raises(NotFound):
        await keys.revoke(setting.actor, "adm_none")
    (view,) = await keys.list(setting.actor, "alice")
    assert (view.owner, view.state) == ("alice", "revoked")
    assert setting.trail.words() == [
        f"admin_key.create {issued.key.id}",
        f"admin_key.revoke {issued.key.id}",
    ]


async def test_an_admin_does_not_end_the_key_of_an_owner(setting: Setting, keys: AdminKeys) -> None:
    await add(setting, "root", "owner")
    admin = await add(setting, "adam", "admin")
    issued = await keys.create(setting.actor, "root", name="x", scopes=["people:read"])
    with pytest.raises(Forbidden):
        await keys.revoke(acting(admin), issued.key.id)


async def test_a_key_that_cannot_be_recorded_is_not_shown(setting: Setting, keys: AdminKeys) -> None:
    await add(setting, "alice")
    setting.trail.full = True
    with pytest.raises(AuditUnavailable):
        await keys.create(setting.actor, "alice", name="x", scopes=["people:read"])


# -- at the door -------------------------------------------------------------------------------------------


class Rows:
    """People as they are in the store; whoever is disabled is out."""

    def __init__(self, setting: Setting) -> None:
        self._store = setting.store

    async def person(self, user_id: str, now: float) -> Any:
        user = await self._store.users.get(user_id)
        if user is None or user.disabled:
            return Inactive("out", user_id, user.username if user else "")

        return Upright(user=user, principal=Principal(id=user_id, username=user.username, connection=LOCAL))


class RowRoles:
    async def of(self, user: User) -> Role:
        return user.role

    def of_group(self, group: str) -> Role:
        return "member"


@pytest.fixture
def entry(setting: Setting) -> Entry:
    return Entry(setting.store.admin_keys, Rows(setting), RowRoles(), setting.clock)  # type: ignore[arg-type]


async def test_a_good_key(setting: Setting, keys: AdminKeys, entry: Entry) -> None:
    await add(setting, "alice", "admin")
    issued = await keys.create(setting.actor, "alice", name="x", scopes=SCOPES)
    judged = await entry.judge(issued.token, "192.0.2.1", "req_1")
    assert isinstance(judged, Admitted)
    assert judged.actor == Actor(
        "alice",
        "api",
        "usr_alice",
        "admin",
        frozenset(SCOPES),
        request_id="req_1",
        address="192.0.2.1",
        credential_id=issued.key.id,
    )


@pytest.mark.parametrize(
    ("address", "good"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("192.0.3.7", False),
        ("2001:db9::1", False),
        ("", False),
        ("localhost", False),
    ],
)
async def test_where_a_key_may_be_used(
    setting: Setting, keys: AdminKeys, entry: Entry, address: str, good: bool
) -> None:
    await add(setting, "alice")
    issued = await keys.create(
        setting.actor,
        "alice",
        name="x",
        scopes=["people:read"],
        addresses=["192.0.2.0/24", "2001:db8::/32"],
    )
    assert isinstance(await entry.judge(issued.token, address), Admitted) is good


async def test_time_passes(setting: Setting, keys: AdminKeys, entry: Entry) -> None:
    await add(setting, "alice")
    issued = await keys.create(setting.actor, "alice", name="x", scopes=["people:read"], valid_for=600)
    await entry.judge(issued.token, "192.0.2.1")
    setting.clock.at += NOTED_EVERY - 1
    await entry.judge(issued.token, "192.0.2.1")
    used = await setting.store.admin_keys.get(issued.key.id)
    assert used is not None
    assert used.last_used_at == NOW, "a write a minute is enough"
    setting.clock.at = NOW + 600
    judged = await entry.judge(issued.token, "192.0.2.1")
    assert judged == Turned("the admin key has expired", "usr_alice", key_id=issued.key.id)


async def test_whatever_else_is_presented(setting: Setting, entry: Entry) -> None:
    for token in ("", "gk_key_x", "gk_at_x", "gk_adm_", "gk_adm_made-up"):
        assert isinstance(await entry.judge(token, "192.0.2.1"), Turned)
