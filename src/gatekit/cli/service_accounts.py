"""``gatekit service-accounts``: programs that come with an API key and do not sign in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import as_json, listed, minute, moment, print_json, print_table, yes
from gatekit.model.people import service_account_name

if TYPE_CHECKING:
    from gatekit.admin.service_accounts import ServiceAccountView


@click.group("service-accounts", short_help="Programs with API keys and without a sign-in.")
@placed
def service_accounts() -> None:
    """Programs that come with an API key and do not sign in.

    Lists call them service:NAME. Their keys are made like anybody's.

    \b
    Example:
      gatekit service-accounts create nightly --group readers
      gatekit keys create service:nightly --name cron --expires 90d
    """


@service_accounts.command()
@click.argument("name")
@click.option("--title", default="", help="What it is for.")
@click.option("--group", "-g", "groups", multiple=True, metavar="GROUP", help="Put it in; may be repeated.")
@located
def create(workspace: Workspace, /, name: str, title: str, groups: tuple[str, ...]) -> None:
    """Make a service account. It has no key yet.

    \b
    Example:
      gatekit service-accounts create nightly --group readers --title "nightly export"
    """

    async def work(office: Office) -> str:
        made = await office.service_accounts.create(office.actor, name, title=title, groups=groups)
        return made.username

    username = workspace.change(work)
    click.echo(f"{username} was made; gatekit keys create {username} --name NAME gives it a key")


@service_accounts.command("list")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool) -> None:
    """List service accounts.

    \b
    Example:
      gatekit service-accounts list
    """

    async def work(office: Office) -> list[ServiceAccountView]:
        return list(await office.service_accounts.list(office.actor))

    views = workspace.read(work)
    if as_json:
        print_json(
            [
                {
                    "name": view.user.login,
                    "username": view.user.username,
                    "id": view.user.id,
                    "title": view.user.display_name,
                    "groups": list(view.groups),
                    "role": view.user.role,
                    "keys": view.keys,
                    "disabled": view.user.disabled,
                    "created_at": moment(view.user.created_at),
                }
                for view in views
            ]
        )
        return
    print_table(
        ("NAME", "TITLE", "GROUPS", "KEYS", "MADE (UTC)", "STATE"),
        [
            (
                view.user.username,
                view.user.display_name or "-",
                listed(view.groups),
                str(view.keys),
                minute(view.user.created_at),
                "disabled" if view.user.disabled else "active",
            )
            for view in views
        ],
        "there are none: gatekit service-accounts create NAME",
    )


@service_accounts.command()
@click.argument("name")
@located
def disable(workspace: Workspace, /, name: str) -> None:
    """Refuse its keys from now on. Nothing is lost; `enable` takes it back.

    \b
    Example:
      gatekit service-accounts disable nightly
    """
    user = workspace.change(lambda office: office.people.disable(office.actor, service_account_name(name)))
    click.echo(f"{user.username} is disabled")


@service_accounts.command()
@click.argument("name")
@located
def enable(workspace: Workspace, /, name: str) -> None:
    """Let a disabled service account in again.

    \b
    Example:
      gatekit service-accounts enable nightly
    """
    user = workspace.change(lambda office: office.people.enable(office.actor, service_account_name(name)))
    click.echo(f"{user.username} is enabled")


@service_accounts.command()
@click.argument("name")
@yes
@located
def delete(workspace: Workspace, /, name: str, yes: bool) -> None:
    """Delete a service account with its keys.

    \b
    Example:
      gatekit service-accounts delete nightly --yes
    """
    username = service_account_name(name)
    if not yes:
        click.confirm(f"Delete {username}, with all keys?", abort=True, err=True)
    workspace.change(lambda office: office.people.delete(office.actor, username))
    click.echo(f"{username} was deleted")
