"""``gatekit check``."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from gatekit.cli.check import check

EXAMPLES = Path(__file__).parents[1] / "config" / "examples"


def test_a_good_file_is_shown_with_its_warnings_and_exit_0() -> None:
    result = CliRunner().invoke(check, ["--config", str(EXAMPLES / "github-users.yaml")])
    assert result.exit_code == 0, result.output
    assert "    command: python -m filesystem_server\n" in result.stdout
    assert "        client_secret: ***\n" in result.stdout
    assert "your-github-app-secret" not in result.output
    assert "warning: github: client_id and client_secret left as in the example" in result.stdout
    assert "github-users.yaml: ok, 2 servers, " in result.stdout.splitlines()[-1]


def test_the_other_example_too() -> None:
    result = CliRunner().invoke(check, ["--config", str(EXAMPLES / "groups-list.yaml"), "--json"])
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["ok"]
    assert answer["config"]["servers"]["prod_tools"]["allowed_users"] == ["group:sre_team"]
    assert any("sre_team" in warning for warning in answer["warnings"])


def test_a_bad_file_lists_every_fault_and_exits_2(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_text("servers:\n  x: {comand: y}\nprot: 1\n")
    result = CliRunner().invoke(check, ["--config", str(path)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "gatekit.yaml:2: servers.x.comand: unknown key (did you mean 'command'?)",
        "gatekit.yaml:3: prot: unknown key (did you mean 'proxy.port'?)",
        "2 faults; nothing was changed",
    ]
    result = CliRunner().invoke(check, ["--config", str(path), "--json"])
    assert result.exit_code == 2
    answer = json.loads(result.stdout)
    assert not answer["ok"]
    assert len(answer["faults"]) == 2


def test_a_missing_file_exits_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(check, ["--config", str(tmp_path / "none.yaml")])
    assert result.exit_code == 2
    assert "gatekit init" in result.stderr


def test_words_with_blanks_are_quoted(tmp_path: Path) -> None:
    path = tmp_path / "gatekit.yaml"
    path.write_text("servers: {x: {command: [ls, 'a b', ''], users: ['*']}}\n")
    result = CliRunner().invoke(check, ["--config", str(path)])
    assert '    command: ls "a b" ""\n' in result.stdout
    assert result.stdout.splitlines()[-1] == "gatekit.yaml: ok, 1 server, no warnings"


def test_help_has_an_example() -> None:
    assert "gatekit check --config" in CliRunner().invoke(check, ["--help"]).stdout
