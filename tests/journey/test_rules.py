"""docs/rules.md against a running gateway: a rule that is made at the command line counts at once."""

from __future__ import annotations

import json
from pathlib import Path

from gatekit.demo.wire import Login, McpClient
from tests.support.running import ECHO, RunningGateway, eventually, started


def looks_into_arguments(folder: Path, **more: object) -> str:
    rule = {
        "effect": "deny",
        "tools": ["echo"],
        "arguments": {"/text": {"equals": "secret", "optional": True}},
        **more,
    }
    (folder / "look.json").write_text(json.dumps(rule))
    return str(folder / "look.json")


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
        assert alice.request("tools/call", {"name": "echo", "arguments": {"text": "x"}})
        rules("add", "looks", "--from", looks_into_arguments(tmp_path))
        rules("add", "no-echo", "--effect", "deny", "--tool", "echo", "--shadow")

        def policy(*words: str) -> str:
            return running.gatekit("policy", "--config", str(running.config), *words, check=False)

        asked = ("explain", "--user", "alice", "--server", "echo", "--tool", "echo", "--json")
        why = json.loads(policy(*asked, "--args", '{"text": "secret"}'))
        assert (why["decision"], why["rule"]) == ("deny", "stored.looks")
        assert json.loads(policy(*asked))["shadow"] == "stored.no-echo"
        replayed = json.loads(policy("replay", "--since", "1h", "--json"))
        assert (replayed["cannot_be_known"], replayed["changed"]) == (1, 0)
        rules("remove", "looks", "--yes")
        rules("edit", "no-echo", "--from", looks_into_arguments(tmp_path, arguments={}))
        (change,) = json.loads(policy("replay", "--since", "1h", "--json"))["changes"]
        assert (change["was"], change["is"], change["rule"]) == ("allow", "deny", "stored.no-echo")
        assert "allow → deny" in policy("replay", "--since", "1h", "--user", "alice")
        rules("remove", "no-echo", "--yes")
        deeds = [event["action"] for event in running.audit("--event", "admin")]
        assert [deed for deed in deeds if deed.startswith("rule.")][-5:] == [
            "rule.remove",
            "rule.change",
            "rule.change",
            "rule.change",
            "rule.add",
        ]
