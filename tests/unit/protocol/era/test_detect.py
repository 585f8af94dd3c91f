"""Which era's rules judge a POST."""

from __future__ import annotations

import pytest

from gatekit.protocol.era.detect import META_VERSION, detect
from gatekit.protocol.jsonrpc import Message, Notification, Request, Response

ENVELOPE = {"_meta": {META_VERSION: "2026-07-28"}}


def _header(*values: bytes) -> dict[bytes, list[bytes]]:
    return {b"mcp-protocol-version": list(values)}


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        (Request(1, "tools/list", ENVELOPE), {}),
        (Request(1, "tools/list", ENVELOPE), _header(b"2025-11-25")),
        (Request(1, "initialize", ENVELOPE), {}),
        (Request(1, "ping", ENVELOPE), _header(b"2026-07-28")),
        (Request(1, "tools/list", {"_meta": {META_VERSION: None}}), {}),
        (Request(1, "tools/list", {"_meta": {META_VERSION: "1999-01-01"}}), {}),
        (Request(1, "tools/list", {}), _header(b"2026-07-28")),
        (Request(1, "tools/list", {}), _header(b"2027-01-01")),
        (Request(1, "tools/list", {}), _header(b"nonsense")),
        (Request(1, "tools/list", {}), _header(b"2025-11-25", b"2026-07-28")),
        (Notification("notifications/x", {}), _header(b"2026-07-28")),
        (Notification("notifications/x", ENVELOPE), {}),
    ],
)
def test_stateless(message: Message, headers: dict[bytes, list[bytes]]) -> None:
    assert detect(message, headers) == "stateless"


@pytest.mark.parametrize(
    ("message", "headers"),
    [
        (Request(1, "initialize", {"protocolVersion": "2025-06-18"}), {}),
        (Request(1, "initialize", {"protocolVersion": "2026-07-28"}), {}),
        (Request(1, "initialize", {"protocolVersion": "2026-07-28"}), _header(b"2026-07-28")),
        (Request(1, "tools/list", {}), {}),
        (Request(1, "tools/list", {}), _header(b" 2025-06-18\t")),
        (Request(1, "tools/list", {"_meta": {"progressToken": 1}}), _header(b"2024-11-05")),
        (Request(1, "tools/list", {"_meta": "text"}), {}),
        (Notification("notifications/initialized", {}), _header(b"2025-11-25")),
        (Response(1, {}, None), _header(b"2025-11-25")),
    ],
)
def test_handshake(message: Message, headers: dict[bytes, list[bytes]]) -> None:
    assert detect(message, headers) == "handshake"
    assert detect([message], headers) == "handshake"
