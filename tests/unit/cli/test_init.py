"""``gatekit init``."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekit.cli.check import check
from gatekit.cli.init import init
from gatekit.config.load import load
from gatekit.config.starter import STARTER


def test_the_starter_loads_and_passes_check(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    result = CliRunner().invoke(init, [str(path)])
    assert result.exit_code == 0, result.output
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
    assert CliRunner().invoke(init, [str(path), "--force"]).exit_code == 0
    assert path.read_text() == STARTER


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(init, [str(tmp_path / "no" / "gatekit.yaml")])
    assert result.exit_code == 1
    assert "cannot be written: No such file or directory" in result.stderr
