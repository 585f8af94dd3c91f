"""``gatekit policy explain`` says what a call would get: also of paths, read where the server runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gatekit.cli import cli

FILE = """
data_dir: data
servers:
  files: {command: [files], cwd: work, allowed_users: [alice]}
rules:
  - {name: keys, effect: deny, arguments: {/path: {under: [KEYS]}}}
"""


@pytest.mark.parametrize(
    ("path", "decision"),
    [("a.txt", "allow"), ("../keys/a.txt", "deny"), ("link/a.txt", "deny"), ("{work}/link/a.txt", "deny")],
)
def test_explain_follows_paths_as_a_call_does(tmp_path: Path, path: str, decision: str) -> None:
    here = tmp_path.resolve()
    for name in ("work", "keys"):
        (here / name).mkdir()
    (here / "work" / "link").symlink_to(here / "keys")
    config = here / "gatekit.yaml"
    config.write_text(FILE.replace("KEYS", str(here / "keys")))
    runner, place = CliRunner(), ("--config", str(config))
    made = runner.invoke(cli, ["groups", *place, "create", "readers"])
    assert made.exit_code == 0, made.output
    given = json.dumps({"path": path.format(work=here / "work")})
    asked = ("--user", "alice", "--server", "files", "--tool", "read", "--args", given, "--json")
    result = runner.invoke(cli, ["policy", *place, "explain", *asked])
    assert json.loads(result.stdout)["decision"] == decision, result.output
