"""``rules`` in the file: what loads, what does not, and the examples of docs/rules.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekit.config.checks import warnings
from gatekit.model.rules import ArgumentTest, ByGroup, ByLogin, Rule, Strength, Window
from gatekit.policy.engine import Policy
from gatekit.policy.written import days_of, hours_of
from tests.unit.config.write import faults, loaded

PAGE = (Path(__file__).parents[3] / "docs" / "rules.md").read_text(encoding="utf-8")
SERVER = "servers: {db: {command: prog, allowed_users: [alice]}}\n"


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_examples_of_the_page_load(tmp_path: Path, text: str) -> None:
    config = loaded(tmp_path, text)
    assert config.rules.rules
    Policy.compile(config.rules)


def test_everything_reaches_the_rule(tmp_path: Path) -> None:
    text = """
        servers: {db: {command: prog}}
        groups: {dba: [alice]}
        rules:
          - name: all
            effect: step_up
            who: [bob, "group:dba"]
            unless: [alice]
            roles: [admin]
            clients: ["claude*"]
            servers: [d*]
            tools: [t]
            prompts: [p]
            arguments:
              /a: {equals: 1, optional: true}
              /b: {one_of: [x], under: [/srv]}
            when: {days: [mon-fri], hours: "08:00-18:00", zone: Europe/Berlin}
            networks: [10.0.0.0/8]
            strength: {max_age: 15m, amr: [hwk]}
            reason: because
            shadow: true
    """
    (rule,) = loaded(tmp_path, text).rules.rules
    assert rule == Rule(
        name="all",
        effect="step_up",
        who=(ByLogin("local", "bob"), ByGroup("dba")),
        unless=(ByLogin("local", "alice"),),
        roles=("admin",),
        clients=("claude*",),
        servers=("d*",),
        names=(("tool", "t"), ("prompt", "p")),
        arguments=(
            ArgumentTest(pointer="/a", operator="equals", value=1, optional=True),
            ArgumentTest(pointer="/b", operator="in", value=("x",)),
            ArgumentTest(pointer="/b", operator="under", value=("/srv",)),
        ),
        when=Window(days=frozenset(range(5)), start=480, end=1080, zone="Europe/Berlin"),
        networks=("10.0.0.0/8",),
        strength=Strength(max_age=900, amr=frozenset({"hwk"})),
        reason="because",
        shadow=True,
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{name: x, effect: forbid}", "expected allow, deny, ask or step_up"),
        ("{effect: deny}", "is required"),
        ("{name: 'a b', effect: deny}", "is no name for a rule"),
        ("{name: x, effect: allow}", "says nobody"),
        ("{name: x, effect: deny, who: []}", "is empty"),
        ("{name: x, effect: deny, servers: [dbb]}", "did you mean 'db'"),
        ("{name: x, effect: deny, tool: [a]}", "did you mean 'tools'"),
        ("{name: x, effect: deny, roles: [boss]}", "expected member"),
        ("{name: x, effect: deny, networks: [home]}", "networks"),
        ("{name: x, effect: deny, arguments: {path: {equals: 1}}}", "is not a JSON pointer"),
        ("{name: x, effect: deny, arguments: {/path: {}}}", "says nothing"),
        ("{name: x, effect: deny, arguments: {/path: {matches: '('}}}", "is not a pattern of RE2"),
        ("{name: x, effect: deny, arguments: {/path: {one_of: a}}}", "expected a list"),
        ("{name: x, effect: deny, when: {days: [funday]}}", "no day of the week"),
        ("{name: x, effect: deny, when: {hours: '25:00-26:00'}}", "is no time"),
        ("{name: x, effect: deny, when: {zone: Mars}}", "is not a time zone"),
    ],
)
def test_a_rule_that_cannot_be_meant_stops_the_file(tmp_path: Path, rule: str, said: str) -> None:
    found = faults(tmp_path, f"{SERVER}rules:\n  - {rule}\n")
    assert any(said in line for line in found), found


def test_names_are_used_once(tmp_path: Path) -> None:
    text = f"{SERVER}rules:\n  - {{name: x, effect: deny}}\n  - {{name: X, effect: deny}}\n"
    assert any("there is a rule" in line for line in faults(tmp_path, text))


def test_days_and_hours() -> None:
    assert days_of(["fri-mon", "Wednesday"]) == frozenset({4, 5, 6, 0, 2})
    assert days_of([]) == frozenset(range(7))
    assert hours_of("22:00 - 06:30") == (1320, 390)
    assert hours_of("0:00-24:00") == (0, 1440)


def test_an_allow_rule_for_everybody_is_as_open_as_a_list(tmp_path: Path) -> None:
    github = "proxy: {auth: {provider: github, client_id: a, client_secret: b}}\n"
    text = github + "servers: {db: {command: prog, allowed_users: [octocat]}}\nrules:\n  - {rule}\n"
    opened = "{name: x, effect: allow, who: ['*']}"
    for rule, warned in ((opened, True), (opened.replace("'*'", "hubot"), False)):
        found = warnings(loaded(tmp_path, text.replace("{rule}", rule)), {})
        assert any("everybody in the world" in line for line in found) == warned
