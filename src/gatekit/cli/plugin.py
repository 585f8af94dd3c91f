"""``gatekit plugin``: what there is, whether it works, and a beginning for one's own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekit.cli.context import with_config
from gatekit.cli.output import as_json, print_json, print_table

if TYPE_CHECKING:
    from gatekit.config.model import Config


@click.group(short_help="Plugins: list, check, begin one.")
def plugin() -> None:
    """Plugins look at what passes, and have a say. See docs/plugins.md.

    \b
    Example:
      gatekit plugin new no_drop && gatekit plugin check
    """


@plugin.command("list")
@as_json
@with_config
def list_(path: Path, /, as_json: bool) -> None:
    """List what can stand behind `use`: built in, installed, and in the plugins_dir of the file.

    \b
    Example:
      gatekit plugin list --config gatekit.yaml
    """
    from gatekit.plugins import loader

    config = _config(path)
    folder = config.plugins.folder if config is not None else ""
    rows = [{"use": name, "from": "built in"} for name in loader.builtin()]
    rows += [{"use": point.name, "from": f"installed: {point.value}"} for point in loader.installed()]
    rows += [{"use": name, "from": str(Path(folder) / f"{name}.py")} for name in loader.in_folder(folder)]
    if as_json:
        print_json(rows)
    else:
        print_table(("use", "from"), [(row["use"], row["from"]) for row in rows], "none")


@plugin.command("check")
@as_json
@with_config
def check(path: Path, /, as_json: bool) -> None:
    """Load every plugin of the file, check its options, and show the order for each server.

    \b
    Example:
      gatekit plugin check --config gatekit.yaml
    """
    from gatekit.config.load import load
    from gatekit.plugins import loader

    config = load(path)
    rows = []
    for server in config.servers:
        entries = [loader.make(spec, config.plugins.folder) for spec in config.plugins.of(server.server.name)]
        for number, entry in enumerate(sorted(entries, key=lambda one: one.priority), 1):
            rows.append(
                {
                    "server": server.server.name,
                    "order": number,
                    "name": entry.name,
                    "priority": entry.priority,
                    "on_error": entry.on_error,
                    "deadline": entry.deadline,
                    "hooks": sorted(hook.removeprefix("on_") for hook in entry.plugin.hooks),
                }
            )
    if as_json:
        print_json(rows)
        return
    print_table(
        ("server", "order", "name", "priority", "on error", "deadline", "hooks"),
        [
            (
                str(row["server"]),
                str(row["order"]),
                str(row["name"]),
                str(row["priority"]),
                str(row["on_error"]),
                f"{row['deadline']:g}s",
                ", ".join(row["hooks"]) if isinstance(row["hooks"], list) else "",
            )
            for row in rows
        ],
        "the file names no plugins",
    )


@plugin.command("new")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the package is made.  [default: here]",
)
def new(name: str, folder: Path) -> None:
    """Begin a package with a plugin NAME, an entry point and a test.

    \b
    Example:
      gatekit plugin new no_drop
    """
    from gatekit.cli.plugin_files import check_name, files

    check_name(name)
    target = folder / name
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise click.ClickException(f"{target} exists") from None
    except OSError as error:
        raise click.ClickException(f"{target} cannot be made: {error.strerror or error}") from None
    for place, text in files(name).items():
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (target / place).write_text(text, encoding="utf-8")
    click.echo(f"wrote {target}")
    click.echo(f"next: pip install -e {target}[test] && pytest {target}, then `- use: {name}` in the file")


def _config(path: Path) -> Config | None:
    """The file, if there is one: what is built in can be listed without."""
    from gatekit.config.load import load

    return load(path) if path.exists() else None
