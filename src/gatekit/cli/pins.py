"""``gatekit pins``: what servers say of their tools, and who agreed to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import as_json, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.pins import Pins, PinView
    from gatekit.model.pins import Pin


def _desk(office: Office) -> Pins:
    from gatekit.admin.pins import Pins

    return office.of(Pins)


@click.group()
@placed
def pins() -> None:
    """What servers say of their tools, and who agreed to it.

    \b
    Example:
      gatekit pins list --waiting
    """


@pins.command("list")
@click.option("--server", default="", help="Only those of this server.")
@click.option("--waiting", is_flag=True, help="Only what waits for a look.")
@as_json
@located
def list_(workspace: Workspace, /, server: str, waiting: bool, as_json: bool) -> None:
    """List definitions that servers gave, with what is suspicious about them.

    \b
    Example:
      gatekit pins list --server github --waiting
    """

    async def work(office: Office) -> list[Pin]:
        return list(await _desk(office).list(office.actor, server, waiting=waiting))

    found = workspace.read(work)
    if as_json:
        print_json([_facts(pin) for pin in found])
        return
    print_table(
        ("ID", "SERVER", "KIND", "NAME", "STATE", "SUSPICIOUS", "SEEN (UTC)", "DECIDED BY"),
        [
            (
                pin.id[:12],
                pin.server,
                pin.kind,
                _safe(pin.name),
                pin.state,
                ", ".join(pin.flags),
                minute(pin.seen_at),
                pin.decided_by,
            )
            for pin in found
        ],
        "nothing waits" if waiting else "nothing was seen yet: a definition is kept when it is first listed",
    )


@pins.command()
@click.argument("pin_id", metavar="ID")
@as_json
@located
def diff(workspace: Workspace, /, pin_id: str, as_json: bool) -> None:
    """Show what a definition changes, or all of it if it is the first of its name.

    What cannot be seen is written as an escape.

    \b
    Example:
      gatekit pins diff 3f2a9c01d4e7
    """

    async def work(office: Office) -> PinView:
        return await _desk(office).show(office.actor, pin_id)

    view = workspace.read(work)
    if as_json:
        before = _facts(view.before) if view.before else None
        print_json({**_facts(view.pin), "before": before, "lines": list(view.lines)})
        return
    pin = view.pin
    seen = minute(pin.seen_at)
    click.echo(f"{pin.server} {pin.kind} {_safe(pin.name)}: {pin.state}, first seen {seen} UTC")
    if pin.flags:
        click.echo(f"suspicious: {', '.join(pin.flags)}")
    click.echo(f"against {view.before.id[:12]} ({view.before.state})" if view.before else "nothing before it")
    for line in view.lines:
        click.echo(line)


@pins.command()
@click.argument("pin_ids", metavar="[ID]...", nargs=-1)
@click.option("--server", default="", help="Everything of this server that waits now.")
@yes
@located
def approve(workspace: Workspace, /, pin_ids: tuple[str, ...], server: str, yes: bool) -> None:
    """Agree to definitions: from now on they are listed and may be called.

    \b
    Example:
      gatekit pins approve 3f2a9c01d4e7
      gatekit pins approve --server github
    """
    if bool(pin_ids) == bool(server):
        raise click.UsageError("name definitions by their ids, or --server for all that wait there")
    if server:
        pin_ids = _waiting(workspace, server, yes)

    async def work(office: Office) -> list[Pin]:
        return [await _desk(office).approve(office.actor, pin_id) for pin_id in pin_ids]

    for pin in workspace.change(work):
        click.echo(f"{pin.server} {pin.kind} {_safe(pin.name)} is approved as {pin.id[:12]} defines it")


def _waiting(workspace: Workspace, server: str, yes: bool) -> tuple[str, ...]:
    """The ids of what waits, shown and agreed to: what comes later is not meant."""

    async def work(office: Office) -> list[Pin]:
        return list(await _desk(office).list(office.actor, server, waiting=True))

    found = workspace.read(work)
    for pin in found:
        click.echo(f"{pin.id[:12]}  {pin.kind} {_safe(pin.name)}  {', '.join(pin.flags)}", err=True)
    if not found:
        click.echo("nothing waits", err=True)
    elif not yes:
        click.confirm(f"Approve {len(found)} definitions of {server}?", abort=True, err=True)
    return tuple(pin.id for pin in found)


@pins.command()
@click.argument("pin_ids", metavar="ID...", nargs=-1, required=True)
@located
def reject(workspace: Workspace, /, pin_ids: tuple[str, ...]) -> None:
    """Withhold definitions for good: nobody is shown them, nobody calls them.

    Also one that was trusted or approved before.

    \b
    Example:
      gatekit pins reject 3f2a9c01d4e7
    """

    async def work(office: Office) -> list[Pin]:
        return [await _desk(office).reject(office.actor, pin_id) for pin_id in pin_ids]

    for pin in workspace.change(work):
        click.echo(f"{pin.server} {pin.kind} {_safe(pin.name)} is withheld as {pin.id[:12]} defines it")


def _safe(name: str) -> str:
    from gatekit.model.pins import visible

    return visible(name[:100])


def _facts(pin: Pin) -> dict[str, object]:
    return {
        "id": pin.id,
        "server": pin.server,
        "kind": pin.kind,
        "name": pin.name,
        "digest": pin.digest,
        "state": pin.state,
        "flags": list(pin.flags),
        "seen_at": moment(pin.seen_at),
        "decided_at": moment(pin.decided_at),
        "decided_by": pin.decided_by or None,
        "definition": pin.definition,
    }
