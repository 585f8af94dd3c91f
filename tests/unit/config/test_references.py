"""``${env:…}`` and ``${file:…}``."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gatekit.config.model import GitHubConnection
from tests.unit.config.write import faults, loaded


def text(value: str) -> str:
    return f"""
        servers:
          x:
            command: prog
            env: {{TOKEN: '{value}'}}
    """


def token(folder: Path, value: str, **environ: str) -> str:
    return dict(loaded(folder, text(value), environ).servers[0].server.env)["TOKEN"]


def test_a_variable(tmp_path: Path) -> None:
    config = loaded(tmp_path, text("${env:T}"), {"T": "s3cret"})
    assert config.servers[0].server.env == (("TOKEN", "s3cret"),)
    assert config.servers[0].secret_env == {"TOKEN"}


def test_a_file_beside_the_configuration_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "tok").write_text("s3cret \n\n")
    assert token(tmp_path, "${file:tok}") == "s3cret "
    assert loaded(tmp_path, text("${file:tok}")).secret_files == (tmp_path / "tok",)


def test_several_in_one_value(tmp_path: Path) -> None:
    assert token(tmp_path, "a-${env:A}-${env:B}-z", A="1", B="2") == "a-1-2-z"


def test_what_a_reference_yields_is_not_resolved_again(tmp_path: Path) -> None:
    assert token(tmp_path, "${env:A}", A="${env:B}", B="x") == "${env:B}"


def test_the_literal_text(tmp_path: Path) -> None:
    config = loaded(tmp_path, text("$${env:A}"))
    assert config.servers[0].server.env == (("TOKEN", "${env:A}"),)
    assert config.servers[0].secret_env == frozenset()


@pytest.mark.parametrize("value", ["$HOME", "a$b", "{x}", "$"])
def test_other_dollars_are_just_text(tmp_path: Path, value: str) -> None:
    assert token(tmp_path, value) == value


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("${env:NOPE}", "the environment variable NOPE is not set"),
        ("${HOME}", "unknown reference ${HOME}: write ${env:HOME} for a variable, ${env:NAME}, "),
        ("${vault:x}", "unknown reference ${vault:x}: ${env:NAME}, ${file:path} and ${user:name} are known"),
        ("${env:}", "unknown reference ${env:}"),
        ("${file:nope}", "nope cannot be read: No such file or directory"),
        ("${file:.}", "cannot be read: Is a directory"),
    ],
)
def test_faults(tmp_path: Path, value: str, fault: str) -> None:
    (found,) = faults(tmp_path, text(value))
    assert found.startswith("4: servers.x.env.TOKEN: ")
    assert fault in found


@pytest.mark.parametrize(("content", "fault"), [(b"\xff", "not text"), (b"a\0b", "holds no secret"),
                                                (b"x" * 70_000, "holds no secret")])  # fmt: skip
def test_files_that_hold_no_secret(tmp_path: Path, content: bytes, fault: str) -> None:
    (tmp_path / "tok").write_bytes(content)
    (found,) = faults(tmp_path, text("${file:tok}"))
    assert fault in found


def test_a_secret_in_a_command_stays_one_word(tmp_path: Path) -> None:
    config = loaded(tmp_path, "servers: {x: {command: 'prog --key ${env:K} z'}}", {"K": "a b; c"})
    assert config.servers[0].server.command == ("prog", "--key", "a b; c", "z")
    assert config.servers[0].secret_words == {2}
    assert any("prefer env" in note for note in config.notes)


def test_a_secret_is_never_in_a_repr(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """
        proxy: {auth: {provider: github, client_id: id, client_secret: '${env:S}'}}
        servers: {x: {command: [prog, '${env:S}'], args: ['${env:S}'], env: {A: '${env:S}'}}}
        """,
        {"S": "hunter2"},
    )
    assert "hunter2" not in repr(config)
    (connection,) = config.auth.connections
    assert isinstance(connection, GitHubConnection)
    assert connection.client_secret == "hunter2"
    assert config.servers[0].secret_words == {1, 2}


def test_what_other_rooms_get_is_plain_text(tmp_path: Path) -> None:
    """A launch recipe is encoded, and encoders take no cousins of ``str``."""
    config = loaded(tmp_path, text("${env:T}"), {"T": "s3cret"})
    assert b"s3cret" in msgspec.json.encode(config.servers[0].server)


def test_a_rotated_secret_changes_the_launch_recipe(tmp_path: Path) -> None:
    recipes = {
        loaded(tmp_path, text("${env:T}"), {"T": value}).servers[0].server.fingerprint() for value in "ab"
    }
    assert len(recipes) == 2


def test_an_empty_variable_is_no_secret(tmp_path: Path) -> None:
    found = faults(
        tmp_path, "proxy: {auth: {provider: github, client_id: x, client_secret: '${env:S}'}}", {"S": ""}
    )
    assert found == ("1: proxy.auth.client_secret: must not be empty",)
