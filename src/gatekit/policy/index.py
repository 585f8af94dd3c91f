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

    __slots__ = ("_any", "_exact", "_open", "_starting")

    def __init__(self, rules: Iterable[Ruled]) -> None:
        self._any: dict[str, list[Ruled]] = {}
        self._exact: dict[tuple[str, str], list[Ruled]] = {}
        self._starting: dict[tuple[str, str], list[Ruled]] = {}
        self._open: dict[str, list[Ruled]] = {}
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
        elif wild.start():
            self._starting.setdefault((kind, glob[0]), []).append(ruled)
        else:
            self._open.setdefault(kind, []).append(ruled)

    def about(self, kind: str, name: str) -> list[Ruled]:
        """Every rule that speaks of it, each once."""
        found = dict.fromkeys(self._any.get(kind, ()))
        likely = list(self._open.get(kind, ()))
        for reading in readings(kind, name):
            folded = fold(reading)
            found.update(dict.fromkeys(self._exact.get((kind, folded), ())))
            likely += self._starting.get((kind, folded[:1]), ())
        for ruled in likely:
            if ruled not in found and ruled.speaks_of(kind, name):
                found[ruled] = None
        return list(found)
