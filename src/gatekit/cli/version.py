"""``gatekit version``."""

from __future__ import annotations

import click

from gatekit import __version__


@click.command()
def version() -> None:
    """Show the version.

    \b
    Example:
      gatekit version
    """
    click.echo(f"gatekit {__version__}")
