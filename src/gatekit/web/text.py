"""Text that strangers chose, made safe to look at. Escaping is the template's work; this is about the eye."""

from __future__ import annotations

import unicodedata

NAME_LIMIT = 80

# Control characters, format characters (bidirectional overrides, zero-width), lone surrogates, private use,
# and line separators: none of them belongs into a name, all of them have been used to fake one.
_REMOVED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str, limit: int = NAME_LIMIT) -> str:
    """At most ``limit`` characters on one line, without anything invisible."""
    head = text[: limit * 4 + 1]  # a name of 100 kB must not cost 100 kB of work
    visible = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", head)
        if char.isspace() or unicodedata.category(char) not in _REMOVED
    )
    line = _without_piles(" ".join(visible.split()))
    if len(line) > limit or len(head) < len(text):
        return line[: limit - 1].rstrip() + "…"
    return line


def _without_piles(text: str) -> str:
    """At most two combining marks in a row: a pile of them paints over the lines above and below."""
    kept: list[str] = []
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks <= 2:
            kept.append(char)
    return "".join(kept)
