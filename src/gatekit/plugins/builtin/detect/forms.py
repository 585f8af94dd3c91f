"""What stands in a scanner's set for a rule: something that is cheap for an automaton, and that matches
wherever the rule could find something.

``[^.\\n]{0,40}`` counts, and an automaton that counts has a state for every count of every rule that is
under way; ``[^.\\n]{0,}`` has one. What it lets through besides is what the rule itself then looks at.
"""

from __future__ import annotations

import re

import re2

from gatekit.plugins.builtin.detect.rules import Rule

_RANGE = re.compile(r"\{([0-9]+),[0-9]*\}")


def relaxed(pattern: str) -> str:
    """The pattern without upper bounds of repetitions: matches wherever it does, and elsewhere.

    Patterns have nothing that could turn more into less: RE2 knows no negative look-around.
    """
    if r"\Q" in pattern:
        return pattern  # quoted text, in which braces mean themselves
    made: list[str] = []
    at = 0
    while at < len(pattern):
        end, part = _part(pattern, at)
        made.append(part)
        at = end
    return "".join(made)


def _part(pattern: str, at: int) -> tuple[int, str]:
    """The next escape, class, repetition or character, and where it ends."""
    char = pattern[at]
    if char == "{" and (match := _RANGE.match(pattern, at)):
        return match.end(), "{" + match[1] + ",}"
    end = at + 1
    if char == "\\":
        end = at + 2
    elif char == "[":
        end = _class_end(pattern, at)
    return end, pattern[at:end]


def _class_end(pattern: str, at: int) -> int:
    at += 2 if pattern.startswith("[^", at) else 1
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        if pattern[at] == "\\":
            at += 2
        elif pattern.startswith("[:", at):
            at = max(pattern.find(":]", at), at) + 2
        else:
            at += 1
    return at + 1


def words_near(rule: Rule) -> str:
    """Pattern of the words of ``near``, of which one must occur somewhere; empty if the rule has none."""
    if not rule.near:
        return ""
    words = "|".join(
        re2.escape(word[:-1]) if word.endswith("*") else re2.escape(word) + "s?(?:[^A-Za-z]|$)"
        for word in rule.near
    )
    flags = "(?i)" if rule.ignore_case else ""
    return f"{flags}(?:^|[^A-Za-z])(?:{words})"
