"""What an operator types takes effect in a gateway that runs, within a second or so."""

from __future__ import annotations

import asyncio
import json

import httpx2

from tests.support.raw import RawSession, said
from tests.support.running import ECHO, MakeGateway, RunningGateway


async def _until(session: RawSession, *, refused: bool) -> None:
    """The feed of changes is read four times a second; three seconds is a generous deadline."""
    async with asyncio.timeout(3):
        while ((await session.call(1, "echo", {"message": "?"})).status_code == 401) is not refused:
            await asyncio.sleep(0.05)


async def test_disabling_and_revoking_take_effect_at_once(make_gateway: MakeGateway) -> None:
    """R6, T7: Disabling and revoking take effect at once."""
    gateway: RunningGateway = make_gateway({"echo": {"command": list(ECHO), "users": ["developers"]}})
    alice = gateway.person("alice")
    made = json.loads(
        gateway.gatekit("keys", "create", "alice", "--name", "ci", "--server", "echo", "--json")
    )
    async with httpx2.AsyncClient(timeout=30) as http:
        by_key = RawSession(http, gateway.endpoint("echo"), made["token"])
        by_token = RawSession(http, gateway.endpoint("echo"), gateway.token(alice, "echo"))
        for session in (by_key, by_token):
            await session.initialize()
            assert said(await session.call(1, "echo", {"message": "open"})) == "open"

        gateway.gatekit("users", "disable", "alice")
        await _until(by_key, refused=True)
        await _until(by_token, refused=True)

        gateway.gatekit("users", "enable", "alice")
        for session in (by_key, by_token):
            await _until(session, refused=False)

        gateway.gatekit("keys", "revoke", made["id"], "--yes")
        await _until(by_key, refused=True)
        gateway.gatekit("grants", "revoke", "--user", "alice", "--yes")
        await _until(by_token, refused=True)
