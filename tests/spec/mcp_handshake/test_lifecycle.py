"""MCP 2024-11-05 … 2025-11-25, lifecycle and transport rules that are decided without I/O."""

from __future__ import annotations

import pytest

from gatekit.errors import InvalidRequestFault
from gatekit.protocol.era import handshake
from gatekit.protocol.era.detect import detect
from gatekit.protocol.jsonrpc import Notification, Request, decode_client

VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_supported_version_must_be_answered_with_itself(version: str) -> None:
    assert handshake.negotiate(version) == version


@pytest.mark.parametrize("version", ["2026-07-28", "1.0", "2030-01-01"])
def test_any_other_version_must_be_answered_with_one_we_support(version: str) -> None:
    assert handshake.negotiate(version) == "2025-11-25"


def test_initialize_for_the_stateless_revision_still_opens_a_session() -> None:
    message = Request(
        1, "initialize", {"protocolVersion": "2026-07-28", "capabilities": {}, "clientInfo": {}}
    )
    assert detect(message, {}) == "handshake"
    assert handshake.read_initialize(message).version == "2025-11-25"


def test_an_absent_version_header_should_mean_2025_03_26() -> None:
    assert handshake.check_version({}, None) == "2025-03-26"


def test_an_unsupported_version_header_must_be_400() -> None:
    with pytest.raises(InvalidRequestFault) as caught:
        handshake.check_version({b"mcp-protocol-version": [b"1999-12-31"]}, "2025-11-25")
    assert caught.value.status == 400


def test_batches_must_be_received() -> None:
    """2025-03-26: implementations MUST support receiving JSON-RPC batches."""
    body = b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"notifications/cancelled"}]'
    batch = decode_client(body)
    assert batch == [Request(1, "ping", {}), Notification("notifications/cancelled", {})]
    assert detect(batch, {}) == "handshake"


def test_a_resource_that_is_absent_should_be_32002() -> None:
    assert handshake.fault("resources/read", -32602, "Resource not found", {"uri": "u:x"})[0] == -32002


def test_structured_content_must_be_an_object() -> None:
    body = {"content": [], "structuredContent": [1, 2]}
    assert handshake.result("tools/call", body, "2025-11-25") == {
        "content": [{"type": "text", "text": "[1,2]"}]
    }


def test_an_input_schema_must_have_type_object() -> None:
    listed = handshake.result(
        "tools/list", {"tools": [{"name": "t", "inputSchema": {"oneOf": []}}]}, "2025-11-25"
    )
    assert listed["tools"][0]["inputSchema"] == {"type": "object", "oneOf": []}
