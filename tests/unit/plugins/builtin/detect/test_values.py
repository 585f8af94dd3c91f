"""Texts in JSON values, in both ways of reading them: decoded, and as JSON text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.plugins.builtin.detect import large, packed, rules, values
from gatekit.plugins.builtin.detect.scanner import Scanner

AWS = "AKIAQRSTUVWXYZ234567"
LOOKING = Scanner([rules.built_in("secrets")])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.sampled_from([AWS, f"x {AWS}\n"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def look(text: str) -> tuple[tuple[int, int, str], ...]:
    return tuple((each.start, each.end, "[gone]") for each in packed.scan(LOOKING, text))


def redacted(value: Any, **how: Any) -> Any:
    text = json.dumps(value, **how).encode()
    made = large.without(text, look, lambda text: bool(look(text)))
    return json.loads(text if made is None else b"".join(made[0]))


def test_the_name_says_what_the_text_does_not() -> None:
    assert (
        values.joined({"password": "kd93jf82kdk", "a": ["x", {"b": "y"}]})
        == 'password: "kd93jf82kdk"\na\na: "x"\nb: "y"'
    )


def test_numbers_that_could_be_something_are_texts() -> None:
    assert "4111111111111111" in values.joined({"card": 4111111111111111, "n": 12})
    assert values.changed(
        {"card": 4111111111111111, "n": 12}, lambda name, text: "x" if name == "card" else text
    ) == {
        "card": "x",
        "n": 12,
    }


def test_what_does_not_change_stays_the_same_object() -> None:
    value = {"a": [{"b": "c"}], "d": {"e": "f"}}
    made = values.changed(value, lambda name, text: "new" if text == "f" else text)
    assert made == {"a": [{"b": "c"}], "d": {"e": "new"}}
    assert made["a"] is value["a"]
    assert values.changed(value, lambda name, text: text) is value


def test_names_that_become_the_same_stay_two() -> None:
    assert values.changed({"k1": 1, "k2": 2}, lambda name, text: "k" if text.startswith("k") else text) == {
        "k": 1,
        "k (2)": 2,
    }


def test_too_deep_is_told() -> None:
    value: Any = "x"
    for _ in range(values.DEPTH + 2):
        value = [value]
    with pytest.raises(ValueError, match="too deep"):
        values.joined(value)


@given(value=JSON, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
@settings(max_examples=150, deadline=None)
def test_as_text_and_decoded_come_to_the_same(value: Any, indent: int | None, ascii_only: bool) -> None:
    def change(name: str, text: str) -> str:
        for start, end, new in reversed(look(text)):
            text = text[:start] + new + text[end:]
        return text

    assume_plain = json.loads(json.dumps(value, ensure_ascii=True))
    assert redacted(assume_plain, indent=indent, ensure_ascii=ascii_only and True) == values.changed(
        assume_plain, change
    )


@pytest.mark.parametrize("shift", range(0, 26))
@pytest.mark.parametrize("lead", ["a", "\\", '"', "é", "\n", "\u2028", "😀"])
def test_nothing_hides_at_a_border(lead: str, shift: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "SLICE", 256)
    monkeypatch.setattr(large, "OVERLAP", 64)
    monkeypatch.setattr(large, "BATCH", 100)
    text = lead * (240 + shift) + f" {AWS} " + lead * 300
    for ascii_only in (True, False):
        assert redacted({"t": text, "u": [text]}, ensure_ascii=ascii_only) == {
            "t": text.replace(AWS, "[gone]"),
            "u": [text.replace(AWS, "[gone]")],
        }


def test_names_are_looked_at_as_well_and_the_json_stays_json() -> None:
    assert redacted({AWS: {"password": "kd93jf82kdk2"}, "n": [1.5, True, None]}) == {
        "[gone]": {"password": "[gone]"},
        "n": [1.5, True, None],
    }


@pytest.mark.parametrize("text", [b'{"a": "b', b'{"a": "\\q"}', b'{"a": "\\u12"}'])
def test_what_is_no_json_is_told(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"string"):
        large.without(text, look, lambda text: bool(look(text)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 100, False),
        ("x" * 2000, True),
        ({"a": ["x" * 600], "b": {"c": "y" * 600}}, True),
        ({"n" * 2000: 1}, True),
        ([0] * 1000, True),
        ([""] * 1000, True),
        ([{}] * 20, False),
        (None, False),
    ],
)
def test_what_is_heavy(value: Any, expected: bool) -> None:
    assert values.heavy(value, 1000) is expected


def test_weighing_a_deep_value_ends() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert values.heavy(deep, 1000)


@pytest.mark.parametrize(
    "value",
    [
        "text",
        {},
        {"a": "b", "": "c", "n": 12_345_678_901, "deep": {"list": ["x", 1, None, True, 2.5, ["y"]]}},
        [{"password": ["one", "two"]}, (1, "z")],
        99_999_999_999,
        None,
    ],
)
def test_what_is_gathered_is_what_is_joined(value: Any) -> None:
    assert values.gathered(value, 10_000) == values.joined(value)


@pytest.mark.parametrize(
    "value", ["x" * 11_000, [1] * 2000, {f"k{n}": None for n in range(2000)}, [{}] * 2000]
)
def test_too_much_is_not_gathered(value: Any) -> None:
    assert values.heavy(value, 10_000)
    assert values.gathered(value, 10_000) is None


def test_too_deep_is_not_gathered() -> None:
    deep: Any = "x"
    for _ in range(values.DEPTH + 2):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="too deep"):
        values.gathered(deep, 1_000_000)
