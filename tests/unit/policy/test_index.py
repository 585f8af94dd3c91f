"""The index finds what trying every rule would find, and remembers a bounded lot."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from gatekit.model.rules import Anyone, NarrowedKind, Rule, Rules, Selector, ServerRules
from gatekit.policy.engine import Policy
from gatekit.policy.index import FEW, LONGEST, Directory, Index
from gatekit.policy.rules import ANYONE, Keys
from gatekit.policy.ruling import Asker, Ruled, compile_rule
from tests.unit.policy.people import local

KINDS: st.SearchStrategy[NarrowedKind] = st.sampled_from(["tool", "prompt", "resource"])
GLOBS = st.text("aAb_*?[]!-/%2", min_size=1, max_size=7)
NAMES = st.text("aAb_[]-/%2.", max_size=7)


def compiled(number: int, names: tuple[tuple[NarrowedKind, str], ...]) -> Ruled:
    return compile_rule(Rule(name=f"r{number}", effect="deny", names=names), lambda _: frozenset())


@settings(max_examples=400, deadline=None)
@given(
    globs=st.lists(st.lists(st.tuples(KINDS, GLOBS), max_size=3).map(tuple), max_size=6),
    asked=st.lists(st.tuples(KINDS, NAMES), min_size=1, max_size=4),
)
def test_every_rule_that_speaks_of_a_name_is_found(
    globs: list[tuple[tuple[NarrowedKind, str], ...]], asked: list[tuple[NarrowedKind, str]]
) -> None:
    rules = [compiled(number, names) for number, names in enumerate(globs)]
    index = Index(rules)
    for kind, name in (*asked, *asked):
        assert index.about(kind, name) == tuple(ruled for ruled in rules if ruled.speaks_of(kind, name))


def test_names_that_begin_and_end_alike() -> None:
    rules = [compiled(0, (("tool", "ab*ba"),)), compiled(1, (("tool", "*_DROP"),)), compiled(2, ())]
    index = Index(rules)
    assert index.about("tool", "aba") == (rules[2],)
    assert index.about("tool", "abba") == (rules[0], rules[2])
    assert index.about("tool", "table_drop") == (rules[1], rules[2])


def test_long_names_are_judged_and_not_remembered() -> None:
    index = Index([compiled(0, (("tool", "a*"),))])
    assert len(index.about("tool", "a" * (LONGEST + 1))) == 1
    assert index._known == {}
    rules = Rules(servers=(ServerRules(server="s", allowed=(Anyone(),)),), rules=(compiled(0, ()).rule,))
    rights = Policy.compile(rules).rights(local())
    assert not rights.visible("s", "tool", "a" * (LONGEST + 1))
    assert rights._servers["s"].memo == {}


@settings(max_examples=200, deadline=None)
@given(
    who=st.lists(st.none() | st.frozensets(st.integers(0, 5)), max_size=6),
    mine=st.frozensets(st.integers(0, 5)),
)
def test_everybody_is_found_by_any_of_their_keys(
    who: list[frozenset[int] | None], mine: frozenset[int]
) -> None:
    many = [("x", str(number)) for number in range(FEW + 1)]

    def keys(chosen: frozenset[int]) -> Keys:
        found: set[tuple[str, ...]] = {("group", str(number)) for number in chosen}
        return frozenset(found.union(many) if 5 in chosen else found)

    rules = []
    for number, chosen in enumerate(who):
        rule = Rule(name=f"r{number}", effect="deny", who=None if chosen is None else (Anyone(),))
        opened = keys(chosen) if chosen is not None else frozenset()
        rules.append(compile_rule(rule, partial(_opening, opened)))
    asker = Asker(keys(mine) | {ANYONE}, keys(mine) | {ANYONE}, "member")
    assert Directory(rules).concerning(asker) == {ruled for ruled in rules if ruled.concerns(asker)}


def _opening(opened: Keys, selectors: Iterable[Selector]) -> Keys:
    return opened if tuple(selectors) else frozenset()
