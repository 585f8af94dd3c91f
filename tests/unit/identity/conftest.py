"""A real store in a temporary folder, and cheap password hashes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gatekit.identity.passwords import HashCost, PasswordHasher
from gatekit.store.sql.store import SqlStore, open_store
from tests.support.clock import ManualClock


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStore]:
    opened = await open_store(tmp_path / "gatekit.db")
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    made = PasswordHasher(HashCost(time_cost=1, memory_kib=64, parallelism=1))
    yield made
    made.close()
