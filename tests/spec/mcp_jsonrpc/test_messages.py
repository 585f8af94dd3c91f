"""MCP base protocol on top of JSON-RPC 2.0: what all revisions demand of a message."""

from __future__ import annotations

import json

import msgspec
import pytest

from gatekit.errors import InvalidRequestFault, ParseFault
from gatekit.protocol import jsonrpc
from gatekit.protocol.jsonrpc import decode_client


def test_messages_must_be_utf_8() -> None:
    with pytest.raises(ParseFault) as caught:
        decode_client('{"jsonrpc":"2.0","id":1,"method":"ä"}'.encode("latin-1"))
    assert (caught.value.code, caught.value.status) == (-32700, 400)


def test_the_id_must_not_be_null() -> None:
    with pytest.raises(InvalidRequestFault) as caught:
        decode_client(b'{"jsonrpc":"2.0","id":null,"method":"ping"}')
    assert (caught.value.code, caught.value.request_id) == (-32600, None)


@pytest.mark.parametrize("request_id", ['"a"', "1", "-1", "0", '""'])
def test_the_id_must_be_a_string_or_integer_and_comes_back_as_it_was(request_id: str) -> None:
    message = decode_client(b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % request_id.encode())
    assert isinstance(message, jsonrpc.Request)
    answer = json.loads(jsonrpc.encode_result(message.id, {}))
    assert answer == {"jsonrpc": "2.0", "id": json.loads(request_id), "result": {}}


@pytest.mark.parametrize("request_id", ["1.5", "1.0", "true", "[]", "{}"])
def test_any_other_id_must_be_refused(request_id: str) -> None:
    with pytest.raises(InvalidRequestFault):
        decode_client(b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % request_id.encode())


def test_a_notification_must_not_have_an_id() -> None:
    line = jsonrpc.encode_notification("notifications/progress", {})
    assert "id" not in msgspec.json.decode(line)


def test_a_response_must_have_a_result_or_an_error_and_not_both() -> None:
    for body in (
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}}',
        b'{"jsonrpc":"2.0","id":1}',
    ):
        with pytest.raises(InvalidRequestFault):
            decode_client(body)


def test_an_error_code_must_be_an_integer() -> None:
    with pytest.raises(InvalidRequestFault):
        decode_client(b'{"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"x"}}')


def test_an_unreadable_id_is_answered_with_null() -> None:
    answer = json.loads(jsonrpc.encode_fault(None, -32700, "Parse error"))
    assert answer["id"] is None


def test_stdio_messages_must_not_contain_newlines() -> None:
    body = msgspec.Raw(b'{\n "a": "\\n"\r\n}')
    for line in (jsonrpc.encode_request(1, "m", body), jsonrpc.encode_request(1, "m", {"a": "\n"})):
        assert b"\n" not in line
        assert json.loads(line)["params"] == {"a": "\n"}
