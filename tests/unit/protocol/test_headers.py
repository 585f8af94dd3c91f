"""Mirrored headers, with the official codec and validator as oracles."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.shared import inbound

from gatekit.errors import HeaderMismatch
from gatekit.protocol import headers
from gatekit.protocol.headers import (
    check_mirrored,
    check_params,
    decode_value,
    encode_value,
    mirror,
    mirror_params,
    param_annotations,
)

VERSION = "2026-07-28"
_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_spelt = st.one_of(
    _text,
    st.sampled_from(
        [" edge", "edge\t", "=?base64?eA==?=", "=?base64??=", "=?BASE64?eA==?=", "a\r\nb: c", "é"]
    ),
)


def _wire(fields: dict[str, str]) -> dict[bytes, list[bytes]]:
    return {name.lower().encode(): [value.encode("ascii")] for name, value in fields.items()}


@settings(max_examples=150, deadline=None)
@given(_spelt)
def test_value_round_trip_and_official_codec(value: str) -> None:
    encoded = encode_value(value)
    assert encoded == inbound.encode_header_value(value)
    assert encoded.isascii()
    assert encoded.isprintable()
    assert decode_value(encoded.encode()) == value == inbound.decode_header_value(encoded)


@settings(max_examples=150, deadline=None)
@given(
    st.text("=?base64AQ+/ -_x", max_size=24)
    | st.binary(max_size=12).map(lambda b: f"=?base64?{base64.b64encode(b).decode()}?=")
)
def test_decoding_agrees_with_the_official_codec(value: str) -> None:
    assert decode_value(value.encode()) == inbound.decode_header_value(value.strip(" \t"))


@pytest.mark.parametrize(
    "raw",
    [
        b"=?base64?eB==?=",  # bits after the end: another spelling of eA==
        b"=?base64?eA?=",  # no padding
        b"=?base64?e A==?=",
        b"=?base64?_-==?=",
        b"=?base64?gA==?=",  # not UTF-8
        "é".encode("latin-1"),
        b"a\x00b",
        b"a\x7fb",
    ],
)
def test_malformed_values(raw: bytes) -> None:
    assert decode_value(raw) is None


def test_outer_white_space_is_trimmed() -> None:
    assert decode_value(b" \techo ") == "echo"
    assert headers.single({b"mcp-name": [b" echo\t"]}, b"mcp-name") == b"echo"


# -- routing headers ---------------------------------------------------------------------------------------

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("tools/call", {"name": "echo"}),
    ("tools/call", {"name": "größe"}),
    ("prompts/get", {"name": " spaced "}),
    ("resources/read", {"uri": "file:///a b"}),
    ("tasks/get", {"taskId": "t-1"}),
    ("tools/list", {}),
    ("vendor/thing", {"name": "x"}),
]


@pytest.mark.parametrize(("method", "params"), CALLS)
def test_what_we_mirror_we_accept(method: str, params: dict[str, Any]) -> None:
    check_mirrored(_wire(mirror(method, params, VERSION)), method, params, VERSION)


@pytest.mark.parametrize("missing", ["MCP-Protocol-Version", "Mcp-Method", "Mcp-Name"])
def test_each_header_is_needed(missing: str) -> None:
    fields = mirror("tools/call", {"name": "echo"}, VERSION)
    del fields[missing]
    with pytest.raises(HeaderMismatch):
        check_mirrored(_wire(fields), "tools/call", {"name": "echo"}, VERSION)


@pytest.mark.parametrize("name", ["mcp-protocol-version", "mcp-method", "mcp-name"])
def test_a_doubled_header_is_refused_even_if_equal(name: str) -> None:
    """I19: A doubled header is refused even if equal."""
    wire = _wire(mirror("tools/call", {"name": "echo"}, VERSION))
    wire[name.encode()] *= 2
    with pytest.raises(HeaderMismatch, match="more than once"):
        check_mirrored(wire, "tools/call", {"name": "echo"}, VERSION)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcp-protocol-version", b"2025-11-25"),
        ("mcp-method", b"tools/list"),
        ("mcp-method", b"Tools/Call"),
        ("mcp-name", b"ECHO"),
        ("mcp-name", b"echo, other"),
        ("mcp-name", b"=?base64?ZWNo?="),
        ("mcp-name", b"=?base64?ZWNobx==?="),
        ("mcp-name", b""),
    ],
)
def test_a_header_that_differs_is_refused(name: str, value: bytes) -> None:
    wire = _wire(mirror("tools/call", {"name": "echo"}, VERSION))
    wire[name.encode()] = [value]
    with pytest.raises(HeaderMismatch):
        check_mirrored(wire, "tools/call", {"name": "echo"}, VERSION)


def test_a_version_that_is_no_text_never_matches() -> None:
    with pytest.raises(HeaderMismatch):
        check_mirrored(_wire(mirror("ping", {}, "None")), "ping", {}, None)


# -- Mcp-Param-* -------------------------------------------------------------------------------------------


def _schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


REGION = {"type": "string", "x-mcp-header": "Region"}
SCHEMAS: list[Any] = [
    _schema(region=REGION),
    _schema(n={"type": "integer", "x-mcp-header": "N"}, b={"type": "boolean", "x-mcp-header": "B"}),
    _schema(outer=_schema(inner=REGION)),
    _schema(region={"type": "string", "default": {"x-mcp-header": "data"}}),
    _schema(a={"$ref": "#/$defs/x"}),
    {},
    None,
    "text",
]
BAD_SCHEMAS: list[Any] = [
    _schema(x={"type": "number", "x-mcp-header": "X"}),
    _schema(x={"type": "object", "x-mcp-header": "X"}),
    _schema(x={"type": ["string", "null"], "x-mcp-header": "X"}),
    _schema(x={"x-mcp-header": "X"}),
    _schema(x={"type": "string", "x-mcp-header": ""}),
    _schema(x={"type": "string", "x-mcp-header": "a b"}),
    _schema(x={"type": "string", "x-mcp-header": "a\n"}),
    _schema(x={"type": "string", "x-mcp-header": 3}),
    _schema(a=REGION, b={"type": "string", "x-mcp-header": "REGION"}),
    _schema(x={"type": "array", "items": REGION}),
    {"type": "object", "anyOf": [_schema(x=REGION)]},
    {"type": "object", "$defs": {"d": REGION}},
    {"type": "string", "x-mcp-header": "Root"},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_valid_annotations(schema: Any) -> None:
    found = param_annotations(schema)
    assert inbound.find_invalid_x_mcp_header(schema) is None
    assert not found.fault
    assert {d.path: d.token for d in found.declared} == inbound.x_mcp_header_map(schema)


@pytest.mark.parametrize("schema", BAD_SCHEMAS)
def test_invalid_annotations(schema: Any) -> None:
    assert inbound.find_invalid_x_mcp_header(schema) is not None
    found = param_annotations(schema)
    assert found.fault
    assert not found.declared


def test_a_bottomless_schema_is_walked() -> None:
    schema: dict[str, Any] = dict(REGION)
    for _ in range(5000):
        schema = _schema(x=schema)
    assert param_annotations(schema).fault


DECLARED = param_annotations(
    _schema(
        region=REGION,
        count={"type": "integer", "x-mcp-header": "Count"},
        dry={"type": "boolean", "x-mcp-header": "Dry"},
        deep=_schema(er={"type": "string", "x-mcp-header": "Deeper"}),
    )
).declared


@pytest.mark.parametrize(
    "arguments",
    [
        {"region": "eu"},
        {"region": "süd", "count": 3, "dry": False, "deep": {"er": " x "}},
        {"region": None},
        {"count": 2**70},
        {},
        {"deep": "no object"},
    ],
)
def test_params_that_agree(arguments: dict[str, Any]) -> None:
    check_params(_wire(mirror_params(arguments, DECLARED)), arguments, DECLARED)


def test_integers_compare_as_numbers() -> None:
    check_params({b"mcp-param-count": [b"42.0"]}, {"count": 42}, DECLARED)
    check_params({b"mcp-param-count": [b"42"]}, {"count": 42.0}, DECLARED)


@pytest.mark.parametrize(
    ("name", "value", "arguments"),
    [
        ("region", b"us", {"region": "eu"}),
        ("region", b"eu", {}),
        ("region", b"eu", {"region": None}),
        ("region", b"eu", {"region": ["eu"]}),
        ("region", b"=?base64?!!?=", {"region": "eu"}),
        ("count", b"42.5", {"count": 42}),
        ("count", b"4.2e1", {"count": 42}),
        ("count", b"1", {"count": True}),
        ("dry", b"True", {"dry": True}),
        ("dry", b"1", {"dry": True}),
    ],
)
def test_params_that_differ(name: str, value: bytes, arguments: dict[str, Any]) -> None:
    with pytest.raises(HeaderMismatch):
        check_params({b"mcp-param-" + name.encode(): [value]}, arguments, DECLARED)


def test_a_missing_and_a_doubled_param_header() -> None:
    with pytest.raises(HeaderMismatch, match="missing"):
        check_params({}, {"region": "eu"}, DECLARED)
    with pytest.raises(HeaderMismatch, match="more than once"):
        check_params({b"mcp-param-region": [b"eu", b"eu"]}, {"region": "eu"}, DECLARED)


def test_undeclared_param_headers_pass() -> None:
    check_params({b"mcp-param-other": [b"x"]}, {}, DECLARED)
