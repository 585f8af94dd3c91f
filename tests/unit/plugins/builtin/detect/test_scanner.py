"""Packs, compiled: what is found where, and what a pattern may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatekit.plugins.builtin.detect import packed, rules, scanner
from gatekit.plugins.builtin.detect.scanner import Scanner
from tests.support.guards import seen
from tests.support.guards.making import samples

AWS = "AKIAQRSTUVWXYZ234567"


def pack(*written: str) -> rules.Pack:
    return rules.parse("name: own\nrules:\n" + "\n".join(f"  - {line}" for line in written), "own.yaml")


def found(text: str, *names: str) -> list[tuple[str, str]]:
    looking = Scanner([rules.built_in(name) for name in names or ("secrets",)])
    return [(each.rule, text[each.start : each.end]) for each in looking.scan(text)]


def test_every_built_in_pack_compiles() -> None:
    for name in ("secrets", "pii", "injection"):
        assert Scanner([rules.built_in(name)]).weights


def test_the_value_is_found_and_not_what_stands_around_it() -> None:
    text = "postgres://bob:hunter2x@db.internal/x"
    assert found(text) == [("connection_password", "hunter2x")]


def test_positions_are_characters_behind_text_that_is_not_ascii() -> None:
    assert found(f"schlüssel → 🔑 {AWS} und {AWS[::-1]}") == [("aws_access_key_id", AWS)]


def test_findings_side_by_side_are_all_found() -> None:
    card = "4111 1111 1111 1111"
    assert found(f"{card} {card};{card}", "pii") == [("payment_card", card)] * 3


def test_of_findings_that_overlap_the_first_is_told() -> None:
    text = f'password = "{AWS}"'
    assert found(text) == [("assigned_secret", AWS)] or found(text) == [("aws_access_key_id", AWS)]


def test_a_word_must_stand_near() -> None:
    assert found("PESEL: 44051401359", "pii") == [("pl_pesel", "44051401359")]
    assert found("order 44051401359 of today", "pii") == []
    assert found("PESEL" + " " * 50 + "44051401359", "pii") == []


def test_a_text_that_is_nothing_but_findings_is_found_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MAX_FINDINGS", 3)
    text = " ".join([AWS] * 10)
    looking = Scanner([rules.built_in("secrets")])
    assert max(each.end for each in looking.scan(text)) == len(text)


def test_a_set_that_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "SET_MEMORY", 2000)
    with pytest.raises(ValueError, match="too many or too large"):
        Scanner([rules.built_in("injection")])


def test_a_set_that_gives_up_on_a_text_is_noticed() -> None:
    """RE2 answers "nothing found" when its memory is too little for a text; then each rule looks for
    itself."""
    looking = Scanner([rules.built_in("secrets")])

    class GivenUp:
        def Match(self, data: bytes, potential: bool = False) -> list[int] | None:
            return None if potential else []

    looking._set = looking._words = GivenUp()
    assert [each.rule for each in looking.scan(f"key {AWS}")] == ["aws_access_key_id"]
    assert [each.rule for each in looking.scan(f"{'a b ' * 20_000} key {AWS}")] == ["aws_access_key_id"]


@pytest.mark.parametrize(("pack", "templates"), [("secrets", seen.SECRETS), ("pii", seen.PII)])
def test_long_texts_are_looked_at_by_their_words_and_as_well(
    pack: str, templates: tuple[tuple[str, str], ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = Scanner([rules.built_in(pack)])
    texts = [sample.text for sample in samples(templates, 1, 1)]
    short = [looking.scan(text) for text in texts]
    monkeypatch.setattr(scanner, "LONG", 0)
    assert [looking.scan(text) for text in texts] == short


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (r"{id: a, title: a, pattern: 'a(?=b)'}", "not a pattern of RE2"),
        (r"{id: a, title: a, pattern: '(a)\1'}", "not a pattern of RE2"),
        (r"{id: a, title: a, pattern: a, check: nope}", "there is no check 'nope'; there are aadhaar"),
        (r"{id: a, title: a, pattern: a, keywords: ['']}", "an empty keyword"),
        (r"{id: a, title: a, pattern: a, near: [PIN], ignore_case: true}", "lower case"),
        (r"{id: a, title: a}", "missing required field `pattern`"),
        (r"{id: a, title: a, pattern: a, patern: b}", "unknown field `patern`"),
        ("{id: a, title: a, pattern: '" + "a" * 2001 + "'}", "2001 characters"),
    ],
)
def test_a_pack_that_is_wrong_says_what(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace("'", ".")):
        Scanner([pack(line)])


def test_a_pack_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(
        "name: own\nrules:\n"
        "  - {id: staff_number, title: staff number, keywords: [ACME-],\n"
        "     pattern: 'ACME-[0-9]{6}', allow: ['ACME-0+']}\n"
    )
    looking = Scanner([rules.load(path)])
    text = "ACME-123456 and ACME-000000"
    assert [text[each.start : each.end] for each in looking.scan(text)] == ["ACME-123456"]
    with pytest.raises(ValueError, match=r"nowhere\.yaml: cannot be read"):
        rules.load(tmp_path / "nowhere.yaml")


NESTED = ("(a+)+$", "(a|aa)+$", "([a-zA-Z]+)*$", "(.*)*x", "^(([a-z])+.)+[A-Z]([a-z])+$")


@pytest.mark.parametrize("pattern", NESTED)
def test_nested_quantifiers_cost_what_others_do(pattern: str) -> None:
    """A backtracking engine would need longer than the universe has; here the test ends."""
    looking = Scanner([pack(f"{{id: a, title: a, pattern: '{pattern}'}}")])
    looking.scan("a" * 30_000 + "!")


FILLERS = (
    "`",
    "```\n",
    "a",
    "<",
    "eyJ",
    "://",
    "password=",
    '"',
    "\\",
    "@",
    ". ",
    "-----BEGIN ",
    "(",
    "%41",
    "&#65;",
)


@pytest.mark.parametrize("filler", FILLERS)
@pytest.mark.parametrize("name", ["secrets", "pii", "injection"])
def test_part_b_fault_14_no_text_freezes_it(name: str, filler: str) -> None:
    """Part B, fault 14: 32 kB of code fences cost 7.8 s there, growing with the square: a megabyte would be
    two hours. That this ends within the test's time is the proof."""
    looking = Scanner([rules.built_in(name)])
    packed.scan(looking, (filler * 400_000)[:400_000])
