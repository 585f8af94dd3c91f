"""``gatekit check``: what the file means, what is weak about it, or everything that is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click


@click.command("check", short_help="Check the configuration and show what it means.")
@click.option(
    "--config",
    "-c",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("gatekit.yaml"),
    show_default=True,
    envvar="GATEKIT_CONFIG",
    help="The configuration file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def check(path: Path, as_json: bool) -> None:
    """Check the configuration, print what it resolves to (without secrets), and warn of weak settings.

    The cases under `policy_tests` are tried. Exit code 0: the file can be used. 1: it can, and a case of
    `policy_tests` comes out otherwise. 2: it cannot; every fault is listed with its line.

    \b
    Example:
      gatekit check --config /etc/gatekit/gatekit.yaml
    """
    from gatekit.config.checks import warnings
    from gatekit.config.load import load
    from gatekit.config.show import describe
    from gatekit.errors import ConfigError
    from gatekit.policy.cases import failures
    from gatekit.policy.engine import Policy

    try:
        config = load(path)
    except ConfigError as error:
        _refuse(error.faults, as_json)
        sys.exit(ConfigError.exit_code)
    found = warnings(config)
    shown = describe(config)
    failed = failures(Policy.compile(config.rules), config.policy_tests) if config.policy_tests else ()
    otherwise = [f"policy_tests: {failure.case.name}: {failure.why}" for failure in failed]
    if as_json:
        _json({"ok": not otherwise, "faults": otherwise, "warnings": list(found), "config": shown})
        sys.exit(1 if otherwise else 0)
    click.echo("\n".join(_lines(shown)))
    click.echo()
    for text in found:
        click.echo(f"warning: {text}")
    if otherwise:
        click.echo("\n".join(otherwise), err=True)
        sys.exit(1)
    count = f"{len(found)} warning{'s' if len(found) != 1 else ''}" if found else "no warnings"
    servers = f"{len(config.servers)} server{'s' if len(config.servers) != 1 else ''}"
    if config.virtual:
        servers += f", {len(config.virtual)} virtual"
    click.echo(f"{config.path.name}: ok, {servers}, {count}")


def _refuse(faults: tuple[str, ...], as_json: bool) -> None:
    if as_json:
        _json({"ok": False, "faults": list(faults), "warnings": [], "config": None})
        return
    for fault in faults:
        click.echo(fault, err=True)
    click.echo(f"{len(faults)} fault{'s' if len(faults) != 1 else ''}; nothing was changed", err=True)


def _json(document: dict[str, Any]) -> None:
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(document), indent=2).decode())


def _lines(value: dict[str, Any], depth: int = 0) -> list[str]:
    """The resolved configuration as indented text, close to YAML."""
    lines: list[str] = []
    margin = "  " * depth
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines.append(f"{margin}{key}:")
            lines.extend(_lines(item, depth + 1))
        else:
            lines.append(f"{margin}{key}: {_words(item) if key == 'command' else _scalar(item)}")
    return lines


def _words(words: list[str]) -> str:
    """A command as one would type it; only for the eye, since masked words are no words."""
    return " ".join(word if word and not any(map(str.isspace, word)) else f'"{word}"' for word in words)


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
