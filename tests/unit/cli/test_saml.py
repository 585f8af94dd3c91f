"""``gatekit connections saml-metadata``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from gatekit.cli import cli
from gatekit.errors import SamlRefused
from tests.support.saml import IDP, keys, metadata

CONFIG = """
data_dir: data
proxy: {auth: {providers: {local: , corp: {type: saml, metadata: "${file:idp.xml}"}}}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "idp.xml").write_bytes(metadata([keys("idp")]))
    (tmp_path / "gatekit.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path / "gatekit.yaml"


def run(config: Path, *arguments: str) -> Result:
    command = ["connections", "-c", str(config), "saml-metadata", *arguments]
    return CliRunner().invoke(cli, command)


def test_ours_is_the_same_each_time(config: Path) -> None:
    first, second = run(config, "corp"), run(config, "corp")
    assert first.exit_code == 0, first.output
    assert first.output == second.output
    root = etree.fromstring(first.output.encode())
    assert root.get("entityID") == "http://localhost:8080/saml/corp/metadata"


def test_theirs(config: Path) -> None:
    said = run(config, "corp", "--theirs")
    assert f"entity_id: {IDP}" in said.output
    assert "sign_in: https://idp.example.com/sso (HTTP-Redirect)" in said.output
    facts = json.loads(run(config, "corp", "--theirs", "--json").output)
    assert facts["warnings"] == []
    assert len(facts["certificate"]) == 1


def test_theirs_cannot_be_used(config: Path) -> None:
    (config.parent / "idp.xml").write_bytes(metadata([]))
    said = run(config, "corp", "--theirs")
    assert isinstance(said.exception, SamlRefused)
    assert "0 signing certificates" in said.exception.detail


def test_another_kind(config: Path) -> None:
    assert "is no connection of" in run(config, "local").output
