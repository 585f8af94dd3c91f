"""A recorder on a scratch directory, and events as the gateway would record them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gatekit.audit.recorder import Recorder
from gatekit.model.audit import CallEvent
from gatekit.platform.clock import SystemClock, SystemEntropy

MakeCall = Callable[..., CallEvent]
MakeRecorder = Callable[..., Recorder]


@pytest.fixture
def call() -> MakeCall:
    def make(user: str = "alice", **fields: Any) -> CallEvent:
        denied = fields.get("decision") == "deny"
        given: dict[str, Any] = {
            "at": 1_790_000_000.25,
            "principal": user,
            "principal_id": f"usr_{user}",
            "client": "inspector",
            "client_id": "cli_1",
            "server": "files",
            "method": "tools/call",
            "name": "echo",
            "decision": "allow",
            "outcome": "refused" if denied else "ok",
        }
        return CallEvent(**(given | fields))

    return make


@pytest.fixture
async def recorder_of(tmp_path: Path) -> AsyncIterator[MakeRecorder]:
    """Opens recorders in ``<tmp>/audit`` and closes them at the end."""
    opened: list[Recorder] = []

    def make(**options: Any) -> Recorder:
        directory = options.pop("directory", tmp_path / "audit")
        writer, clock = options.pop("writer", "gateway"), options.pop("clock", SystemClock())
        opened.append(Recorder(directory, writer=writer, clock=clock, entropy=SystemEntropy(), **options))
        return opened[-1]

    yield make
    for recorder in opened:
        await recorder.aclose()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit"
