"""Framing of Server-Sent Events, however the stream is cut."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.protocol.sse import Event, Parser, TooLong, comment, event


def _parse(stream: bytes, size: int = 0) -> list[Event]:
    parser = Parser()
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)] if size else [stream]
    return [found for piece in pieces for found in parser.feed(piece)]


def test_encoded_forms() -> None:
    assert event(b"{}") == b"data: {}\n\n"
    assert (
        event(b"x", id="7", event="message", retry=500) == b"event: message\nid: 7\nretry: 500\ndata: x\n\n"
    )
    assert event(b"", id="0") == b"id: 0\ndata: \n\n"  # the priming event of 2025-11-25
    assert event(b"a\nb\r\nc\rd") == b"data: a\ndata: b\ndata: c\ndata: d\n\n"
    assert comment("keep-alive") == b": keep-alive\n\n"
    assert comment("a\ndata: b") == b": a\n: data: b\n\n"


@pytest.mark.parametrize("value", ["a\nb", "a\r", "\0"])
def test_no_field_can_be_forged(value: str) -> None:
    with pytest.raises(ValueError):
        event(b"", id=value)
    with pytest.raises(ValueError):
        event(b"", event=value)


STREAMS = {
    "simple": (b"data: a\n\n", [Event(b"a")]),
    "no space": (b"data:a\n\n", [Event(b"a")]),
    "two spaces": (b"data:  a\n\n", [Event(b" a")]),
    "cr": (b"data: a\rdata: b\r\r", [Event(b"a\nb")]),
    "crlf": (b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [Event(b"a\nb"), Event(b"c")]),
    "mixed": (b"data: a\r\n\ndata: b\r\r\n", [Event(b"a"), Event(b"b")]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [Event(b"a")]),
    "comment": (b": hello\n\ndata: a\n: in between\n\n", [Event(b"a")]),
    "name": (b"event: endpoint\ndata: /x\n\ndata: y\n\n", [Event(b"/x", "endpoint"), Event(b"y")]),
    "no data": (b"event: x\nid: 1\n\ndata: y\n\n", [Event(b"y", id="1")]),
    "empty data": (b"data\n\ndata:\n\n", [Event(b""), Event(b"")]),
    "id stays": (b"id: 1\ndata: a\n\ndata: b\n\n", [Event(b"a", id="1"), Event(b"b", id="1")]),
    "id with nul": (b"id: 1\0\ndata: a\n\n", [Event(b"a")]),
    "retry": (b"retry: 10\ndata: a\n\n", [Event(b"a", retry=10)]),
    "bad retry": (b"retry: 1s\ndata: a\n\n", [Event(b"a")]),
    "unknown field": (b"foo: bar\ndata: a\n\n", [Event(b"a")]),
    "cut off": (b"data: a\n\ndata: b\n", [Event(b"a")]),
    "colon in data": (b'data: {"a":1}\n\n', [Event(b'{"a":1}')]),
}


@pytest.mark.parametrize(("stream", "expected"), STREAMS.values(), ids=STREAMS.keys())
def test_parser(stream: bytes, expected: list[Event]) -> None:
    for size in (0, 1, 2, 3):
        assert _parse(stream, size) == expected


_line = st.binary(max_size=20).map(lambda b: b.replace(b"\r", b"").replace(b"\n", b""))


@settings(max_examples=150, deadline=None)
@given(st.lists(_line, min_size=1, max_size=4), st.integers(1, 9), st.sampled_from([b"\n", b"\r", b"\r\n"]))
def test_round_trip_in_any_cut_and_line_end(lines: list[bytes], size: int, end: bytes) -> None:
    stream = event(b"\n".join(lines), id="i", event="e", retry=3).replace(b"\n", end) + comment("x")
    # A lone CR before LF of the comment would be one line end; the encoder never mixes them.
    assert _parse(stream, size) == [Event(b"\n".join(lines), "e", "i", 3)]


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=80), st.integers(1, 7))
def test_cutting_never_changes_what_is_read(stream: bytes, size: int) -> None:
    assert _parse(stream, size) == _parse(stream)


def test_an_event_has_a_limit() -> None:
    for stream in (b"data: " + b"x" * 200, b"data: xx\n" * 50, b": " + b"x" * 200):
        with pytest.raises(TooLong):
            _feed_all(Parser(max_bytes=100), stream)


def _feed_all(parser: Parser, stream: bytes) -> None:
    for i in range(0, len(stream), 10):
        parser.feed(stream[i : i + 10])


def test_a_long_stream_of_small_events_has_no_limit() -> None:
    parser = Parser(max_bytes=100)
    found = [e for _ in range(500) for e in parser.feed(b": beat\n\nid: 1\nevent: m\ndata: 0123456789\n\n")]
    assert len(found) == 500
