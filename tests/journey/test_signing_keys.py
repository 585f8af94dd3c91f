"""The drill of docs/keys.md against a running gateway: the next key, and the end of one that leaked."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gatekit.demo.wire import Login
from tests.support.running import ECHO, RunningGateway, eventually, started


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningGateway]:
    gateway = RunningGateway(tmp_path, {"echo": {"command": list(ECHO), "users": ["developers"]}})
    with started(gateway):
        yield gateway


def test_T6_a_running_gateway_follows_the_command_line(running: RunningGateway) -> None:
    """T6: rotation and the compromised-key drill, from another process, without a restart."""
    login = Login(running.endpoint("echo"))
    login.discover()
    login.register("drill")
    login.redeem(login.authorize(running.person("alice")))
    old = str(login.token["access_token"])
    (first,) = published(running)
    assert kid(old) == first
    assert status(running, old) == 200

    (made,) = json.loads(keys(running, "rotate", "--json"))
    eventually(lambda: set(published(running)) == {first, made["kid"]})
    assert status(running, old) == 200
    assert [key["state"] for key in json.loads(keys(running, "list", "--json"))] == ["next", "signs"]

    keys(running, "retire", first, "--yes")
    eventually(lambda: status(running, old) == 401)
    assert published(running) == [made["kid"]]
    with httpx2.Client(base_url=running.url) as http:
        fields = {
            "grant_type": "refresh_token",
            "refresh_token": str(login.token["refresh_token"]),
            "client_id": login.client_id,
        }
        renewed = http.post("/token", data=fields).json()["access_token"]
    assert kid(renewed) == made["kid"]
    assert status(running, renewed) == 200
    actions = [event["action"] for event in running.audit("--event", "admin")]
    assert {"signing_key.publish", "signing_key.retire"} <= set(actions)


def keys(running: RunningGateway, *words: str) -> str:
    return running.gatekit("signing-keys", "--data-dir", str(running.data), *words)


def published(running: RunningGateway) -> list[str]:
    return [key["kid"] for key in httpx2.get(f"{running.url}/jwks").json()["keys"]]


def kid(token: str) -> str:
    head = token.partition(".")[0]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(head + "=="))
    return str(found["kid"])


def status(running: RunningGateway, token: str) -> int:
    message = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2025-11-25",
    }
    answer = httpx2.post(running.endpoint("echo"), json=message, headers=headers)
    # Past the door a ping without a session is refused for another reason.
    return 401 if answer.status_code == 401 else 200
