"""docs/quotas.md against a running gateway: what is used up, what is left, and a changed file."""

from __future__ import annotations

import json
from pathlib import Path

import httpx2
import pytest

from gatekit.demo.browser import StoryError
from tests.support.running import ECHO, RunningGateway, eventually, started

ECHO_CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


def called(running: RunningGateway, key: str) -> httpx2.Response:
    params = {"name": "echo", "arguments": {"text": "x"}, "_meta": META}
    headers = {
        "authorization": f"Bearer {key}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "echo",
    }
    return httpx2.post(running.endpoint("echo"), json={**ECHO_CALL, "params": params}, headers=headers)


def test_what_bob_has_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = RunningGateway(tmp_path, {"echo": {"command": list(ECHO), "users": ["developers"]}})
    running.extra["quotas"] = [{"name": "few", "calls": "2/1h"}]
    with started(running):
        for name in ("alice", "bob"):
            running.gatekit("users", "add", name)
        running.gatekit("users", "role", "alice", "auditor")
        made = running.gatekit(
            "admin-keys", "create", "alice", "--name", "test", "--scope", "audit:read", "--json"
        )
        key = json.loads(running.gatekit("keys", "create", "bob", "--name", "kit", "--json"))["token"]
        assert [called(running, key).status_code for _ in range(3)] == [200, 200, 429]

        monkeypatch.setenv("GATEKIT_ADMIN_KEY", json.loads(made)["token"])
        shown = running.gatekit("quotas", "show", "--user", "bob")
        assert shown.splitlines()[1].split()[:5] == ["few", "bob", "calls", "2", "0"]
        (row,) = json.loads(running.gatekit("quotas", "show", "--json"))
        assert (row["limit"], row["seconds"], row["title"]) == (2, 3600, "bob")
        assert 3500 < row["retry_after"] <= 3720
        assert json.loads(running.gatekit("quotas", "show", "--user", "alice", "--json")) == []

        running.extra["quotas"] = [{"name": "few", "calls": "3/1h"}]
        running.write()
        eventually(lambda: called(running, key).status_code == 200)
        assert called(running, key).status_code == 429
        (refused, *_) = running.audit("--denied")
        assert refused["rule"] == "quotas.few"

        monkeypatch.setenv("GATEKIT_ADMIN_KEY", "gk_adm_wrong")
        with pytest.raises(StoryError, match="401"):
            running.gatekit("quotas", "show")
