"""``gatekit connections saml-metadata``."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from lxml import etree

from gatekit.cli import cli
from gatekit.errors import Conflict, SamlRefused
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


def test_the_next_keys_stand_beside_the_old_ones_until_those_end(config: Path) -> None:
    before = certificates(config)
    place = ["-c", str(config)]
    made = CliRunner().invoke(cli, ["connections", *place, "saml-rotate-keys"])
    assert made.exit_code == 0, made.output
    old = re.findall(r"signing-keys retire (\S+)", made.output)
    assert len(old) == 2
    both = certificates(config)
    assert {use: len(found) for use, found in both.items()} == {"signing": 2, "encryption": 2}
    assert all(before[use][0] in both[use] for use in before)
    again = CliRunner().invoke(cli, ["connections", *place, "saml-rotate-keys"])
    assert isinstance(again.exception, Conflict)  # one that waits is enough
    for kid in old:
        assert CliRunner().invoke(cli, ["signing-keys", *place, "retire", kid, "--yes"]).exit_code == 0
    after = certificates(config)
    assert {use: len(found) for use, found in after.items()} == {"signing": 1, "encryption": 1}
    assert all(after[use][0] not in before[use] for use in before)


def certificates(config: Path) -> dict[str, list[str]]:
    root = etree.fromstring(run(config, "corp").output.encode())
    found: dict[str, list[str]] = {}
    for descriptor in root.iter("{*}KeyDescriptor"):
        found.setdefault(str(descriptor.get("use")), []).append("".join(descriptor.itertext()))
    return found
