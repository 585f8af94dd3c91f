"""``gatekit groups export`` and ``import``: many groups at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located
from gatekit.cli.output import print_table
from gatekit.cli.users_files import form_of, text_of

if TYPE_CHECKING:
    from gatekit.admin.sheets import Format
    from gatekit.admin.transfer_groups import PlannedGroup


@click.command("export")
@click.option(
    "--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="As what."
)
@located
def export(workspace: Workspace, /, form: Format) -> None:
    """Print every group that was made here as CSV or JSON.

    \b
    Example:
      gatekit groups export --format csv > groups.csv
    """
    from gatekit.admin.sheets import GroupRow, write

    rows = workspace.read(lambda office: office.group_transfer.export(office.actor))
    click.echo(write(rows, form, GroupRow), nl=False)


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path, allow_dash=True))
@click.option("--format", "form", type=click.Choice(["csv", "json"]), help="By the name of the file.")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@located
def import_(workspace: Workspace, /, file: Path, form: Format | None, dry_run: bool) -> None:
    """Make and change groups as a CSV or JSON file says. All of it happens, or nothing.

    Groups that are not in the file stay as they are. Columns that are not there change nothing.

    \b
    Example:
      gatekit groups import groups.csv --dry-run
    """
    from gatekit.admin.sheets import GroupRow, read

    rows = read(text_of(file), form or form_of(file), GroupRow)
    if dry_run:
        _show(workspace.read(lambda office: office.group_transfer.plan(office.actor, rows)))
        return

    async def work(office: Office) -> Sequence[PlannedGroup]:
        plan = await office.group_transfer.plan(office.actor, rows)
        await office.group_transfer.carry_out(office.actor, plan)
        return plan

    _show(workspace.change(work))


def _show(plan: Sequence[PlannedGroup]) -> None:
    changes = [one for one in plan if one.write is not None]
    if changes:
        print_table(
            ("LINE", "ACTION", "GROUP", "BEFORE", "AFTER"),
            [(str(one.line), one.action, one.name, one.words_before, one.words_after) for one in changes],
            "",
        )
    kinds = [one.action for one in plan]
    counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    click.echo(counted or "the file holds no group", err=True)
