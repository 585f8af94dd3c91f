"""Changes of the common file of tenants, as somebody would make them by hand: comments and order stay.

What comes of it is read like any other before it takes the place of the file, in one step, so that a gateway
that follows the file never sees half of it or a fault.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gatekit.config.tenants import load_tenants
from gatekit.errors import ConfigError, Conflict, NotFound

Entries = dict[str, Any]


def add(path: Path, name: str, host: str, config: str, *, allow_commands: bool) -> None:
    """Raises ``ConfigError`` (the file, or what it would become), ``Conflict``."""

    def change(entries: Entries) -> None:
        if name in entries:
            raise Conflict(f"there is a tenant called {name} already")
        entries[name] = {"host": host, "config": config}
        if allow_commands:
            entries[name]["allow_commands"] = True

    _change(path, change)


def set_enabled(path: Path, name: str, enabled: bool) -> None:
    """Raises ``ConfigError``, ``NotFound``."""

    def change(entries: Entries) -> None:
        if name not in entries:
            raise NotFound(f"there is no tenant {name}; `gatekit tenants list` shows which there are")
        if enabled:
            entries[name].pop("enabled", None)
        else:
            entries[name]["enabled"] = False

    _change(path, change)


def _change(path: Path, change: Callable[[Entries], None]) -> None:
    load_tenants(path)  # with every fault in it, before anything is made of it
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1 << 16  # lines stay as long as they are
    try:
        document = yaml.load(path.read_text(encoding="utf-8"))
    except YAMLError as bad:
        raise ConfigError([f"{path.name}: {bad}"]) from bad
    change(document["tenants"])
    text = io.StringIO()
    yaml.dump(document, text)
    # Beside the file: paths in it count from its directory.
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8") as stream:
            stream.write(text.getvalue())
            stream.flush()
            os.fsync(stream.fileno())
        load_tenants(Path(draft))
        before = path.stat()
        os.chmod(draft, before.st_mode & 0o777)
        if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(draft, before.st_uid, before.st_gid)
        os.replace(draft, path.resolve())
    except ConfigError as bad:
        faults = [fault.replace(Path(draft).name, path.name) for fault in bad.faults]
        raise ConfigError([*faults, f"{path.name} was left as it is"]) from None
    finally:
        Path(draft).unlink(missing_ok=True)
