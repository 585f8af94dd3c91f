"""argon2id in bounded threads, and the rules for a password (checklist U2)."""

from __future__ import annotations

import asyncio
import unicodedata

import argon2
import pytest

from gatekit.errors import ProviderFailed, SignInRefused
from gatekit.identity.passwords import HashCost, PasswordHasher, check_password


async def test_a_hash_opens_with_its_password_only(hasher: PasswordHasher) -> None:
    hashed = await hasher.hash("correct horse")
    assert hashed.startswith("$argon2id$")
    assert await hasher.verify(hashed, "correct horse")
    assert not await hasher.verify(hashed, "correct horsf")
    assert not await hasher.verify("not a hash at all", "correct horse")


async def test_both_ways_to_write_a_letter_are_one_password(hasher: PasswordHasher) -> None:
    """U2: Both ways to write a letter are one password."""
    composed, decomposed = unicodedata.normalize("NFC", "pässwörd"), unicodedata.normalize("NFD", "pässwörd")
    assert composed != decomposed
    assert await hasher.verify(await hasher.hash(decomposed), composed)


@pytest.mark.parametrize("password", ["", "seven77", "x" * 1025, "é" * 513, "x" * 10_000_000])
async def test_a_password_that_breaks_a_rule(hasher: PasswordHasher, password: str) -> None:
    """U2: A password that breaks a rule."""
    with pytest.raises(SignInRefused, match="password too"):
        await hasher.hash(password)


@pytest.mark.parametrize("password", ["eight888", "x" * 1024, "é" * 512, "🔑🔑"])
def test_a_password_within_the_rules(password: str) -> None:
    check_password(password)


async def test_a_longer_password_is_not_its_first_1024_bytes(hasher: PasswordHasher) -> None:
    """U2: A longer password is not its first 1024 bytes."""
    hashed = await hasher.hash("x" * 1024)
    assert not await hasher.verify(hashed, "x" * 1025)
    assert not await hasher.verify(hashed, "x" * 2_000_000)


def test_default_cost_is_rfc_9106_second_recommendation() -> None:
    assert HashCost() == HashCost(time_cost=3, memory_kib=65536, parallelism=4)


async def test_outdated(hasher: PasswordHasher) -> None:
    hashed = await hasher.hash("correct horse")
    assert not hasher.outdated(hashed)
    assert hasher.outdated(argon2.PasswordHasher(2, 64, 1).hash("correct horse"))
    assert hasher.outdated("rubbish")


async def test_the_queue_is_bounded_and_recovers() -> None:
    """U2: The queue is bounded and recovers."""
    hasher = PasswordHasher(HashCost(time_cost=3, memory_kib=32768, parallelism=1), workers=2, max_waiting=2)
    attempts = await asyncio.gather(*(hasher.waste("x") for _ in range(50)), return_exceptions=True)
    refused = [attempt for attempt in attempts if isinstance(attempt, ProviderFailed)]
    assert len(refused) == 46
    assert "Try again" in refused[0].public
    await hasher.waste("x")
    hasher.close()


async def test_an_attempt_that_is_given_up_counts_until_it_ends() -> None:
    hasher = PasswordHasher(HashCost(time_cost=3, memory_kib=32768, parallelism=1), workers=1, max_waiting=0)
    task = asyncio.create_task(hasher.waste("x"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(ProviderFailed):  # the thread still works on it
        await hasher.waste("x")
    async with asyncio.timeout(20):
        while True:
            try:
                await hasher.waste("x")
                break
            except ProviderFailed:
                await asyncio.sleep(0.01)
    hasher.close()
