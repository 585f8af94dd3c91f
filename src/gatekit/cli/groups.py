"""``gatekit groups``: groups in the store, beside those that the configuration file declares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.groups_files import export, import_
from gatekit.cli.output import as_json, listed, print_facts, print_json, print_table, yes
from gatekit.model.people import LOCAL

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


@groups.command()
@click.argument("parent")
@click.argument("child")
@located
def nest(workspace: Workspace, /, parent: str, child: str) -> None:
    """Put a group into another: whoever is in CHILD is in PARENT as well.

    \b
    Example:
      gatekit groups nest engineering developers
    """
    workspace.change(lambda office: office.groups.nest(office.actor, parent, child))
    click.echo(f"whoever is in {child} is in {parent}")


@groups.command()
@click.argument("parent")
@click.argument("child")
@located
def unnest(workspace: Workspace, /, parent: str, child: str) -> None:
    """Take a group out of another.

    \b
    Example:
      gatekit groups unnest engineering developers
    """
    workspace.change(lambda office: office.groups.unnest(office.actor, parent, child))
    click.echo(f"{child} is no longer in {parent}")


@groups.command()
@click.argument("group")
@click.argument("selectors", nargs=-1, metavar="[SELECTOR]...")
@click.option("--clear", is_flag=True, help="End the rule; members who were put in by name stay.")
@located
def rule(workspace: Workspace, /, group: str, selectors: tuple[str, ...], clear: bool) -> None:
    """Fill a group by rule: whoever a selector names is in it. Replaces the rule it has.

    A selector is okta:ada, service:nightly, ada@example.com, group:sre or group:okta/Engineering.

    \b
    Example:
      gatekit groups rule developers group:okta/Engineering ada@example.com
    """
    if clear == bool(selectors):
        raise click.UsageError("write selectors, or --clear and none")
    made = workspace.change(lambda office: office.groups.rule(office.actor, group, selectors))
    click.echo(f"in {group} by rule: {listed(made.selectors)}")


@groups.command()
@click.argument("group")
@as_json
@located
def show(workspace: Workspace, /, group: str, as_json: bool) -> None:
    """Show one group: members, nested groups, rule. CONNECTION/NAME is a group of a provider.

    \b
    Example:
      gatekit groups show developers
    """
    source, slash, name = group.partition("/")
    where = (name, source) if slash else (group, "local")
    facts = _facts(workspace.read(lambda office: office.groups.show(office.actor, *where)))
    if as_json:
        print_json(facts)
    else:
        print_facts(
            {key: listed(value) if isinstance(value, list) else str(value) for key, value in facts.items()}
        )


for _command in (export, import_):
    groups.add_command(_command)


@groups.command("list")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool) -> None:
    """List groups: those made here with who is in them, and those that providers know.

    \b
    Example:
      gatekit groups list
    """

    async def work(office: Office) -> list[GroupView]:
        return list(await office.groups.list(office.actor, members=True))

    views = workspace.read(work)
    if as_json:
        print_json([_facts(view) for view in views])
        return
    print_table(
        ("GROUP", "MEMBERS", "NESTED", "RULE"),
        [
            (
                view.name if view.source == LOCAL else f"{view.source}/{view.name}",
                listed(view.members) if view.source == LOCAL else f"{view.size}",
                listed(view.children),
                listed(view.selectors),
            )
            for view in views
        ],
        "there are no groups in the store: gatekit groups create NAME",
    )


def _facts(view: GroupView) -> dict[str, Any]:
    return {
        "name": view.name,
        "source": view.source,
        "title": view.title,
        "size": view.size,
        "members": list(view.members),
        "children": list(view.children),
        "parents": list(view.parents),
        "rule": list(view.selectors),
    }
