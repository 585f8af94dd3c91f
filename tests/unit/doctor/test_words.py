"""Every ailment has words, every word is used, and the table of clients is fit for use."""

from __future__ import annotations

import ast
import re

import pytest

from gatekit.doctor.ailments import WORDS, Ailment
from gatekit.doctor.table import NAMES, PROFILES, chosen
from gatekit.oauth.redirects import Usable, judge
from tests.arch.tree import PACKAGE, ROOT


def used() -> set[str]:
    """The first argument of each ``Ailment(…)`` in the room, and what ``Line`` reads out of an exception."""
    found: set[str] = set()
    for path in (PACKAGE / "doctor").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Ailment" and node.args:
                first = node.args[0]
                either = (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,)
                found |= {str(each.value) for each in either if isinstance(each, ast.Constant)}
            elif isinstance(node, ast.Constant) and node.value in WORDS:
                found.add(str(node.value))
    return found


def test_every_ailment_has_words_and_every_word_is_used() -> None:
    assert used() == set(WORDS)


@pytest.mark.parametrize("code", WORDS)
def test_the_words_can_be_read_aloud(code: str) -> None:
    """A title without a full stop, a cause and a remedy with one, no field left open by accident."""
    words = WORDS[code]
    assert not words.title.endswith(".")
    assert words.mend
    names = set(re.findall(r"{(\w+)}", words.title + words.why + words.mend))
    ailment = Ailment(code, {name: f"<{name}>" for name in names})
    assert "{" not in ailment.title + ailment.why + ailment.mend
    assert "?" not in ailment.title
    assert Ailment(code).title  # a fact that is missing is a question mark and no crash


def test_the_document_lists_every_code() -> None:
    listed = re.findall(
        r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8"), re.M
    )
    assert listed == list(WORDS)


def test_the_table_names_each_client_once() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 17
    assert [each.name for each in chosen(("codex",))] == ["codex"]
    assert chosen(()) == PROFILES
    with pytest.raises(ValueError, match="nobody"):
        chosen(("codex", "nobody"))


@pytest.mark.parametrize("name", NAMES)
def test_what_clients_register_is_acceptable_to_ourselves(name: str) -> None:
    (profile,) = chosen((name,))
    for uri in profile.redirects:
        assert isinstance(judge(uri.replace("{port}", "5000"), ("cursor",)), Usable)
    assert not profile.uses or profile.uses in profile.redirects
