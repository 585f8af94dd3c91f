"""Which rules speak of a name, without trying each of a thousand patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from operator import attrgetter

from gatekit.policy.rules import fold, readings
from gatekit.policy.ruling import Asker, Ruled

_WILD = re.compile(r"[*?\[]")
_title = attrgetter("title")
_KINDS = ("tool", "prompt", "resource")
REMEMBERED = 4096
"""Names per server. They come from clients, so this must not grow for ever."""
LONGEST = 256
"""Characters of a name that is remembered: 4096 of any length would be gigabytes."""
FEW = 64
"""Keys of a rule that is found by each of them. One with more is asked every time: a group of thousands in a
thousand rules would be millions of entries."""

Entry = tuple[Ruled, re.Pattern[str]]
_NONE: Mapping[int, Mapping[str, list[Entry]]] = {}


class Index:
    """The rules at one server, whomever they concern, by kind: those about any name, those about one, and
    those about a pattern, found by what it begins or ends with, whichever says more. Shared by everybody."""

    __slots__ = ("_any", "_ends", "_exact", "_known", "_starts")

    def __init__(self, rules: Iterable[Ruled]) -> None:
        self._any: dict[str, list[Ruled]] = {}
        self._exact: dict[tuple[str, str], list[Ruled]] = {}
        self._starts: dict[str, dict[int, dict[str, list[Entry]]]] = {}
        """By kind, and by how long the beginning is (0: none)."""
        self._ends: dict[str, dict[int, dict[str, list[Entry]]]] = {}
        self._known: dict[tuple[str, str], tuple[Ruled, ...]] = {}
        for ruled in rules:
            if ruled.rule.names:
                for kind, glob, pattern in ruled.names:
                    self._add(kind, glob, pattern, ruled)
            else:
                for kind in _KINDS:
                    if ruled.touches(kind):
                        self._any.setdefault(kind, []).append(ruled)

    def _add(self, kind: str, glob: str, pattern: re.Pattern[str] | None, ruled: Ruled) -> None:
        if pattern is None:
            self._exact.setdefault((kind, glob), []).append(ruled)
            return
        start = _WILD.split(glob, maxsplit=1)[0]
        # In brackets a letter is not what it looks like, so such a pattern counts by its beginning.
        end = "" if "[" in glob else _WILD.split(glob)[-1]
        table, part = (self._ends, end) if len(end) > len(start) else (self._starts, start)
        table.setdefault(kind, {}).setdefault(len(part), {}).setdefault(part, []).append((ruled, pattern))

    def about(self, kind: str, name: str) -> tuple[Ruled, ...]:
        """Every rule that speaks of it, each once, by title."""
        known = self._known.get((kind, name))
        if known is None:
            known = self._look(kind, name)
            if len(self._known) < REMEMBERED and len(name) <= LONGEST:
                self._known[kind, name] = known
        return known

    def _look(self, kind: str, name: str) -> tuple[Ruled, ...]:
        found = dict.fromkeys(self._any.get(kind, ()))
        for reading in readings(kind, name):
            folded = fold(reading)
            for ruled in self._exact.get((kind, folded), ()):
                found[ruled] = None
            for length, table in self._starts.get(kind, _NONE).items():
                for ruled, pattern in table.get(folded[:length], ()):
                    if pattern.match(folded):
                        found[ruled] = None
            for length, table in self._ends.get(kind, _NONE).items():
                for ruled, pattern in table.get(folded[-length:], ()):
                    if pattern.match(folded):
                        found[ruled] = None
        return tuple(sorted(found, key=_title) if len(found) > 1 else found)


class Directory:
    """Whom rules concern: those that name somebody by the names, and those that name nobody."""

    __slots__ = ("_always", "_named")

    def __init__(self, rules: Iterable[Ruled]) -> None:
        named: dict[tuple[str, ...], list[Ruled]] = {}
        always = []
        for ruled in rules:
            if ruled.who is None or len(ruled.who) > FEW:
                always.append(ruled)
                continue
            for key in ruled.who:
                named.setdefault(key, []).append(ruled)
        self._always = tuple(always)
        self._named: Mapping[tuple[str, ...], list[Ruled]] = named

    def concerning(self, asker: Asker) -> frozenset[Ruled]:
        """Every rule that is about this person."""
        likely = dict.fromkeys(self._always)
        for key in asker.claimed:
            likely.update(dict.fromkeys(self._named.get(key, ())))
        return frozenset(ruled for ruled in likely if ruled.concerns(asker))
