"""``policy_tests`` in the file, and what ``gatekit check`` makes of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec import UNSET

from gatekit.cli import cli
from gatekit.config.load import load
from tests.unit.config.write import faults, loaded, write

FILE = """
servers:
  db: {command: python -m database_server, allowed_users: [alice, "group:dev"]}
rules:
  - {name: no-drops, effect: deny, tools: ["drop_*"]}
  - name: at-night
    effect: deny
    when: {hours: "22:00-06:00"}
    tools: [query]
"""


def case(text: str) -> str:
    return FILE + f"policy_tests:\n  - {text}\n"


def test_a_case_says_who_what_and_how(tmp_path: Path) -> None:
    text = (
        "{name: a, user: bob, groups: [dev], server: db, tool: query, arguments: {sql: x}, client: c,"
        " address: 10.0.0.1, at: '2026-11-01T09:30:00+01:00', signed_in: 5m, amr: [pwd], expect: allow}"
    )
    (found,) = loaded(tmp_path, case(text)).policy_tests
    assert (found.who.username, found.who.connection, found.who.groups) == (
        "bob",
        "local",
        frozenset({"dev"}),
    )
    assert (found.server, found.kind, found.thing, found.expect) == ("db", "tool", "query", "allow")
    about = found.about
    assert (about.client_id, about.address, about.amr) == ("c", "10.0.0.1", frozenset({"pwd"}))
    assert (about.at, about.auth_time, about.arguments) == (1793521800.0, 1793521500, {"sql": "x"})
    (bare,) = loaded(tmp_path, case("{name: a, user: b@c.de, server: db, expect: deny}")).policy_tests
    assert (bare.kind, bare.about.arguments, bare.who.email_verified) == ("server", UNSET, True)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{name: a, user: bob, server: bd, expect: deny}", "there is no server 'bd'"),
        ("{name: a, user: 'group:dev', server: db, expect: deny}", "nobody in particular"),
        ("{name: a, user: bob, server: db, tool: x, prompt: y, expect: deny}", "several things"),
        ("{name: a, user: bob, server: db, arguments: {x: 1}, expect: deny}", "belong to a tool"),
        ("{name: a, user: bob, server: db, signed_in: 5m, expect: deny}", "needs `at`"),
        ("{name: a, user: bob, server: db, at: noon, expect: deny}", "is no time"),
        ("{name: a, user: bob, server: db, expect: maybe}", "expected allow, deny"),
    ],
)
def test_a_case_that_cannot_be_meant(tmp_path: Path, text: str, why: str) -> None:
    assert any(why in fault for fault in faults(tmp_path, case(text)))


def test_check_and_test_try_the_cases(tmp_path: Path) -> None:
    good = case("{name: bob drops nothing, user: bob, groups: [dev], server: db, tool: drop_x, expect: deny}")
    path = write(tmp_path, good)
    assert load(path).policy_tests
    run = CliRunner().invoke
    assert run(cli, ["check", "--config", str(path)]).exit_code == 0
    assert "1 cases, 0 otherwise" in run(cli, ["policy", "test", "--config", str(path)]).output
    write(tmp_path, good.replace("expect: deny", "expect: allow"))
    for command in (["check"], ["policy", "test"]):
        result = run(cli, [*command, "--config", str(path)])
        assert result.exit_code == 1
        assert "expected allow, and it is deny (rules.no-drops)" in result.output
    # What is not said counts against the caller: at an unknown time it may be night.
    unknown = case("{name: a, user: alice, server: db, tool: query, expect: deny, rule: rules.at-night}")
    write(tmp_path, unknown)
    assert run(cli, ["policy", "test", "--config", str(path)]).exit_code == 0
