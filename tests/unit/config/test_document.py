"""YAML to plain data: syntax, duplicate keys, tags, types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekit.config.document import dotted, matches, read


def said(text: str) -> list[str]:
    return [fault.render("f.yaml") for fault in read(text).faults]


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: 1", {"a": 1}),
        ("a: 0x1f\nb: 0o17\nc: 1_000\nd: -5", {"a": 31, "b": 15, "c": 1000, "d": -5}),
        ("a: 1.5\nb: 1e3", {"a": 1.5, "b": 1000.0}),
        ("a: true\nb: False", {"a": True, "b": False}),
        ("a: yes\nb: on", {"a": "yes", "b": "on"}),
        ("%YAML 1.1\n---\na: yes\nb: off", {"a": True, "b": False}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: '5'", {"a": "5"}),
        ("a: [x, {b: c}]", {"a": ["x", {"b": "c"}]}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("1: x", {"1": "x"}),
        ("servers: {s: {env: {A: 1.10, B: yes, C: 007, D: ''}}}",
         {"servers": {"s": {"env": {"A": "1.10", "B": "yes", "C": "007", "D": ""}}}}),
    ],
)  # fmt: skip
def test_values(text: str, data: object) -> None:
    document = read(text)
    assert document.faults == []
    assert document.data == data


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: a: the key is written twice (first in line 1)"),
        ("x:\n  a: 1\n  'a': 3", "f.yaml:3: x.a: the key is written twice (first in line 2)"),
        ("a: [1, 2\nb: 3", "f.yaml:2: not valid YAML: while parsing a flow sequence expected ',' or ']'"),
        ("- x", "f.yaml:1: expected keys and values at the top"),
        ("just text", "f.yaml:1: expected keys and values at the top"),
        ("a: !!python/object:os.system x", "f.yaml:1: a: the tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !foo {b: 1}", "f.yaml:1: a: the tag !foo is not supported"),
        ("a: !foo [1]", "f.yaml:1: a: the tag !foo is not supported"),
        ("a: !!binary aGk=", "f.yaml:1: a: the tag tag:yaml.org,2002:binary is not supported"),
        ("? [a]\n: b", "f.yaml:1: a key must be a plain word"),
        ("x: &a {k: 1}\ny:\n  <<: *a", "f.yaml:3: y: merge keys (<<) are not supported"),
        ("a: *nope", "f.yaml:1: not valid YAML: found undefined alias 'nope'"),
        ("a:\tb\n\tc: 1", "f.yaml:1: not valid YAML: while scanning for the next token found"),
        ("a: \x00", "f.yaml: not valid YAML: unacceptable character"),
        ("---\na: 1\n---\nb: 2", "f.yaml:3: not valid YAML: expected a single document"),
        ("a:", "f.yaml:1: a: has no value; write one, or remove the key"),
        ("a: [~]", "f.yaml:1: a[0]: has no value"),
        ("servers: {s: {env: {A: }}}", 'f.yaml:1: servers.s.env.A: has no value; write "" for an empty one'),
        ("a: &x [*x]", "f.yaml:1: a[0][0]: nested too deeply, or aliases that repeat too much"),
    ],
)  # fmt: skip
def test_faults(text: str, fault: str) -> None:
    assert [line[: len(fault)] for line in said(text)] == [fault]


def test_deep_nesting_ends() -> None:
    assert said("[" * 1_000) == ["f.yaml: nested too deeply"]


def test_aliases_cannot_explode() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (fault,) = said("\n".join(levels))
    assert "aliases that repeat too much" in fault


@pytest.mark.parametrize("section", ["groups", "servers"])
def test_sections_whose_content_is_commented_out(section: str) -> None:
    document = read(f"{section}:\n  # a: b\n")
    assert (document.data, document.faults) == ({section: {}}, [])


def test_lines_of_keys_and_items() -> None:
    document = read("a:\n  b:\n    - x\n    - y\nc: {d: 1}\n")
    assert document.line(("a", "b", 1)) == 4
    assert document.line(("c", "d")) == 5
    assert document.line(("a", "missing", "deep")) == 1


def test_paths_as_people_write_them() -> None:
    assert dotted(("servers", 0, "tools", "delete_*")) == "servers[0].tools.delete_*"
    assert dotted(("servers", "a.b", "env")) == 'servers."a.b".env'


def test_patterns() -> None:
    assert matches(("servers", "x", "env"), "servers.*.env")
    assert not matches(("servers", "x"), "servers.*.env")
    assert matches((), "")


@given(st.text(max_size=200))
def test_nothing_raises(text: str) -> None:
    read(text)
