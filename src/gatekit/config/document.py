"""YAML to plain data that remembers its lines.

Nodes are composed and walked here instead of being constructed by the YAML library: so a duplicate key is a
fault and not a silent last-one-wins, tags cannot build objects, and every value has a line.
"""

from __future__ import annotations

import json
import re
from typing import Any

from msgspec import Struct, field
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[str | int, ...]
"""Where a value stands: keys and list indexes from the top."""

MAX_NODES = 100_000
"""Aliases may repeat a node; a file that unfolds to more than this is an attack or a mistake."""
MAX_DEPTH = 40

_PLAIN = re.compile(r"[\w*-]+")
_PREFIX = "tag:yaml.org,2002:"
_MAY_BE_EMPTY = (
    *("groups", "servers", "servers.*.env", "virtual_servers"),
    *("proxy.auth.providers.*", "proxy.auth.providers.*.provisioning"),
)
"""Sections that mean something without content, or lose it when somebody comments all of it out."""


class Fault(Struct, frozen=True):
    """Something wrong at one place. ``line`` 0: nowhere in particular."""

    line: int
    path: Path
    text: str

    def render(self, file: str) -> str:
        """``gatekit.yaml:14: servers.database.comand: unknown key``"""
        place = f"{file}:{self.line}: " if self.line else f"{file}: "
        return f"{place}{dotted(self.path)}: {self.text}" if self.path else f"{place}{self.text}"


class Document(Struct):
    """Plain data (dict, list, str, int, float, bool) and where each part of it stands."""

    data: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    notes: list[Fault] = field(default_factory=list)
    """Allowed, but probably not meant."""

    def line(self, path: Path) -> int:
        """The line of ``path``, or of the nearest part of it that is in the file."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def fault(self, path: Path, text: str) -> None:
        """Add a fault, unless this very place has one: what follows from a fault is no news."""
        if not self.faulty(path):
            self.faults.append(Fault(self.line(path), path, text))

    def faulty(self, path: Path) -> bool:
        """Whether a fault was found at exactly this place."""
        return any(known.path == path for known in self.faults)

    def note(self, path: Path, text: str) -> None:
        self.notes.append(Fault(self.line(path), path, text))


def dotted(path: Path) -> str:
    """``servers[0].tools.delete_*``; a name that would blur the picture stands in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if _PLAIN.fullmatch(part) else f".{json.dumps(part)}"
    return text.removeprefix(".")


def matches(path: Path, pattern: str) -> bool:
    """Whether ``path`` is ``pattern``, in which ``*`` stands for any one part."""
    parts = pattern.split(".") if pattern else []
    return len(parts) == len(path) and all(
        want in ("*", have) for want, have in zip(parts, path, strict=True)
    )


def read(text: str) -> Document:
    """Parse. Faults of syntax, duplicate keys, tags and empty values are collected, not raised."""
    document = Document(data={}, lines={(): 1})
    try:
        root = YAML(typ="rt", pure=True).compose(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        document.faults.append(Fault(line, (), f"not valid YAML: {_complaint(error)}"))
        return document
    except (YAMLError, ValueError) as error:
        document.faults.append(Fault(0, (), f"not valid YAML: {str(error).splitlines()[0]}"))
        return document
    except RecursionError:
        document.faults.append(Fault(0, (), "nested too deeply"))
        return document
    if root is None:
        return document
    if not isinstance(root, MappingNode):
        document.faults.append(Fault(1, (), "expected keys and values at the top (`servers:` and so on)"))
        return document
    document.data = _Walk(document).value(root, ())
    return document


def _complaint(error: MarkedYAMLError) -> str:
    return " ".join(part.strip() for part in (error.context, error.problem) if part)


class _Walk:
    """One pass over the composed nodes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.budget = MAX_NODES
        self.stopped = False

    def value(self, node: Node, path: Path) -> Any:
        self.document.lines.setdefault(path, node.start_mark.line + 1)
        self.budget -= 1
        if self.stopped or self.budget <= 0 or len(path) > MAX_DEPTH:
            if not self.stopped:
                self.document.fault(path[:3], "nested too deeply, or aliases that repeat too much")
            self.stopped = True
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return self.sequence(node, path)
        return self.scalar(node, path)

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        if node.tag != f"{_PREFIX}map":
            self.document.fault(path, f"the tag {node.tag} is not supported")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.key(key_node, path)
            if key is None:
                continue
            line = key_node.start_mark.line + 1
            if key in found:
                first = self.document.lines[(*path, key)]
                text = f"the key is written twice (first in line {first})"
                self.document.faults.append(Fault(line, (*path, key), text))
                continue
            self.document.lines[(*path, key)] = line
            found[key] = self.value(value_node, (*path, key))
        return {key: value for key, value in found.items() if value is not None}

    def key(self, node: Node, path: Path) -> str | None:
        line = node.start_mark.line + 1
        if not isinstance(node, ScalarNode):
            self.document.faults.append(Fault(line, path, "a key must be a plain word"))
            return None
        if node.tag == f"{_PREFIX}merge" or node.value == "<<":
            self.document.faults.append(Fault(line, path, "merge keys (<<) are not supported"))
            return None
        return str(node.value)

    def sequence(self, node: SequenceNode, path: Path) -> list[Any]:
        if node.tag != f"{_PREFIX}seq":
            self.document.fault(path, f"the tag {node.tag} is not supported")
        return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]

    def scalar(self, node: Node, path: Path) -> Any:
        text = str(node.value)
        kind = str(node.tag).removeprefix(_PREFIX)
        if matches(path, "servers.*.env.*"):
            # Variables are text; `VERSION: 1.10` must not become 1.1, nor `FLAG: yes` a boolean.
            if kind == "null":
                self.document.fault(path, 'has no value; write "" for an empty one')
            return text
        if kind == "null":
            if any(matches(path, pattern) for pattern in _MAY_BE_EMPTY):
                return {}
            self.document.fault(path, "has no value; write one, or remove the key")
            return None
        if kind not in {"str", "int", "float", "bool"}:
            if kind != "timestamp":
                self.document.fault(path, f"the tag {node.tag} is not supported")
            return text
        return _plain(kind, text)


def _plain(kind: str, text: str) -> str | int | float | bool:
    try:
        if kind == "bool":
            return text.lower() in ("true", "yes", "on", "y")  # the words of YAML 1.1 and 1.2
        if kind == "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2].lower() in ("0x", "0o") else 10)
        if kind == "float":
            return float(text.replace("_", ""))
    except ValueError:
        return text
    return text
