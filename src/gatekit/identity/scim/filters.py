"""The language of filters and paths (RFC 7644 §3.4.2.2, §3.5.2), from text to tree.

::

    filter   = or
    or       = and *("or" and)
    and      = not *("and" not)
    not      = "not" "(" filter ")" / "(" filter ")" / test
    test     = path "pr" / path op value / path "[" filter "]" ["." name op value]

The last form, a comparison behind a bracket, is not in the grammar of the RFC; Microsoft Entra asks so.
"""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec
from msgspec import Struct

from gatekit.errors import ScimFilter, ScimPath

Operator = Literal["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]
Value = str | int | float | bool | None

MAX_TEXT = 8 * 1024
MAX_DEPTH = 20
MAX_TESTS = 50

_OPERATORS = frozenset({"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"})
_TOKEN = re.compile(r'\s*(?:(?P<mark>[()\[\]])|(?P<text>"(?:[^"\\]|\\.)*")|(?P<word>[^\s()\[\]"]+))')
_NAME = re.compile(r"\$ref|[A-Za-z][A-Za-z0-9_-]*", re.ASCII)
_JSON = msgspec.json.Decoder()


class Name(Struct, frozen=True):
    """An attribute, as it was written: ``emails.value``, ``urn:…:User:manager.displayName``."""

    urn: str
    """Empty for the core schema."""
    attribute: str
    part: str = ""


class Compare(Struct, frozen=True):
    name: Name
    operator: Operator
    value: Value


class Present(Struct, frozen=True):
    name: Name


class Among(Struct, frozen=True):
    """``emails[type eq "work"]``: one value of several for which all of this holds.

    ``test`` is what is asked of a part of that value: ``emails[type eq "work"].value eq "a@example.com"``.
    """

    name: Name
    filter: Filter
    test: Compare | Present | None = None


class Not(Struct, frozen=True):
    filter: Filter


class All(Struct, frozen=True):
    filters: tuple[Filter, ...]


class Any(Struct, frozen=True):
    filters: tuple[Filter, ...]


Filter = Compare | Present | Among | Not | All | Any


class Target(Struct, frozen=True):
    """What a patch operation is about: an attribute, values of it, a part of them (RFC 7644 §3.5.2)."""

    name: Name
    filter: Filter | None = None


def parse_filter(text: str) -> Filter:
    """Raise ``ScimFilter`` if it is no filter, or more than anybody needs."""
    parser = _Parser(text)
    found = parser.either(0)
    parser.end()
    return found


def parse_target(text: str) -> Target:
    """Raise ``ScimPath``."""
    try:
        parser = _Parser(text)
        name = parser.name()
        condition: Filter | None = None
        if parser.take("["):
            condition = parser.either(0)
            parser.must("]")
            if word := parser.word():
                name = Name(name.urn, name.attribute, _part(word))
        parser.end()
    except ScimFilter as error:
        raise ScimPath(str(error)) from None
    return Target(name, condition)


def parse_name(text: str) -> Name:
    """Raise ``ScimPath``. Of a bare URN the last piece stands as attribute; ``match.locate`` knows."""
    try:
        return _name(text)
    except ScimFilter as error:
        raise ScimPath(str(error)) from None


class _Parser:
    def __init__(self, text: str) -> None:
        if len(text) > MAX_TEXT:
            raise ScimFilter(f"a filter may have {MAX_TEXT} characters")
        self._tokens = _tokens(text)
        self._at = 0
        self._tests = 0

    def either(self, depth: int) -> Filter:
        found = [self._both(depth)]
        while self._keyword("or"):
            found.append(self._both(depth))
        return found[0] if len(found) == 1 else Any(tuple(found))

    def _both(self, depth: int) -> Filter:
        found = [self._one(depth)]
        while self._keyword("and"):
            found.append(self._one(depth))
        return found[0] if len(found) == 1 else All(tuple(found))

    def _one(self, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise ScimFilter(f"a filter may be nested {MAX_DEPTH} deep")
        if self._peek().lower() == "not" and self._peek(1) == "(":
            self._at += 1
            return Not(self._group(depth))
        if self._peek() == "(":
            return self._group(depth)
        return self._test(depth)

    def _group(self, depth: int) -> Filter:
        self.must("(")
        found = self.either(depth + 1)
        self.must(")")
        return found

    def _test(self, depth: int) -> Filter:
        self._tests += 1
        if self._tests > MAX_TESTS:
            raise ScimFilter(f"a filter may have {MAX_TESTS} conditions")
        name = self.name()
        if not self.take("["):
            return self._condition(name)
        condition = self.either(depth + 1)
        self.must("]")
        following = self._peek()
        if not following.startswith("."):
            return Among(name, condition)
        self._at += 1
        return Among(name, condition, self._condition(Name("", _part(following))))

    def _condition(self, name: Name) -> Compare | Present:
        operator = self.word().lower()
        if operator == "pr":
            return Present(name)
        if operator not in _OPERATORS:
            raise ScimFilter(f"{operator or 'nothing'!r} is no operator")
        return Compare(name, cast("Operator", operator), self._value())

    def _value(self) -> Value:
        token = self._next()
        if token[:1] in ("", "(", ")", "[", "]"):
            raise ScimFilter("a value is missing")
        # RFC 7644 §3.4.2.2: values are JSON; some clients write True.
        text = token if token.startswith('"') else token.lower()
        try:
            value = _JSON.decode(text)
        except msgspec.DecodeError:
            raise ScimFilter(f"{token[:60]} is no value; texts are quoted") from None
        if isinstance(value, dict | list):
            raise ScimFilter("a value is a text, a number, true, false or null")
        return cast("Value", value)

    # -- tokens ----------------------------------------------------------------------------------------

    def name(self) -> Name:
        return _name(self.word())

    def word(self) -> str:
        """The next token if it is a word, else nothing."""
        token = self._peek()
        if token[:1] in ("", '"', "(", ")", "[", "]"):
            return ""
        self._at += 1
        return token

    def take(self, mark: str) -> bool:
        if self._peek() != mark:
            return False
        self._at += 1
        return True

    def must(self, mark: str) -> None:
        if not self.take(mark):
            raise ScimFilter(f"{mark} is missing")

    def end(self) -> None:
        if self._at < len(self._tokens):
            raise ScimFilter(f"{self._peek()[:60]!r} is not understood there")

    def _keyword(self, word: str) -> bool:
        if self._peek().lower() != word:
            return False
        self._at += 1
        return True

    def _peek(self, ahead: int = 0) -> str:
        at = self._at + ahead
        return self._tokens[at] if at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at, end = 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None:
            raise ScimFilter("a quotation mark is not closed")
        found.append(match["mark"] or match["text"] or match["word"])
        at = match.end()
    return found


def _name(text: str) -> Name:
    """Where a URN ends is found from the right: its own parts hold colons and dots (``core:2.0:User``)."""
    urn, colon, rest = text.rpartition(":")
    if colon and not urn.lower().startswith("urn:"):
        raise ScimFilter(f"{text[:60]!r} is no attribute")
    attribute, dot, part = rest.partition(".")
    names = (attribute, part) if dot else (attribute,)
    if not all(_NAME.fullmatch(name) for name in names):
        raise ScimFilter(f"{text[:60]!r} is no attribute")
    return Name(urn, attribute, part)


def _part(word: str) -> str:
    """``.value`` behind a bracket."""
    if not word.startswith(".") or not _NAME.fullmatch(word[1:]):
        raise ScimFilter(f"{word[:60]!r} is not understood there")
    return word[1:]
