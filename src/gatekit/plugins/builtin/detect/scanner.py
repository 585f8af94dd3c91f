"""Packs, compiled. One pass of one RE2 set says which rules could have something; only those look closer.

The set holds the rules' patterns without their upper bounds (``forms``), not their keywords: that costs the
automaton as much, and what it lets through is nearly always something. Its automaton is built while it reads,
a microsecond and more for each byte that is unlike all before, and a long text is unlike all others. So of
long texts only the words are looked for without which a rule finds nothing, which RE2 knows of its patterns
(``re2.Filter``): more rules look closer, and none of it is built anew for every text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import re2
from msgspec import Struct

from gatekit.plugins.builtin.detect import checks, shapes
from gatekit.plugins.builtin.detect.folding import DISGUISES
from gatekit.plugins.builtin.detect.forms import relaxed, words_near
from gatekit.plugins.builtin.detect.rules import NEAR_CHARS, Pack, Rule, check_of

SET_MEMORY = 64 * 1024 * 1024
"""Bytes that the set's automaton may take. RE2 gives up when that is too little, which would be silence."""
LONG = 64 * 1024
"""Bytes from which on a text is long."""
MAX_FINDINGS = 20_000
"""For each rule and text. After them all the rest counts as found: a text that is nothing but findings."""
BEFORE = 160
BEHIND = 1024
"""Bytes around a keyword in which its rule looks first."""
_CANARY = b"\ngatekit\x01canary"
"""Put behind every text and matched by every set: a set that does not find it has given up, which it
does not say."""


class Finding(Struct, frozen=True, gc=False):
    """One thing that was found, by character positions in the text it was looked for in."""

    rule: str
    title: str
    start: int
    end: int
    weight: float = 1.0
    packed: str = ""
    """How it was packed (``base64``), if the positions are those of the package."""


class Look(Struct, frozen=True, gc=False):
    """What one pass over a text says."""

    findings: tuple[Finding, ...] = ()
    disguised: bool = False
    """Whether there is anything in it that looks like something else, or that is not seen."""


NOTHING = Look()


class _Compiled(Struct, frozen=True):
    rule: Rule
    regexp: Any
    groups: tuple[int, ...]
    check: Callable[[str], bool] | None
    allow: tuple[Any, ...]
    near: Any
    near_form: int
    """Place in the set of what says that one of its words occurs; -1: it has none."""
    keywords: Any


class Scanner:
    """Looks for everything in its packs. Immutable; good for any number of threads.

    Raises ``ValueError`` for a pattern that is none in RE2.
    """

    __slots__ = ("_canary", "_compiled", "_disguises", "_set", "_words", "weights")

    def __init__(self, packs: Sequence[Pack]) -> None:
        options = re2.Options()
        options.max_mem = SET_MEMORY
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._compiled: list[_Compiled] = []
        rules = [(rule, pack) for pack in packs for rule in pack.rules]
        self._canary = len(rules)
        near_forms: dict[str, int] = {}
        for rule, pack in rules:
            self._compiled.append(_compiled(rule, pack, near_forms, self._canary + 1))
        for rule, pack in rules:
            self._set.Add(_flags(rule, pack) + relaxed(rule.pattern))
        self._set.Add(_CANARY)
        for form in near_forms:
            self._set.Add(form)
        patterns = [_flags(rule, pack) + rule.pattern for rule, pack in rules]
        self._words = _words([*patterns, _CANARY, *near_forms])
        self.weights = {each.rule.id: each.rule.weight for each in self._compiled}
        """Id → weight; of rules that share an id, that of the last."""
        self._disguises = re2.compile(DISGUISES.encode())
        try:
            self._set.Compile()
        except re2.error as error:
            raise ValueError("the patterns are too many or too large for one set") from error

    def scan(self, text: str) -> tuple[Finding, ...]:
        """Everything found, in order of place; of findings that overlap, the one that starts first."""
        data = text.encode("utf-8", "surrogatepass")
        found = [
            (start, end, each.rule) for each in self._suspected(data) for start, end in _spans(each, data)
        ]
        return _placed(found, data, text) if found else ()

    def look(self, text: str) -> Look:
        """What was found, and whether there is more to it than is seen."""
        disguised = not text.isascii() and self.disguised(text.encode("utf-8", "surrogatepass"))
        findings = self.scan(text)
        return Look(findings, disguised) if findings or disguised else NOTHING

    def seen(self, data: bytes) -> set[str]:
        """Ids of the rules that find something in a text (UTF-8), whether their findings overlap or not."""
        return {each.rule.id for each in self._suspected(data) if any(True for _ in _spans(each, data))}

    def finds(self, data: bytes) -> bool:
        """Whether there is anything to be found in a text (UTF-8)."""
        return any(True for each in self._suspected(data) for _ in _spans(each, data))

    def disguised(self, data: bytes) -> bool:
        """See ``Look.disguised``."""
        return self._disguises.search(data) is not None

    def _suspected(self, data: bytes) -> Sequence[_Compiled]:
        """Rules that could have something in it."""
        looked = data + _CANARY
        hits = (self._set.Match(looked) if len(data) < LONG else self._words.Match(looked, True)) or []
        canary = self._canary
        if len(hits) == 1 and hits[0] == canary:
            return ()
        if canary not in hits:
            return self._compiled  # the set ran out of memory on this text: each rule looks for itself
        there = frozenset(hits)
        suspected = [self._compiled[hit] for hit in sorted(there) if hit < canary]
        return [each for each in suspected if each.near_form < 0 or each.near_form in there]


def _words(patterns: Sequence[str | bytes]) -> Any:
    """What tells by words alone, which of the patterns could match."""
    options = re2.Options()
    options.log_errors = False
    found = re2.Filter()
    for pattern in patterns:
        found.Add(pattern, options)
    found.Compile()
    return found


def _flags(rule: Rule, pack: Pack) -> str:
    return "(?im)" if rule.ignore_case or pack.ignore_case else "(?m)"


def _compiled(rule: Rule, pack: Pack, near_forms: dict[str, int], first: int) -> _Compiled:
    """``near_forms``: those known so far, by their places in the set, of which the first is ``first``."""
    flags = _flags(rule, pack)
    regexp = _compile(flags + rule.pattern, rule)
    named = {name.decode(): number for name, number in regexp.groupindex.items()}
    name = check_of(rule, pack)
    marked = "|".join(map(re2.escape, rule.keywords))
    keywords = f"(?i){marked}" if marked and "i" in flags else marked
    near = words_near(rule)
    return _Compiled(
        rule,
        regexp,
        tuple(named[each] for each in ("value", "bare") if each in named),
        checks.CHECKS[name] if name else None,
        tuple(_compile("(?i)" + pattern, rule) for pattern in rule.allow),
        _near_regexp(rule) if near else None,
        near_forms.setdefault(near, first + len(near_forms)) if near else -1,
        _compile(keywords, rule) if keywords else None,
    )


def _compile(pattern: str, rule: Rule) -> Any:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode(), options)
    except re2.error as error:
        said = error.args[0] if error.args else ""
        said = said.decode() if isinstance(said, bytes) else str(said)
        raise ValueError(
            f"rule {rule.id}: not a pattern of RE2 (no look-around, no back references): {said}"
        ) from error


def _spans(compiled: _Compiled, data: bytes) -> Iterator[tuple[int, int]]:
    """Byte positions of what one rule really finds."""
    count = 0
    for start, end in _windows(compiled, data):
        for span in _within(compiled, data, start, end):
            if count == MAX_FINDINGS:
                yield span[0], len(data)
                return
            count += 1
            yield span


def _windows(compiled: _Compiled, data: bytes) -> Iterator[tuple[int, int]]:
    """Where to look closer: around the keywords, if there are any, else everywhere."""
    if compiled.keywords is None:
        yield 0, len(data)
        return
    start = end = -1
    at = 0
    while (match := compiled.keywords.search(data, at)) is not None:
        at = match.end()
        if end < 0 or match.start() - BEFORE > end:
            if end >= 0:
                yield start, end
            start = max(0, match.start() - BEFORE)
        end = at + BEHIND
        at = max(at, end - BEHIND // 2)  # a keyword in the first half of a window moves nothing
    if end >= 0:
        yield start, min(end, len(data))


def _within(compiled: _Compiled, data: bytes, at: int, end: int) -> Iterator[tuple[int, int]]:
    while at <= end:
        match = compiled.regexp.search(data, at, min(end, len(data)))
        if match is not None and match.end() == end < len(data):
            match = compiled.regexp.search(data, at)  # it may go on behind the window
        if match is None:
            return
        span = _span(compiled, match)
        # The next may begin with the very character that ended this one.
        at = max(span[1], match.start() + 1)
        if _counts(compiled, data, *span):
            yield span


def _span(compiled: _Compiled, match: Any) -> tuple[int, int]:
    for group in compiled.groups:
        if match.start(group) >= 0:
            return match.span(group)  # type: ignore[no-any-return]
    return match.span()  # type: ignore[no-any-return]


def _counts(compiled: _Compiled, data: bytes, start: int, end: int) -> bool:
    rule = compiled.rule
    value = data[start:end].decode("utf-8", "replace")
    if not _near(compiled, data[max(0, start - NEAR_CHARS) : start]):
        return False
    if compiled.check is not None and not compiled.check(value):
        return False
    if rule.entropy and shapes.entropy(value) < rule.entropy:
        return False
    return not any(allowed.fullmatch(value.encode()) for allowed in compiled.allow)


def _near(compiled: _Compiled, before: bytes) -> bool:
    return compiled.near is None or compiled.near.search(before) is not None


def _near_regexp(rule: Rule) -> Any:
    """Its words as whole words, or one more letter for the plural; with a star, as beginnings of words."""
    words = "|".join(
        re2.escape(word[:-1]) + r"\pL*" if word.endswith("*") else re2.escape(word) + "s?"
        for word in rule.near
    )
    flags = "(?i)" if rule.ignore_case else ""
    return _compile(rf"{flags}(?:^|[^\pL])(?:{words})(?:[^\pL]|$)", rule)


def _placed(found: list[tuple[int, int, Rule]], data: bytes, text: str) -> tuple[Finding, ...]:
    """From bytes to characters, without overlaps."""
    found.sort(key=lambda each: (each[0], -each[1]))
    ascii_only = len(data) == len(text)
    findings: list[Finding] = []
    reached = chars = last = 0
    for start, end, rule in found:
        if start < reached and findings:
            continue
        reached = end
        if ascii_only:
            findings.append(Finding(rule.id, rule.title, start, end, rule.weight))
            continue
        chars += len(data[last:start].decode("utf-8", "surrogatepass"))
        size = len(data[start:end].decode("utf-8", "surrogatepass"))
        findings.append(Finding(rule.id, rule.title, chars, chars + size, rule.weight))
        last = start
    return tuple(findings)
