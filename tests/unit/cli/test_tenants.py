"""``gatekit --tenant NAME`` and ``gatekit tenants add | disable | enable``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gatekit.cli import cli
from gatekit.config.tenants import load_tenants
from gatekit.errors import ConfigError, Conflict, InvalidInput, NotFound
from tests.unit.config.test_tenants import own

COMMON = """\
# whoever runs the machine
proxy: {port: 8443}
tenants:
  acme:            # since 2026
    host: "acme.gate.example"
    config: acme/gatekit.yaml
"""


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "gatekit.yaml").write_text(COMMON, encoding="utf-8")
    own(tmp_path, "acme")
    own(tmp_path, "beta")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def test_a_command_is_about_the_tenant_that_is_named(house: Path) -> None:
    assert run("--tenant", "acme", "users", "add", "ada").stdout.startswith(
        "https://acme.gate.example/invite/"
    )
    assert (house / "acme" / "data" / "gatekit.db").exists()
    assert not (house / "gatekit-data").exists()
    listed = json.loads(run("--tenant", "acme", "users", "list", "--json").stdout)
    assert [person["username"] for person in listed] == ["ada"]


def test_without_a_name_the_common_file_is_nobodys(house: Path) -> None:
    result = run("users", "list")
    assert isinstance(result.exception, ConfigError)
    assert "gatekit --tenant NAME" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--tenant", "beta", "users", "list"), ConfigError),
        (("--tenant", "acme", "users", "list", "--data-dir", "beta"), InvalidInput),
        (("--tenant", "acme", "users", "list", "-c", "acme/gatekit.yaml"), ConfigError),
    ],
    ids=["unknown", "another directory", "not the common file"],
)
def test_what_does_not_go_together(house: Path, words: tuple[str, ...], error: type[Exception]) -> None:
    assert isinstance(run(*words).exception, error)


@pytest.mark.parametrize("command", ["serve", "tenants", "init", "check"])
def test_commands_that_are_about_no_tenant(house: Path, command: str) -> None:
    assert "--tenant does not go with" in run("--tenant", "acme", command, "list").output


@pytest.mark.parametrize("words", [("--tenant", "acme"), ("-c", "acme/gatekit.yaml")], ids=str)
@pytest.mark.parametrize(
    "beyond",
    [
        {"data_dir": "../beta/data"},
        {"servers": {"x": {"command": "/bin/cat", "users": ["*"]}}},
        {"servers": {"x": {"url": "https://x.example/mcp", "headers": {"A": "${env:HOME}"}, "users": ["*"]}}},
        {
            "servers": {
                "x": {
                    "url": "https://x.example/mcp",
                    "headers": {"A": "${file:../gatekit.yaml}"},
                    "users": ["*"],
                }
            }
        },
    ],
    ids=["data of another", "a program", "a variable", "a file outside"],
)
def test_the_limits_hold_at_the_command_line(
    house: Path, words: tuple[str, str], beyond: dict[str, Any]
) -> None:
    """Whoever writes a tenant's file reaches no further because an operator runs a command over it."""
    own(house, "acme", **{"data_dir": "data", **beyond})
    first, place = (words, ()) if words[0] == "--tenant" else ((), words)
    result = run(*first, "users", "list", *place)
    assert isinstance(result.exception, ConfigError), result.output
    assert not (house / "beta" / "data").exists()


def test_a_tenant_is_added_switched_off_and_on_and_comments_stay(house: Path) -> None:
    path = house / "gatekit.yaml"
    path.chmod(0o640)
    added = run("tenants", "add", "beta", "--host", "beta.gate.example")
    assert added.exit_code == 0, added.output
    text = path.read_text(encoding="utf-8")
    assert text.startswith(COMMON)
    assert path.stat().st_mode & 0o777 == 0o640
    assert [one.name for one in load_tenants(path).tenants] == ["acme", "beta"]
    assert run("tenants", "disable", "beta").exit_code == 0
    assert [one.enabled for one in load_tenants(path).tenants] == [True, False]
    assert run("tenants", "enable", "beta").exit_code == 0
    assert path.read_text(encoding="utf-8") == text
    assert sorted(one.name for one in house.iterdir()) == ["acme", "beta", "gatekit.yaml"]


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("add", "acme", "--host", "x.gate.example"), Conflict),
        (("add", "beta", "--host", "acme.gate.example"), ConfigError),
        (("add", "beta", "--host", "beta.gate.example", "--own-file", "acme/other.yaml"), ConfigError),
        (("add", "acme-eu", "--host", "eu.gate.example"), ConfigError),
        (("disable", "none"), NotFound),
    ],
    ids=str,
)
def test_a_change_that_would_be_a_fault_leaves_the_file_alone(
    house: Path, words: tuple[str, ...], error: type[Exception]
) -> None:
    result = run("tenants", *words)
    assert isinstance(result.exception, error)
    assert (house / "gatekit.yaml").read_text(encoding="utf-8") == COMMON
    assert sorted(one.name for one in house.iterdir()) == ["acme", "beta", "gatekit.yaml"]


def test_a_file_of_several_above_an_ordinary_one_is_not_its_business(house: Path) -> None:
    """What is not named as a tenant's own is read as ever."""
    assert run("users", "list", "-c", "beta/gatekit.yaml").exit_code == 0
