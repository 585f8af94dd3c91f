"""Scopes: what is granted of what is asked, and what is more than was granted."""

from __future__ import annotations

import pytest

from gatekit.model.scopes import (
    ALL,
    CALL,
    READ,
    WHOLE,
    excess,
    granted,
    may_call,
    may_read,
    of_foreign,
    read_only,
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((), ALL),
        (("offline_access", "read"), ALL),
        ((READ,), (READ,)),
        ((CALL,), ALL),
        ((CALL, READ, "openid"), ALL),
        ((WHOLE,), (WHOLE,)),
        ((WHOLE, READ, CALL), (READ, CALL, WHOLE)),
    ],
)
def test_granted(asked: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert granted(asked) == expected


@pytest.mark.parametrize("scopes", [(), ("openid",), ("mcp:", "MCP", "mcp:calls")])
def test_other_scopes_carry_nothing(scopes: tuple[str, ...]) -> None:
    assert not may_read(scopes)
    assert not may_call(scopes)


def test_what_each_carries() -> None:
    assert may_read((READ,))
    assert not may_call((READ,))
    for scope in (CALL, WHOLE):
        assert may_read((scope,))
        assert may_call((scope, READ))


@pytest.mark.parametrize("scopes", [ALL, (WHOLE,), (CALL,), (READ,), (READ, CALL, WHOLE)])
def test_read_only_leaves_reading(scopes: tuple[str, ...]) -> None:
    assert read_only(scopes) == (READ,)


def test_read_only_leaves_what_is_not_ours() -> None:
    assert read_only((READ, CALL, "openid")) == (READ, "openid")
    assert read_only((WHOLE, "openid")) == (READ, "openid")
    assert read_only(("openid", "profile")) == ("openid", "profile"), "nothing is added"
    assert read_only(("invoices",)) == ("invoices",)


def test_tokens_of_another_issuer() -> None:
    assert of_foreign(("openid", "api"), ALL) == set(ALL)
    assert of_foreign(("openid", READ), ALL) == {READ}
    assert of_foreign((CALL, READ), ALL) == set(ALL)


def test_excess() -> None:
    for larger in (CALL, WHOLE):
        assert excess((READ, larger, "openid"), (READ,)) == {larger}
    for whole in (ALL, (WHOLE,), (CALL,)):
        assert not excess((READ, CALL, WHOLE), whole)
