"""Another file beside a running gateway: looked at, put in place, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gatekit.demo.wire import Login, McpClient
from tests.support.running import ECHO, RunningGateway, started

DENY = {"name": "no-echo", "effect": "deny", "tools": ["echo"]}
CASE = {"name": "bob", "user": "bob", "server": "echo", "tool": "echo", "expect": "deny"}


def test_a_file_is_planned_and_applied(tmp_path: Path) -> None:
    running = RunningGateway(tmp_path / "gateway", {"echo": {"command": list(ECHO), "users": ["developers"]}})
    new = tmp_path / "elsewhere" / "new.yaml"
    new.parent.mkdir()

    def draft(**more: Any) -> None:
        new.write_text(json.dumps({**json.loads(running.config.read_text()), **more}))

    def said(*words: str) -> str:
        return running.gatekit(*words, "--config", str(running.config), check=False)

    with started(running):
        login = Login(running.endpoint("echo"))
        login.discover()
        login.register("drill")
        login.redeem(login.authorize(running.person("alice")))
        alice = McpClient(running.endpoint("echo"), str(login.token["access_token"]))
        alice.initialize()
        assert "echo" in {tool["name"] for tool in alice.request("tools/list")["tools"]}

        before = running.config.read_bytes()
        draft(rules=[DENY])
        told = json.loads(said("plan", str(new), "--json"))
        assert told["rules"] == [{"name": "rules.no-echo", "is": "new"}]
        (change,) = told["access"]
        assert (change["name"], change["was"], change["now"]) == ("echo", "allow", "deny")
        assert {"alice", "bob", "group:developers"} <= set(change["who"])
        assert running.config.read_bytes() == before

        assert "the gateway applied it" in said("apply", str(new), "--yes", "--wait", "30")
        assert running.config.with_name(f"{running.config.name}.previous").read_bytes() == before
        assert running.config.read_bytes() == new.read_bytes()
        assert "echo" not in {tool["name"] for tool in alice.request("tools/list")["tools"]}
        (deed,) = [e for e in running.audit("--event", "admin") if e["action"] == "config.apply"]
        assert deed["before"].startswith("sha256:")

        in_force = running.config.read_bytes()
        draft(rules=[], policy_tests=[CASE])
        said("apply", str(new), "--yes")
        assert running.config.read_bytes() == in_force
        new.write_text("servers: 1")
        said("apply", str(new), "--yes")
        assert running.config.read_bytes() == in_force
