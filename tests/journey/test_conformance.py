"""The official conformance suite, with authentication on, against the official fixture as a stdio server.

``docs/conformance.md`` states the counts; these tests hold it to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from tests.support.conformance import run_authorization_server, run_server
from tests.support.peers import ROOT
from tests.support.running import RunningGateway, conformance_server


@pytest.fixture(scope="module")
def fixture_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """Published as ``localhost``: one scenario sends foreign Host headers and wants that name."""
    running = RunningGateway(tmp_path_factory.mktemp("conformance"), {"fixture": conformance_server()})
    running.url = f"http://localhost:{running.port}"
    running.write()
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def somebody(fixture_gateway: RunningGateway) -> Person:
    return fixture_gateway.person("alice")


def document() -> str:
    return (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
def test_server(fixture_gateway: RunningGateway, somebody: Person, tmp_path: Path, revision: str) -> None:
    token = fixture_gateway.token(somebody, "fixture")
    found = run_server(fixture_gateway.endpoint("fixture"), token, revision, tmp_path, somebody)
    assert not found.failed, "\n".join(found.failed)
    assert not found.missing
    assert found.row(f"server, {revision}") in document(), found.row(f"server, {revision}")


def test_authorization_server(fixture_gateway: RunningGateway, somebody: Person, tmp_path: Path) -> None:
    url = fixture_gateway.endpoint("fixture")
    found = run_authorization_server(url, tmp_path, somebody, free_port(0))
    assert not found.failed, "\n".join(found.failed)
    assert found.row("authorization server") in document(), found.row("authorization server")
