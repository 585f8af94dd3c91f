"""``${user:…}`` in the environment of a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.config.show import describe
from gatekit.model.personal import Attribute
from tests.unit.config.write import faults, loaded


def text(value: str, name: str = "ACT_AS", more: str = "") -> str:
    return f"""
        servers:
          x:
            command: prog
            env: {{LEVEL: info, {name}: '{value}'}}
            {more}
    """


def test_it_is_kept_as_a_template(tmp_path: Path) -> None:
    server = loaded(tmp_path, text("<${user:email}> ${user:groups:-none at all}")).servers[0].server
    assert server.env == (("LEVEL", "info"),)
    assert server.personal_env == (
        ("ACT_AS", ("<", Attribute("email"), "> ", Attribute("groups", "none at all"))),
    )


def test_the_list_form_has_it_too(tmp_path: Path) -> None:
    config = loaded(tmp_path, "servers: [{name: x, command: prog, env: {A: '${user:id}'}}]")
    assert config.servers[0].server.personal_env == (("A", (Attribute("id"),)),)


def test_what_only_looks_like_one_is_text(tmp_path: Path) -> None:
    """A template that came out of a secret would let whoever writes the secret read people's attributes."""
    config = loaded(tmp_path, text("$${user:id} ${env:S}"), {"S": "${user:email}"})
    assert config.servers[0].server.personal_env == ()
    assert dict(config.servers[0].server.env)["ACT_AS"] == "${user:id} ${user:email}"


def test_a_changed_template_is_another_launch_recipe(tmp_path: Path) -> None:
    one = loaded(tmp_path, text("${user:id}")).servers[0].server
    assert one.fingerprint() != loaded(tmp_path, text("${user:name}")).servers[0].server.fingerprint()


def test_it_is_shown_as_written_and_secrets_around_it_are_not(tmp_path: Path) -> None:
    def shown(value: str, name: str = "ACT_AS") -> str:
        config = loaded(tmp_path, text(value, name), {"S": "hunter2"})
        variable: str = describe(config)["servers"]["x"]["env"][name]
        return variable

    assert shown("a ${user:groups:-none}") == "a ${user:groups:-none}"
    assert shown("${user:email}", "API_TOKEN") == "${user:email}"
    assert shown("${env:S}-${user:id}") == "***"
    assert shown("hunter2-${user:id}", "API_TOKEN") == "***"


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        (
            text("${user:shoe_size}"),
            "4: servers.x.env.ACT_AS: unknown attribute in ${user:shoe_size}: id, name,",
        ),
        (text("${user:display_name}"), "unknown attribute"),
        (text("${user:}"), "unknown attribute"),
        (text("${user:id}", more="instances: shared"), "env.ACT_AS: a shared instance belongs to no person"),
        (text("${user:id}", "PATH"), "env.PATH: no person's attribute may decide which code runs"),
        (
            text("${user:id}", "LD_PRELOAD", "allow_dangerous: true"),
            "env.LD_PRELOAD: no person's attribute may decide which code runs",
        ),
        (text("x", more="args: ['--as=${user:id}']"), "args[0]: ${user:id} may only stand in the env of a"),
        (text("x", more="title: '${user:id}'"), "title: ${user:id} may only stand in the env of a server"),
        ("servers: {x: {command: 'prog ${user:id}'}}", "command: ${user:id} may only stand in the env of"),
        ("servers: {x: {command: [prog, '${user:id}']}}", "${user:id} may only stand in the env of a server"),
    ],
)
def test_faults(tmp_path: Path, file: str, fault: str) -> None:
    (found,) = faults(tmp_path, file)
    assert fault in found
