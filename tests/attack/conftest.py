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
async def world(tmp_path: Path, template: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Issues signed access tokens, or what a test asks for (``world.BOTH_FORMATS``)."""
    async with world_in(tmp_path, template, access_token_format=getattr(request, "param", "jwt")) as found:
        yield found
