from __future__ import annotations

import pytest

from gatekit.admin.desk import Actor
from gatekit.admin.keys import Keys
from gatekit.admin.people import People
from gatekit.admin.roles import RoleDesk
from gatekit.admin.service_accounts import ServiceAccounts
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound
from gatekit.identity.directory import Directory
from gatekit.model.rules import Anyone, ByGroup, ByLogin, Rules, ServerRules
from gatekit.policy.engine import Policy
from tests.contract.samples import group
from tests.unit.admin.conftest import Setting


@pytest.fixture
def accounts(setting: Setting) -> ServiceAccounts:
    return ServiceAccounts(*setting.parts)


async def test_a_service_account_has_keys_and_groups(setting: Setting, accounts: ServiceAccounts) -> None:
    await setting.store.groups.create(group("dev"))
    made = await accounts.create(setting.actor, "nightly", title="Export", groups=["dev"])
    assert (made.username, made.login, made.connection) == ("service:nightly", "nightly", "service")
    await Keys(*setting.parts).create(setting.actor, "service:nightly", name="cron")
    (view,) = await accounts.list(setting.actor)
    assert (view.user, view.groups, view.keys) == (made, ("dev",), 1)
    assert setting.trail.words()[0] == "service_account.create service:nightly"
    await People(*setting.parts).delete(setting.actor, "service:nightly")
    assert await setting.store.api_keys.list() == []


async def test_only_lists_that_name_it_let_it_in(setting: Setting, accounts: ServiceAccounts) -> None:
    made = await accounts.create(setting.actor, "nightly")
    store = setting.store
    principal = await Directory(store.users, store.groups, store.identities).principal(made.id)
    assert principal is not None
    for selectors, admitted in (
        ((Anyone(),), False),
        ((ByLogin("local", "nightly"), ByGroup("nightly")), False),
        ((ByLogin("service", "nightly"),), True),
    ):
        policy = Policy.compile(Rules(servers=(ServerRules(server="s", allowed=selectors),)))
        assert policy.admits(principal) is admitted


async def test_what_it_cannot_be(setting: Setting, accounts: ServiceAccounts) -> None:
    for name in ("", "A", "a:b", "a/b", "x" * 49, "-a"):
        with pytest.raises(InvalidInput):
            await accounts.create(setting.actor, name)
    with pytest.raises(NotFound):
        await accounts.create(setting.actor, "nightly", groups=["dev"])
    await accounts.create(setting.actor, "nightly")
    with pytest.raises(Conflict):
        await accounts.create(setting.actor, "nightly")
    with pytest.raises(InvalidInput, match="no person"):
        await RoleDesk(*setting.parts).set(setting.actor, "service:nightly", "owner")
    with pytest.raises(InvalidInput):
        await People(*setting.parts).invite(setting.actor, "service:nightly")
    with pytest.raises(Forbidden):
        await accounts.create(Actor("eve", "page", "usr_eve"), "another")
    with pytest.raises(Forbidden):
        await accounts.list(Actor("eve", "page", "usr_eve"))
