"""A world in which resource servers ask about tokens, in both forms of access tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.attack.world import LEDGER, REPORTS, World, world_in


@pytest.fixture(params=["jwt", "opaque"])
async def asked(tmp_path: Path, template: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with world_in(
        tmp_path, template, access_token_format=request.param, resource_servers=(REPORTS, LEDGER)
    ) as found:
        yield found
