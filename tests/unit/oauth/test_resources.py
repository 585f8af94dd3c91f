"""Resource identifiers (RFC 8707)."""

from __future__ import annotations

import pytest

from gatekit.errors import InvalidTarget
from gatekit.oauth.resources import Reach, Resources

RESOURCES = Resources("https://gate.example", [("a", "Alpha"), ("ab", "")])
A = "https://gate.example/s/a/mcp"
AGGREGATE = "https://gate.example/mcp"


@pytest.mark.parametrize(
    "value",
    [
        A,
        A + "/",
        "HTTPS://gate.example/s/a/mcp",
        "https://GATE.example/s/a/mcp",
        "https://gate.example:443/s/a/mcp",
    ],
)
def test_spellings_of_one_resource(value: str) -> None:
    assert RESOURCES.resolve([value]) == (A,)


@pytest.mark.parametrize("value", ["https://gate.example", "https://gate.example/", "HTTPS://Gate.Example/"])
def test_a_bare_origin_names_nothing(value: str) -> None:
    assert RESOURCES.resolve([value]) == ()


def test_repetition_counts_once_and_several_are_kept_in_order() -> None:
    assert RESOURCES.resolve([A, A, A + "/"]) == (A,)
    assert RESOURCES.resolve([AGGREGATE, A]) == (AGGREGATE, A)


@pytest.mark.parametrize(
    "value",
    [
        "https://gate.example/s/a",
        "https://gate.example/s/a/mcp//",
        "https://gate.example/s/A/mcp",
        "https://gate.example/s/b/mcp",
        "https://gate.example/s/a/mcp?x=1",
        "https://gate.example/s/a/mcp#x",
        "https://gate.example/s/a/mcp#",
        "https://gate.example.evil/s/a/mcp",
        "https://u@gate.example/s/a/mcp",
        "http://gate.example/s/a/mcp",
        "https://gate.example:444/s/a/mcp",
        "https://gate.example:x/s/a/mcp",
        "gate.example/s/a/mcp",
        "https://[gate/s/a/mcp",
        "urn:x",
        " ",
    ],
)
def test_anything_else_is_invalid_target(value: str) -> None:
    with pytest.raises(InvalidTarget):
        RESOURCES.resolve([value])


def test_reach_is_exact_on_segment_boundaries() -> None:
    assert RESOURCES.reach([A]) == Reach(frozenset({"a"}), False)
    assert RESOURCES.reach([AGGREGATE]) == Reach(frozenset(), True)
    for foreign in (
        A + "/",
        A + "x",
        "https://gate.example/s/a/b/mcp",
        "https://gate.example/s//mcp",
        "https://x/mcp",
    ):
        assert RESOURCES.reach([foreign]) == Reach(frozenset(), False)


def test_who_may_use_no_server_gets_no_aggregate_either() -> None:
    assert RESOURCES.permitted([]) == ()
    assert RESOURCES.permitted(["ab", "gone"]) == (AGGREGATE, "https://gate.example/s/ab/mcp")
    assert RESOURCES.names(RESOURCES.permitted(["a"])) == ("", "a")
    assert RESOURCES.title("a") == "Alpha"
    assert RESOURCES.title("ab") == "ab"
