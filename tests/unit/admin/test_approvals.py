"""Who may decide about a call, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.admin.approvals import Approvals
from gatekit.admin.desk import Actor
from gatekit.errors import Conflict, Forbidden, InvalidInput, NotFound, VaultError
from gatekit.model.approvals import Approval
from gatekit.model.audit import ApprovalEvent
from gatekit.model.people import Role
from tests.unit.admin.conftest import NOW, Setting

APPROVERS = {"usr_carol", "usr_alice"}


def opened(sealed: str) -> str:
    if sealed == "torn":
        raise VaultError("no")
    return sealed.removeprefix("sealed:")


async def approves(user_id: str, rule: str) -> bool:
    return user_id in APPROVERS and rule == "rules.careful"


def actor(name: str, role: Role = "member", **more: Any) -> Actor:
    return Actor(name, "page", f"usr_{name}", role, **more)


CAROL = actor("carol")
OWNER = actor("root", "owner")


@pytest.fixture
async def desk(setting: Setting) -> Approvals:
    await setting.store.approvals.add(waiting("apr_1"))
    return Approvals(*setting.parts, opened=opened, approves=approves)


def waiting(ident: str, **more: Any) -> Approval:
    known: dict[str, Any] = {
        "gateway": "gateway",
        "request_id": "r1",
        "principal_id": "usr_alice",
        "principal": "alice",
        "client_id": "cli_1",
        "client": "Client",
        "server": "db",
        "method": "tools/call",
        "name": "drop",
        "rule": "rules.careful",
        "reason": "",
        "digest": "d1",
        "arguments": "sealed:{}",
        "asked_at": NOW - 10,
        "expires_at": NOW + 290,
    }
    return Approval(id=ident, **{**known, **more})


async def test_an_approver_sees_it_and_allows_it_and_both_are_recorded(
    desk: Approvals, setting: Setting
) -> None:
    view = await desk.show(CAROL, "apr_1")
    assert (view.decides, view.arguments, view.cut) == (True, "{}", False)
    assert [one.id for one in await desk.list(CAROL, waiting=True)] == ["apr_1"]
    allowed = await desk.allow(CAROL, "apr_1", seconds=3600, whatever=True)
    assert (allowed.state, allowed.until, allowed.whatever) == ("allowed", NOW + 3600, 1)
    (event,) = setting.trail.events
    assert isinstance(event, ApprovalEvent)
    assert (event.action, event.principal, event.by, event.by_id, event.door) == (
        ("allowed", "alice", "carol", "usr_carol", "page")
    )
    assert (event.request_id, event.until, event.whatever) == ("r1", NOW + 3600, True)
    assert not (await desk.show(CAROL, "apr_1")).decides
    with pytest.raises(Conflict, match="it is allowed by carol"):
        await desk.deny(CAROL, "apr_1")


async def test_nobody_decides_about_a_call_of_their_own(desk: Approvals) -> None:
    alice = actor("alice", "owner")
    assert not (await desk.show(alice, "apr_1")).decides
    for deed in (desk.allow, desk.deny):
        with pytest.raises(Forbidden, match="of their own"):
            await deed(alice, "apr_1")
    with pytest.raises(Forbidden, match="of their own"):
        await desk.allow(Actor("alice", "cli", role="owner"), "apr_1")


async def test_a_role_makes_nobody_an_approver(desk: Approvals) -> None:
    assert not (await desk.show(OWNER, "apr_1")).decides
    with pytest.raises(Forbidden, match="not among the approvers"):
        await desk.allow(OWNER, "apr_1")


async def test_whom_it_is_no_business_of_finds_nothing(desk: Approvals) -> None:
    bob = actor("bob")
    assert await desk.list(bob) == []
    for ident in ("apr_1", "apr_9", ""):
        with pytest.raises(NotFound):
            await desk.show(bob, ident)
        with pytest.raises(NotFound):
            await desk.allow(bob, ident)


async def test_a_key_is_good_for_what_it_says(desk: Approvals) -> None:
    for scopes in (frozenset[Any](), frozenset[Any]({"approvals:read"})):
        with pytest.raises(Forbidden, match="this key is not good"):
            await desk.allow(actor("carol", "admin", scopes=scopes), "apr_1")
    both: frozenset[Any] = frozenset({"approvals:write"})
    assert (await desk.allow(actor("carol", "admin", scopes=both), "apr_1")).state == "allowed"


async def test_the_operator_decides(desk: Approvals, setting: Setting) -> None:
    assert (await desk.deny(setting.actor, "apr_1")).state == "denied"


async def test_too_late_is_too_late(desk: Approvals, setting: Setting) -> None:
    setting.clock.at = NOW + 290
    with pytest.raises(Conflict, match="expired"):
        await desk.allow(CAROL, "apr_1")


async def test_what_was_allowed_for_a_while_is_taken_back(desk: Approvals, setting: Setting) -> None:
    await desk.allow(CAROL, "apr_1", seconds=60)
    with pytest.raises(NotFound):
        await desk.end(actor("bob"), "apr_1")
    with pytest.raises(Forbidden):
        await desk.end(actor("audrey", "auditor"), "apr_1")
    assert (await desk.end(OWNER, "apr_1")).state == "ended"
    with pytest.raises(Conflict):
        await desk.end(OWNER, "apr_1")


async def test_what_cannot_be_meant_is_refused(desk: Approvals) -> None:
    for more in ({"seconds": -1}, {"seconds": 25 * 3600}, {"whatever": True}):
        with pytest.raises(InvalidInput):
            await desk.allow(CAROL, "apr_1", **more)


async def test_arguments_that_cannot_be_opened_are_not_shown(desk: Approvals, setting: Setting) -> None:
    await setting.store.approvals.add(waiting("apr_2", arguments="torn"))
    assert (await desk.show(CAROL, "apr_2")).arguments == ""


async def test_a_long_list_asks_once_for_each_rule_who_approves(setting: Setting) -> None:
    asked: list[str] = []

    async def counted(user_id: str, rule: str) -> bool:
        asked.append(rule)
        return await approves(user_id, rule)

    for number in range(4):
        await setting.store.approvals.add(
            waiting(f"apr_{number}", principal_id=f"usr_{number}", principal="")
        )
    await setting.store.approvals.add(waiting("apr_other", rule="rules.other"))
    desk = Approvals(*setting.parts, opened=opened, approves=counted)
    found = await desk.list(CAROL)
    assert {one.id for one in found} == {f"apr_{number}" for number in range(4)}
    assert sorted(asked) == ["rules.careful", "rules.other"]
