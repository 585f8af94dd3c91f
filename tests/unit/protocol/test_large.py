"""``protocol.large``: a long response, followed piece by piece, says the same as one that is read at once."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.protocol import large
from gatekit.protocol.large import Found, Scan

TEXTS = st.text(st.sampled_from('ab"\\{}[]:,é\u2028 \n0'), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)
RESULTS = st.dictionaries(
    TEXTS | st.sampled_from(["isError", "resultType", "_meta", "content"]), VALUES, max_size=5
)
CUTS = st.lists(st.integers(1, 30), min_size=1, max_size=30)


def line(result: str, call_id: int = 7, id_last: bool = False) -> bytes:
    if id_last:
        return f'{{"result":{result},"jsonrpc":"2.0","id":{call_id}}}'.encode()
    return f'{{"jsonrpc":"2.0","id":{call_id},"result":{result}}}'.encode()


def scanned(text: bytes, cuts: list[int] | None = None, head: int = 60) -> Found | None:
    """As it would come: a first piece that holds the head, then pieces of these sizes in turn."""
    pieces, at, turn = [text[:head]], head, 0
    while at < len(text):
        size = cuts[turn % len(cuts)] if cuts else len(text)
        pieces.append(text[at : at + size])
        at, turn = at + size, turn + 1
    scan = Scan()
    for piece in pieces:
        scan.feed(piece)
    return scan.end(pieces)


@settings(max_examples=400, deadline=None)
@given(RESULTS, CUTS, st.booleans(), st.booleans(), st.sampled_from([1, 3, 17, 64 * 1024]))
def test_it_says_what_reading_at_once_would(
    result: dict[str, Any], cuts: list[int], id_last: bool, ascii_only: bool, block: int
) -> None:
    text = json.dumps(result, ensure_ascii=ascii_only)
    before, large._BLOCK = large._BLOCK, block
    try:
        found = scanned(line(text, id_last=id_last), cuts)
    finally:
        large._BLOCK = before
    assert found is not None
    assert found.id == 7
    assert bytes(found.result.pieces).decode() == text
    assert found.result.members == set(result)
    assert found.result.is_error == (result.get("isError") is True)
    kind = result.get("resultType")
    assert found.result.kind == (kind if isinstance(kind, str) else "")


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from('{}[]",:\\a1 ')), CUTS, st.booleans())
def test_what_is_no_object_by_itself_is_never_taken_for_a_result(
    text: str, cuts: list[int], id_last: bool
) -> None:
    """A result must not be able to carry further members of the message, such as another id."""
    whole = line(text, id_last=id_last)
    found = scanned(whole, cuts)
    if found is None:
        return
    assert bytes(found.result.pieces) in whole
    try:
        read = msgspec.json.decode(whole)
    except msgspec.DecodeError:
        return  # broken deep inside: passed on, and no parser will make sense of it
    assert found.id == read["id"]
    assert msgspec.json.decode(bytes(found.result.pieces)) == read["result"]


@pytest.mark.parametrize(
    "text",
    [
        b'{"jsonrpc":"2.0","id":7,"result":{},"id":8}',
        b'{"jsonrpc":"2.0","id":7,"result":{}},"id":8}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":1},"x":2}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":1]}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":[1}}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a" 1}}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":1}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":"1}}',
        b'{"jsonrpc":"2.0","id":7,"result":[1]}',
        b'{"jsonrpc":"2.0","id":7,"result":null}',
        b'{"jsonrpc":"2.0","result":{}}',
        b'{"jsonrpc":"2.0","id":"7","result":{}}',
        b'{"jsonrpc":"2.0","id":7,"method":"x","result":{}}',
        b'{"jsonrpc":"2.0","id":7,"error":{}}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":"\xff"}}',
        b'{"jsonrpc":"2.0","id":7,"result":{"a":"\xc3',
        b"not json at all",
        b"",
    ],
)
def test_everything_else_is_left_to_the_ordinary_way(text: bytes) -> None:
    assert scanned(text, [3]) is None


def test_line_ends_become_blanks() -> None:
    found = scanned(b'{"jsonrpc":"2.0",\r "id":7,"result":{\r"a":\r1}\r}\r')
    assert found is not None
    assert bytes(found.result.pieces) == b'{ "a": 1}'


def test_names_with_escapes_are_the_names_they_are() -> None:
    found = scanned(line(r'{"is\u0045rror":true,"x":"\\"}'), [2])
    assert found is not None
    assert found.result.is_error
    assert found.result.members == {"isError", "x"}


def test_a_long_member_is_not_kept_twice() -> None:
    found = scanned(line('{"blob":"' + "x" * 300_000 + '","isError":true}'), [1000])
    assert found is not None
    assert found.result.members == {"blob", "isError"}
    assert found.result.is_error


def test_too_many_members_are_left_to_the_ordinary_way() -> None:
    members = ",".join(f'"k{number}":{number}' for number in range(20_000))
    assert scanned(line("{" + members + "}"), [5000]) is None


def test_depth_is_no_trap() -> None:
    found = scanned(line('{"a":' + "[" * 200_000 + "]" * 200_000 + "}"), [100_000])
    assert found is not None
    assert found.result.members == {"a"}
