"""Which rules speak of a name, without trying each of a thousand patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gatekit.policy.rules import fold, readings
from gatekit.policy.ruling import Ruled

_WILD = re.compile(r"[*?\[]")


class Index:
    """The rules of one person at one server, by kind: those about any name, those about one, and those about
    a pattern, found by what the pattern begins with."""

    __slots__ = ("_any", "_exact", "_lengths", "_starting")

    def __init__(self, rules: Iterable[Ruled]) -> None:
        self._any: dict[str, list[Ruled]] = {}
        self._exact: dict[tuple[str, str], list[Ruled]] = {}
        self._starting: dict[tuple[str, str], list[Ruled]] = {}
        self._lengths: dict[str, set[int]] = {}
        """How long the beginnings of patterns are; 0 for those that begin with a wildcard."""
        for ruled in rules:
            if ruled.rule.names:
                for kind, glob in ruled.rule.names:
                    self._add(kind, fold(glob), ruled)
            else:
                for kind in ("tool", "prompt", "resource"):
                    if ruled.touches(kind):
                        self._any.setdefault(kind, []).append(ruled)

    def _add(self, kind: str, glob: str, ruled: Ruled) -> None:
        wild = _WILD.search(glob)
        if wild is None:
            self._exact.setdefault((kind, glob), []).append(ruled)
        else:
            self._starting.setdefault((kind, glob[: wild.start()]), []).append(ruled)
            self._lengths.setdefault(kind, set()).add(wild.start())

    def about(self, kind: str, name: str) -> list[Ruled]:
        """Every rule that speaks of it, each once."""
        found = dict.fromkeys(self._any.get(kind, ()))
        likely: list[Ruled] = []
        for reading in readings(kind, name):
            folded = fold(reading)
            found.update(dict.fromkeys(self._exact.get((kind, folded), ())))
            for length in self._lengths.get(kind, ()):
                likely += self._starting.get((kind, folded[:length]), ())
        for ruled in likely:
            if ruled not in found and ruled.speaks_of(kind, name):
                found[ruled] = None
        return list(found)
