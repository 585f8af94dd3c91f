"""A real store, a clock that stands, and a trail that keeps what it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gatekit.admin.desk import operator
from gatekit.errors import AuditUnavailable
from gatekit.model.audit import AuditEvent
from gatekit.platform.clock import SystemEntropy
from gatekit.store.ports import Store
from gatekit.store.sql.store import open_store

NOW = 1_790_000_000


class StandingClock:
    def __init__(self) -> None:
        self.at = float(NOW)

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class Trail:
    """Keeps events; when ``full``, it refuses them."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.full = False

    async def write(self, event: AuditEvent) -> None:
        if self.full:
            raise AuditUnavailable("no room")
        self.events.append(event)

    def words(self) -> list[str]:
        """``user.create alice`` and so on."""
        return [
            f"{getattr(e, 'action', '')} {getattr(e, 'target', '') or getattr(e, 'key_id', '')}".strip()
            for e in self.events
        ]


class Setting:
    """What every use case is made of."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trail = Trail()
        self.clock = StandingClock()
        self.parts = (store, self.trail, self.clock, SystemEntropy())
        self.actor = operator("ops")


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    store = await open_store(tmp_path / "gatekit.db")
    yield Setting(store)
    await store.close()
