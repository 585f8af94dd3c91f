"""JSON of others, read in one way only."""

from __future__ import annotations

import pytest

from gatekit.platform.strict_json import RepeatedMember, read_object


def test_an_object_is_read() -> None:
    assert read_object(b'{"a":[1,-2.5e3,true,null,"\\u00e9\\ud83d\\ude00"],"b":{"a":1}}') == {
        "a": [1, -2500.0, True, None, "é😀"],
        "b": {"a": 1},
    }


@pytest.mark.parametrize("text", ['{"a":1,"a":1}', '{"b":[{"a":1,"\\u0061":2}]}'])
def test_a_repeated_member_is_named_as_such(text: str) -> None:
    with pytest.raises(RepeatedMember):
        read_object(text.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"1",
        b'{"a":1}x',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\ud83d"}',
        b'{"\\udc00":1}',
        b'{"a":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"[" * 100_000,
    ],
)
def test_everything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_object(data)
