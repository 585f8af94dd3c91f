"""docs/rules.md against a running gateway: a rule that is made at the command line counts at once."""

from __future__ import annotations

import json
from pathlib import Path

from gatekit.demo.wire import Login, McpClient
from tests.support.running import ECHO, RunningGateway, eventually, started


def test_a_rule_counts_at_once_and_until_it_is_removed(tmp_path: Path) -> None:
    servers = {"echo": {"command": list(ECHO), "users": ["developers"]}}
    running = RunningGateway(tmp_path / "gateway", servers)

    def rules(*words: str) -> str:
        return running.gatekit("rules", "--config", str(running.config), *words)

    with started(running):
        login = Login(running.endpoint("echo"))
        login.discover()
        login.register("drill")
        login.redeem(login.authorize(running.person("alice")))
        alice = McpClient(running.endpoint("echo"), str(login.token["access_token"]))
        alice.initialize()

        def names() -> set[str]:
            return {tool["name"] for tool in alice.request("tools/list")["tools"]}

        before = names()
        assert "echo" in before
        added = rules("add", "no-echo", "--effect", "deny", "--server", "echo", "--tool", "echo")
        assert "no-echo is on" in added
        eventually(lambda: names() == before - {"echo"})
        rules("edit", "no-echo", "--off")
        eventually(lambda: names() == before)
        (tmp_path / "rule.yaml").write_text(rules("show", "no-echo"))
        rules("edit", "no-echo", "--from", str(tmp_path / "rule.yaml"))
        rule = {"effect": "deny", "who": ["group:developers"], "tools": ["*"], "reason": "closed"}
        (tmp_path / "rule.json").write_text(json.dumps(rule))
        rules("edit", "no-echo", "--on", "--from", str(tmp_path / "rule.json"))
        eventually(lambda: names() == set())
        (listed,) = json.loads(rules("list", "--json"))
        assert listed["rule"] == rule
        assert "closed" in rules("list")
        rules("remove", "no-echo", "--yes")
        eventually(lambda: names() == before)
        deeds = [event["action"] for event in running.audit("--event", "admin")]
        assert [deed for deed in deeds if deed.startswith("rule.")] == [
            "rule.remove",
            "rule.change",
            "rule.change",
            "rule.change",
            "rule.add",
        ]
