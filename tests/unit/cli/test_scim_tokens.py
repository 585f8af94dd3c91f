"""``gatekit connections scim-token``, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekit.cli import cli
from gatekit.errors import NotFound

CONFIG = """
data_dir: data
proxy:
  public_url: https://gate.example.com
  auth:
    providers:
      local:
      github: {client_id: x, client_secret: y, provisioning: {}}
      other: {type: github, client_id: x, client_secret: y}
servers:
  time: {command: mcp-server-time, allowed_users: ["github:ada"]}
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    (tmp_path / "gatekit.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return lambda *words, **how: CliRunner().invoke(cli, ("connections", "scim-token", *words), **how)


def test_made_listed_and_ended(run: Run) -> None:
    made = run("create", "github", "--expires", "365d")
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("gk_scim_")
    assert "https://gate.example.com/scim/v2" in made.stderr
    again = json.loads(run("create", "github", "--json").stdout)
    assert again["expires_at"] is None
    assert run("list").stdout.count("github") == 2
    listed = json.loads(run("list", "--connection", "github", "--json").stdout)
    assert [each["hint"] for each in listed] == [made.stdout.strip()[-4:], again["token"][-4:]]
    assert json.loads(run("list", "--connection", "entra", "--json").stdout) == []
    assert run("revoke", again["id"], input="n\n").exit_code == 1
    assert "is revoked" in run("revoke", again["id"], "--yes").stdout
    listed = json.loads(run("list", "--json").stdout)
    assert [each["revoked_at"] is None for each in listed] == [True, False]
    assert isinstance(run("revoke", "sct_none", "--yes").exception, NotFound)


def test_a_token_that_would_open_nothing(run: Run) -> None:
    refused = run("create", "other")
    assert refused.exit_code == 2
    assert "provisioning" in refused.stderr
    assert "opens nothing until" in run("create", "okta").stderr


def test_without_the_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    made = run("create", "other", "--data-dir", "data")
    assert made.exit_code == 0, made.output
    assert "scim/v2" not in made.stderr
