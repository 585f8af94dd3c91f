"""``gatekit demo``: three published servers, two people, one gateway. No logic: see ``demo/``."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("demo", short_help="Run a gateway with three real servers and two people.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Where the demonstration keeps its servers, configuration and data.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Where to begin."
)
@click.option("--check", is_flag=True, help="Walk the whole story without a person, and exit 0 if it held.")
def demo(folder: Path, port: int, check: bool) -> None:
    """Run a gateway with three real servers and two people, and say what to try.

    Fetches the servers from the package registries once. Stays up until Ctrl-C.

    \b
    Example:
      gatekit demo
      gatekit demo --check
    """
    from gatekit.demo.run import run_check, run_demo

    sys.exit(run_check(folder.resolve()) if check else run_demo(folder.resolve(), port))
