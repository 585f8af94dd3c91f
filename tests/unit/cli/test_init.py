"""``gatekit init``."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekit.cli import cli
from gatekit.cli.check import check
from gatekit.cli.init import init
from gatekit.config.load import load
from gatekit.config.starter import STARTER, starter
from gatekit.model.rules import ByLogin


def test_the_starter_loads_and_passes_check(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    result = CliRunner().invoke(init, [str(path), "--no-owner"])
    assert result.exit_code == 0, result.output
    assert not (tmp_path / "data").exists()
    assert path.stat().st_mode & 0o777 == 0o600
    config = load(path, {})
    assert config.notes == ()
    assert [entry.server.name for entry in config.servers] == ["time"]
    assert CliRunner().invoke(check, ["--config", str(path)]).exit_code == 0


def uncommented(first: str) -> str:
    """The block of comments that begins with ``first``, as it stands once the marks are taken away."""
    lines = STARTER[STARTER.index(first) :].splitlines()
    margin = first[: first.index("#")]
    block = itertools.takewhile(lambda line: line.startswith(f"{margin}# "), lines)
    return "".join(f"{margin}{line[len(margin) + 2 :]}\n" for line in block)


def test_what_the_starter_shows_in_comments_loads_as_well(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    for provider in ("    # provider: github", "    # providers:"):
        text = STARTER.replace("    provider: local\n", uncommented(provider)) + uncommented("  # files:")
        path.write_text(text.replace("  # public_url:", "  public_url:"))
        config = load(path, {"GITHUB_CLIENT_SECRET": "s"})
        assert config.public_url == "https://mcp.example.com"
        assert config.auth.connections[-1].name == "github"
        assert [entry.server.name for entry in config.servers] == ["time", "files"]
        assert config.rules.servers[1].tools[0].glob == "write_*"


def test_a_folder_gets_a_file_inside(tmp_path: Path) -> None:
    assert CliRunner().invoke(init, [str(tmp_path)]).exit_code == 0
    assert (tmp_path / "gatekit.yaml").is_file()


def test_without_a_path_it_is_written_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(init, []).exit_code == 0
    assert (tmp_path / "gatekit.yaml").is_file()


def test_a_file_is_only_overwritten_by_force(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_text("mine\n")
    result = CliRunner().invoke(init, [str(path)])
    assert result.exit_code == 1
    assert result.stderr == f"Error: {path} exists; --force overwrites it\n"
    assert path.read_text() == "mine\n"
    assert CliRunner().invoke(init, [str(path), "--force", "--owner", "zoe"]).exit_code == 0
    assert path.read_text() == starter("zoe")


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(init, [str(tmp_path / "no" / "gatekit.yaml")])
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr


def test_the_first_owner_gets_a_link_and_may_use_the_first_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(init, ["--owner", "zoe"])
    assert made.exit_code == 0, made.output
    assert "zoe is the first owner." in made.stdout
    assert "http://localhost:8080/invite/gk_inv_" in made.stdout
    shown = json.loads(CliRunner().invoke(cli, ["users", "show", "zoe", "--json"]).stdout)
    assert (shown["role"], shown["state"]) == ("owner", "invited")
    assert [row["connection"] for row in shown["identities"]] == ["local"]
    config = load(tmp_path / "gatekit.yaml", {})
    assert dict(config.rules.groups)["developers"] == (ByLogin("local", "zoe"),)
    # Somebody who writes the file anew makes no second owner by that.
    again = CliRunner().invoke(init, ["--force", "--owner", "eve"])
    assert (again.exit_code, "an owner already" in again.stdout) == (0, True)
    assert "/invite/" not in again.stdout


def test_who_is_here_already_becomes_no_owner_by_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(init, ["--no-owner"]).exit_code == 0
    assert CliRunner().invoke(cli, ["users", "add", "zoe"]).exit_code == 0
    refused = CliRunner().invoke(init, ["--force", "--owner", "zoe"])
    assert refused.exit_code == 1
    assert "gatekit users role zoe owner" in refused.stderr


def test_an_owner_who_cannot_be_called_so_costs_no_file(tmp_path: Path) -> None:
    result = CliRunner().invoke(init, [str(tmp_path), "--owner", "Not A Name"])
    assert result.exit_code != 0
    assert not (tmp_path / "gatekit.yaml").exists()


@pytest.mark.parametrize("name", ["123", "on", "null", "a.b"])
def test_a_name_that_means_something_else_in_yaml(tmp_path: Path, name: str) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_text(starter(name), encoding="utf-8")
    assert dict(load(path, {}).rules.groups)["developers"] == (ByLogin("local", name),)
