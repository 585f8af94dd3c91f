"""Finds a plugin by name and makes it: built in, from an entry point, or from a file in ``plugins_dir``.

Loud: whatever keeps a plugin from working is one line that says which plugin, which file and which line of
it, and the configuration that names it is refused. A name that is built in cannot be taken by anybody else.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import stat
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import msgspec

from gatekit.model.plugins import PluginSpec
from gatekit.plugin import Options, Plugin, PluginError
from gatekit.plugins.verdicts import Entry

GROUP = "gatekit.plugins"
"""Entry point group in which packages announce plugins."""

BUILTIN: dict[str, str] = {
    "injection": "gatekit.plugins.builtin.injection:Injection",
    "paths": "gatekit.plugins.builtin.paths:Paths",
    "pii": "gatekit.plugins.builtin.pii:Pii",
    "schema": "gatekit.plugins.builtin.schema:Schema",
    "secrets": "gatekit.plugins.builtin.secrets:Secrets",
    "size": "gatekit.plugins.builtin.size:Size",
    "tools": "gatekit.plugins.builtin.tools:Tools",
    "trace": "gatekit.plugins.builtin.trace:Trace",
    "usage": "gatekit.plugins.builtin.usage:Usage",
    "process": "gatekit.plugins.process:Process",
    "webhook": "gatekit.plugins.webhook:Webhook",
}
"""Name → module and class."""

_FILE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_MAX_BYTES = 1024 * 1024

T = TypeVar("T")


def builtin() -> tuple[str, ...]:
    """Names of all that is built in."""
    return tuple(BUILTIN)


def installed() -> tuple[EntryPoint, ...]:
    """What installed packages announce."""
    return tuple(entry_points(group=GROUP))


def in_folder(folder: str) -> tuple[str, ...]:
    """Names of the files of ``plugins_dir``."""
    if not folder:
        return ()
    return tuple(sorted(p.stem for p in Path(folder).glob("*.py") if _FILE_NAME.fullmatch(p.stem)))


def digest(use: str, folder: str) -> str:
    """Of the plugin's file, empty if it is not one in ``plugins_dir``."""
    path = _file(use, folder)
    return hashlib.sha256(_source(path)).hexdigest() if path is not None else ""


def make(spec: PluginSpec, folder: str) -> Entry:
    """The plugin of one entry, with its options checked. Raises PluginError."""
    found, ours = find(spec.use, folder)
    plugin = of_class(found, spec.options, spec.name, hidden=bool(spec.secret))
    on_error = spec.on_error or ("open" if plugin.kind == "audit" else "closed")
    return Entry(
        name=spec.name,
        plugin=plugin,
        priority=plugin.priority if spec.priority is None else spec.priority,
        on_error=on_error,
        deadline=plugin.deadline if spec.deadline is None else spec.deadline,
        ours=ours,
    )


def find(use: str, folder: str) -> tuple[type[Plugin], bool]:
    """The class that a name stands for, and whether it is built in. Raises PluginError."""
    path = _file(use, folder)
    if use in BUILTIN:
        if path is not None:
            raise PluginError(f"{path}: the name '{use}' is built in; give the file another one")
        return _class(_imported(BUILTIN[use].partition(":")[0]), BUILTIN[use].partition(":")[2], use), True
    announced = [point for point in installed() if point.name == use]
    if path is not None and announced:
        raise PluginError(f"'{use}' is {path} and an installed plugin as well; rename the file")
    if path is not None:
        return _class(_from_file(use, path), "", str(path)), False
    if len({point.value for point in announced}) > 1:
        raise PluginError(f"several installed packages announce a plugin '{use}'")
    if announced:
        point = announced[0]
        where = f"entry point {use} = {point.value}"
        return _class(
            _guarded(lambda: importlib.import_module(point.module), where), point.attr, where
        ), False
    raise PluginError(_unknown(use, folder))


def _unknown(use: str, folder: str) -> str:
    known = sorted({*BUILTIN, *(point.name for point in installed()), *in_folder(folder)})
    looked = f"; looked in {folder} too" if folder else ""
    return f"there is no plugin '{use}' (there are: {', '.join(known) or 'none'}{looked})"


# -- options ---------------------------------------------------------------------------------------------


def of_class(found: type[Plugin], options: dict[str, Any], name: str, *, hidden: bool = False) -> Plugin:
    """A plugin with options as they stand in a file; ``hidden``: no value may be repeated. Raises
    PluginError."""
    settings: Any = found.Settings
    if not (isinstance(settings, type) and issubclass(settings, Options)):
        raise PluginError(f"{found.__module__}: Settings must be a subclass of gatekit.plugin.Options")
    try:
        made = msgspec.convert(options, settings)
    except msgspec.ValidationError as error:
        raise PluginError("its options do not fit" if hidden else _words(error)) from None
    except TypeError as error:
        raise PluginError(f"{found.__module__}: Settings cannot be read from a file: {error}") from None
    return _guarded(lambda: found(made, name), f"{found.__module__}: making it")


def _words(error: msgspec.ValidationError) -> str:
    """msgspec's words in ours: ``Expected `int` - at `$.limit``` → ``limit: expected `int```."""
    text, mark, where = str(error).partition(" - at `$.")
    text = text[:1].lower() + text[1:]
    text = text.replace("object contains unknown field", "unknown option").replace(
        "object missing required field", "it needs the option"
    )
    return f"{where.rstrip('`')}: {text}" if mark else text


# -- code ------------------------------------------------------------------------------------------------


def _file(use: str, folder: str) -> Path | None:
    if not folder or not _FILE_NAME.fullmatch(use):
        return None
    path = Path(folder) / f"{use}.py"
    return path if path.is_file() else None


def _source(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if mode & stat.S_IWOTH or path.parent.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            raise PluginError(f"{path}: everybody on this machine can change this file (chmod o-w)")
        with path.open("rb") as stream:
            source = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise PluginError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(source) > _MAX_BYTES:
        raise PluginError(f"{path}: larger than {_MAX_BYTES} bytes")
    return source


def _from_file(use: str, path: Path) -> ModuleType:
    source = _source(path)
    name = f"gatekit_plugins_{use}_{hashlib.sha256(source).hexdigest()[:12]}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    spec = importlib.util.spec_from_loader(name, None, origin=str(path))
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)

    def run() -> ModuleType:
        sys.modules[name] = module
        try:
            exec(compile(source, str(path), "exec"), module.__dict__)  # noqa: S102 - the operator's own file
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return _guarded(run, str(path))


def _imported(module: str) -> ModuleType:
    return importlib.import_module(module)


def _class(module: ModuleType, name: str, where: str) -> type[Plugin]:
    if name:
        found = getattr(module, name, None)
        if not (isinstance(found, type) and issubclass(found, Plugin)):
            raise PluginError(f"{where}: {name} is no subclass of gatekit.plugin.Plugin")
        return found
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Plugin) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise PluginError(
            f"{where}: must hold exactly one subclass of gatekit.plugin.Plugin, not {len(classes)}"
        )
    return classes[0]


def _guarded(do: Callable[[], T], where: str) -> T:
    """Run a stranger's code once; what it raises becomes one line."""
    try:
        return do()
    except PluginError as error:
        raise PluginError(str(error)) from None
    except SyntaxError as error:
        raise PluginError(f"{error.filename or where}:{error.lineno or 0}: {error.msg}") from None
    except Exception as error:  # noqa: BLE001 - the boundary: loading a plugin may fail in any way
        frames = traceback.extract_tb(error.__traceback__)
        at = f"{frames[-1].filename}:{frames[-1].lineno}" if len(frames) > 1 else where
        raise PluginError(f"{at}: {type(error).__name__}: {str(error)[:200]}") from None
