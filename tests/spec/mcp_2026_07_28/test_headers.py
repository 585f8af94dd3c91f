"""MCP 2026-07-28, Streamable HTTP §Request headers: the header rules, each as its own test."""

from __future__ import annotations

from typing import Any

import pytest

from gatekit.errors import HeaderMismatch
from gatekit.protocol.headers import (
    check_mirrored,
    check_params,
    decode_value,
    encode_value,
    param_annotations,
)

VERSION = "2026-07-28"
PARAMS: dict[str, Any] = {"name": "Echo"}


def _wire(**fields: bytes) -> dict[bytes, list[bytes]]:
    wire = {
        b"mcp-protocol-version": [VERSION.encode()],
        b"mcp-method": [b"tools/call"],
        b"mcp-name": [b"Echo"],
    }
    return wire | {name.replace("_", "-").encode(): [value] for name, value in fields.items()}


def _refused(wire: dict[bytes, list[bytes]]) -> HeaderMismatch:
    with pytest.raises(HeaderMismatch) as caught:
        check_mirrored(wire, "tools/call", PARAMS, VERSION)
    return caught.value


def test_equal_headers_pass() -> None:
    check_mirrored(_wire(), "tools/call", PARAMS, VERSION)


@pytest.mark.parametrize("name", [b"mcp-protocol-version", b"mcp-method", b"mcp-name"])
def test_a_missing_header_must_be_32020_with_400(name: bytes) -> None:
    """I19: A missing header must be 32020 with 400."""
    wire = _wire()
    del wire[name]
    fault = _refused(wire)
    assert (fault.code, fault.status) == (-32020, 400)


@pytest.mark.parametrize(
    "fields",
    [
        {"mcp_protocol_version": b"2025-11-25"},
        {"mcp_method": b"tools/list"},
        {"mcp_name": b"Other"},
        {"mcp_name": b"echo"},  # values are case-sensitive
        {"mcp_name": b"=?base64?!?="},
    ],
)
def test_a_mismatch_must_be_32020_with_400(fields: dict[str, bytes]) -> None:
    """I19: A mismatch must be 32020 with 400."""
    fault = _refused(_wire(**fields))
    assert (fault.code, fault.status) == (-32020, 400)


def test_values_are_compared_after_decoding_and_trimming() -> None:
    check_mirrored(_wire(mcp_name=b" \t=?base64?RWNobw==?= "), "tools/call", PARAMS, VERSION)


def test_the_name_is_the_uri_for_resources_read() -> None:
    wire = _wire(mcp_method=b"resources/read", mcp_name=b"file:///x")
    check_mirrored(wire, "resources/read", {"uri": "file:///x", "name": "Echo"}, VERSION)
    with pytest.raises(HeaderMismatch):
        check_mirrored(wire, "resources/read", {"uri": "file:///y", "name": "file:///x"}, VERSION)


@pytest.mark.parametrize("value", ["plain", "a b", "~!", ""])
def test_printable_ascii_is_sent_verbatim(value: str) -> None:
    assert encode_value(value) == value


@pytest.mark.parametrize("value", [" a", "a ", "\ta", "ä", "a\nb", "\x7f", "=?base64?YQ==?="])
def test_everything_else_is_sent_as_base64_with_lower_case_markers(value: str) -> None:
    encoded = encode_value(value)
    assert encoded.startswith("=?base64?")
    assert encoded.endswith("?=")
    assert decode_value(encoded.encode()) == value


@pytest.mark.parametrize(
    "raw", [b"=?base64?YR==?=", b"=?base64?YQ?=", b"=?base64?Y Q==?=", b"=?base64?/w==?="]
)
def test_malformed_or_non_canonical_base64_must_be_rejected(raw: bytes) -> None:
    assert decode_value(raw) is None


SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "n": {"type": "integer", "x-mcp-header": "N"},
    },
}


def test_a_present_argument_without_its_header_must_be_rejected() -> None:
    with pytest.raises(HeaderMismatch):
        check_params({}, {"region": "eu"}, param_annotations(SCHEMA).declared)


@pytest.mark.parametrize("arguments", [{}, {"region": None}])
def test_an_absent_or_null_argument_must_have_no_header(arguments: dict[str, Any]) -> None:
    check_params({}, arguments, param_annotations(SCHEMA).declared)


def test_integers_should_compare_numerically() -> None:
    check_params({b"mcp-param-n": [b"7.0"]}, {"n": 7}, param_annotations(SCHEMA).declared)
