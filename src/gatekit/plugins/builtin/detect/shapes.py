"""Whether a value was made by a machine, chosen by a person, or only names one that is elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from math import log2


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_PLACEHOLDERS = _words("""
    example placeholder changeme change_me redacted your_ your- yourkey yoursecret insert_ replace
    123456789 abcdefgh **** ... ${ {{ %( <
""")
_ELSEWHERE = (
    *("os.environ", "process.env", "env.", "getenv", "secrets.", "config.", "settings.", "self.", "this."),
    *("http://", "https://", "./", "../", "~/", "${", "{{", "$(", "%(", "<", "{", "[", "%s", "!", "@@", "**"),
    *(
        "vault:",
        "op://",
        "arn:",
        "file:",
        "ref+",
        "projects/",
        "ENC[",
        "sha256:",
        "sha1:",
        "sha512-",
        "data:",
    ),
)
"""How values begin that say where the value is."""
_NAME = re.compile(
    r"(?:[A-Z]?[a-z]{2,}|[A-Z]{2,})?(?:[A-Z][a-z]{2,}|[A-Z]{2,4}(?![a-z]))*[0-9]{0,4}|[a-zA-Z][0-9]{0,4}"
)
_WORD = re.compile(r"[A-Z]?[a-z]+")
_VOWELS = frozenset("aeiouyAEIOUY")
_MUTE = frozenset(_words("ssh tls ssl sql css url xml pwd http https html tcp dns jwt str gcp tmp src ptr"))
_BETWEEN = re.compile(r"[_\-./:,;=+*?&|!@#$%^~\\]")
_PATH = re.compile(r"/?[\w.\-]+(?:/[\w.\-]+){2,}|/[\w.\-/]+|[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+")
"""Of a file, or of a member of something in code."""


def entropy(text: str) -> float:
    """Shannon entropy in bits for each character."""
    size = len(text)
    return -sum(n / size * log2(n / size) for n in Counter(text).values()) if size else 0.0


def token(text: str) -> bool:
    """Not what people write where a token would stand."""
    return len(set(text)) > 5 and not _placeholder(text)


def _placeholder(text: str) -> bool:
    low = text.lower()
    return "xxxx" in text or "XXXX" in text or any(word in low for word in _PLACEHOLDERS)


def password(text: str) -> bool:
    """A password in an address: not a variable, not a word that only stands for one."""
    low = text.lower()
    if len(set(text)) < 3 or low in ("password", "passwd", "pass", "pwd", "secret", "pw", "pass123", "port"):
        return False
    return (
        not any(word in low for word in ("<", "${", "{{", "%(", "$(", "xxxx", "****", "your", "{"))
        and low[0] != "$"
    )


def _refers(text: str) -> bool:
    """Stands for a value that is somewhere else: a variable, a file, an address, a place in a vault."""
    return text.startswith(_ELSEWHERE) or any(word in text for word in ("${", "{{", "$(", "%(", "%s", "{}"))


def _wordlike(text: str) -> bool:
    """Made of words with numbers at their ends, as names in code and in prose are."""
    return all(_name(piece) for piece in _BETWEEN.split(text) if piece)


def _name(piece: str) -> bool:
    """``userToken2``: words of two letters and more, which can be spoken."""
    return _NAME.fullmatch(piece) is not None and all(
        len(word) < 3 or not _VOWELS.isdisjoint(word) or word in _MUTE
        for word in _WORD.findall(piece.swapcase() if piece.isupper() else piece)
    )


def secret(text: str) -> bool:
    """A value that was assigned and that a machine made: no name, no variable, no placeholder."""
    if len(text) < 12 or not token(text) or _refers(text) or _wordlike(text) or text.count("/") > 8:
        return False
    return any(char.isdigit() for char in text) or (text.lower() != text != text.upper())


def chosen(text: str) -> bool:
    """What stands in quotes behind a name for passwords: a person may have made it up."""
    if len(set(text)) < 4 or _refers(text) or _placeholder(text):
        return False
    if _PATH.fullmatch(text):
        return False
    return any(char.isdigit() or char in "!@#$%^&*?" for char in text) or not _wordlike(text)


def chosen_bare(text: str) -> bool:
    """The same without quotes, where names of variables stand too."""
    if len(set(text)) < 5 or _refers(text) or _placeholder(text):
        return False
    if _PATH.fullmatch(text):
        return False
    marked = any(char in "!@#$%^&*?" for char in text[1:])
    lettered = any(char.isalpha() for char in text)
    if not lettered or (_wordlike(text) and not (marked and any(char.isdigit() for char in text))):
        return False
    return marked or any(char.isdigit() for char in text) or len(text) >= 10


def irregular(text: str) -> bool:
    """Letters and digits (or signs) in an order that words do not have."""
    if not chosen_bare(text) or len(text) < 8:
        return False
    kinds = [char.isdigit() + 2 * char.isupper() + 4 * char.islower() for char in text]
    return sum(a != b for a, b in pairwise(kinds)) >= (3 if any(map(str.isdigit, text)) else 4)


def prefixed(text: str) -> bool:
    """``word_word_random``: twenty characters or more that are no words, with digits and letters mixed."""
    pieces = [piece for piece in text.replace("-", "_").replace(".", "_").split("_") if piece]
    left = "".join(piece for piece in pieces if not _name(piece))
    return token(text) and len(left) >= 18 and irregular(left)
