"""The envelope: what is refused, what survives exactly, and what an upstream's output may look like."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mcp_types.jsonrpc import jsonrpc_message_adapter
from msgspec import Raw

from gatekit.errors import InvalidParams, InvalidRequestFault, ParseFault, ProtocolFault
from gatekit.protocol import jsonrpc
from gatekit.protocol.jsonrpc import Notification, Request, Response, decode_client, decode_line

PLAIN = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"a":[1,{"b":2}]}}}'
)


def _request(params: bytes) -> bytes:
    return b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":' + params + b"}"


def _params(body: bytes) -> dict[str, Any]:
    message = decode_client(body)
    assert isinstance(message, Request)
    return message.params


# -- messages ----------------------------------------------------------------------------------------------


def test_request() -> None:
    assert decode_client(PLAIN) == Request(
        1, "tools/call", {"name": "echo", "arguments": {"a": [1, {"b": 2}]}}
    )


def test_request_without_params_has_empty_params() -> None:
    assert decode_client(b'{"jsonrpc":"2.0","id":"x","method":"ping"}') == Request("x", "ping", {})


def test_notification() -> None:
    body = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert decode_client(body) == Notification("notifications/initialized", {})


def test_responses() -> None:
    assert decode_client(b'{"jsonrpc":"2.0","id":1,"result":{"a":1}}') == Response(1, {"a": 1}, None)
    error = {"code": -32601, "message": "no"}
    body = msgspec.json.encode({"jsonrpc": "2.0", "id": "q", "error": error})
    assert decode_client(body) == Response("q", None, error)


def test_batch_keeps_order() -> None:
    body = b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","method":"n"}]'
    assert decode_client(body) == [Request(1, "ping", {}), Notification("n", {})]


def test_white_space_and_escapes_are_only_spelling() -> None:
    spelt = json.dumps(json.loads(PLAIN), indent=2).encode()
    assert decode_client(spelt) == decode_client(PLAIN)
    assert _params(_request(b'{"name":"\\u00e9\\ud83d\\ude00"}')) == {"name": "é😀"}


# -- refusals ----------------------------------------------------------------------------------------------

NOT_JSON = {
    "empty": b"",
    "space": b"  ",
    "truncated": PLAIN[:-3],
    "two values": PLAIN + PLAIN,
    "trailing": PLAIN + b"x",
    "trailing comma": b"[1,]",
    "nan": _request(b'{"a":NaN}'),
    "infinity": _request(b'{"a":-Infinity}'),
    "huge float": _request(b'{"a":1e999}'),
    "huge integer": _request(b'{"a":' + b"9" * 5000 + b"}"),
    "leading zero": _request(b'{"a":012}'),
    "byte-order mark": b"\xef\xbb\xbf" + PLAIN,
    "latin-1": _request(b'{"a":"\xe9"}'),
    "overlong utf-8": _request(b'{"a":"\xc0\x80"}'),
    "utf-8 surrogate": _request(b'{"a":"\xed\xa0\x80"}'),
    "utf-16": PLAIN.decode().encode("utf-16"),
    "lone high surrogate": _request(b'{"a":"\\ud800"}'),
    "lone low surrogate": _request(b'{"a":"\\udc00 tail"}'),
    "two high surrogates": _request(b'{"a":"\\ud800\\ud800"}'),
    "surrogate in a key": _request(b'{"\\ud800":1}'),
    "raw control character": _request(b'{"a":"\x01"}'),
    "single quotes": b"{'jsonrpc':'2.0'}",
    "comment": b"/**/" + PLAIN,
    "nul": PLAIN + b"\0",
    "deep arrays": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
}


@pytest.mark.parametrize("body", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_not_json(body: bytes) -> None:
    with pytest.raises(ParseFault) as caught:
        decode_client(body)
    assert caught.value.request_id is None


DUPLICATES = {
    "method": b'{"jsonrpc":"2.0","id":7,"method":"tools/list","method":"tools/call"}',
    "params": b'{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}',
    "name": _request(b'{"name":"safe","name":"danger"}'),
    "equal values": _request(b'{"name":"a","name":"a"}'),
    "escaped spelling": _request(b'{"name":"safe","n\\u0061me":"danger"}'),
    "deep": _request(b'{"a":[{"b":{"c":1,"c":2}}]}'),
    "empty key": _request(b'{"":1,"":2}'),
    "in a batch": b'[{"jsonrpc":"2.0","id":7,"method":"a","method":"b"}]',
}


@pytest.mark.parametrize("body", DUPLICATES.values(), ids=DUPLICATES.keys())
def test_duplicate_keys(body: bytes) -> None:
    """I17: Duplicate keys."""
    with pytest.raises(ParseFault, match="duplicate key") as caught:
        decode_client(body)
    assert caught.value.request_id == (None if body.startswith(b"[") else 7)


def test_a_doubled_id_is_not_answered() -> None:
    with pytest.raises(ParseFault) as caught:
        decode_client(b'{"jsonrpc":"2.0","id":7,"id":8,"method":"ping"}')
    assert caught.value.request_id is None


def test_same_key_in_different_objects_is_no_duplicate() -> None:
    assert _params(_request(b'{ "a": {"a": 1}, "b": [{"a": 1}, {"a": 2}]}')) == {
        "a": {"a": 1},
        "b": [{"a": 1}, {"a": 2}],
    }


NOT_A_REQUEST: dict[str, tuple[bytes, Any]] = {
    "number": (b"1", None),
    "null": (b"null", None),
    "empty object": (b"{}", None),
    "empty batch": (b"[]", None),
    "batch of numbers": (b"[1,2]", None),
    "batch in a batch": (b"[[]]", None),
    "version 1.0": (b'{"jsonrpc":"1.0","id":3,"method":"ping"}', 3),
    "version number": (b'{"jsonrpc":2.0,"id":3,"method":"ping"}', 3),
    "no version": (b'{"id":3,"method":"ping"}', 3),
    "id null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', None),
    "id bool": (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', None),
    "id float": (b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}', None),
    "id object": (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', None),
    "method number": (b'{"jsonrpc":"2.0","id":3,"method":4}', 3),
    "method empty": (b'{"jsonrpc":"2.0","id":3,"method":""}', 3),
    "method null": (b'{"jsonrpc":"2.0","id":"a","method":null}', "a"),
    "params array": (b'{"jsonrpc":"2.0","id":3,"method":"a","params":[1]}', 3),
    "params null": (b'{"jsonrpc":"2.0","id":3,"method":"a","params":null}', 3),
    "request and response": (b'{"jsonrpc":"2.0","id":3,"method":"a","result":{}}', 3),
    "result and error": (b'{"jsonrpc":"2.0","id":3,"result":{},"error":{"code":1,"message":""}}', None),
    "neither": (b'{"jsonrpc":"2.0","id":3}', None),
    "result array": (b'{"jsonrpc":"2.0","id":3,"result":[]}', None),
    "result null": (b'{"jsonrpc":"2.0","id":3,"result":null}', None),
    "error null": (b'{"jsonrpc":"2.0","id":3,"error":null}', None),
    "error text": (b'{"jsonrpc":"2.0","id":3,"error":"no"}', None),
    "error without message": (b'{"jsonrpc":"2.0","id":3,"error":{"code":1}}', None),
    "error code bool": (b'{"jsonrpc":"2.0","id":3,"error":{"code":true,"message":""}}', None),
    "response without id": (b'{"jsonrpc":"2.0","result":{}}', None),
    "ids twice in a batch": (
        b'[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":1,"method":"b"}]',
        1,
    ),
}


@pytest.mark.parametrize(("body", "request_id"), NOT_A_REQUEST.values(), ids=NOT_A_REQUEST.keys())
def test_not_a_message(body: bytes, request_id: Any) -> None:
    with pytest.raises(InvalidRequestFault) as caught:
        decode_client(body)
    assert caught.value.request_id == request_id


@pytest.mark.parametrize(
    "meta",
    [
        b"null",
        b"3",
        b'"x"',
        b"[]",
        b'{"progressToken":null}',
        b'{"progressToken":[1]}',
        b'{"progressToken":1.5}',
    ],
)
def test_meta_must_make_sense(meta: bytes) -> None:
    with pytest.raises(InvalidParams) as caught:
        decode_client(_request(b'{"_meta":' + meta + b"}"))
    assert (caught.value.request_id, caught.value.status) == (7, 400)


def test_ids_of_different_type_are_different() -> None:
    body = b'[{"jsonrpc":"2.0","id":1,"method":"a"},{"jsonrpc":"2.0","id":"1","method":"b"}]'
    assert decode_client(body) == [Request(1, "a", {}), Request("1", "b", {})]


def test_a_batch_has_a_limit() -> None:
    item = b'{"jsonrpc":"2.0","method":"n"}'
    assert len(decode_client(b"[" + b",".join([item] * jsonrpc.MAX_BATCH) + b"]")) == jsonrpc.MAX_BATCH  # type: ignore[arg-type]
    with pytest.raises(InvalidRequestFault):
        decode_client(b"[" + b",".join([item] * (jsonrpc.MAX_BATCH + 1)) + b"]")


# -- depth and numbers -------------------------------------------------------------------------------------


def _nested(levels: int) -> bytes:
    """A request of ``levels`` levels in all."""
    return _request(b'{"a":' + b"[" * (levels - 2) + b"]" * (levels - 2) + b"}")


def test_depth_is_exact() -> None:
    """I22: Depth is exact."""
    decode_client(_nested(jsonrpc.MAX_DEPTH))
    with pytest.raises(ParseFault, match="nested") as caught:
        decode_client(_nested(jsonrpc.MAX_DEPTH + 1))
    assert caught.value.request_id == 7
    decode_client(_nested(5), max_depth=5)
    with pytest.raises(ParseFault):
        decode_client(_nested(6), max_depth=5)


def test_brackets_in_text_are_not_depth() -> None:
    assert _params(_request(b'{"a":"' + b"[{" * 1000 + b'"}')) == {"a": "[{" * 1000}


def test_wide_is_not_deep() -> None:
    assert len(_params(_request(b'{"a":[' + b",".join([b"[]"] * 5000) + b"]}"))["a"]) == 5000


def test_too_many_parts_are_refused_before_they_are_built() -> None:
    """I22: Too many parts are refused before they are built."""
    for part in (b"{}", b'{"a":[]}', b"[" * 50 + b"]" * 50):
        body = _request(b'{"a":[' + b",".join([part] * jsonrpc.MAX_CONTAINERS)[: 2**23] + b"]}")
        with pytest.raises(ParseFault):
            decode_client(body)


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.text('[]{}":\\,a', max_size=5),
        lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text('[{":\\', max_size=3), v, max_size=3),
        max_leaves=9,
    )
)
def test_depth_agrees_with_a_walk(value: Any) -> None:
    def depth(node: Any) -> int:
        below = node.values() if isinstance(node, dict) else node if isinstance(node, list) else None
        return 0 if below is None else 1 + max(map(depth, below), default=0)

    body = _request(json.dumps({"a": value}).encode())
    levels = 2 + depth(value)
    decode_client(body, max_depth=levels)
    with pytest.raises(ParseFault, match="nested") as caught:
        decode_client(body, max_depth=levels - 1)
    assert caught.value.request_id == 7


def test_integers_are_exact() -> None:
    for number in (2**53 + 1, 2**63, 2**64, 2**64 + 1, -(2**63) - 1, 10**300):
        value = _params(_request(b'{"a":%d}' % number))["a"]
        assert value == number
        assert type(value) is int
        assert b'"a":%d' % number in jsonrpc.encode_request(1, "m", {"a": value})


def test_large_ids_are_exact() -> None:
    message = decode_client(b'{"jsonrpc":"2.0","id":18446744073709551617,"method":"ping"}')
    assert isinstance(message, Request)
    assert json.loads(jsonrpc.encode_result(message.id, {}))["id"] == 18446744073709551617


# -- generated ---------------------------------------------------------------------------------------------

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_text, inner, max_size=4),
    max_leaves=12,
)
_object = st.dictionaries(_text, _json, max_size=4)
_id = _text | st.integers()


@settings(max_examples=150, deadline=None)
@given(_id, _text.filter(bool), _object, st.booleans())
def test_round_trip(request_id: str | int, method: str, params: dict[str, Any], ascii_only: bool) -> None:
    spelt = json.dumps(
        {"method": method, "id": request_id, "params": params, "jsonrpc": "2.0", "extra": 1},
        ensure_ascii=ascii_only,
    ).encode()
    for body in (spelt, jsonrpc.encode_request(request_id, method, params)):
        message = decode_client(body)
        assert message == Request(request_id, method, params)
    line = decode_line(jsonrpc.encode_request(request_id, method, params))
    assert line is not None
    assert (line.id, line.method, jsonrpc.decode_object(line.params)) == (request_id, method, params)


@settings(max_examples=150, deadline=None)
@given(_object, _text, _json)
def test_a_duplicate_anywhere_is_found(params: dict[str, Any], key: str, value: Any) -> None:
    """I17: A duplicate anywhere is found."""
    assume('"@"' not in json.dumps(params))
    name, other = json.dumps(key), json.dumps(key, ensure_ascii=False)
    twice = f"{{{name}: {json.dumps(value)}, {other}: 0}}"
    inner = json.dumps({**params, "spot": "@"}).replace('"@"', twice)
    with pytest.raises(ParseFault):
        decode_client(_request(inner.encode()))


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=60) | st.builds(lambda t: t.encode(), st.text('{}[]":,\\u0d8tfn1e-. \n', max_size=40))
)
def test_garbage_never_escapes_the_error_tree(body: bytes) -> None:
    decode_line(body)
    with contextlib.suppress(ParseFault, InvalidRequestFault, InvalidParams):
        decode_client(body)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(PLAIN) - 1), st.integers(0, 255))
def test_what_is_accepted_is_what_any_parser_reads(position: int, byte: int) -> None:
    """I17: What is accepted is what any parser reads."""
    body = PLAIN[:position] + bytes([byte]) + PLAIN[position + 1 :]
    try:
        message = decode_client(body)
    except ProtocolFault:
        return
    official = jsonrpc_message_adapter.validate_json(body)
    assert isinstance(message, Request | Notification)
    dumped = official.model_dump(by_alias=True, exclude_unset=True)
    assert dumped["method"] == message.method
    assert (dumped.get("params") or {}) == message.params


# -- encoding ----------------------------------------------------------------------------------------------


def test_encoded_messages_are_valid_for_the_official_models() -> None:
    for line in (
        jsonrpc.encode_request("a", "tools/call", {"x": 1}),
        jsonrpc.encode_notification("notifications/progress", {"x": 1}),
        jsonrpc.encode_result(1, {"content": []}),
        jsonrpc.encode_fault(1, -32602, "no"),
        jsonrpc.encode_fault(None, -32700, "no", {"a": 1}),
    ):
        message = jsonrpc_message_adapter.validate_json(line)
        assert message.jsonrpc == "2.0"


def test_raw_is_passed_byte_for_byte() -> None:
    raw = Raw(b'{"a" : 1.50, "a": 12345678901234567890123}')
    assert jsonrpc.encode_result(1, raw) == b'{"jsonrpc":"2.0","id":1,"result":' + bytes(raw) + b"}"
    assert jsonrpc.encode_request(1, "m", Raw(b"{}")).endswith(b'"params":{}}')


def test_an_absent_raw_becomes_an_empty_object() -> None:
    assert jsonrpc.encode_result(1, Raw()) == b'{"jsonrpc":"2.0","id":1,"result":{}}'


def test_always_one_line() -> None:
    pretty = Raw(json.dumps({"text": "a\nb\rc\u2028"}, indent=2).replace("\n", "\r\n").encode())
    for line in (
        jsonrpc.encode_result(1, pretty),
        jsonrpc.encode_request("a\nb", "m\n", pretty),
        jsonrpc.encode_notification("m\r\n", {"a": "\n"}),
        jsonrpc.encode_fault("\n", 1, "two\nlines", {"a": "\r\n"}),
    ):
        assert b"\n" not in line
        assert b"\r" not in line
    assert json.loads(jsonrpc.encode_result(1, pretty))["result"] == {"text": "a\nb\rc\u2028"}


def test_fault_leaves_absent_data_out() -> None:
    assert (
        jsonrpc.encode_fault(None, 1, "x") == b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}'
    )
    assert json.loads(jsonrpc.encode_fault(1, 1, "x", 0))["error"]["data"] == 0


def test_digest_knows_values_and_not_spelling() -> None:
    one, other = (
        json.loads('{"b":[1,{"y":"é","x":null}],"a":1.5}'),
        json.loads('{"a":1.5,"b":[1,{"x":null,"y":"\\u00e9"}]}'),
    )
    assert jsonrpc.digest(one) == jsonrpc.digest(other)
    assert jsonrpc.digest(one) != jsonrpc.digest({**one, "a": 2})
    # SHA-256 of the two bytes {}.
    assert jsonrpc.digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


# -- lines of upstreams ------------------------------------------------------------------------------------


def test_line_of_a_response() -> None:
    line = decode_line(b' {"result":{"a":1},"id":5,"jsonrpc":"2.0","vendor":[]}\r\n')
    assert line is not None
    assert (line.id, line.method, bytes(line.result)) == (5, "", b'{"a":1}')
    assert not line.error
    assert not line.params


def test_line_of_a_notification_has_no_id() -> None:
    line = decode_line(b'{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info"}}')
    assert line is not None
    assert line.id is None
    assert jsonrpc.decode_object(line.params) == {"level": "info"}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"Listening on stdio",
        b"[1,2]",
        b'"text"',
        b"42",
        b"{'a':1}",
        b'{"id":1,"resu',
        b"\x80\x81",
        b"{" * 2000,
    ],
)
def test_stray_output_is_no_line(line: bytes) -> None:
    assert decode_line(line) is None


def test_a_whole_id_may_be_spelt_as_a_float() -> None:
    line = decode_line(b'{"jsonrpc":"2.0","id":5.0,"result":{}}')
    assert line is not None
    assert line.id == 5
    assert type(line.id) is int


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"a":NaN}', {"a": None}),
        (b'{"a":[Infinity,-Infinity]}', {"a": [None, None]}),
        (b'{"a":"\\ud800"}', {"a": "\ufffd"}),
        (b'{"a":"x\\udc00y\\ud83d\\ude00"}', {"a": "x\ufffdy😀"}),
        (b'{"a":"caf\xe9"}', {"a": "caf\ufffd"}),
    ],
)
def test_an_answer_with_a_blemish_still_arrives(text: bytes, expected: Any) -> None:
    for prefix in (b"", b"\xef\xbb\xbf"):
        line = decode_line(prefix + b'{"jsonrpc":"2.0","id":5,"result":' + text + b"}")
        assert line is not None
        assert line.id == 5
        assert jsonrpc.decode_object(line.result) == expected
        assert json.loads(jsonrpc.encode_result(5, line.result))["result"] == expected


def test_a_long_result_stays_bytes() -> None:
    body = b'{"jsonrpc":"2.0","id":5,"result":{"text":"' + b"x" * 4_000_000 + b'"}}'
    line = decode_line(body)
    assert line is not None
    assert isinstance(line.result, Raw)
    assert len(bytes(line.result)) == 4_000_011


def test_decode_object_refuses_what_is_none() -> None:
    assert jsonrpc.decode_object(Raw()) == {}
    for raw in (b"[]", b"1e999", b"null", b"[" * 5000):
        with pytest.raises(ParseFault):
            jsonrpc.decode_object(Raw(raw))
