"""Local accounts: one answer for every failure, slower and slower (checklist U1), and invitations."""

from __future__ import annotations

import asyncio

import argon2
import msgspec
import pytest

from gatekit.errors import SignInRefused
from gatekit.identity.attempts import PER_ACCOUNT, PER_ACCOUNT_AND_PLACE, PER_PLACE, REFUSED, Attempts
from gatekit.identity.local import Invitations, LocalPasswords
from gatekit.identity.passwords import HashCost, PasswordHasher
from gatekit.model.people import BrowserSession, Invite
from gatekit.platform.vault import token_hash
from gatekit.store.sql.store import SqlStore
from tests.support.clock import ManualClock
from tests.unit.identity.people import local

PASSWORD = "correct horse battery"
HOME = "203.0.113.7"


@pytest.fixture
async def people(store: SqlStore, hasher: PasswordHasher) -> SqlStore:
    hashed = await hasher.hash(PASSWORD)
    await store.users.add(local("alice"), hashed)
    await store.users.add(local("eve", disabled=True), hashed)
    await store.users.add(local("invited"))
    elsewhere = msgspec.structs.replace(local("octocat"), connection="github", issuer="https://github.com")
    await store.users.add(elsewhere, hashed)
    return store


@pytest.fixture
def passwords(people: SqlStore, hasher: PasswordHasher, clock: ManualClock) -> LocalPasswords:
    return LocalPasswords(people.users, hasher, clock)


async def refused(passwords: LocalPasswords, name: str, password: str, address: str = HOME) -> SignInRefused:
    with pytest.raises(SignInRefused) as caught:
        await passwords.authenticate(name, password, address)
    return caught.value


@pytest.mark.parametrize("spelling", ["alice", "Alice", " ALICE "])
async def test_the_right_password(passwords: LocalPasswords, spelling: str) -> None:
    assert (await passwords.authenticate(spelling, PASSWORD, HOME)).id == "usr_alice"
    assert passwords.name == "local"


@pytest.mark.parametrize(
    ("name", "password", "reason"),
    [
        ("alice", "a bad guess", "wrong password"),
        ("alice", "", "wrong password"),
        ("nobody", PASSWORD, "no such local account"),
        ("", PASSWORD, "no such local account"),
        ("invited", PASSWORD, "no password set"),
        ("octocat", PASSWORD, "no such local account"),
        ("eve", PASSWORD, "disabled"),
        ("alice\0", PASSWORD, "no such local account"),
        ("a" * 1_000_000, PASSWORD, "no such local account"),
        ("alice", "x" * 5_000_000, "wrong password"),
        ("alice", "\ud800lone surrogate", "wrong password"),
    ],
)
async def test_U1_one_text_whatever_was_wrong(
    passwords: LocalPasswords, name: str, password: str, reason: str
) -> None:
    error = await refused(passwords, name, password)
    assert error.public == REFUSED
    assert reason in error.detail
    assert password not in error.detail or not password


async def test_U1_no_name_is_told_by_the_time_it_takes(
    people: SqlStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time is argon2's, so what counts is that everybody costs one check of the same price: measured in
    work, because a clock on a busy machine measures the machine."""
    hasher = PasswordHasher(HashCost(time_cost=2, memory_kib=16384, parallelism=1))
    await people.users.set_password("usr_alice", await hasher.hash(PASSWORD), 2)
    await people.users.set_password("usr_eve", await hasher.hash(PASSWORD), 2)
    passwords = LocalPasswords(people.users, hasher, clock)
    prices: list[argon2.Parameters] = []
    verify = argon2.PasswordHasher.verify

    def priced(self: argon2.PasswordHasher, hash: str, password: bytes) -> bool:
        prices.append(argon2.extract_parameters(hash))
        return verify(self, hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", priced)
    names = ("alice", "nobody", "eve", "invited")
    for turn, name in enumerate(names):
        await refused(passwords, name, "wrong password", address=f"198.51.100.{turn}")
        assert len(prices) == turn + 1
    assert len(set(map(str, prices))) == 1
    hasher.close()


async def test_U1_guessing_gets_slow_and_the_wait_is_silent(
    passwords: LocalPasswords, clock: ManualClock
) -> None:
    for _ in range(PER_ACCOUNT_AND_PLACE.free):
        await refused(passwords, "alice", "wrong password")
    waiting = await refused(passwords, "alice", PASSWORD)  # right, and still not looked at
    assert waiting.public == REFUSED
    assert "too many failures" in waiting.detail
    clock.at += 1
    assert await passwords.authenticate("alice", PASSWORD, HOME)
    await refused(passwords, "alice", "wrong password")
    assert await passwords.authenticate("alice", PASSWORD, HOME)  # a success wiped the slate


async def test_U1_names_that_do_not_exist_get_slow_as_well(passwords: LocalPasswords) -> None:
    for _ in range(PER_ACCOUNT_AND_PLACE.free):
        assert "no such" in (await refused(passwords, "nobody", "wrong password")).detail
    assert "too many failures" in (await refused(passwords, "nobody", "wrong password")).detail


async def test_U1_attempts_at_the_same_time_count_each_other(passwords: LocalPasswords) -> None:
    errors = await asyncio.gather(*(refused(passwords, "alice", f"guess {n}") for n in range(40)))
    looked_at = [error for error in errors if "wrong password" in error.detail]
    assert len(looked_at) == PER_ACCOUNT_AND_PLACE.free


async def test_U1_one_place_trying_many_names(passwords: LocalPasswords) -> None:
    details = [
        (await refused(passwords, f"name{n}", "wrong password")).detail for n in range(PER_PLACE.free + 10)
    ]
    assert sum("too many" in detail for detail in details) >= 10
    assert "no such" in (await refused(passwords, "name1", "x", address="198.51.100.1")).detail


async def test_U1_many_places_trying_one_name_do_not_lock_its_owner_out(passwords: LocalPasswords) -> None:
    assert await passwords.authenticate("alice", PASSWORD, HOME)
    for number in range(PER_ACCOUNT.free + 5):
        await refused(passwords, "alice", "wrong password", address=f"198.51.100.{number}")
    stranger = await refused(passwords, "alice", "wrong password", address="198.51.100.250")
    assert "too many" in stranger.detail
    assert await passwords.authenticate("alice", PASSWORD, HOME)


async def test_a_hash_of_older_parameters_is_renewed(passwords: LocalPasswords, people: SqlStore) -> None:
    old = argon2.PasswordHasher(2, 128, 1).hash("short")  # accepted under other rules, once
    await people.users.set_password("usr_alice", old, 2)
    assert await passwords.authenticate("alice", "short", HOME)
    assert "m=64,t=1,p=1" in (await people.users.password_hash("usr_alice") or "")


# -- invitations ---------------------------------------------------------------


@pytest.fixture
async def invitations(people: SqlStore, hasher: PasswordHasher, clock: ManualClock) -> Invitations:
    now = int(clock.now())
    for name in ("invited", "eve"):
        invite = Invite(
            token_hash=token_hash(f"gk_inv_{name}"),
            user_id=f"usr_{name}",
            created_at=now,
            expires_at=now + 60,
        )
        await people.invites.add(invite)
    return Invitations(people.users, people.invites, hasher, clock, people.browser_sessions)


async def test_an_invitation_sets_the_password_once(
    invitations: Invitations, passwords: LocalPasswords, people: SqlStore
) -> None:
    user = await invitations.invited("gk_inv_invited")
    assert user is not None
    assert user.username == "invited"
    assert (await invitations.accept("gk_inv_invited", PASSWORD)).id == user.id
    assert (await passwords.authenticate("invited", PASSWORD, HOME)).id == user.id
    assert await invitations.invited("gk_inv_invited") is None
    with pytest.raises(SignInRefused, match="invite"):
        await invitations.accept("gk_inv_invited", "another password")


async def test_an_invitation_survives_a_password_that_breaks_a_rule(invitations: Invitations) -> None:
    with pytest.raises(SignInRefused, match="too short") as caught:
        await invitations.accept("gk_inv_invited", "short")
    assert "8" in caught.value.public
    assert await invitations.invited("gk_inv_invited")


@pytest.mark.parametrize("token", ["", "gk_inv_unknown", "gk_inv_eve"])
async def test_no_invitation_for_unknown_tokens_and_disabled_people(
    invitations: Invitations, token: str
) -> None:
    assert await invitations.invited(token) is None
    with pytest.raises(SignInRefused):
        await invitations.accept(token, PASSWORD)


async def test_an_invitation_expires(invitations: Invitations, clock: ManualClock) -> None:
    clock.at += 61
    assert await invitations.invited("gk_inv_invited") is None


async def test_of_two_people_with_one_link_one_wins(
    invitations: Invitations, passwords: LocalPasswords
) -> None:
    chosen = ["first password", "second password", "third password"]
    outcomes = await asyncio.gather(
        *(invitations.accept("gk_inv_invited", password) for password in chosen), return_exceptions=True
    )
    winners = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, BaseException)]
    assert len(winners) == 1
    assert await passwords.authenticate("invited", chosen[winners[0]], HOME)


async def test_a_new_password_ends_sign_ins_made_with_the_old_one(
    invitations: Invitations, people: SqlStore, clock: ManualClock
) -> None:
    now = int(clock.now())
    session = BrowserSession(
        token_hash="s", user_id="usr_invited", auth_time=now, created_at=now, expires_at=now + 99
    )
    await people.browser_sessions.add(session)
    await invitations.accept("gk_inv_invited", PASSWORD)
    assert await people.browser_sessions.get("s", now) is None


async def test_guesses_at_two_doors_count_together(people: SqlStore, hasher: PasswordHasher) -> None:
    """U1: who guesses at one door waits at the other."""
    attempts = Attempts(ManualClock())
    here = LocalPasswords(people.users, hasher, ManualClock(), attempts)
    there = LocalPasswords(people.users, hasher, ManualClock(), attempts)
    for _ in range(PER_ACCOUNT_AND_PLACE.free):
        await refused(here, "alice", "wrong password")
    assert "too many failures" in (await refused(there, "alice", PASSWORD)).detail
