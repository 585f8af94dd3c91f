"""``quotas`` in the file: what loads, what does not, and the examples of docs/quotas.md."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatekit.config.show import describe
from gatekit.model.rules import Allowance, ByGroup, ByLogin, Quota, Rule
from gatekit.policy.engine import Policy
from tests.unit.config.write import faults, loaded

PAGE = (Path(__file__).parents[3] / "docs" / "quotas.md").read_text(encoding="utf-8")
SERVER = "servers: {db: {command: prog, allowed_users: [alice]}}\n"


@pytest.mark.parametrize("text", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_examples_of_the_page_load(tmp_path: Path, text: str) -> None:
    config = loaded(tmp_path, text)
    assert config.rules.quotas
    assert Policy.compile(config.rules).quotas


def test_everything_reaches_the_quota(tmp_path: Path) -> None:
    text = """
        servers: {db: {command: prog}}
        groups: {dba: [alice]}
        quotas:
          - name: all
            who: [bob, "group:dba"]
            unless: [alice]
            roles: [admin]
            clients: ["claude*"]
            servers: [d*]
            tools: [t]
            prompts: [p]
            resources: ["file:///*"]
            per: client
            calls: 100/1m
            bytes_in: 20MB / 1h
            bytes_out: 512/1d
            at_once: 3
            shadow: true
    """
    config = loaded(tmp_path, text)
    assert config.rules.quotas == (
        Quota(
            rule=Rule(
                name="all",
                effect="deny",
                who=(ByLogin("local", "bob"), ByGroup("dba")),
                unless=(ByLogin("local", "alice"),),
                roles=("admin",),
                clients=("claude*",),
                servers=("d*",),
                names=(("tool", "t"), ("prompt", "p"), ("resource", "file:///*")),
                shadow=True,
                place="quotas",
            ),
            per="client",
            calls=Allowance(100, 60),
            bytes_in=Allowance(20 * 1024**2, 3600),
            bytes_out=Allowance(512, 86400),
            at_once=3,
        ),
    )
    assert config.rules.quotas[0].rule.title == "quotas.all"
    assert describe(config)["quotas"] == [
        {
            "name": "all",
            "per": "client",
            "calls": "100/1m",
            "bytes_in": "20MB/1h",
            "bytes_out": "512B/1d",
            "at_once": 3,
            "shadow": True,
        }
    ]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("{name: a}", "limits nothing; write calls, bytes_in, bytes_out or at_once"),
        ("{name: a, calls: 100}", "expected so much in a time, like 100/1m"),
        ("{name: a, calls: many/1m}", "expected so much in a time, like 100/1m"),
        ("{name: a, bytes_in: 5/never}", "expected so much in a time, like 20MB/1h"),
        ("{name: a, calls: 0/1m}", "must be at least 1"),
        ("{name: a, calls: -3/1m}", "must be at least 1"),
        ("{name: a, calls: 5/100ms}", "the time must be from 1s to 31d"),
        ("{name: a, calls: 5/32d}", "the time must be from 1s to 31d"),
        ("{name: a, at_once: 0}", "must be from 1 to 1000000"),
        ("{name: a, at_once: 1, per: group}", "expected person, client or all"),
        ("{name: a, at_once: 1, servers: [dbb]}", "there is no server 'dbb'"),
        ("{name: 'a b', at_once: 1}", "is no name for a quota"),
        ("{name: a, at_once: 1, who: []}", "is empty; name somebody"),
        ("{at_once: 1}", "name"),
        ("{name: a, at_once: 1, effect: deny}", "effect"),
    ],
)
def test_what_does_not_load(tmp_path: Path, entry: str, said: str) -> None:
    assert any(said in fault for fault in faults(tmp_path, f"{SERVER}quotas: [{entry}]\n"))


def test_a_name_is_there_once(tmp_path: Path) -> None:
    text = f"{SERVER}quotas: [{{name: a, at_once: 1}}, {{name: A, at_once: 2}}]\n"
    assert any("there is a quota 'A' already" in fault for fault in faults(tmp_path, text))
