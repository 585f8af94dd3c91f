"""The world under attack."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attack.world import World, prepare, world_in


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("world")
    asyncio.run(prepare(directory))
    return directory


@pytest.fixture
async def world(tmp_path: Path, template: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, template) as found:
        yield found
