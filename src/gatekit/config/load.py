"""One call from a path to a ``Config``, or to every fault of the file at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gatekit.config import document as doc
from gatekit.config.faults import validate
from gatekit.config.model import Config
from gatekit.config.references import References
from gatekit.config.resolve import resolve
from gatekit.errors import ConfigError

DEFAULT_NAME = "gatekit.yaml"
MAX_FILE_BYTES = 4 * 1024 * 1024


class Attempt(Struct, frozen=True):
    """What came of reading a file. ``files`` are the secrets it names, also when it is refused."""

    outcome: Config | ConfigError
    files: tuple[Path, ...] = ()


def load(path: Path, environ: Mapping[str, str] | None = None) -> Config:
    """Read ``path``; references to variables are looked up in ``environ`` (default: of this process).

    Raises ``ConfigError`` with one line per fault, e.g.
    ``gatekit.yaml:14: servers.database.comand: unknown key (did you mean 'command'?)``.
    """
    attempt = try_load(path, environ)
    if isinstance(attempt.outcome, ConfigError):
        raise attempt.outcome
    return attempt.outcome


def load_draft(source: Path, path: Path) -> Config:
    """What ``source`` would mean if it stood at ``path``. Raises ``ConfigError``."""
    outcome = try_load(path, source=source).outcome
    if isinstance(outcome, ConfigError):
        raise outcome
    return outcome


def try_load(
    path: Path,
    environ: Mapping[str, str] | None = None,
    root: Path | None = None,
    source: Path | None = None,
) -> Attempt:
    """Like ``load``, but a refusal is a value and tells which files a repair may concern.

    ``root``: the directory that files with secrets must lie in; None: anywhere. ``source``: where the text
    is, if it does not stand at ``path`` yet.
    """
    path, called = path.absolute(), (source or path).name
    text = read_text(source or path)
    if isinstance(text, ConfigError):
        return Attempt(text)
    document = doc.read(text)
    syntax_ok = bool(document.data) or not document.faults
    references = References(document, path.parent, os.environ if environ is None else environ, root)
    config = None
    if syntax_ok:
        references.resolve_all()
        file = validate(document, references.places)
        config = resolve(file, document, references, path)
    if document.faults or config is None:
        faults = sorted(document.faults, key=lambda fault: fault.line)
        return Attempt(ConfigError([fault.render(called) for fault in faults]), tuple(references.files))
    notes = sorted(document.notes, key=lambda note: note.line)
    return Attempt(
        replace(config, notes=tuple(note.render(path.name) for note in notes)), config.secret_files
    )


def read_text(path: Path) -> str | ConfigError:
    """A file of configuration as text, or why not."""
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            return ConfigError(
                [f"{path}: larger than {MAX_FILE_BYTES // 1024**2} MB, this is no configuration"]
            )
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        return ConfigError([f"{path}: no such file (`gatekit init` writes a first one)"])
    except OSError as error:
        return ConfigError([f"{path}: cannot be read: {error.strerror or error}"])
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return ConfigError([f"{path.name}:{line}: not UTF-8 text"])
