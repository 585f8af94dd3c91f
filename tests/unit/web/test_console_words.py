"""What the pages of administrators say when a use case refuses: nobody has a terminal there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import gatekit.admin
from gatekit.web.console.door import sentence

ROOM = Path(gatekit.admin.__file__).parent


def advised() -> list[str]:
    """Every text of the use cases that advises a command. Signing keys have no page."""
    found = []
    for path in sorted(set(ROOM.glob("*.py")) - {ROOM / "signing.py"}):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (part.value if isinstance(part, ast.Constant) else "X" for part in node.values)
                found.append("".join(map(str, parts)))
    return [text for text in found if "`gatekit " in text]


@pytest.mark.parametrize("text", advised())
def test_no_refusal_sends_anybody_to_a_terminal(text: str) -> None:
    said = sentence(text)
    assert "gatekit" not in said
    assert len(said) > len("There is no X.") - 1
    assert said.endswith(".")


def test_there_are_such_texts() -> None:
    assert len(advised()) > 10


def test_what_advises_no_command_is_said_as_it_is() -> None:
    text = "ada stands in the file; change it there (`enabled: false`)"
    assert sentence(text) == text[0].upper() + text[1:] + "."
