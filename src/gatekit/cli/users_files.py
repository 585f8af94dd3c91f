"""``gatekit users export`` and ``import``: many people at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located
from gatekit.cli.output import print_table
from gatekit.errors import InvalidInput

if TYPE_CHECKING:
    from gatekit.admin.sheets import Format
    from gatekit.admin.transfer import Plan

MAX_BYTES = 64 * 1024 * 1024

_format = click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), help="By the name of the file."
)


@click.command("export")
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="As what."
)
@located
def export(workspace: Workspace, /, form: Format) -> None:
    """Print everybody as CSV or JSON: for a spreadsheet, another program, or `import`.

    \b
    Example:
      gatekit users export --format csv > people.csv
    """
    from gatekit.admin.sheets import PersonRow, write

    rows = workspace.read(lambda office: office.transfer.export(office.actor))
    click.echo(write(rows, form, PersonRow), nl=False)


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@_format
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@located
def import_(workspace: Workspace, /, file: Path, form: Format | None, dry_run: bool) -> None:
    """Add, change and disable people as a CSV or JSON file says. All of it happens, or nothing.

    Whoever is not in the file stays as they are. Columns that are not there change nothing.

    \b
    Example:
      gatekit users import people.csv --dry-run
    """
    from gatekit.admin.sheets import PersonRow, read

    rows = read(text_of(file), form or form_of(file), PersonRow)
    if dry_run:
        _show(workspace.read(lambda office: office.transfer.plan(office.actor, rows)))
        return

    async def work(office: Office) -> Plan:
        plan = await office.transfer.plan(office.actor, rows)
        await office.transfer.carry_out(office.actor, plan)
        return plan

    _show(workspace.change(work))


def _show(plan: Plan) -> None:
    changes = plan.changes()
    if changes:
        print_table(
            ("LINE", "ACTION", "USERNAME", "BEFORE", "AFTER"),
            [
                (str(one.line), one.action, one.write.user.username, one.words_before, one.words_after)
                for one in changes
            ],
            "",
        )
    kinds = [one.action for one in plan.people]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    click.echo(counted or "the file holds nobody", err=True)


def form_of(file: Path) -> Format:
    """By its name."""
    return "json" if file.suffix.lower() == ".json" else "csv"


def text_of(file: Path) -> str:
    """Raises ``InvalidInput``."""
    try:
        raw = sys.stdin.buffer.read(MAX_BYTES + 1) if str(file) == "-" else _content(file)
        if len(raw) > MAX_BYTES:
            raise InvalidInput(f"{file}: larger than {MAX_BYTES // 1024 // 1024} MB")
        return raw.decode("utf-8")
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise InvalidInput(f'{file}: not UTF-8; save it as "CSV UTF-8"') from None


def _content(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)
