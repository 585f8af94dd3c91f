"""The official conformance suite, with authentication on, against the official fixture as a stdio server.

The fixture runs as a server of one era alone, so that every pair of eras is measured. ``docs/conformance.md``
states the counts; these tests hold it to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatekit.demo.browser import Person
from gatekit.demo.gateway import free_port
from tests.support.conformance import (
    ERAS,
    REVISIONS,
    label,
    run_authorization_server,
    run_scenario,
    run_server,
)
from tests.support.peers import ROOT
from tests.support.running import RunningGateway, conformance_gateway, started


@pytest.fixture(scope="module")
def fixture_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with started(conformance_gateway(tmp_path_factory.mktemp("conformance"))) as running:
        yield running


@pytest.fixture(scope="module")
def somebody(fixture_gateway: RunningGateway) -> Person:
    return fixture_gateway.person("alice")


def document() -> str:
    return (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("era", ERAS)
def test_server(
    fixture_gateway: RunningGateway, somebody: Person, tmp_path: Path, revision: str, era: str
) -> None:
    token = fixture_gateway.token(somebody, era)
    found = run_server(fixture_gateway.endpoint(era), token, revision, tmp_path, somebody)
    unexpected = found.unexpected(revision, era)
    assert not unexpected, "\n".join(unexpected)
    assert not found.missing
    row = found.row(label(revision, era))
    assert row in document(), row


@pytest.mark.parametrize(
    ("scenario", "era"),
    [
        ("http-header-validation", "stateless"),
        ("http-custom-header-server-validation", "stateless"),
        ("http-custom-header-server-validation", "handshake"),
        ("json-schema-2020-12", "handshake"),
    ],
)
def test_scenarios_that_are_not_scored(
    fixture_gateway: RunningGateway, somebody: Person, tmp_path: Path, scenario: str, era: str
) -> None:
    """What the suite knows and no requirement list names."""
    token = fixture_gateway.token(somebody, era)
    said = run_scenario(fixture_gateway.endpoint(era), token, scenario, tmp_path, somebody)
    assert re.search(r"Passed: ([1-9]\d*)/\1, 0 failed, 0 warnings", said), said[-3000:]


def test_authorization_server(fixture_gateway: RunningGateway, somebody: Person, tmp_path: Path) -> None:
    url = fixture_gateway.endpoint("stateless")
    found = run_authorization_server(url, tmp_path, somebody, free_port(0))
    assert not found.failed, "\n".join(found.failed)
    assert found.row("authorization server") in document(), found.row("authorization server")
