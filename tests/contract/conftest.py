"""Every store implementation goes through one suite. A new backend adds one entry to ``BACKENDS``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store

Open = Callable[[], Awaitable[Store]]


def sqlite(folder: Path) -> Open:
    async def opened() -> Store:
        return await open_store(folder / "data" / "gatekit.db")

    return opened


BACKENDS: dict[str, Callable[[Path], Open]] = {"sqlite": sqlite}


@pytest.fixture(params=sorted(BACKENDS))
async def another(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Open]:
    """Opens one more store on the same data, as another process would."""
    opened: list[Store] = []
    opener = BACKENDS[request.param](tmp_path)

    async def open_one() -> Store:
        opened.append(await opener())
        return opened[-1]

    yield open_one
    for store in opened:
        await store.close()


@pytest.fixture
async def store(another: Open) -> Store:
    return await another()
