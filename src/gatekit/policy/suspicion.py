"""What is suspicious about how a tool describes itself: said to an administrator, and decides nothing.

Words alone prove nothing, so these are signals. They are looked for once, when a definition is first seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from typing import Any

HIDDEN = "hidden-characters"
MARKUP = "hidden-markup"
ORDERS = "instructions"
OTHERS = "other-tools"

_MAX_LOOKED_AT = 256 * 1024
_TAME = frozenset("\n\r\t\ufe0f\ufe0e")
"""Line ends, and what chooses between a sign and its coloured picture."""
_JOINERS = "\u200c\u200d"
_MARKUP = re.compile(r"<!--|</?(?:important|system|secret|hidden|instructions?)\b", re.IGNORECASE)
_ORDERS = re.compile(
    # Every repetition is bounded, so this takes linear time whatever the text.
    r"\b(?:ignore|disregard|forget)\b[^.\n]{0,40}\b(?:previous|prior|above|all|other|any)\b"
    r"|\b(?:do not|don't|never) (?:tell|mention|inform|reveal|show|notify|ask|warn)\b"
    r"[^.\n]{0,40}\b(?:user|human|person)\b"
    r"|\bwithout (?:telling|asking|informing|notifying|mentioning)\b"
    r"|\bbefore (?:using|calling|invoking|you (?:use|call|invoke))\b"
    r"[^.\n]{0,60}\b(?:tools?|read|call|send|use)\b"
    r"|\b(?:always|must|first) (?:call|use|invoke|run|read|send)\b"
    r"[^.\n]{0,60}\b(?:before|instead|any other|every)\b"
    r"|\bsystem prompt\b|\bid_rsa\b|\.ssh/|\.aws/credentials|\bmcp\.json\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{5,63}")
_SPACES = re.compile(r"[ \t\r\f\v]+")


def flags(item: Mapping[str, Any], others: Collection[str] = ()) -> tuple[str, ...]:
    """Signals in a definition, in a fixed order.

    ``others``: names of tools of other servers. Only names that are no ordinary word count.
    """
    text = "\n".join(_texts(item))[:_MAX_LOOKED_AT]
    found = [HIDDEN] if _has_hidden(text) else []
    text = _SPACES.sub(" ", _plain(text))
    if _MARKUP.search(text):
        found.append(MARKUP)
    if _ORDERS.search(text):
        found.append(ORDERS)
    if others and any(_is_name(word) and word in others for word in _words(text)):
        found.append(OTHERS)
    return tuple(found)


def _texts(item: Mapping[str, Any]) -> Iterator[str]:
    """Every text in an item, names of properties included."""
    waiting: list[Any] = [item]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            waiting += (part for pair in value.items() for part in pair)
        elif isinstance(value, list):
            waiting += value


def _plain(text: str) -> str:
    """As a model reads it: letters in disguise (NFKC) as what they are, and without what cannot be seen."""
    if text.isascii():
        return text
    shown = (char for char in text if char == "\n" or unicodedata.category(char) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFKC", "".join(shown))


def _words(text: str) -> set[str]:
    return {word.rstrip(".-") for word in _WORD.findall(text)}


def _is_name(word: str) -> bool:
    return "_" in word or "-" in word or "." in word or not (word.islower() or word.istitle())


def _has_hidden(text: str) -> bool:
    for at, char in enumerate(text):
        if char.isprintable() or char in _TAME or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs"):
            continue
        # A joiner between two pictures, or two letters of a script that joins, belongs there.
        if char in _JOINERS and 0 < at < len(text) - 1 and not (text[at - 1] + text[at + 1]).isascii():
            continue
        return True
    return False
