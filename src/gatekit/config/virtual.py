"""``virtual_servers``: chosen tools, prompts and resources of several servers under one name."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Mapping

from gatekit.config import document as doc
from gatekit.config.faults import nearest
from gatekit.config.model import VirtualConfig
from gatekit.config.schema import ExposedIn, ExposedToolIn, VirtualIn
from gatekit.config.selectors import Selectors
from gatekit.model.rules import ServerRules, ToolRule
from gatekit.model.virtual import Exposed, ExposedKind, Virtual

TOP = "virtual_servers"
# MCP 2025-11-25, Tools: names SHOULD be of these characters and at most this long.
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class VirtualServers:
    """Resolves the virtual servers of one file. ``servers``: the names of all real ones."""

    def __init__(
        self,
        document: doc.Document,
        selectors: Selectors,
        servers: frozenset[str],
        check_name: Callable[[str, doc.Path], None],
    ) -> None:
        self._document = document
        self._selectors = selectors
        self._servers = servers
        self._check_name = check_name

    def resolve(
        self, virtual: Mapping[str, VirtualIn]
    ) -> tuple[tuple[VirtualConfig, ...], tuple[ServerRules, ...]]:
        """Everything in the order of the file."""
        configs: list[VirtualConfig] = []
        rules: list[ServerRules] = []
        for name, section in virtual.items():
            path = (TOP, name)
            self._check_name(name, path)
            if not (section.tools or section.prompts or section.resources):
                self._document.fault(path, "shows nothing; name tools, prompts or resources of your servers")
            configs.append(self._one(name, section, path, frozenset(virtual)))
            rules.append(self._rules(name, section, path))
        return tuple(configs), tuple(rules)

    def _one(self, name: str, section: VirtualIn, path: doc.Path, virtual: frozenset[str]) -> VirtualConfig:
        exposed = [
            self._exposed(kind, shown, entry, (*path, f"{kind}s", shown), virtual)
            for kind, entries in _kinds(section)
            for shown, entry in entries.items()
        ]
        for kind, entries in _kinds(section):
            self._check_unique(entries, (*path, f"{kind}s"))
        for server in section.resources:
            self._check_server(server, (*path, "resources", server), virtual)
        return VirtualConfig(
            virtual=Virtual(
                name=name,
                title=section.title,
                instructions=section.instructions,
                exposed=tuple(exposed),
                resources=tuple(section.resources.items()),
            ),
            line=self._document.line(path),
        )

    def _exposed(
        self, kind: ExposedKind, shown: str, entry: ExposedIn, path: doc.Path, virtual: frozenset[str]
    ) -> Exposed:
        self._check_server(entry.server, (*path, "server"), virtual)
        if kind == "tool" and not _TOOL_NAME.fullmatch(shown):
            self._document.fault(
                path, f"'{shown}' cannot be a tool's name: 1 to 128 of letters, digits, _ . -"
            )
        for argument, value in entry.arguments.items():
            place = (*path, "arguments", argument)
            if kind == "prompt" and not isinstance(value, str):
                self._document.fault(place, "arguments of prompts are text (put it in quotes)")
        return Exposed(
            kind=kind,
            name=shown,
            server=entry.server,
            original=entry.name or shown,
            title=entry.title,
            description=entry.description,
            annotations=tuple(entry.annotations.items()) if isinstance(entry, ExposedToolIn) else (),
            fixed=tuple(entry.arguments.items()),
        )

    def _check_server(self, name: str, place: doc.Path, virtual: frozenset[str]) -> None:
        if (
            name in self._servers
            or self._document.faulty(place)
            or (name == "missing" and self._document.faults)
        ):
            return
        if name in virtual:
            text = f"'{name}' is a virtual server itself; name the server behind it"
        else:
            text = f"there is no server '{name}'{nearest(name, self._servers)}"
        self._document.fault(place, text)

    def _check_unique(self, entries: Mapping[str, ExposedIn], path: doc.Path) -> None:
        """Rules do not look at case, so two names that differ only in it could not be told apart."""
        seen: dict[str, str] = {}
        for shown in entries:
            first = seen.setdefault(shown.lower(), shown)
            if first != shown:
                self._document.fault((*path, shown), f"there is '{first}' already (case does not count)")

    def _rules(self, name: str, section: VirtualIn, path: doc.Path) -> ServerRules:
        narrowed: list[ToolRule] = []
        for kind, entries in _kinds(section):
            for shown, entry in entries.items():
                allowed = self._selectors.access(entry, (*path, f"{kind}s", shown))
                if allowed is not None:
                    narrowed.append(ToolRule(glob=glob.escape(shown), kind=kind, allowed=allowed))
        return ServerRules(
            server=name, place=TOP, allowed=self._selectors.access(section, path), tools=tuple(narrowed)
        )


def _kinds(section: VirtualIn) -> tuple[tuple[ExposedKind, Mapping[str, ExposedIn]], ...]:
    return (("tool", section.tools), ("prompt", section.prompts))
