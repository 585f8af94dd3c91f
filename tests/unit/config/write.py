"""Write a configuration into a folder of the test, and load it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from gatekit.config.load import load, try_load
from gatekit.config.model import Config
from gatekit.errors import ConfigError

EXAMPLES = Path(__file__).with_name("examples")


def write(folder: Path, text: str, name: str = "gatekit.yaml") -> Path:
    path = folder / name
    path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    return path


def loaded(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    return load(write(folder, text), environ or {})


def faults(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """What is wrong, without the name of the file: ``14: servers.database.comand: unknown key …``."""
    outcome = try_load(write(folder, text), environ or {}).outcome
    found = outcome.faults if isinstance(outcome, ConfigError) else ()
    return tuple(line.removeprefix("gatekit.yaml:") for line in found)
