"""R1–R7: refresh tokens."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatekit.errors import AuditUnavailable, StoreFull
from gatekit.model.audit import TokenEvent
from gatekit.model.rules import ByLogin, Rules, ServerRules
from gatekit.policy.engine import Policy
from tests.attack.world import BOTH_FORMATS, World, world_in


@BOTH_FORMATS
async def test_R1_a_used_token_yields_the_same_successor_within_its_grace(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    first = (await world.refresh(client, old)).json()
    world.clock.advance(44)
    second = (await world.refresh(client, old)).json()
    assert first["refresh_token"] == second["refresh_token"] != old
    assert await world.alive(first["access_token"])
    assert await world.alive(second["access_token"])
    assert world.trail.named(TokenEvent, action="grace")
    assert (await world.refresh(client, first["refresh_token"])).status_code == 200


async def test_R1_a_late_copy_gets_what_is_good_when_a_faster_one_rotated_twice(world: World) -> None:
    """R1, R3: Copies that share a token file never lock each other out."""
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    second = (await world.refresh(client, old)).json()["refresh_token"]
    third = (await world.refresh(client, second)).json()["refresh_token"]
    late = (await world.refresh(client, old)).json()["refresh_token"]
    assert late == third, "not a link that is used up: it would look stolen in an hour"
    world.clock.advance(3000)
    assert (await world.refresh(client, late)).status_code == 200


@BOTH_FORMATS
async def test_R2_reuse_after_the_grace_fells_the_family(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    new = (await world.refresh(client, old)).json()
    world.clock.advance(46)
    assert await world.alive(new["access_token"])
    replay = await world.refresh(client, old)
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert (await world.refresh(client, new["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await world.alive(new["access_token"])
    [event] = world.trail.named(TokenEvent, action="reused")
    assert isinstance(event, TokenEvent)
    assert event.principal == "alice"
    assert event.grant_id


@BOTH_FORMATS
async def test_R3_parallel_copies_share_one_successor(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    answers = await asyncio.gather(*(world.refresh(client, old) for _ in range(20)))
    assert [answer.status_code for answer in answers] == [200] * 20
    successors = {answer.json()["refresh_token"] for answer in answers}
    assert len(successors) == 1
    assert all([await world.alive(answer.json()["access_token"]) for answer in answers[:3]])
    assert (await world.refresh(client, successors.pop())).status_code == 200


@BOTH_FORMATS
async def test_R4_every_token_works_in_its_own_place_only(world: World) -> None:
    client, other = await world.register(), await world.register()
    code = await world.code(client)
    for place in (world.refresh(client, code), world.use(code)):
        assert (await place).status_code in (400, 401)
    tokens = (await world.redeem(client, code)).json()
    refresh_token, access_token = tokens["refresh_token"], tokens["access_token"]
    assert (await world.refresh(other, refresh_token)).json()["error"] == "invalid_grant"
    assert (await world.use(refresh_token)).status_code == 401
    assert (await world.refresh(client, access_token)).json()["error"] == "invalid_grant"
    assert (await world.redeem(client, refresh_token)).json()["error"] == "invalid_grant"
    assert (await world.redeem(client, access_token)).json()["error"] == "invalid_grant"
    assert (await world.refresh(client, refresh_token)).status_code == 200  # nobody burnt it
    assert refresh_token.startswith("gk_rt_")
    assert code.startswith("gk_ac_")


async def test_R5_widening_is_refused_without_rotating(world: World) -> None:
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    elsewhere = f"{world.issuer}/s/clock/mcp"
    for changes, error in (
        ({"resource": elsewhere}, "invalid_target"),
        ({"resource": f"{world.issuer}/mcp"}, "invalid_target"),
        ({"resource": "https://elsewhere.example/"}, "invalid_target"),
        ({"scope": "mcp admin"}, "invalid_scope"),
    ):
        refused = await world.refresh(client, old, **changes)
        assert (refused.status_code, refused.json()["error"]) == (400, error)
    rows = await world.store.grants.list(user_id=world.people["alice"].id)
    assert rows[0].revoked_at is None
    fine = await world.refresh(client, old, scope="mcp", resource=world.files + "/")
    assert fine.json()["scope"] == "mcp"
    assert len(world.trail.named(TokenEvent, action="refreshed")) == 1


async def test_R5_scopes_that_mean_nothing_here_are_no_widening(world: World) -> None:
    client = await world.register(scope="read write")
    old = (await world.tokens(client, scope="read write offline_access"))["refresh_token"]
    fine = await world.refresh(client, old, scope="read write offline_access openid")
    assert fine.json()["scope"] == "mcp:read mcp:call"


@pytest.mark.parametrize("wider", ["mcp:read mcp:call", "mcp:call", "mcp", "mcp:call offline_access"])
async def test_R5_a_known_scope_that_was_not_granted_is_not_given(world: World, wider: str) -> None:
    """R5, T5: clients that repeat what they asked for at first get what was granted, and are told so."""
    client = await world.register(scope="mcp:read mcp:call")
    tokens = await world.tokens(client, scope="mcp:read")
    for _ in range(2):
        tokens = (await world.refresh(client, tokens["refresh_token"], scope=wider)).json()
        assert tokens["scope"] == "mcp:read"
        assert await world.alive(tokens["access_token"])
        access = world.server.bearer.cached(f"Bearer {tokens['access_token']}".encode())
        assert access is not None
        assert not access.may_call


@pytest.mark.parametrize("granted", ["mcp", "mcp:read mcp:call"])
async def test_R5_narrowing_the_scope_holds_for_that_access_token_only(world: World, granted: str) -> None:
    """RFC 6749 §6: the new refresh token's scope is that of the old one."""
    client = await world.register()
    wide = await world.tokens(client, scope=granted)
    narrow = (await world.refresh(client, wide["refresh_token"], scope="mcp:read")).json()
    assert narrow["scope"] == "mcp:read"
    for again in (None, granted, "mcp"):
        assert (await world.refresh(client, narrow["refresh_token"], scope=again)).json()["scope"] == granted


@BOTH_FORMATS
async def test_R5_narrowing_the_resource_narrows_the_access_token(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client, resource=None)  # alice picks everything
    assert await world.alive(tokens["access_token"], "clock")
    narrow = (await world.refresh(client, tokens["refresh_token"], resource=world.files)).json()
    assert await world.alive(narrow["access_token"], "files")
    assert not await world.alive(narrow["access_token"], "clock")
    wide = (await world.refresh(client, narrow["refresh_token"])).json()
    assert await world.alive(wide["access_token"], "clock")


Loss = Callable[[World, str], Awaitable[None]]


async def _disable_user(world: World, _: str) -> None:
    await world.store.users.update(replace(world.people["alice"], disabled=True))


async def _delete_user(world: World, _: str) -> None:
    await world.store.users.delete(world.people["alice"].id)


async def _disable_client(world: World, client_id: str) -> None:
    await world.store.clients.set_disabled(client_id, True)


async def _delete_client(world: World, client_id: str) -> None:
    await world.store.clients.delete(client_id)


async def _revoke_grant(world: World, client_id: str) -> None:
    for grant in await world.store.grants.list(client_id=client_id):
        await world.store.grants.revoke(grant.id, int(world.clock.now()), "test")


async def _not_admitted(world: World, _: str) -> None:
    world.policy = Policy.compile(
        Rules(gateway=(ByLogin("local", "bob"),), servers=(ServerRules(server="files"),))
    )


async def _connection_gone(world: World, _: str) -> None:
    await world.store.users.update(replace(world.people["alice"], connection="formerly"))
    world.directory_of_people.forget()


LOSSES: Sequence[Loss] = (
    _disable_user,
    _delete_user,
    _disable_client,
    _delete_client,
    _revoke_grant,
    _not_admitted,
    _connection_gone,
)


@BOTH_FORMATS
@pytest.mark.parametrize("loss", LOSSES)
async def test_R6_lost_standing_refuses_code_refresh_and_bearer(world: World, loss: Loss) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    code = await world.code(client)
    assert await world.alive(tokens["access_token"])
    await loss(world, client["client_id"])
    world.server.bearer.forget()  # what the watcher of the change feed does
    assert (await world.refresh(client, tokens["refresh_token"])).status_code in (400, 401)
    assert (await world.redeem(client, code)).status_code in (400, 401)
    assert (await world.use(tokens["access_token"])).status_code == 401


@BOTH_FORMATS
async def test_R6_without_any_notice_the_bearer_check_looks_again_soon(world: World) -> None:
    client = await world.register()
    tokens = await world.tokens(client)
    assert await world.alive(tokens["access_token"])
    await _disable_user(world, "")
    world.clock.advance(world.settings.bearer_cache_seconds)
    assert not await world.alive(tokens["access_token"])


async def test_R6_an_api_key_dies_with_its_owners_standing(world: World) -> None:
    from tests.attack.test_tokens import add_key

    secret = await add_key(world, "alice")
    assert await world.alive(secret)
    await _disable_user(world, "")
    world.server.bearer.forget()
    assert not await world.alive(secret)


async def test_R7_an_expired_token_gets_nothing_even_in_its_grace(tmp_path: Path) -> None:
    async with world_in(tmp_path, refresh_token_lifetime=100) as world:
        client = await world.register()
        old = (await world.tokens(client))["refresh_token"]
        world.clock.advance(80)
        assert (await world.refresh(client, old)).status_code == 200
        world.clock.advance(20)
        assert (await world.refresh(client, old)).json()["error"] == "invalid_grant"


async def test_R7_the_family_ends_absolutely(tmp_path: Path) -> None:
    async with world_in(tmp_path, grant_lifetime=5000, refresh_token_lifetime=3000) as world:
        client = await world.register()
        tokens = await world.tokens(client)
        for _ in range(2):
            world.clock.advance(2000)
            tokens = (await world.refresh(client, tokens["refresh_token"])).json()
        assert tokens["expires_in"] == 1000
        assert await world.alive(tokens["access_token"])
        world.clock.advance(1000)
        assert not await world.alive(tokens["access_token"])
        assert (await world.refresh(client, tokens["refresh_token"])).json()["error"] == "invalid_grant"


@BOTH_FORMATS
@pytest.mark.parametrize("step", ["rotate", "refresh_token"])
async def test_R7_a_store_that_fails_leaves_the_token_usable(
    world: World, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]

    async def full(*_: object) -> None:
        raise StoreFull("no room")

    with monkeypatch.context() as patch:
        patch.setattr(world.store.grants, step, full)
        failed = await world.refresh(client, old)
        assert (failed.status_code, failed.json()["error"]) == (503, "temporarily_unavailable")
    world.clock.advance(100)
    assert (await world.refresh(client, old)).status_code == 200


@BOTH_FORMATS
@pytest.mark.parametrize("action", ["refreshed", "grace"])
async def test_R7_a_trail_that_fails_leaves_the_token_usable(world: World, action: str) -> None:
    """R7: Nothing is answered without a record, and who tries again long after that is no thief."""
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    if action == "grace":
        expected = (await world.refresh(client, old)).json()["refresh_token"]
    world.trail.failure = AuditUnavailable("no room")
    failed = await world.refresh(client, old)
    assert (failed.status_code, failed.json()["error"]) == (503, "temporarily_unavailable")
    world.trail.failure = None
    world.clock.advance(10 if action == "grace" else 500)
    again = await world.refresh(client, old)
    assert again.status_code == 200, again.text
    if action == "grace":
        assert again.json()["refresh_token"] == expected


async def test_R7_a_disk_that_fails_in_the_middle_undoes_the_rotation(world: World) -> None:
    """R7: The old token is marked used and its successor written in one transaction, or neither."""
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    with sqlite3.connect(world.directory / "gatekit.db", timeout=10) as disk:
        disk.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON refresh_tokens BEGIN SELECT RAISE(ABORT, 'disk I/O'); END"
        )
    failed = await world.refresh(client, old)
    assert failed.status_code == 503, failed.text
    with sqlite3.connect(world.directory / "gatekit.db", timeout=10) as disk:
        disk.execute("DROP TRIGGER broken")
        [(used,)] = disk.execute("SELECT COUNT(*) FROM refresh_tokens WHERE used_at IS NOT NULL").fetchall()
    assert used == 0
    world.clock.advance(500)
    assert (await world.refresh(client, old)).status_code == 200


async def test_R3_parallel_copies_while_the_store_fails_now_and_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R3, R7: Each copy tries again when it gets 503; at the end all of them have the same live token."""
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    grants, failures = world.store.grants, iter([True, False, True, True])
    rotate = grants.rotate

    async def shaky(*arguments: Any) -> Any:
        if next(failures, False):
            raise StoreFull("no room")
        return await rotate(*arguments)

    monkeypatch.setattr(grants, "rotate", shaky)

    async def copy() -> str:
        for _ in range(10):
            answer = await world.refresh(client, old)
            if answer.status_code == 200:
                return str(answer.json()["refresh_token"])
            assert answer.status_code == 503, answer.text
            await asyncio.sleep(0)
        raise AssertionError("never let in")

    [kept] = set(await asyncio.gather(*(copy() for _ in range(12))))
    world.clock.advance(3000)
    assert (await world.refresh(client, kept)).status_code == 200


@BOTH_FORMATS
async def test_R1_a_restart_between_two_refreshes_changes_nothing(world: World) -> None:
    """R1, R2: The grace and the detection of reuse outlive the process."""
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    new = (await world.refresh(client, old)).json()
    await world.boot()
    again = (await world.refresh(client, old)).json()
    assert again["refresh_token"] == new["refresh_token"]
    assert await world.alive(new["access_token"])
    latest = (await world.refresh(client, new["refresh_token"])).json()
    await world.boot()
    world.clock.advance(46)
    assert (await world.refresh(client, old)).json()["error"] == "invalid_grant"
    assert not await world.alive(latest["access_token"])


async def test_R2_a_grant_that_ends_meanwhile_is_no_reuse(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R2: Whoever is revoked between two statements is refused, and not called a thief in the trail."""
    client = await world.register()
    old = (await world.tokens(client))["refresh_token"]
    rotate = world.store.grants.rotate

    async def too_late(*arguments: Any) -> Any:
        await _revoke_grant(world, client["client_id"])
        return await rotate(*arguments)

    monkeypatch.setattr(world.store.grants, "rotate", too_late)
    assert (await world.refresh(client, old)).json()["error"] == "invalid_grant"
    assert not world.trail.named(TokenEvent, action="reused")
