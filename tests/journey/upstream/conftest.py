"""A pool per test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.journey.upstream.kit import Kit


@pytest.fixture
async def kit() -> AsyncIterator[Kit]:
    made = Kit()
    yield made
    await made.pool.close()
