"""The comparison of two definitions, as people read it."""

from __future__ import annotations

import json

from gatekit.model.pin_diff import Line, compared, whole
from gatekit.model.pins import MAX_COMPARED, difference


def said(line: Line) -> str:
    return "".join(piece.text for piece in line.pieces)


def tool(description: str, **more: object) -> str:
    return json.dumps({"name": "add", "description": description, **more})


def test_the_words_that_changed_are_marked_and_no_others() -> None:
    lines = compared(tool("Adds two numbers, quickly."), tool("Adds three numbers, quickly."))
    removed, added = (next(line for line in lines if line.sign == sign) for sign in ("removed", "added"))
    assert [piece.text for piece in removed.pieces if piece.changed] == ["two"]
    assert [piece.text for piece in added.pieces if piece.changed] == ["three"]
    assert said(added) == "description: Adds three numbers, quickly."


def test_both_schemas_are_printed_and_what_is_the_same_is_left_out() -> None:
    def schema(*names: str) -> dict[str, object]:
        return {"properties": {name: {"type": "string"} for name in names}}

    many = [f"field{at:02}" for at in range(20)]
    lines = compared(tool("x", inputSchema=schema(*many)), tool("x", inputSchema=schema(*many, "note", "zz")))
    assert [line.sign for line in lines].count("gap") == 2
    assert len(lines) < 20
    assert any('"note": {' in said(line) for line in lines if line.sign == "added")


def test_what_cannot_be_seen_has_a_name() -> None:
    lines = compared(tool("a b"), tool("a\u200b b\U000e0068\U000e0069\u0007\ue000"))
    hidden = [piece.text for line in lines for piece in line.pieces if piece.hidden]
    assert hidden == ["ZERO WIDTH SPACE", "TAG CHARACTERS: hi", "U+0007", "U+E000"]
    assert all(said(line).isprintable() for line in (*lines, *whole(tool("\u202e\u2066"))))


def test_nothing_to_see_is_nothing() -> None:
    assert compared(tool("a"), tool("a")) == []


def test_a_definition_made_to_be_slow_is_shown_whole() -> None:
    """Lines or words beyond what is compared are all removed and all added, and nothing is lost."""
    old = tool("\n".join(f"{at % 90} a" for at in range(9000)))
    new = tool("\n".join(f"{(at * 7) % 91} a" for at in range(9000)))
    lines = compared(old, new)
    assert sum(line.sign == "added" for line in lines) >= 8900
    assert difference(old, new)[0].startswith("-")
    assert len(difference(old, new)) > 2 * MAX_COMPARED
    words = compared(tool(" ".join("ab" for _ in range(5000))), tool(" ".join("cd" for _ in range(5001))))
    assert "cd cd" in said(next(line for line in words if line.sign == "added"))
    # Many long lines: beyond the bound on the work, lines are marked as wholes.
    one, other = ("\n".join(f"{word} x{word} {at} " * 60 for at in range(100)) for word in "ab")
    assert len(compared(tool(one), tool(other))) == 202
