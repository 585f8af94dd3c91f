"""``tools``: which tools of a server are there, under which names, and what they say of themselves.

Names are mapped both ways and lists agree with calls: what is not shown cannot be called, and a tool that was
renamed is known under its new name only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import translate
from typing import Any, ClassVar

from gatekit.plugin import (
    Asked,
    Block,
    Kind,
    Listed,
    Options,
    Pass,
    Plugin,
    PluginError,
    Replace,
    Subject,
    Verdict,
)

_HIDDEN = Block("not among the tools that are shown", missing=True)


class Tools(Plugin):
    """An allow-list, new names, new descriptions."""

    kind: ClassVar[Kind] = "middleware"
    priority: ClassVar[int] = 90
    """Near the server: everybody else sees the names that are shown."""

    class Settings(Options, frozen=True):
        allow: tuple[str, ...] = ("*",)
        """Patterns of the server's own names."""
        deny: tuple[str, ...] = ()
        rename: dict[str, str] = {}  # noqa: RUF012 - msgspec copies it
        """The server's name → the name that clients see."""
        describe: dict[str, str] = {}  # noqa: RUF012
        """The server's name → another description."""

    def __init__(self, options: Settings, name: str = "") -> None:
        super().__init__(options, name)
        self._allow = _any(options.allow)
        self._deny = _any(options.deny)
        self._back = {new: old for old, new in options.rename.items()}
        if len(self._back) != len(options.rename):
            raise PluginError("rename: two tools cannot have the same name")

    def on_request(self, subject: Subject, asked: Asked) -> Verdict:  # noqa: ARG002
        if asked.method != "tools/call":
            return Pass()
        own = self._back.get(asked.name)
        if own is not None:
            return Replace(name=own, note=f"rename:{own}") if self._shown(own) else _HIDDEN
        return Pass() if self._shown(asked.name) and asked.name not in self.options.rename else _HIDDEN

    def on_list(self, subject: Subject, listed: Listed) -> Verdict:  # noqa: ARG002
        if listed.key != "tools":
            return Pass()
        kept = [self._as_shown(item) for item in listed.items if self._is_listed(str(item.get("name", "")))]
        return Replace(kept)

    def _is_listed(self, own: str) -> bool:
        # A tool that happens to have the new name of another one can be neither shown nor called.
        return self._shown(own) and (own in self.options.rename or own not in self._back)

    def _shown(self, own: str) -> bool:
        return bool(self._allow.fullmatch(own)) and not self._deny.fullmatch(own)

    def _as_shown(self, item: Mapping[str, Any]) -> dict[str, Any]:
        own = str(item.get("name", ""))
        shown = {**item, "name": self.options.rename.get(own, own)}
        if own in self.options.describe:
            shown["description"] = self.options.describe[own]
        return shown


def _any(globs: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(glob) for glob in globs) or r"(?!)")
