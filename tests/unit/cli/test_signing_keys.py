"""``gatekit signing-keys``, as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekit.cli import cli
from gatekit.errors import Conflict, NotFound


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def run(folder: Path, *words: str, answer: str | None = None) -> Result:
    result = CliRunner().invoke(cli, ["signing-keys", "--data-dir", str(folder), *words], input=answer)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def keys(folder: Path) -> list[tuple[str, str]]:
    return [(key["kid"], key["state"]) for key in json.loads(run(folder, "list", "--all", "--json").stdout)]


def test_from_the_first_key_to_its_end(folder: Path) -> None:
    assert "no keys yet" in run(folder, "list").stderr
    assert not (folder / "master.key").exists(), "a list makes nothing"
    (first,) = json.loads(run(folder, "rotate", "--json").stdout)
    assert first["purpose"] == "access-token"
    assert keys(folder) == [(first["kid"], "signs")], "the only one signs at once"
    assert "is published and signs from" in run(folder, "rotate").stdout
    assert sorted(state for _, state in keys(folder)) == ["next", "signs"]
    kept = run(folder, "retire", first["kid"], answer="n\n")
    assert kept.exit_code == 1
    assert sorted(state for _, state in keys(folder)) == ["next", "signs"]
    assert "is retired" in run(folder, "retire", first["kid"], "--yes").stdout
    assert sorted(state for _, state in keys(folder)) == ["retired", "signs"]
    assert "retired" not in run(folder, "list").stdout
    with pytest.raises(Conflict, match="already"):
        run(folder, "retire", first["kid"], "--yes")


def test_the_last_key_has_a_successor_before_it_ends(folder: Path) -> None:
    (only,) = json.loads(run(folder, "rotate", "--json").stdout)
    ended = run(folder, "retire", only["kid"][:8], "--yes")
    assert "takes over at once" in ended.stderr
    assert sorted(state for _, state in keys(folder)) == ["retired", "signs"]


def test_a_slip_of_the_pen_ends_no_key(folder: Path) -> None:
    run(folder, "rotate")
    for wrong in ("x", ""):
        with pytest.raises((NotFound, Conflict)):
            run(folder, "retire", wrong, "--yes")
    assert [state for _, state in keys(folder)] == ["signs"]


def test_it_is_on_record_and_shows_no_secret(folder: Path) -> None:
    (key,) = json.loads(run(folder, "rotate", "--json").stdout)
    run(folder, "retire", key["kid"], "--yes")
    tail = CliRunner().invoke(cli, ["audit", "--data-dir", str(folder), "tail", "-n", "9", "--json"]).stdout
    events = [json.loads(line) for line in tail.splitlines()]
    assert [event["action"] for event in events if event["event"] == "admin"] == [
        "signing_key.publish",
        "signing_key.publish",
        "signing_key.retire",
    ]
    shown = run(folder, "list", "--all", "--json").stdout + run(folder, "list", "--all").stdout + tail
    assert "sealed" not in shown
    assert "v1." not in shown
