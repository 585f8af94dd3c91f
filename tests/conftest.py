"""Fixtures that every room may use. Slow things are made once and shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from gatekit.demo.browser import Person
from tests.support.running import ECHO, MakeGateway, RunningGateway, started, three_servers

# An example that takes long says that the machine is busy, and nothing about what is tested.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture
def make_gateway(tmp_path: Path) -> Iterator[MakeGateway]:
    """``make_gateway(servers)``: a running gateway of one's own; by default with the light echo server."""
    made: list[RunningGateway] = []

    def make(servers: Mapping[str, Mapping[str, Any]] | None = None, **extra: Any) -> RunningGateway:
        light = {"echo": {"command": list(ECHO), "users": ["developers"]}}
        gateway = RunningGateway(tmp_path / f"gateway{len(made)}", servers or light)
        gateway.extra.update(extra)
        gateway.write()
        made.append(gateway)
        gateway.start()
        return gateway

    yield make
    for gateway in made:
        gateway.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """One gateway with the three published servers for all tests that do not change it."""
    folder = tmp_path_factory.mktemp("gateway")
    running = RunningGateway(folder, three_servers((folder / "files").resolve()))
    with started(running):
        yield running


@pytest.fixture(scope="session")
def alice(gateway: RunningGateway) -> Person:
    """In developers and sre_team."""
    return gateway.person("alice")


@pytest.fixture(scope="session")
def bob(gateway: RunningGateway) -> Person:
    """In developers only."""
    return gateway.person("bob")
