"""How commands for people print: a table for the eye, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import click

from gatekit.config.units import seconds

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
yes = click.option("--yes", is_flag=True, help="Do not ask.")


class Duration(click.ParamType[int]):
    """``30d``, ``48h`` → seconds."""

    name = "DURATION"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(seconds(value))
        except ValueError as error:
            self.fail(f"{value!r} is not {error}", param, ctx)


def moment(at: int | None) -> str | None:
    """ISO 8601, UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(at: int | None) -> str:
    """For a table."""
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def print_json(value: object) -> None:
    import json

    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> None:
    """``nothing`` is said (on standard error) when there are no rows."""
    if not rows:
        click.echo(nothing, err=True)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=1000)  # a program or a file: nothing is cut or wrapped
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    # rich pads every line to the table's width, which is noise in a file
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def print_facts(facts: Mapping[str, str]) -> None:
    """One thing, a line for each of its facts."""
    width = max(map(len, facts))
    for name, value in facts.items():
        click.echo(f"{name.ljust(width)}  {plain(value) or '-'}")


def plain(text: str) -> str:
    """Names come from strangers: no control character of theirs reaches the terminal."""
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def listed(texts: Sequence[str]) -> str:
    return ", ".join(texts) or "-"
