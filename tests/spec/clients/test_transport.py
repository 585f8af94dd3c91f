"""What real clients need of the MCP endpoints; numbers as in ``test_requirements``."""

from __future__ import annotations

import pytest

from tests.unit.gateway.conftest import rig
from tests.unit.gateway.rig import Rig

__all__ = ["rig"]

PREFLIGHTS = (
    "content-type",
    "content-type,mcp-protocol-version",
    "mcp-protocol-version",
    "authorization,content-type",
    "authorization,content-type,mcp-protocol-version",
    "authorization,content-type,mcp-protocol-version,mcp-session-id",
    "authorization,content-type,mcp-method,mcp-name,mcp-param-region",
)


async def test_21_a_request_before_initialized_is_answered(rig: Rig) -> None:
    """VS Code sends logging/setLevel before notifications/initialized, and no MCP-Protocol-Version."""
    opened = await rig.rpc("/s/talker/mcp", "initialize", {"protocolVersion": "2025-11-25"})
    session = opened.headers["mcp-session-id"]
    answer = await rig.rpc("/s/talker/mcp", "tools/list", mcp_session_id=session)
    assert answer.status == 200
    assert answer.json["result"]["tools"]


async def test_21_one_token_has_several_sessions(rig: Rig) -> None:
    """mcp-remote opens two a start and never ends one."""
    ids = set()
    for _ in range(3):
        opened = await rig.rpc("/s/talker/mcp", "initialize", {"protocolVersion": "2025-06-18"})
        ids.add(opened.headers["mcp-session-id"])
    assert len(ids) == 3
    for session in ids:
        assert (await rig.rpc("/s/talker/mcp", "ping", mcp_session_id=session)).status == 200


@pytest.mark.parametrize("asked", PREFLIGHTS)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_25_the_preflights_that_were_seen(rig: Rig, asked: str, method: str) -> None:
    origin = "https://inspector.example"
    answer = await rig.http(
        "/s/talker/mcp",
        method="OPTIONS",
        token=None,
        origin=origin,
        access_control_request_method=method,
        access_control_request_headers=asked,
    )
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert method in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-headers"] == asked
    assert "access-control-allow-credentials" not in answer.headers


async def test_25_a_page_can_read_the_challenge(rig: Rig) -> None:
    answer = await rig.http("/s/talker/mcp", b"{}", token=None, origin="https://inspector.example")
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "https://inspector.example"
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
