"""Keys, clients, grants."""

from __future__ import annotations

import pytest

from gatekit.admin.clients import Clients
from gatekit.admin.grants import Grants
from gatekit.admin.keys import DEFAULT_SECONDS, Keys
from gatekit.errors import AdminError, AuditUnavailable, Conflict, InvalidInput, NotFound
from gatekit.model.audit import ClientEvent, KeyEvent
from gatekit.platform.vault import token_hash
from tests.contract.samples import client, code, consent, grant, user
from tests.unit.admin.conftest import NOW, Setting


@pytest.fixture
async def keys(setting: Setting) -> Keys:
    await setting.store.users.add(user())
    return Keys(*setting.parts)


async def test_a_key_is_shown_once_and_stored_as_a_hash(setting: Setting, keys: Keys) -> None:
    issued = await keys.create(setting.actor, "alice", name=" laptop ", servers=["files", "files"])
    assert issued.token.startswith("gk_key_")
    stored = await setting.store.api_keys.by_hash(token_hash(issued.token))
    assert stored == issued.key
    assert (stored.name, stored.servers, stored.hint) == ("laptop", ("files",), issued.token[-4:])
    assert stored.expires_at == NOW + DEFAULT_SECONDS
    (event,) = setting.trail.events
    assert isinstance(event, KeyEvent)
    assert (event.action, event.owner, event.servers, event.principal) == (
        "created",
        "alice",
        ("files",),
        "ops",
    )
    assert issued.token not in repr(event)
    assert token_hash(issued.token) not in repr(event)


@pytest.mark.parametrize("valid_for", [0, -1, 367 * 86400])
async def test_keys_that_live_too_long_or_not_at_all(setting: Setting, keys: Keys, valid_for: int) -> None:
    with pytest.raises(InvalidInput, match="year"):
        await keys.create(setting.actor, "alice", name="x", valid_for=valid_for)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "a\x1b[31mb"])
async def test_keys_without_a_name(setting: Setting, keys: Keys, name: str) -> None:
    with pytest.raises(InvalidInput, match="name"):
        await keys.create(setting.actor, "alice", name=name)


async def test_keys_for_nobody_nowhere_and_the_disabled(setting: Setting, keys: Keys) -> None:
    with pytest.raises(NotFound, match="bob"):
        await keys.create(setting.actor, "bob", name="x")
    with pytest.raises(NotFound, match=r"no server fiels \(there are: files, time\)"):
        await keys.create(
            setting.actor, "alice", name="x", servers=["fiels"], known_servers={"time", "files"}
        )
    await setting.store.users.update(user(disabled=True))
    with pytest.raises(Conflict, match="disabled"):
        await keys.create(setting.actor, "alice", name="x")
    assert await keys.list(setting.actor) == []


async def test_a_key_that_cannot_be_recorded_is_never_shown(setting: Setting, keys: Keys) -> None:
    setting.trail.full = True
    with pytest.raises(AuditUnavailable):
        await keys.create(setting.actor, "alice", name="x")


async def test_keys_are_listed_with_their_state(setting: Setting, keys: Keys) -> None:
    await setting.store.users.add(user("bob"))
    short = await keys.create(setting.actor, "alice", name="short", valid_for=10)
    gone = await keys.create(setting.actor, "alice", name="gone")
    bobs = await keys.create(setting.actor, "bob", name="bobs")
    await keys.revoke(setting.actor, gone.key.id)
    setting.clock.at += 10
    states = {view.key.id: (view.owner, view.state) for view in await keys.list(setting.actor)}
    assert states == {
        short.key.id: ("alice", "expired"),
        gone.key.id: ("alice", "revoked"),
        bobs.key.id: ("bob", "active"),
    }
    assert [view.key.id for view in await keys.list(setting.actor, "bob")] == [bobs.key.id]
    with pytest.raises(NotFound):
        await keys.list(setting.actor, "carol")


async def test_a_key_is_revoked_once(setting: Setting, keys: Keys) -> None:
    issued = await keys.create(setting.actor, "alice", name="x")
    await keys.revoke(setting.actor, issued.key.id)
    with pytest.raises(Conflict, match="already"):
        await keys.revoke(setting.actor, issued.key.id)
    with pytest.raises(NotFound):
        await keys.revoke(setting.actor, "key_x")
    assert setting.trail.words() == [f"created {issued.key.id}", f"revoked {issued.key.id}"]


async def test_a_client_gets_another_secret(setting: Setting) -> None:
    """A1: the old one is good for as long as the operator says, and not shown again."""
    clients = Clients(*setting.parts)
    await setting.store.clients.add(client(auth_method="client_secret_post", secret_hash="old"))
    _, secret = await clients.renew_secret(setting.actor, "cli_1", 600)
    row = await clients.show(setting.actor, "cli_1")
    assert (row.secret_hash, row.old_secret_hash) == (token_hash(secret), "old")
    assert row.old_secret_until == NOW + 600
    for public in (client("cli_2"), client("cli_3", source="configured", secret_hash="x")):
        await setting.store.clients.add(public)
        with pytest.raises(AdminError):
            await clients.renew_secret(setting.actor, public.id, 0)
    with pytest.raises(InvalidInput):
        await clients.renew_secret(setting.actor, "cli_1", 31 * 86_400)
    with pytest.raises(Conflict):
        await clients.delete(setting.actor, "cli_3")


async def test_a_program_has_no_api_keys(setting: Setting) -> None:
    """K2: what acts for itself proves itself in its own way, and in no other."""
    await setting.store.users.add(user("client:ci-bot", connection="client", issuer="client"))
    with pytest.raises(InvalidInput):
        await Keys(*setting.parts).create(setting.actor, "client:ci-bot", name="x")


async def test_clients(setting: Setting) -> None:
    clients = Clients(*setting.parts)
    await setting.store.clients.add(client())
    assert (await clients.disable(setting.actor, "cli_1")).disabled
    await clients.disable(setting.actor, "cli_1")
    assert (await clients.show(setting.actor, "cli_1")).disabled
    assert not (await clients.enable(setting.actor, "cli_1")).disabled
    await clients.delete(setting.actor, "cli_1")
    assert await clients.list(setting.actor) == []
    assert setting.trail.words() == ["disabled", "enabled", "deleted"]
    event = setting.trail.events[0]
    assert isinstance(event, ClientEvent)
    assert (event.client_id, event.client, event.principal) == ("cli_1", client().name, "ops")
    for attempt in (clients.disable, clients.enable, clients.delete):
        with pytest.raises(NotFound, match="cli_1"):
            await attempt(setting.actor, "cli_1")


@pytest.fixture
async def grants(setting: Setting) -> Grants:
    for name in ("alice", "bob"):
        await setting.store.users.add(user(name))
    await setting.store.clients.add(client())
    for ident, owner, client_id in (
        ("a1", "alice", "cli_1"),
        ("a2", "alice", "cli_2"),
        ("b1", "bob", "cli_1"),
    ):
        await setting.store.grants.approve(
            grant(ident, user_id=f"usr_{owner}", client_id=client_id), code(ident, grant_id=ident)
        )
    return Grants(*setting.parts)


async def test_grants_are_listed_with_names(setting: Setting, grants: Grants) -> None:
    found = [(view.grant.id, view.username, view.client_name) for view in await grants.list(setting.actor)]
    assert found == [
        ("a1", "alice", client().name),
        ("a2", "alice", "cli_2"),
        ("b1", "bob", client().name),
    ]
    assert [view.grant.id for view in await grants.list(setting.actor, "alice", "cli_1")] == ["a1"]
    setting.clock.at += 90_000
    assert await grants.list(setting.actor) == []
    assert {view.state for view in await grants.list(setting.actor, ended=True)} == {"expired"}


async def test_one_grant_is_revoked_and_its_approval_forgotten(setting: Setting, grants: Grants) -> None:
    agreed = consent()
    await setting.store.transactions.remember_consent(agreed)
    await grants.revoke(setting.actor, "a1")
    assert [view.grant.id for view in await grants.list(setting.actor)] == ["a2", "b1"]
    assert (
        await setting.store.transactions.consent(
            agreed.user_id, agreed.client_id, agreed.redirect_uri, agreed.scopes, agreed.resources
        )
        is None
    )
    with pytest.raises(Conflict):
        await grants.revoke(setting.actor, "a1")
    with pytest.raises(NotFound):
        await grants.revoke(setting.actor, "x")
    assert setting.trail.words() == ["grant.revoke a1"]


async def test_all_grants_of_somebody(setting: Setting, grants: Grants) -> None:
    assert len(await grants.revoke_all(setting.actor, "alice")) == 2
    assert await grants.revoke_all(setting.actor, "alice") == []
    assert [view.grant.id for view in await grants.revoke_all(setting.actor, client_id="cli_1")] == ["b1"]
    assert setting.trail.words() == ["grant.revoke a1", "grant.revoke a2", "grant.revoke b1"]
    with pytest.raises(InvalidInput):
        await grants.revoke_all(setting.actor)
