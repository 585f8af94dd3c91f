"""``gatekit plan`` and ``gatekit apply``: what another file would change, and to let it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatekit.cli.context import DATABASE, Office, Workspace, located
from gatekit.cli.output import as_json, plain, print_json, yes

if TYPE_CHECKING:
    from gatekit.cli.planning import Plan

CHANGED = 2
"""Exit code of `plan`: something would change. A file that cannot be used is 1."""
SHOWN = 5
"""People named for one change; the others are counted."""
_MARKS = {"+": "green", "-": "red", "~": "yellow"}


@click.command(short_help="Show what another file would change.")
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@as_json
@located
def plan(workspace: Workspace, /, new: Path, as_json: bool) -> None:
    """Show what NEW would change in place of the file that is in force. Nothing is changed.

    Who gains and loses what is worked out for everybody in the store, for whoever a file names, and for each
    group, over tools that were seen or are named. Exit code 0: nothing changes, 1: NEW cannot be used, 2:
    something changes.

    \b
    Example:
      gatekit plan new.yaml --config /etc/gatekit/gatekit.yaml
    """
    found = _planned(workspace, new)
    if as_json:
        print_json(found.facts())
    else:
        _print(found)
    sys.exit(1 if found.faults else CHANGED if found.changed else 0)


@click.command(short_help="Let another file take the place of the one in force.")
@click.argument("new", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@yes
@click.option("--wait", default=10.0, show_default=True, help="Seconds to wait for the gateway to say so.")
@located
def apply(workspace: Workspace, /, new: Path, yes: bool, wait: float) -> None:
    """Put NEW in the place of the file that is in force, in one step; a running gateway takes it at once.

    NEW must pass `gatekit check`, its `policy_tests` included. The file that was there is kept beside it as
    `gatekit.yaml.previous`. Exit code 1: NEW cannot be used, or the gateway refused it.

    \b
    Example:
      gatekit apply new.yaml --config /etc/gatekit/gatekit.yaml
    """
    from gatekit.cli.planning import put, taken

    found = _planned(workspace, new)
    _print(found)
    if found.faults:
        sys.exit(1)
    if not found.differs:
        return
    if not yes:
        click.confirm(f"Apply {new} as {found.target}?", abort=True, err=True)
    started = workspace.change(lambda office: put(office, found))
    click.echo(f"{found.target} is {new} now; what was there is {found.previous}")
    outcome = taken(workspace, started, wait)
    if outcome is None:
        click.echo("no gateway said that it applies it: none runs here, or it still waits", err=True)
        return
    click.echo(f"the gateway {'applied' if not outcome else 'refused'} it{plain(outcome and f': {outcome}')}")
    sys.exit(1 if outcome else 0)


def _planned(workspace: Workspace, new: Path) -> Plan:
    from gatekit.cli.planning import planned

    if not (workspace.data_dir / DATABASE).exists():
        return asyncio.run(planned(None, workspace, new))

    async def work(office: Office) -> Plan:
        return await planned(office, workspace, new)

    return workspace.read(work)


def _print(found: Plan) -> None:
    if found.faults:
        for fault in found.faults:
            click.echo(fault, err=True)
        click.echo(f"{len(found.faults)} faults; nothing was changed", err=True)
        return
    for mark, text in _lines(found):
        click.echo(click.style(f"{mark} {plain(text)}", fg=_MARKS.get(mark)))
    if found.restart:
        click.echo(f"waits for a restart: {', '.join(found.restart)}")
    if not found.differs:
        click.echo("the file is the same, byte for byte")
    elif not found.changed:
        click.echo("nothing changes in what it means")


def _lines(found: Plan) -> list[tuple[str, str]]:
    lines = [(mark, f"server {name}") for mark, name in found.servers]
    lines += [(mark, f"rule {title}") for mark, title in found.rules]
    lines += [("~", f"setting {name}") for name in found.settings]
    for change in found.changes:
        mark = "+" if change.gains else "-" if change.loses else "~"
        thing = f"{change.server} {change.kind} {change.name}" if change.name else change.server
        who = ", ".join(change.who[:SHOWN])
        more = f" and {len(change.who) - SHOWN} more" if len(change.who) > SHOWN else ""
        lines.append((mark, f"{thing}: {change.was} → {change.now} for {who}{more}"))
    return lines
