"""Opaque access tokens from sign-in to a tool's answer, with an official client, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.running import ECHO, RunningGateway, eventually, started
from tests.support.sdk import Application, text


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningGateway]:
    gateway = RunningGateway(tmp_path, {"echo": {"command": list(ECHO), "users": ["developers"]}})
    gateway.proxy = {
        "auth": {
            "provider": "local",
            "allowed_users": ["group:developers"],
            "tokens": {"format": "opaque"},
        }
    }
    with started(gateway):
        yield gateway


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_official_sdk_does_not_care(running: RunningGateway, mode: str) -> None:
    alice = running.person("alice")
    application = Application(alice)
    async with application.connect(running.endpoint("echo"), mode) as client:
        assert "hello" in text(await client.call_tool("echo", {"message": "hello"}))
    (call,) = running.audit("--event", "call", "--tool", "echo")
    issued = [event for event in running.audit("--event", "token") if event["action"] == "issued"]
    assert call["credential_id"] in [event["token_id"] for event in issued]
    assert "gk_at_" not in str(running.audit())

    token = running.token(alice, "echo")
    assert token.startswith("gk_at_")
    assert answer(running, token) != 401
    running.gatekit("grants", "revoke", "--user", "alice", "--yes")
    eventually(lambda: answer(running, token) == 401)


def answer(running: RunningGateway, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    return httpx2.post(running.endpoint("echo"), json=message, headers=headers).status_code
