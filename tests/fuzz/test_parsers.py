"""Parsers and codecs under noise: they answer, ignore, or refuse with an error of ours; nothing else."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared.inbound import InboundModernRoute, classify_inbound_request

from gatekit.errors import InvalidParams, ParseFault, ProtocolFault, VaultError
from gatekit.gateway.inbound import Refused as RefusedAtTheDoor
from gatekit.gateway.inbound import accepts, check_content_type, check_origin
from gatekit.platform.vault import Vault
from gatekit.protocol import headers, jsonrpc, sse
from gatekit.protocol.era import bridge, detect, handshake, lowering, stateless
from gatekit.protocol.jsonrpc import Notification, Request, Response
from gatekit.protocol.methods import HANDSHAKE_VERSIONS
from gatekit.upstream.framing import Lines, claimed_id, is_call
from tests.fuzz.inputs import BYTES, FUZZ, MESSAGES, cut, torn
from tests.support import legal

FIELDS = st.one_of(
    st.binary(max_size=30), torn(st.sampled_from([b"=?base64?YQ==?=", b"tools/call", b"2026-07-28"]))
)


def _tried(call: Callable[[], Any]) -> tuple[Any, ProtocolFault | None]:
    try:
        return call(), None
    except ProtocolFault as fault:
        return None, fault


# -- JSON-RPC ----------------------------------------------------------------------------------------------


@FUZZ
@given(BYTES)
def test_a_clients_body_is_read_strictly_or_refused(body: bytes) -> None:
    read, fault = _tried(lambda: jsonrpc.decode_client(body))
    if fault is not None:
        assert fault.code in (-32700, -32600, -32602)
        assert fault.request_id is None or type(fault.request_id) in (str, int)
        return
    # What was let in, every other strict parser reads in the same way.
    repeated: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = [key for key, _ in found]
        repeated.extend(key for key in keys if keys.count(key) > 1)
        return dict(found)

    def constant(name: str) -> Any:
        raise AssertionError(name)

    value = json.loads(body.decode("utf-8", "strict"), object_pairs_hook=pairs, parse_constant=constant)
    assert not repeated
    json.dumps(value, ensure_ascii=False).encode()  # no lone surrogate
    for message, raw in zip(
        read if isinstance(read, list) else [read], value if isinstance(value, list) else [value], strict=True
    ):
        _same(message, raw)


def _same(message: jsonrpc.Message, raw: dict[str, Any]) -> None:
    if isinstance(message, Request):
        assert (message.id, message.method, message.params) == (
            raw["id"],
            raw["method"],
            raw.get("params", {}),
        )
    elif isinstance(message, Notification):
        assert (message.method, message.params) == (raw["method"], raw.get("params", {}))
    else:
        assert isinstance(message, Response)
        assert message.id == raw["id"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","method":"m","params":{"a":1,"a":1}}',
        b'{"jsonrpc":"2.0","method":"m","params":{"a":1,"\\u0061":2}}',
        b'{"jsonrpc":"2.0","method":"m","params":{"a":NaN}}',
        b'{"jsonrpc":"2.0","method":"m","params":{"a":Infinity}}',
        b'\xef\xbb\xbf{"jsonrpc":"2.0","method":"m"}',
        b'{"jsonrpc":"2.0","method":"\\ud800"}',
        b'{"jsonrpc":"2.0","method":"\xed\xa0\x80"}',
        b'{"jsonrpc":"2.0","method":"m"}{}',
        b'{"jsonrpc":"2.0","method":"m","params":' + b"[" * 70 + b"]" * 70 + b"}",
        b"",
        b"\x00",
        "{}".encode("utf-16"),
    ],
)
def test_what_two_parsers_could_read_differently_is_no_message(body: bytes) -> None:
    with pytest.raises(ParseFault):
        jsonrpc.decode_client(body)


@FUZZ
@given(BYTES)
def test_a_servers_line_is_a_message_or_stray(line: bytes) -> None:
    read = jsonrpc.decode_line(line)
    if read is None:
        return
    for raw in (read.params, read.result, read.error):
        try:
            jsonrpc.decode_object(raw)
        except ParseFault:
            continue
    if read.result:
        encoded = jsonrpc.encode_result(1, read.result)
        assert b"\n" not in encoded
        json.loads(encoded)


@FUZZ
@given(MESSAGES)
def test_everything_that_we_encode_is_one_strict_line(message: dict[str, Any]) -> None:
    params = message.get("params")
    params = params if isinstance(params, dict) else {"v": params}
    for line in (
        jsonrpc.encode_request(1, "m", params),
        jsonrpc.encode_notification("m", params),
        jsonrpc.encode_result("x", params),
        jsonrpc.encode_fault(None, -1, "m", params),
    ):
        assert b"\n" not in line
        assert b"\r" not in line
        assert jsonrpc.decode_line(line) is not None
    read = jsonrpc.decode_client(jsonrpc.encode_notification("m", {"v": params}), max_depth=200)
    assert isinstance(read, Notification)
    assert read.params == {"v": params}


# -- framing and events ------------------------------------------------------------------------------------


@FUZZ
@given(st.data(), st.integers(1, 60))
def test_lines_do_not_depend_on_how_they_arrive(data: Any, cap: int) -> None:
    stream = data.draw(st.one_of(st.binary(max_size=300), st.lists(BYTES, max_size=4).map(b"\n".join)))
    expected: list[Any] = []
    for line in stream.split(b"\n")[:-1]:
        expected.append(line if len(line) <= cap else len(line))
    got: list[Any] = []
    lines = Lines(cap, got.append, lambda head, tail, size: got.append(size))
    for chunk in cut(data.draw, stream):
        lines.feed(chunk)
    assert [each for each in got if each != b""] == [each for each in expected if each != b""]
    assert lines.pending == len(stream.rpartition(b"\n")[2])


@FUZZ
@given(BYTES, BYTES)
def test_the_ends_of_a_lost_line(head: bytes, tail: bytes) -> None:
    found = claimed_id(head, tail)
    assert found is None or type(found) is int
    assert is_call(head) in (True, False)


@FUZZ
@given(st.data())
def test_events_do_not_depend_on_how_they_arrive(data: Any) -> None:
    stream = data.draw(BYTES)
    whole = sse.Parser(1_000_000).feed(stream)
    parser, parts = sse.Parser(1_000_000), []
    for chunk in cut(data.draw, stream):
        parts += parser.feed(chunk)
    assert parts == whole


@FUZZ
@given(st.binary(max_size=200), st.integers(1, 50))
def test_an_event_is_bounded(stream: bytes, limit: int) -> None:
    parser = sse.Parser(limit)
    try:
        events = parser.feed(stream)
    except sse.TooLong:
        return
    assert all(len(event.data) <= limit for event in events)


@FUZZ
@given(BYTES)
def test_an_event_comes_back(payload: bytes) -> None:
    (event,) = sse.Parser().feed(sse.event(payload))
    assert event.data == payload.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


# -- headers and the ladder --------------------------------------------------------------------------------


class Table(dict[bytes, list[bytes]]):
    """Implements ``headers.Headers``."""


@FUZZ
@given(FIELDS)
def test_a_header_value_has_one_spelling(raw: bytes) -> None:
    value = headers.decode_value(raw)
    if value is not None:
        assert headers.decode_value(headers.encode_value(value).encode()) == value


@FUZZ
@given(legal.TEXT)
def test_every_text_fits_into_a_header(text: str) -> None:
    encoded = headers.encode_value(text)
    assert encoded.isascii()
    assert not set(encoded) & {"\r", "\n", "\0"}
    assert headers.decode_value(encoded.encode()) == text


@FUZZ
@given(st.data())
def test_the_ladder_lets_in_what_the_official_one_lets_in(data: Any) -> None:
    method = data.draw(st.sampled_from(["tools/call", "tools/list", "resources/read", "server/discover"]))
    version = data.draw(st.sampled_from(["2026-07-28", "2025-11-25", "", 3]))
    meta = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                detect.META_VERSION: st.just(version),
                stateless.META_CAPABILITIES: st.one_of(st.just({}), legal.SCALARS),
                stateless.META_CLIENT_INFO: st.just({"name": "c", "version": "1"}),
            },
        )
    )
    name = data.draw(st.sampled_from(["n", "é", "=?base64?YQ==?="]))
    params = {"name": name, "uri": name, "_meta": meta}
    table = Table()
    for field, right in (
        (b"mcp-protocol-version", b"2026-07-28"),
        (b"mcp-method", method.encode()),
        (b"mcp-name", headers.encode_value(name).encode()),
    ):
        table[field] = data.draw(st.sampled_from([[right], [right], [right], [b"x"], [right, right], []]))
        if not table[field]:
            del table[field]
    message = Request(1, method, params)
    assert detect.detect(message, table) in ("handshake", "stateless")
    _, fault = _tried(lambda: stateless.read(message, table))
    if fault is not None:
        assert (fault.status, fault.request_id) == (400, 1)
        return
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    single = {field.decode(): values[0].decode() for field, values in table.items()}
    assert isinstance(classify_inbound_request(body, headers=single), InboundModernRoute)


@FUZZ
@given(legal.ANYTHING, st.dictionaries(st.sampled_from([b"mcp-param-a", b"mcp-param-b"]), st.lists(FIELDS)))
def test_any_schema_and_any_headers(schema: Any, table: dict[bytes, list[bytes]]) -> None:
    annotations = headers.param_annotations(schema)
    headers.without_annotations(schema)
    declared = (*annotations.declared, headers.Declared(("a",), "a", "string"))
    for arguments in ({}, {"a": 1}, {"a": "x"}, {"a": {"b": None}}):
        _, fault = _tried(partial(headers.check_params, Table(table), arguments, declared))
        assert fault is None or fault.code == -32020


@FUZZ
@given(st.text(max_size=30), st.binary(max_size=30))
def test_what_else_stands_in_headers(text: str, raw: bytes) -> None:
    accepts(raw)
    for check in (check_content_type, lambda value: check_origin(value, frozenset())):
        with contextlib.suppress(RefusedAtTheDoor):
            check(text)


# -- what clients bring back, what servers make up ---------------------------------------------------------


@FUZZ
@given(st.one_of(st.text(max_size=80), st.binary(max_size=60).map(lambda b: b.hex())))
def test_nobody_forges_what_we_seal(text: str) -> None:
    with pytest.raises(VaultError):
        Vault(b"k" * 32).open(text, "gateway request state")


@FUZZ
@given(st.integers(0, 200), st.integers(1, 255))
def test_a_changed_seal_never_opens_to_anything_else(at: int, by: int) -> None:
    """Some characters have bits that say nothing; what was sealed is all that can come out."""
    vault = Vault(b"k" * 32)
    sealed = vault.seal('{"a":1}', "p")
    at %= len(sealed)
    changed = sealed[:at] + chr((ord(sealed[at]) + by) % 256) + sealed[at + 1 :]
    with contextlib.suppress(VaultError):
        assert vault.open(changed, "p") == '{"a":1}'


@FUZZ
@given(st.sampled_from(["tools/call", "prompts/get"]), legal.VENDOR, legal.ANYTHING, legal.ANYTHING)
def test_a_retry_is_read_or_refused(method: str, params: Any, responses: Any, state: Any) -> None:
    try:
        retry = bridge.take_retry(method, {**params, "inputResponses": responses, "requestState": state})
    except InvalidParams:
        return
    assert retry is not None
    for asked in bridge.CAPABILITY:
        try:
            bridge.read_answer(asked, responses)
        except InvalidParams:
            continue


@FUZZ
@given(
    st.sampled_from(["tools/call", "tools/list", "prompts/get", "prompts/list", "resources/list"]),
    st.sampled_from(HANDSHAKE_VERSIONS),
    legal.ANYTHING,
)
def test_any_result_of_a_server_can_be_lowered(method: str, version: str, junk: Any) -> None:
    key = {"tools/call": "content", "prompts/get": "messages"}.get(method, method.partition("/")[0])
    for body in ({key: junk}, {key: [junk]}, {key: [{"type": junk, "annotations": junk, "content": junk}]}):
        handshake.result(method, body, version)
        stateless.result(method, body, server_info=None)
    lowering.raised({"properties": {"a": junk}}, version, {"a": junk})
    lowering.form({"properties": {"a": junk}}, version)
