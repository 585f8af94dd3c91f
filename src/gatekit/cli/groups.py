"""``gatekit groups``: groups in the store, beside those that the configuration file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import as_json, listed, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.groups import GroupView


@click.group(short_help="Groups and who is in them.")
@placed
def groups() -> None:
    """Groups of people, for rules like `users: [developers]`.

    Groups can also stand in the configuration file; those are changed there.

    \b
    Example:
      gatekit groups add developers alice bob
    """


@groups.command()
@click.argument("group")
@located
def create(workspace: Workspace, /, group: str) -> None:
    """Make a group.

    \b
    Example:
      gatekit groups create developers
    """
    workspace.change(lambda office: office.groups.create(office.actor, group))
    click.echo(f"{group} was created")


@groups.command()
@click.argument("group")
@yes
@located
def delete(workspace: Workspace, /, group: str, yes: bool) -> None:
    """Delete a group; the people stay.

    \b
    Example:
      gatekit groups delete developers --yes
    """
    if not yes:
        click.confirm(f"Delete the group {group}?", abort=True, err=True)
    view = workspace.change(lambda office: office.groups.delete(office.actor, group))
    click.echo(
        f"{group} was deleted; it had {len(view.members)} member{'s' if len(view.members) != 1 else ''}"
    )


@groups.command()
@click.argument("group")
@click.argument("usernames", nargs=-1, required=True, metavar="USERNAME...")
@located
def add(workspace: Workspace, /, group: str, usernames: tuple[str, ...]) -> None:
    """Put people into a group.

    \b
    Example:
      gatekit groups add developers alice bob
    """
    workspace.change(lambda office: office.groups.add(office.actor, group, usernames))
    click.echo(f"in {group}: {listed(usernames)}")


@groups.command()
@click.argument("group")
@click.argument("usernames", nargs=-1, required=True, metavar="USERNAME...")
@located
def remove(workspace: Workspace, /, group: str, usernames: tuple[str, ...]) -> None:
    """Take people out of a group.

    \b
    Example:
      gatekit groups remove developers bob
    """
    workspace.change(lambda office: office.groups.remove(office.actor, group, usernames))
    click.echo(f"no longer in {group}: {listed(usernames)}")


@groups.command("list")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool) -> None:
    """List groups and their members.

    \b
    Example:
      gatekit groups list
    """

    async def work(office: Office) -> list[GroupView]:
        return list(await office.groups.list())

    views = workspace.read(work)
    if as_json:
        print_json([{"name": view.name, "members": list(view.members)} for view in views])
        return
    print_table(
        ("GROUP", "MEMBERS"),
        [(view.name, listed(view.members)) for view in views],
        "there are no groups in the store: gatekit groups create NAME",
    )
