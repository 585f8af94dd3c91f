"""What to throw at a parser: noise, and things that are nearly right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tests.support import legal

FUZZ = settings.get_profile("fuzz")

MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": st.one_of(st.integers(-(2**70), 2**70), legal.TEXT, legal.SCALARS),
        "method": st.one_of(st.sampled_from(["tools/call", "initialize", "ping", "x"]), legal.SCALARS),
        "params": st.one_of(legal.VENDOR, legal.ANYTHING),
        "result": st.one_of(legal.VENDOR, legal.ANYTHING),
        "error": st.one_of(st.just({"code": 1, "message": "m"}), legal.ANYTHING),
        "extra": legal.ANYTHING,
    },
)
WELL_FORMED = st.one_of(MESSAGES, st.lists(MESSAGES, max_size=4), legal.ANYTHING).map(
    lambda value: json.dumps(value).encode()
)

_PIECES = [
    b'{"jsonrpc":"2.0","id":1,"method":"m"}',
    b'{"a":1,"a":2}',
    b"\xef\xbb\xbf",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b'"\\ud800"',
    b'"\xed\xa0\x80"',
    b"\xff\xfe",
    b"[" * 70,
    b'{"a":' * 70,
    b'"\\',
    b"\x00",
    b"\r\n",
    b"9" * 5000,
    b"id: 1\n",
    b"data: {}\n\n",
    b"event: message\r",
    b"retry: 99999999999999999\n\n",
    b": comment\n",
]


@st.composite
def torn(draw: Callable[[st.SearchStrategy[Any]], Any], whole: st.SearchStrategy[bytes]) -> bytes:
    """Something right with a piece cut out, doubled, or put in."""
    text: bytes = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at, end = sorted((draw(st.integers(0, len(text))), draw(st.integers(0, len(text)))))
        piece = draw(st.one_of(st.binary(max_size=4), st.sampled_from(_PIECES), st.just(text[at:end])))
        rest: bytes = text[draw(st.sampled_from((at, end))) :]
        text = text[:at] + piece + rest
    return text


BYTES = st.one_of(st.binary(max_size=200), torn(WELL_FORMED), torn(st.sampled_from(_PIECES)))


def cut(draw: Callable[[st.SearchStrategy[Any]], Any], data: bytes) -> list[bytes]:
    """``data`` in chunks."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]
