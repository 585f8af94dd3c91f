"""docs/approvals.md against a running gateway: a call waits, and another process decides."""

from __future__ import annotations

import json
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from gatekit.demo.wire import McpClient
from tests.support.peers import ROOT
from tests.support.running import RunningGateway, eventually, started


def documented() -> list[dict[str, Any]]:
    """Every example of configuration on the page."""
    text = (ROOT / "docs" / "approvals.md").read_text(encoding="utf-8")
    return [yaml.safe_load(part.split("```")[0]) for part in text.split("```yaml\n")[1:]]


def approvals(running: RunningGateway, *words: str) -> str:
    return running.gatekit("approvals", "--data-dir", str(running.data), *words)


def waiting(running: RunningGateway) -> dict[str, Any]:
    eventually(lambda: json.loads(approvals(running, "list", "--json")))
    (found,) = json.loads(approvals(running, "list", "--json"))
    return dict(found)


def test_a_call_waits_for_the_command_line(tmp_path: Path) -> None:
    example, more, _ = documented()
    command = [sys.executable, str(ROOT / "tests" / "children" / "talker.py")]
    running = RunningGateway(
        tmp_path / "gateway", {"notes": {"command": command, "allowed_users": ["alice", "bob"]}}
    )
    rule = {**example["rules"][0], "tools": ["remember"]}
    running.extra = {"rules": [rule], "approvals": {"wait": more["approvals"]["wait"]}}
    with started(running), ThreadPoolExecutor(1) as threads:
        alice = McpClient(running.endpoint("notes"), running.token(running.person("alice"), "notes"))
        alice.initialize()

        def call(value: str) -> Future[tuple[int, dict[str, Any]]]:
            params = {"name": "remember", "arguments": {"value": value}}
            return threads.submit(alice.attempt, "tools/call", params)

        calling = call("first")
        one = waiting(running)
        assert (one["person"], one["name"], one["rule"]) == ("alice", "remember", "rules.careful")
        assert '{"value":"first"}' in approvals(running, "show", one["id"])
        assert not calling.done()
        assert "is allowed" in approvals(running, "allow", one["id"], "--for", "1h")
        assert "result" in calling.result(20)[1]
        assert "result" in call("first").result(20)[1]  # allowed for an hour
        calling = call("second")
        one = waiting(running)
        assert "is refused" in approvals(running, "deny", one["id"])
        assert calling.result(20)[1]["error"]["code"] == -31015
        calling = call("third")
        waiting(running)
        running.kill()
        calling.exception(20)

    with started(running):
        states = [one["state"] for one in json.loads(approvals(running, "list", "--all", "--json"))]
        assert states == ["ended", "denied", "allowed"]
        told = [(each["action"], each["principal"]) for each in running.audit("--event", "approval")]
        asked = [("asked", "alice"), ("allowed", "alice"), ("denied", "alice"), ("ended", "alice")]
        assert set(told) == set(asked)
        by = {each["by"] for each in running.audit("--event", "approval") if each.get("by")}
        assert len(by) == 1
