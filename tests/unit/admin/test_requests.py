"""People ask for what they may not use; administrators grant it for a while."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.admin.desk import Actor
from gatekit.admin.requests import Requests
from gatekit.admin.rules import Rules
from gatekit.errors import AuditUnavailable, Conflict, Forbidden, GatekitError, InvalidInput, NotFound
from gatekit.model.people import LOCAL, Role, User
from gatekit.model.requests import AccessRequest
from gatekit.policy.written import written_of
from tests.unit.admin.conftest import NOW, Setting


def actor(name: str, role: Role = "member", **more: Any) -> Actor:
    return Actor(name, "page", f"usr_{name}", role, **more)


ALICE, ROOT = actor("alice"), actor("root", "admin")


@pytest.fixture
async def desk(setting: Setting) -> Requests:
    for name in ("alice", "root"):
        user = User(id=f"usr_{name}", connection=LOCAL, issuer=LOCAL, subject=name, username=name, login=name)
        await setting.store.users.add(user)
    rules = Rules(*setting.parts)
    return Requests(*setting.parts, rules=rules, requestable=lambda: ["db"])


async def asked(desk: Requests, tool: str = "") -> AccessRequest:
    return await desk.ask(ALICE, "db", tool=tool, reason="a fire", seconds=7200)


async def test_what_is_granted_is_a_rule_with_an_end(desk: Requests, setting: Setting) -> None:
    request = await asked(desk, "query")
    assert await desk.own(ALICE) == [request]
    granted = await desk.grant(ROOT, request.id)
    assert (granted.state, granted.expires_at, granted.decided_by) == ("granted", NOW + 7200, "root")
    rule = await setting.store.rules.get(granted.rule)
    assert rule is not None
    assert rule.expires_at == NOW + 7200
    written = written_of(rule.body)
    assert (written.effect, written.who, written.servers, written.tools) == (
        ("allow", ("local:alice",), ("db",), ("query",))
    )
    assert setting.trail.words() == [
        "request.ask db/query",
        f"rule.add {granted.rule}",
        "request.grant db/query",
    ]
    with pytest.raises(Conflict, match="it is granted"):
        await desk.refuse(ROOT, request.id)


async def test_a_grant_that_cannot_be_recorded_lets_nobody_in_and_can_be_made_again(
    desk: Requests, setting: Setting
) -> None:
    request = await asked(desk)
    setting.trail.full = True
    with pytest.raises(AuditUnavailable):
        await desk.grant(ROOT, request.id)
    assert not await setting.store.rules.list()
    assert [one.state for one in await desk.own(ALICE)] == ["waiting"]
    setting.trail.full = False
    granted = await desk.grant(ROOT, request.id)
    assert await setting.store.rules.get(granted.rule) is not None


async def test_of_two_decisions_one_counts(desk: Requests, setting: Setting) -> None:
    request = await asked(desk)
    done = await asyncio.gather(
        desk.grant(ROOT, request.id), desk.refuse(ROOT, request.id), return_exceptions=True
    )
    assert sum(isinstance(one, GatekitError) for one in done) == 1
    kept = await desk.show(ROOT, request.id)
    assert (len(await setting.store.rules.list()) == 1) is (kept.state == "granted")


async def test_nothing_hidden_can_be_asked_for(desk: Requests) -> None:
    for server in ("secret", "", "db*"):
        with pytest.raises(NotFound):
            await desk.ask(ALICE, server, reason="why not")


async def test_nobody_grants_their_own_and_nobody_without_the_permission(
    desk: Requests, setting: Setting
) -> None:
    request = await asked(desk)
    for who in (actor("alice", "owner"), actor("mel"), actor("ada", "auditor")):
        with pytest.raises(Forbidden):
            await desk.grant(who, request.id)
    reading: frozenset[Any] = frozenset({"requests:read", "rules:write"})
    with pytest.raises(Forbidden):
        await desk.grant(actor("root", "admin", scopes=reading), request.id)
    with pytest.raises(Forbidden):
        await desk.list(ALICE)
    with pytest.raises(Forbidden):
        await desk.grant(replace_name(setting.actor, "alice"), request.id)


def replace_name(operator: Actor, name: str) -> Actor:
    return replace(operator, name=name)


async def test_a_key_for_requests_makes_no_other_rule(desk: Requests) -> None:
    request = await asked(desk)
    scopes: frozenset[Any] = frozenset({"requests:write"})
    assert (
        await desk.grant(actor("root", "admin", scopes=scopes), request.id, seconds=60)
    ).state == "granted"


async def test_who_was_disabled_meanwhile_gets_nothing(desk: Requests, setting: Setting) -> None:
    request = await asked(desk)
    user = await setting.store.users.get("usr_alice")
    assert user is not None
    await setting.store.users.update(replace(user, disabled=True))
    with pytest.raises(Conflict):
        await desk.grant(ROOT, request.id)
    assert await setting.store.rules.list() == []
    with pytest.raises(Forbidden):
        await asked(desk, "again")


async def test_only_so_many_and_one_for_the_same(desk: Requests) -> None:
    await asked(desk)
    with pytest.raises(Conflict, match="already"):
        await asked(desk)
    for number in range(4):
        await asked(desk, f"tool{number}")
    with pytest.raises(Conflict, match="wait already"):
        await asked(desk, "more")


async def test_a_request_is_withdrawn_by_who_made_it(desk: Requests) -> None:
    request = await asked(desk)
    with pytest.raises(NotFound):
        await desk.withdraw(ROOT, request.id)
    assert (await desk.withdraw(ALICE, request.id)).state == "withdrawn"
    with pytest.raises(Conflict):
        await desk.grant(ROOT, request.id)


async def test_what_cannot_be_meant_is_refused(desk: Requests) -> None:
    for more in (
        {"reason": " "},
        {"seconds": 60},
        {"seconds": 91 * 86400},
        {"tool": "*"},
        {"reason": "a\nb"},
    ):
        with pytest.raises(InvalidInput):
            await desk.ask(ALICE, "db", **{"reason": "work", **more})  # type: ignore[arg-type]
