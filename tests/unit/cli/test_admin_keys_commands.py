"""``gatekit admin-keys``, as it is typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gatekit.admin.admin_keys import READING
from gatekit.cli import cli
from gatekit.errors import GatekitError

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    def typed(*words: str, ok: bool = True) -> Result:
        place = ("--data-dir", str(tmp_path))
        result = CliRunner().invoke(cli, (words[0], *place, *words[1:]))
        if ok and result.exception is not None:
            raise result.exception
        return result

    typed("users", "add", "alice")
    return typed


def test_from_the_first_to_the_last(run: Run) -> None:
    made = run("admin-keys", "create", "alice", "--name", "tf", "--scope", "people:read, groups:write")
    assert made.stdout.startswith("gk_adm_")
    assert "may: people:read, groups:write" in made.stderr
    assert "alice is a member" in made.stderr, "a key that does nothing yet says so"
    (key,) = json.loads(run("admin-keys", "list", "--user", "alice", "--json").stdout)
    assert (key["scopes"], key["state"]) == (["people:read", "groups:write"], "active")
    assert made.stdout.strip() not in json.dumps(key)
    assert "is revoked" in run("admin-keys", "revoke", key["id"], "--yes").stdout
    assert "revoked" in run("admin-keys", "list").stdout


def test_everything_that_reads(run: Run) -> None:
    made = run(
        *(
            "admin-keys",
            "create",
            "alice",
            "--name",
            "report",
            "--read-all",
            "--from",
            "192.0.2.0/24",
            "--json",
        )
    )
    assert set(json.loads(made.stdout)) == {"token", "id", "expires_at"}
    (key,) = json.loads(run("admin-keys", "list", "--json").stdout)
    assert (key["scopes"], key["addresses"]) == (list(READING), ["192.0.2.0/24"])


def test_a_scope_that_is_none(run: Run) -> None:
    result = run("admin-keys", "create", "alice", "--name", "x", "--scope", "people:all", ok=False)
    assert isinstance(result.exception, GatekitError)
    assert "there is no scope people:all (there are: people:read," in str(result.exception)


def test_no_keys_yet(run: Run) -> None:
    assert "there are no admin keys" in run("admin-keys", "list").stderr
