"""How much work a JSON Schema can make, found without doing it.

References are followed as a validator would. Where they lead back to where they came from, the work depends
on the depth of what is checked: it grows with the number of such ways back, level by level.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST_COST = 1_000_000
_MOST_NODES = 50_000
_DYNAMIC = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$recursiveAnchor", "$anchor")


class TooComplex(Exception):
    """It cannot be bounded, or not tightly enough."""


def cost_of(schema: Mapping[str, Any]) -> tuple[int, int]:
    """(steps for one node of the arguments, ways back at each level; 1 if there are none or one).

    Raises TooComplex.
    """
    steps, back = _Walk(schema).cost(schema, 0)
    return steps, max(1, back)


class _Walk:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._done: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()
        self._seen = 0

    def cost(self, node: Any, depth: int) -> tuple[int, int]:
        """Steps, and ways that lead back to something further up: each time it is referred to."""
        if not isinstance(node, Mapping | list):
            return 0, 0
        key = id(node)
        if key in self._done:
            return self._done[key]
        if key in self._open:
            return 1, 1
        self._seen += 1
        if depth > 100 or self._seen > _MOST_NODES:
            raise TooComplex
        self._open.add(key)
        steps, back = 1, 0
        for child in self._children(node):
            more, ways = self.cost(child, depth + 1)
            steps, back = steps + more, back + ways
        self._open.discard(key)
        if steps > _MOST_COST or back > _MOST_COST:
            raise TooComplex
        self._done[key] = steps, back
        return steps, back

    def _children(self, node: Mapping[str, Any] | list[Any]) -> Iterator[Any]:
        if isinstance(node, list):
            yield from node
            return
        if any(key in node for key in _DYNAMIC):
            raise TooComplex
        for key, child in node.items():
            if key == "$ref" and isinstance(child, str):
                yield self._target(child)
            elif key not in ("$defs", "definitions", "enum", "const", "default", "examples"):
                yield child

    def _target(self, ref: str) -> Any:
        if ref == "#":
            return self._root
        if not ref.startswith("#/"):
            raise TooComplex
        found: Any = self._root
        for part in ref[2:].split("/"):
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and part in found:
                found = found[part]
            elif isinstance(found, list) and part.isdecimal() and int(part) < len(found):
                found = found[int(part)]
            else:
                raise TooComplex
        return found


def nodes_and_depth(value: Any) -> tuple[int, int]:
    """How many values there are, and how deep they go."""
    nodes, depth, level = 0, 0, [value]
    while level:
        nodes += len(level)
        depth += 1
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below += one.values()
            elif isinstance(one, list):
                below += one
        level = below
    return nodes, depth
