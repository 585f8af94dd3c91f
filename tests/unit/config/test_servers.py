"""Names and settings of servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.config.write import faults, loaded


def test_every_setting_reaches_the_server(tmp_path: Path) -> None:
    config = loaded(
        tmp_path,
        """

        servers:
          x:
            command: prog
            title: The X
            env: {A: 1, B: "yes"}
            cwd: /srv
            instances: shared
            idle_timeout: 1h
            max_instances: 7
            max_instances_per_user: 3
            max_line: 1MB
            start_timeout: 5
            call_timeout: 10m
            probe_timeout: 500ms
        """,
    )
    (entry,) = config.servers
    server = entry.server
    assert entry.line == 2
    assert (server.name, server.title, server.command, server.cwd) == ("x", "The X", ("prog",), "/srv")
    assert server.env == (("A", "1"), ("B", "yes"))
    assert (server.instances, server.max_instances, server.max_instances_per_user) == ("shared", 7, 3)
    assert (server.idle_timeout, server.start_timeout, server.call_timeout) == (3600, 5, 600)
    assert (server.probe_timeout, server.max_line_bytes) == (0.5, 1024**2)


@pytest.mark.parametrize("name", ["a", "A-b.c_d", "0", "x" * 64, "_x", "a_b"])
def test_names(tmp_path: Path, name: str) -> None:
    assert loaded(tmp_path, f"servers: {{'{name}': {{command: x}}}}").servers[0].server.name == name


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "ä", "x" * 65, "a__b", "a_", ".", "..", "a%2f", "a:b", "a\\n"]
)
def test_no_names(tmp_path: Path, name: str) -> None:
    for text in (f'servers: {{"{name}": {{command: x}}}}', f'servers: [{{name: "{name}", command: x}}]'):
        (found,) = faults(tmp_path, text)
        assert found.startswith("1: servers")


def test_names_differ_in_more_than_case(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "servers:\n  db: {command: x}\n  DB: {command: y}\n")
    assert found == "3: servers.DB: there is a server 'db' already (case does not count)"
    (found,) = faults(tmp_path, "servers:\n  - {name: db, command: x}\n  - {name: db, command: y}\n")
    assert found == "3: servers[1].name: there is a server 'db' already (case does not count)"


def test_the_map_form_takes_no_name(tmp_path: Path) -> None:
    (found,) = faults(tmp_path, "servers: {x: {name: y, command: z}}")
    assert found == "1: servers.x.name: unknown key here (the name stands before the colon in this form)"


def test_both_forms_give_the_same(tmp_path: Path) -> None:
    as_map = loaded(tmp_path, "servers: {x: {command: a b, users: [dev], env: {K: v}}}")
    as_list = loaded(tmp_path, "servers: [{name: x, command: a b, users: [dev], env: {K: v}}]")
    assert (as_map.servers, as_map.rules) == (as_list.servers, as_list.rules)


def test_lines_and_spares(tmp_path: Path) -> None:
    text = "servers: {x: {command: a, warm: 3, max_waiting: 7, max_waiting_per_user: 2, max_wait: 5s}}"
    server = loaded(tmp_path, text).servers[0].server
    assert (server.warm, server.max_waiting, server.max_waiting_per_user, server.max_wait) == (3, 7, 2, 5)


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (
            "warm: 1, instances: shared",
            "nothing can be started ahead of need: a shared instance is one process",
        ),
        ("warm: 1, env: {A: '${user:id}'}", "nothing can be started ahead of need: env names the person"),
        ("warm: 3, max_instances: 2", "must not be more than max_instances"),
    ],
)
def test_spares_that_make_no_sense(tmp_path: Path, keys: str, fault: str) -> None:
    (found,) = faults(tmp_path, f"servers: {{x: {{command: a, {keys}}}}}")
    assert f"servers.x.warm: {fault}" in found
