"""``gatekit init``: write a commented starter file."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command("init", short_help="Write a commented starter file.")
@click.argument("path", type=click.Path(path_type=Path), default=Path("gatekit.yaml"), required=False)
@click.option("--force", is_flag=True, help="Overwrite a file that exists.")
def init(path: Path, force: bool) -> None:
    """Write a commented configuration to PATH (default: gatekit.yaml here; a folder gets one inside).

    \b
    Example:
      gatekit init /etc/gatekit/gatekit.yaml
    """
    from gatekit.config.load import DEFAULT_NAME
    from gatekit.config.starter import STARTER

    target = path / DEFAULT_NAME if path.is_dir() else path
    # Exclusive creation, so that two of us, or a link put there meanwhile, cannot cost anybody a file.
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL)
    try:
        # 0600: the file may come to hold secrets.
        with open(os.open(target, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(STARTER)
    except FileExistsError:
        raise click.ClickException(f"{target} exists; --force overwrites it") from None
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror or error}") from None
    click.echo(f"wrote {target}; next: gatekit check --config {target}")
