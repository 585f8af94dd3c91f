"""``upstream.framing``."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekit.upstream.framing import KEPT, Lines, claimed_id, is_call


class Seen:
    def __init__(self, cap: int = 1000) -> None:
        self.lines: list[bytes] = []
        self.oversized: list[tuple[bytes, bytes, int]] = []
        self.feed = Lines(cap, self.lines.append, lambda *what: self.oversized.append(what)).feed


@given(
    st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=20),
    st.lists(st.integers(1, 50), min_size=1, max_size=40),
    st.integers(10, 80),
)
def test_any_chunking_gives_the_same_lines(lines: list[bytes], sizes: list[int], cap: int) -> None:
    seen = Seen(cap)
    stream = b"".join(line + b"\n" for line in lines)
    position = turn = 0
    while position < len(stream):
        size = sizes[turn % len(sizes)]
        seen.feed(stream[position : position + size])
        position += size
        turn += 1
    assert [line for line in seen.lines if line] == [line for line in lines if line and len(line) <= cap]
    too_long = [line for line in lines if len(line) > cap]
    assert [(tail, size) for _, tail, size in seen.oversized] == [
        (line[-KEPT:], len(line)) for line in too_long
    ]
    for line, (head, _, _) in zip(too_long, seen.oversized, strict=True):
        assert line.startswith(head)
        assert len(head) > min(cap, KEPT - 1)


def test_a_line_exactly_at_the_cap_passes() -> None:
    seen = Seen(10)
    seen.feed(b"0123456789\n01234567890\nabc\n")
    assert seen.lines == [b"0123456789", b"abc"]
    assert seen.oversized == [(b"01234567890", b"01234567890", 11)]


def test_the_ends_of_a_skipped_line_are_kept_whatever_the_chunks() -> None:
    line = bytes(range(48, 58)) * 1000
    for size in (1, 7, 1000, 20000):
        seen = Seen(2000)
        for start in range(0, len(line), size):
            seen.feed(line[start : start + size])
        seen.feed(b"\nnext\n")
        assert seen.oversized == [(line[:KEPT], line[-KEPT:], len(line))]
        assert seen.lines == [b"next"]


def test_memory_of_a_skipped_line_is_bounded() -> None:
    lines = Lines(1000, lambda line: None, lambda *what: None)
    for _ in range(100):
        lines.feed(b"x" * 100_000)
    assert lines.pending == 10_000_000
    assert sum(len(part) for part in lines._parts) + len(lines._tail) + len(lines._head) <= 2 * KEPT


@pytest.mark.parametrize(
    ("message", "claimed"),
    [
        ({"jsonrpc": "2.0", "id": 12, "result": {"text": "x" * 2000}}, 12),
        ({"id": 12, "jsonrpc": "2.0", "result": {"text": "x" * 2000}}, 12),
        ({"result": {"text": "x" * 2000}, "jsonrpc": "2.0", "id": 12}, 12),
        ({"result": {"text": "x" * 2000}, "id": 12, "jsonrpc": "2.0"}, 12),
        ({"jsonrpc": "2.0", "result": {"id": 12, "text": "x" * 2000}}, None),
        ({"jsonrpc": "2.0", "result": {"text": "x" * 2000, "deep": {"id": 12}}}, None),
        ({"jsonrpc": "2.0", "result": {"text": "x" * 2000 + '"id":12}'}}, None),
        ({"jsonrpc": "2.0", "id": "12", "result": {"text": "x" * 2000}}, None),
        ({"jsonrpc": "2.0", "id": -12, "result": {"text": "x" * 2000}}, None),
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_whose_answer_it_was(message: object, claimed: int | None, separators: tuple[str, str]) -> None:
    line = json.dumps(message, separators=separators).encode()
    assert claimed_id(line[:KEPT], line[-KEPT:]) == claimed


@pytest.mark.parametrize(
    ("line", "call"),
    [
        (b'{"jsonrpc":"2.0","method":"x"', True),
        (b'{"method":"x"', True),
        (b' { "id" : 3 , "jsonrpc" : "2.0" , "method" : "x"', True),
        (b'{"jsonrpc":"2.0","id":1,"result":{"method":"x"', False),
        (b'{"result":{"method":"x"', False),
    ],
)
def test_requests_are_told_from_answers(line: bytes, call: bool) -> None:
    assert is_call(line) is call
