"""``gatekit plan`` and ``apply`` without a gateway: exit codes, and what is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekit.cli import cli

FILE = """
data_dir: data
groups: {dev: [bob]}
servers:
  db:
    command: [db, --key, "${env:GATEKIT_TEST_KEY}"]
    allowed_users: [alice, "group:dev"]
    tools: {drop: [alice]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GATEKIT_TEST_KEY", "s3cret-value")
    (tmp_path / "gatekit.yaml").write_text(FILE)
    return tmp_path


def run(folder: Path, command: str, new: str, *more: str) -> Result:
    (folder / "new.yaml").write_text(new)
    words = [command, str(folder / "new.yaml"), "--config", str(folder / "gatekit.yaml"), *more]
    return CliRunner().invoke(cli, words, standalone_mode=False, catch_exceptions=True)


def code(result: Result) -> int:
    return result.exit_code


def test_nothing_changes(folder: Path) -> None:
    result = run(folder, "plan", FILE)
    assert (code(result), result.output) == (0, "the file is the same, byte for byte\n")
    result = run(folder, "plan", FILE + "# a word\n")
    assert (code(result), result.output) == (0, "nothing changes in what it means\n")
    assert not (folder / "data").exists()
    assert not (folder / "gatekit.yaml.previous").exists()


def test_people_groups_and_programs_gain_and_lose(folder: Path) -> None:
    new = FILE.replace("alice, ", "carol@example.com, ").replace("drop: [alice]", 'drop: ["group:dev"]')
    result = run(folder, "plan", new + "sessions: {idle_timeout: 10m}\naggregate: {patience: 3s}\n")
    assert code(result) == 2
    assert result.output.splitlines() == [
        "~ server db",
        "~ setting aggregate",
        "- db: allow → deny for alice",
        "+ db: deny → allow for carol@example.com",
        "+ db tool drop: deny → allow for bob, group:dev",
        "waits for a restart: sessions",
    ]


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (FILE + "proxy: {auth: {roles: {owner: [bob]}}}\n", "~ setting proxy.auth.roles"),
        (FILE + "quotas: [{name: q, calls: 10/1m}]\n", "~ setting quotas"),
        (FILE.replace("{dev: [bob]}", '{dev: [bob], ops: [bob, "local:sam"]}'), "~ setting groups"),
        (FILE.replace("drop: [alice]", 'drop: [alice], "x_*": [bob]'), "~ server db"),
        (FILE + "proxy: {auth: {allowed_users: [alice, bob]}}\n", "~ setting proxy.auth.allowed_users"),
    ],
)
def test_what_nobody_is_known_to_gain_or_lose_by_is_named(folder: Path, new: str, said: str) -> None:
    result = run(folder, "plan", new)
    assert said in result.output.splitlines(), result.output
    assert code(result) == 2


def test_a_server_is_named_and_its_secret_is_not(folder: Path) -> None:
    new = FILE.replace("--key", "--token") + "  more: {command: x, allowed_users: []}\n"
    result = run(folder, "plan", new)
    assert result.output.splitlines() == ["~ server db", "+ server more"]
    assert "s3cret" not in run(folder, "plan", new, "--json").output


@pytest.mark.parametrize(
    ("new", "why"),
    [
        ("servers: 1", "new.yaml:1: servers"),
        (FILE.replace("GATEKIT_TEST_KEY", "GATEKIT_NOT_SET"), "GATEKIT_NOT_SET"),
        (FILE + "policy_tests: [{name: eve, user: eve, server: db, expect: allow}]", "eve: expected allow"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_what_cannot_be_used_changes_nothing(folder: Path, command: str, new: str, why: str) -> None:
    result = run(folder, command, new)
    assert code(result) == 1
    assert why in result.output
    assert (folder / "gatekit.yaml").read_text() == FILE
    assert sorted(path.name for path in folder.iterdir()) == ["gatekit.yaml", "new.yaml"]


def test_apply_keeps_what_was_there_its_mode_and_its_link(folder: Path) -> None:
    real = folder / "real.yaml"
    (folder / "gatekit.yaml").rename(real)
    (folder / "gatekit.yaml").symlink_to(real)
    real.chmod(0o640)
    result = run(folder, "apply", FILE + "# new\n", "--yes", "--wait", "0")
    assert code(result) == 0, result.output
    assert (folder / "gatekit.yaml").is_symlink()
    assert real.read_text() == FILE + "# new\n"
    assert real.stat().st_mode & 0o777 == 0o640
    previous = folder / "gatekit.yaml.previous"
    assert (previous.read_text(), previous.stat().st_mode & 0o777) == (FILE, 0o640)


def test_apply_asks_first(folder: Path) -> None:
    (folder / "new.yaml").write_text(FILE + "# new\n")
    words = ["apply", str(folder / "new.yaml"), "--config", str(folder / "gatekit.yaml")]
    assert CliRunner().invoke(cli, words, input="n\n").exit_code == 1
    assert (folder / "gatekit.yaml").read_text() == FILE
