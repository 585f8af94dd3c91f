"""``paths``: file paths in arguments and ``file:`` URIs must lie under given folders, links resolved.

A path is resolved as the system would (``..``, links, ``.``), so nothing that merely looks as if it were
inside passes. Between this check and the server's own use a link may change; a server that must be safe
against its own users needs a sandbox as well.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from fnmatch import translate
from typing import Any
from urllib.parse import unquote, urlsplit

from gatekit.plugin import Asked, Block, Options, Pass, Plugin, PluginError, Subject, Verdict, Verdicts

_KEYS = frozenset(
    (
        *("path", "paths", "file", "files", "filename", "filepath", "file_path", "file_paths", "dir"),
        *("directory", "directories", "folder", "cwd", "root", "source", "destination", "src", "dest"),
        *("target", "old_path", "new_path", "from_path", "to_path", "working_directory", "repo_path"),
    )
)
_PASS = Pass()
_MOST = 1000
"""Paths in one request."""


class Paths(Plugin):
    """Blocks requests that name anything outside of the folders."""

    class Settings(Options, frozen=True):
        roots: tuple[str, ...]
        """Absolute folders."""
        base: str = ""
        """What relative paths are relative to; empty: the first of ``roots``."""
        tools: tuple[str, ...] = ("*",)
        """Patterns of the tools that are looked at."""
        arguments: tuple[str, ...] = ()
        """JSON pointers of paths (``*`` stands for any key or index); none: every argument with a usual
        name (``path``, ``file``, ``directory`` …), at any depth, and every ``file:`` URI."""

    def __init__(self, options: Settings, name: str = "") -> None:
        super().__init__(options, name)
        if not options.roots or not all(map(os.path.isabs, (*options.roots, options.base or "/"))):
            raise PluginError("roots and base must be absolute folders")
        if not all(pointer.startswith("/") for pointer in options.arguments):
            raise PluginError("arguments: a JSON pointer begins with /")
        self._tools = re.compile("|".join(translate(glob) for glob in options.tools) or r"(?!)")
        self._pointers = [
            [part.replace("~1", "/").replace("~0", "~") for part in pointer[1:].split("/")]
            for pointer in options.arguments
        ]

    def on_request(self, subject: Subject, asked: Asked) -> Verdicts:  # noqa: ARG002
        named = self._named(asked)
        return self._looked_up(named) if named else _PASS

    async def _looked_up(self, named: list[str]) -> Verdict:
        if len(named) > _MOST:
            return Block("too many paths to look at", f"at most {_MOST} paths in one call")
        # In a thread: a path may lie on a file system that takes its time.
        wrong = await asyncio.to_thread(self._outside, named)
        if not wrong:
            return Pass()
        return Block(f"{wrong} of {len(named)} paths outside", "a path lies outside of what may be used")

    def _named(self, asked: Asked) -> list[str]:
        if asked.method == "tools/call":
            if not self._tools.fullmatch(asked.name):
                return []
            if self._pointers:
                return [p for parts in self._pointers for p in _at(asked.arguments, parts)]
            return _likely(asked.arguments, False, [])
        return [asked.name] if asked.name[:5].lower() == "file:" else []

    def _outside(self, named: list[str]) -> int:
        roots = [os.path.realpath(root) for root in self.options.roots]
        base = os.path.realpath(self.options.base) if self.options.base else roots[0]
        return sum(not self._inside(path, roots, base) for path in named)

    @staticmethod
    def _inside(path: str, roots: list[str], base: str) -> bool:
        if path[:5].lower() == "file:":
            try:
                parts = urlsplit(path)
            except ValueError:
                return False
            if parts.netloc not in ("", "localhost") or parts.query or parts.fragment:
                return False
            path = unquote(parts.path)
        elif path.startswith("~"):
            return False  # whose home that is depends on who looks
        if "\0" in path or "\\" in path:
            return False
        try:
            real = os.path.realpath(os.path.join(base, path))
        except (OSError, ValueError):
            return False
        return any(real == root or real.startswith(root.rstrip("/") + "/") for root in roots)


def _at(value: Any, parts: list[str]) -> Iterator[str]:
    """Strings at a pointer; a list there stands for each of its items."""
    if not parts:
        yield from _texts(value)
        return
    head, rest = parts[0], parts[1:]
    if isinstance(value, dict):
        found = value.values() if head == "*" else [value[head]] if head in value else []
    elif isinstance(value, list):
        number = int(head) if head.isdecimal() and len(head) < 7 else -1
        found = value if head == "*" else value[number : number + 1] if number >= 0 else []
    else:
        return
    for item in found:
        yield from _at(item, rest)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _likely(value: Any, is_path: bool, found: list[str]) -> list[str]:
    """Strings that are paths by a key above them, and URIs of files wherever they stand. A URL under such a
    key is a path too: ``http:`` can be the name of a folder."""
    if isinstance(value, str):
        if is_path or value[:5].lower() == "file:":
            found.append(value)
    elif isinstance(value, dict):
        for key, item in value.items():
            _likely(item, is_path or key in _KEYS or key.lower().replace("-", "_") in _KEYS, found)
    elif isinstance(value, list):
        for item in value:
            _likely(item, is_path, found)
    return found
