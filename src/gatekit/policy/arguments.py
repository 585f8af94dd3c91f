"""What rules ask about arguments: find one by its pointer, and test it.

The tests read the arguments as a *server* might, not as we would like them to be: a path counts under every
spelling that somebody could open (escapes, dot segments, links), and what is of another kind than the rule
expects is ``ODD``, which never speaks for the caller.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from posixpath import isabs, join, normpath
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import UNSET, Struct

from gatekit.errors import InvalidInput
from gatekit.model.circumstances import Circumstances
from gatekit.model.rules import ArgumentTest
from gatekit.policy.truth import NO, ODD, OPEN, YES, Truth

MAX_POINTER = 512
MAX_PATTERN = 1000
MAX_MATCHED = 1024 * 1024
"""Characters of an argument that a pattern is tried on; longer ones are ``ODD``."""
MAX_PATH = 4096
MAX_ITEMS = 256
"""Items of a list that are tested one by one; longer ones are ``ODD``."""
MAX_STEPS = 256
"""Folders that a path goes through, in all its spellings: each may be a look at the disk, and everybody waits
for it. A path of more is ``ODD``."""
MAX_LIST_STEPS = 2048
MAX_LIST_TEXT = 64 * 1024
"""The same of all paths of a list, and how long they may be together."""
_DECODINGS = 4
_RE2_BYTES = 1024 * 1024

_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile(r"~(?![01])")
_NO_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://|[A-Za-z]:[\\/]|file:", re.IGNORECASE)
_FILE_URI = re.compile(r"file://(localhost)?(?=/)", re.IGNORECASE)
_MISSING = object()
_encode = msgspec.json.Encoder().encode


class Test(Struct, frozen=True):
    """A compiled ``ArgumentTest``."""

    declared: ArgumentTest
    tokens: tuple[str, ...]
    judge: Callable[[Any, Circumstances], Truth]

    def look(self, about: Circumstances, restricts: bool) -> Truth:
        """What the arguments say; ``restricts``: the rule takes something away."""
        if about.arguments is UNSET:
            return OPEN
        value = found(about.arguments, self.tokens)
        if value is _MISSING:
            # Harmless when left out: a rule that takes away does not mean it, one that allows does.
            return ODD if not self.declared.optional else NO if restricts else YES
        if not isinstance(value, list) or self.declared.operator in ("larger_than", "not_larger_than"):
            return self.judge(value, about)
        if len(value) > MAX_ITEMS or (self.declared.operator == "under" and _too_many_steps(value)):
            return ODD
        return _together([self.judge(item, about) for item in value], restricts)


def compile_test(test: ArgumentTest) -> Test:
    """Raises ``InvalidInput`` for what cannot be meant."""
    return Test(test, tokens_of(test.pointer), _JUDGES[test.operator](test.value))


def tokens_of(pointer: str) -> tuple[str, ...]:
    """The reference tokens of an RFC 6901 pointer. Raises ``InvalidInput``."""
    if not pointer.startswith("/") or len(pointer) > MAX_POINTER:
        raise InvalidInput(f"{pointer[:100]!r} is not a JSON pointer like /path or /options/force")
    if _BAD_ESCAPE.search(pointer):  # RFC 6901 §3: ~ is written ~0, and / within a name ~1
        raise InvalidInput(f"{pointer[:100]!r}: ~ is written ~0 in a JSON pointer, and / within a name ~1")
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/"))


def found(arguments: Any, tokens: Iterable[str]) -> Any:
    """The value at a pointer, or ``_MISSING``."""
    value = arguments
    for token in tokens:
        if isinstance(value, dict):
            value = value.get(token, _MISSING)
        elif isinstance(value, list) and _INDEX.fullmatch(token) and int(token) < len(value):
            value = value[int(token)]
        else:
            return _MISSING
    return value


def _together(truths: list[Truth], restricts: bool) -> Truth:
    """Of a list, one bad item is enough to take away, and all must be good to allow."""
    if ODD in truths:
        return ODD if not (restricts and YES in truths) else YES
    return YES if (any if restricts else all)(truth is YES for truth in truths) else NO


# -- operators -----------------------------------------------------------------------------------------------


def _kind(value: Any) -> str:
    """JSON's kinds: ``true`` is no number, and 1 and 1.0 are one."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "text" if isinstance(value, str) else "other"


def _one_of(values: Iterable[Any]) -> Callable[[Any, Circumstances], Truth]:
    wanted = frozenset((_kind(value), value) for value in values)
    kinds = frozenset(kind for kind, _ in wanted)
    if "other" in kinds or not wanted:
        raise InvalidInput("compares with texts, numbers, true and false only")

    def judge(value: Any, _: Circumstances) -> Truth:
        kind = _kind(value)
        if kind not in kinds:  # "true" for true: what a server makes of it is anybody's guess
            return ODD
        return YES if (kind, value) in wanted else NO

    return judge


def _equals(value: Any) -> Callable[[Any, Circumstances], Truth]:
    return _one_of((value,))


@lru_cache(maxsize=2048)
def _searching(pattern: str) -> Any:
    """Kept: at a change of the rules nearly all of them are what they were. Raises ``InvalidInput``."""
    # Linear in the argument whatever the pattern is: callers choose what it is tried on.
    import re2  # noqa: PLC0415 -- only who writes patterns pays for it

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _RE2_BYTES
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        raise InvalidInput(f"{pattern!r} is not a pattern of RE2: {text}") from error


def _matches(pattern: Any) -> Callable[[Any, Circumstances], Truth]:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATTERN:
        raise InvalidInput(f"a pattern is a text of at most {MAX_PATTERN} characters")
    compiled = _searching(pattern)

    def judge(value: Any, _: Circumstances) -> Truth:
        if not isinstance(value, str) or len(value) > MAX_MATCHED:
            return ODD
        try:
            return YES if compiled.search(value) else NO
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can write
            return ODD

    return judge


def _under(folders: Any) -> Callable[[Any, Circumstances], Truth]:
    roots = tuple(folders)
    if not roots or not all(isinstance(root, str) and isabs(root) and "\0" not in root for root in roots):
        raise InvalidInput("names folders by their whole path, like /srv/data")

    def judge(value: Any, about: Circumstances) -> Truth:
        if not isinstance(value, str):
            return ODD
        return path_is_under(value, roots, about.folder)

    return judge


def _larger(limit: Any) -> Callable[[Any, Circumstances], Truth]:
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise InvalidInput("a size is a number of bytes")

    def judge(value: Any, _: Circumstances) -> Truth:
        try:
            size = len(value.encode()) if isinstance(value, str) else len(_encode(value))
        except (UnicodeEncodeError, OverflowError, ValueError):
            return ODD
        return YES if size > limit else NO

    return judge


def _above(limit: Any) -> Callable[[Any, Circumstances], Truth]:
    if _kind(limit) != "number":
        raise InvalidInput("compares with a number")

    def judge(value: Any, _: Circumstances) -> Truth:
        if _kind(value) != "number":
            return ODD
        return YES if value > limit else NO

    return judge


def _not(
    make: Callable[[Any], Callable[[Any, Circumstances], Truth]],
) -> Callable[[Any], Callable[[Any, Circumstances], Truth]]:
    def made(limit: Any) -> Callable[[Any, Circumstances], Truth]:
        inner = make(limit)
        return lambda value, about: _OPPOSITE[inner(value, about)]

    return made


_OPPOSITE = {YES: NO, NO: YES, ODD: ODD, OPEN: OPEN}
_JUDGES: dict[str, Callable[[Any], Callable[[Any, Circumstances], Truth]]] = {
    "equals": _equals,
    "in": _one_of,
    "matches": _matches,
    "under": _under,
    "larger_than": _larger,
    "not_larger_than": _not(_larger),
    "above": _above,
    "up_to": _not(_above),
}


# -- paths ---------------------------------------------------------------------------------------------------


def path_is_under(value: str, roots: Iterable[str], folder: str) -> Truth:
    """Whether a path lies in one of the folders, or is one.

    ``folder``: where relative paths begin; then links are followed as well, since the server runs on this
    machine. Empty: it runs elsewhere, and only the text is known. ``ODD``: its readings differ, or nobody can
    say what it names. A rule that allows must not take ``ODD`` for yes, one that denies must.
    """
    readings = _readings(value, folder)
    if readings is None:
        return ODD
    places = {place for root in roots for place in _places(root, bool(folder))}
    inside = {any(_inside(reading, place) for place in places) for reading in readings}
    return ODD if len(inside) > 1 else YES if inside == {True} else NO


def _readings(value: str, folder: str) -> set[str] | None:
    """Every absolute path that a server might open for ``value``; None if that cannot be known."""
    spelled = _spellings(value)
    if spelled is None or _steps(spelled) > MAX_STEPS:
        return None
    found: set[str] = set()
    for spelling in spelled:
        if spelling.startswith("~") or not (isabs(spelling) or folder):
            return None
        found.update(_places(join(folder, spelling), bool(folder)))
    return found


def _spellings(value: str) -> set[str] | None:
    """The text, and what is left of it when somebody decodes it; None for what is no path at all."""
    found: set[str] = set()
    text = value
    for _ in range(_DECODINGS):
        # RFC 8089 §2: file:///path, and with a host it is not ours to know whose file that is.
        text = _FILE_URI.sub("", text, count=1) if _FILE_URI.match(text) else text
        if not text or len(text) > MAX_PATH or "\0" in text or _NO_PATH.match(text) or not _encodable(text):
            return None
        found.update((text, text.replace("\\", "/"), text.strip()))
        decoded = unquote(text)
        if decoded == text:
            return found
        text = decoded
    return None


def _steps(spelled: Iterable[str]) -> int:
    return sum(spelling.count("/") for spelling in spelled)


def _too_many_steps(values: list[Any]) -> bool:
    """Whether to follow all of these paths would take too long."""
    texts = [value for value in values if isinstance(value, str)]
    if sum(map(len, texts)) > MAX_LIST_TEXT:
        return True
    return sum(_steps(_spellings(text) or ()) for text in texts) > MAX_LIST_STEPS


def _encodable(text: str) -> bool:
    """Half a surrogate pair, which JSON can write, names no file."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _places(path: str, here: bool) -> tuple[str, ...]:
    flat = "/" + normpath(path).lstrip("/")
    if not here:
        return (flat,)
    # The folder of a link decides where its `..` leads, so it is not enough to resolve the flat form.
    return flat, os.path.realpath(flat), os.path.realpath(path)


def _inside(path: str, root: str) -> bool:
    return path == root or path.startswith(root if root.endswith("/") else root + "/")
