"""What is allowed and probably not meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.config.load import load
from tests.unit.config.write import EXAMPLES, loaded


def said(folder: Path, text: str) -> tuple[str, ...]:
    return warnings(loaded(folder, text), {"PATH": "/usr/bin:/bin"})


def test_a_sound_file_has_no_warnings(tmp_path: Path) -> None:
    assert said(tmp_path, "servers: {x: {command: ls, allowed_users: [alice]}}") == ()


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("", "servers: there are none, so there is nothing to use"),
        ("servers: {x: {command: ls}}",
         "gatekit.yaml:1: servers.x: has no list (allowed_users, allowed_groups, users): nobody may use it"),
        ("servers: {x: {command: ls, users: []}}",
         "gatekit.yaml:1: servers.x: its list is empty, so nobody may use it"),
        ("proxy: {auth: {allowed_users: []}}\nservers: {x: {command: ls, users: ['*']}}",
         "proxy.auth.allowed_users: is empty, so nobody may come in at all"),
        ("servers: {x: {command: ls, users: ['*'], tools: {'d*': []}}}",
         'gatekit.yaml:1: servers.x: tools "d*" are closed to everybody'),
        ("servers: {x: {command: no-such-program-here, users: ['*']}}",
         "gatekit.yaml:1: servers.x: the program 'no-such-program-here' was not found on PATH"),
        ("servers: {x: {command: ls, users: ['*'], env: {PATH: /nowhere}}}",
         "gatekit.yaml:1: servers.x: the program 'ls' was not found on PATH"),
        ("servers: {x: {command: ls, users: ['*'], allow_dangerous: true}}",
         "gatekit.yaml:1: servers.x: allow_dangerous is set, so its command and variables are not checked"),
        ("proxy: {auth: {enabled: false}}\nservers: {x: {command: ls}}",
         "proxy.auth.enabled: is false, so every program on this machine may use every server"),
        ("proxy: {auth: {provider: github, client_id: a, client_secret: b}}\n"
         "servers: {x: {command: ls, users: ['*']}}",
         "github: a list holds `*`, so everybody in the world may come in"),
    ],
)  # fmt: skip
def test_one_warning(tmp_path: Path, text: str, warning: str) -> None:
    assert said(tmp_path, text) == (warning,)


@pytest.mark.parametrize(
    "auth",
    [
        "provider: github, client_id: a, client_secret: b, allowed_orgs: [acme]",
        "provider: github, client_id: a, client_secret: b, allowed_users: ['org:acme']",
        "provider: local",
    ],
)
def test_everybody_behind_another_gate_is_not_the_world(tmp_path: Path, auth: str) -> None:
    assert said(tmp_path, f"proxy: {{auth: {{{auth}}}}}\nservers: {{x: {{command: ls, users: ['*']}}}}") == ()


def test_a_relative_program_is_looked_for_where_it_will_run(tmp_path: Path) -> None:
    text = "servers: {x: {command: ./run, cwd: sub, users: ['*']}}"
    found = said(tmp_path, text)
    assert [line.split(": ", 2)[2] for line in found] == [
        f"its cwd {tmp_path / 'sub'} is not a folder",
        f"the program './run' was not found at {tmp_path / 'sub' / 'run'}",
    ]
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "run").write_text("#!/bin/sh\n")
    (tmp_path / "sub" / "run").chmod(0o755)
    assert said(tmp_path, text) == ()


def test_a_secret_that_others_can_read(tmp_path: Path) -> None:
    secret = tmp_path / "tok"
    secret.write_text("x")
    secret.chmod(0o644)
    text = "servers: {x: {command: ls, users: ['*'], env: {T: '${file:tok}'}}}"
    (found,) = said(tmp_path, text)
    assert found == f"{secret}: everybody on this machine can read this secret (chmod 600 {secret})"
    secret.chmod(0o600)
    assert said(tmp_path, text) == ()


def test_a_file_that_others_can_change(tmp_path: Path) -> None:
    text = (
        "proxy: {host: 0.0.0.0, public_url: 'https://x.example'}\nservers: {x: {command: ls, users: ['*']}}"
    )
    config = loaded(tmp_path, text)
    config.path.chmod(0o666)
    assert warnings(config) == (f"{config.path}: everybody on this machine can change this file",)


def test_the_examples_say_what_is_left_to_do() -> None:
    found = warnings(load(EXAMPLES / "github-users.yaml", {}), {"PATH": "/usr/bin:/bin"})
    (placeholder,) = (line for line in found if "PATH" not in line)
    assert placeholder.startswith("github: client_id and client_secret left as in the example")
    assert placeholder.endswith("callback URL http://localhost:8080/callback/github")
