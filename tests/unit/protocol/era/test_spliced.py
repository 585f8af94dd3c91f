"""The short way of tagging a stateless result gives what the long way gives, or declines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekit.protocol.era import stateless

INFO = {"name": "x", "version": "1"}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
members = st.dictionaries(
    st.text() | st.sampled_from(["resultType", "_meta", "ttlMs", "cacheScope", "content"]), json_values
)


@given(members, st.sampled_from([INFO, None]))
def test_short_and_long_way_agree(body: dict[str, Any], info: dict[str, Any] | None) -> None:
    short = stateless.spliced(json.dumps(body).encode(), info)
    if short is not None:
        assert json.loads(short) == stateless.result("tools/call", body, server_info=info)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"{ }",
        b'{"a":{"_meta":{}}}',
        b'{"resultType":"task"}',
        rb'{"\u005fmeta":{}}',
        b"[1]",
    ],
)
def test_anything_doubtful_takes_the_long_way(body: bytes) -> None:
    assert stateless.spliced(body, INFO) is None


def test_the_usual_result_takes_the_short_way() -> None:
    assert stateless.spliced(b'{"content":[]}', INFO) is not None
