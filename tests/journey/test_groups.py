"""Nested groups, groups by rule and service accounts, in a gateway that runs."""

from __future__ import annotations

import asyncio
import json

import httpx2

from tests.support.raw import RawSession
from tests.support.running import ECHO, MakeGateway, RunningGateway


def key_of(gateway: RunningGateway, owner: str) -> str:
    made = json.loads(gateway.gatekit("keys", "create", owner, "--name", "test", "--json"))
    return str(made["token"])


async def opens(http: httpx2.AsyncClient, gateway: RunningGateway, key: str, *, wanted: bool) -> None:
    """Within three seconds; the feed of changes is read four times a second."""
    async with asyncio.timeout(3):
        while True:
            session = RawSession(http, gateway.endpoint("echo"), key)
            answer = await session.post({"id": 0, "method": "initialize", "params": INITIALIZE})
            if (answer.status_code == 200) is wanted:
                return
            await asyncio.sleep(0.05)


INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "t", "version": "1"},
}


async def test_nesting_and_rules_open_and_close(make_gateway: MakeGateway) -> None:
    gateway: RunningGateway = make_gateway({"echo": {"command": list(ECHO), "users": ["developers"]}})
    gateway.gatekit("users", "add", "walter")
    for group in ("developers", "web"):
        gateway.gatekit("groups", "create", group)
    gateway.gatekit("groups", "add", "web", "walter")
    gateway.gatekit("service-accounts", "create", "nightly")
    walter, nightly = key_of(gateway, "walter"), key_of(gateway, "service:nightly")
    async with httpx2.AsyncClient(timeout=30) as http:
        for key in (walter, nightly):
            await opens(http, gateway, key, wanted=False)
        gateway.gatekit("groups", "nest", "developers", "web")
        await opens(http, gateway, walter, wanted=True)
        await opens(http, gateway, nightly, wanted=False)
        gateway.gatekit("groups", "rule", "web", "service:nightly")
        await opens(http, gateway, nightly, wanted=True)
        gateway.gatekit("service-accounts", "disable", "nightly")
        await opens(http, gateway, nightly, wanted=False)
        gateway.gatekit("service-accounts", "enable", "nightly")
        await opens(http, gateway, nightly, wanted=True)
        gateway.gatekit("groups", "unnest", "developers", "web")
        for key in (walter, nightly):
            await opens(http, gateway, key, wanted=False)
