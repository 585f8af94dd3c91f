"""``plugins:`` of the file and of each server → the plan, with every plugin tried.

A plugin that cannot be loaded, or whose options do not fit, is a fault of its line: the file is refused, and
a running gateway keeps what it has.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from msgspec.structs import replace

from gatekit.config import document as doc
from gatekit.config.plugin_schema import Written
from gatekit.config.references import References
from gatekit.config.schema import FileIn, NamedServerIn, ServerIn
from gatekit.errors import PluginError
from gatekit.model.plugins import PluginPlan, PluginSpec

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Plugins:
    """Resolves the plugins of one file."""

    def __init__(self, document: doc.Document, references: References, path: Path) -> None:
        self._document = document
        self._references = references
        self._path = path
        self._loader: ModuleType | None = None

    def resolve(self, file: FileIn) -> PluginPlan:
        """Everything that was written; entries that were disabled as well, since they override."""
        folder = str((self._path.parent / file.plugins_dir).absolute()) if file.plugins_dir else ""
        if folder and self._references.confined:
            # Before anything of it is read: the code would run with the gateway's rights over all tenants.
            self._document.fault(("plugins_dir",), "a tenant brings no code into the gateway; use a webhook")
            folder = ""
        if folder and not Path(folder).is_dir():
            self._document.fault(("plugins_dir",), f"there is no folder {folder}")
            folder = ""
        entries = list(self._each(file.plugins, ("plugins",), "", folder))
        for name, path, section in _servers(file.servers):
            entries += self._each(section.plugins, (*path, "plugins"), name, folder)
        return PluginPlan(entries=tuple(entries), folder=folder)

    def _each(
        self, written: Sequence[Written], path: doc.Path, server: str, folder: str
    ) -> Sequence[PluginSpec]:
        found: dict[str, PluginSpec] = {}
        for index, entry in enumerate(written):
            place = (*path, index)
            if self._document.faulty(place):
                continue
            spec = self._spec(entry, place, server)
            if not _NAME.fullmatch(spec.name):
                self._document.fault(
                    place, f"'{spec.name}' cannot be a plugin's name: letters, digits, _ . -"
                )
            elif spec.name in found:
                text = f"there is an entry '{spec.name}' already; give one of them another `name`"
                self._document.fault(place, text)
            else:
                found[spec.name] = self._tried(spec, place, folder)
        return list(found.values())

    def _spec(self, entry: Written, place: doc.Path, server: str) -> PluginSpec:
        common = entry.common
        secret = {str(path[len(place)]) for path in self._references.places if path[: len(place)] == place}
        where = f"{self._path.name}:{self._document.line(place)}: {doc.dotted(place)}"
        return PluginSpec(
            name=common.name or common.use,
            use=common.use,
            server=server,
            enabled=common.enabled,
            priority=common.priority,
            on_error=common.on_error,
            deadline=common.deadline,
            options=entry.options,
            secret=frozenset(secret),
            place=where,
        )

    def _tried(self, spec: PluginSpec, place: doc.Path, folder: str) -> PluginSpec:
        if not spec.enabled:
            return spec
        if self._loader is None:
            # Only now: a gateway without plugins does not pay for what loads them.
            self._loader = importlib.import_module("gatekit.plugins.loader")
        try:
            self._loader.make(spec, folder)
            code: str = self._loader.digest(spec.use, folder)
        except PluginError as error:
            self._document.fault(place, str(error))
            return spec
        return replace(spec, code=code)


def _servers(
    servers: Mapping[str, ServerIn] | list[NamedServerIn],
) -> list[tuple[str, doc.Path, ServerIn]]:
    if isinstance(servers, list):
        return [(named.name, ("servers", index), named) for index, named in enumerate(servers)]
    return [(name, ("servers", name), section) for name, section in servers.items()]
