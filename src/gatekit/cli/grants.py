"""``gatekit grants``: what people allowed which clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import as_json, listed, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.grants import GrantView


@click.group(short_help="What people allowed which clients; revoke it.")
@placed
def grants() -> None:
    """Grants: a person let a client use servers. Revoking a grant ends every token that came from it.

    \b
    Example:
      gatekit grants list --user alice
    """


@grants.command("list")
@click.option("--user", "username", help="Only of this person.")
@click.option("--client", "client_id", metavar="ID", help="Only of this client.")
@click.option("--all", "ended", is_flag=True, help="Also those that are revoked or expired.")
@as_json
@located
def list_(
    workspace: Workspace, /, username: str | None, client_id: str | None, ended: bool, as_json: bool
) -> None:
    """List grants.

    \b
    Example:
      gatekit grants list --user alice
    """

    async def work(office: Office) -> list[GrantView]:
        return list(await office.grants.list(office.actor, username, client_id, ended=ended))

    views = workspace.read(work)
    if as_json:
        print_json([_facts(view) for view in views])
        return
    print_table(
        ("ID", "USER", "CLIENT", "RESOURCES", "GRANTED (UTC)", "EXPIRES (UTC)", "STATE"),
        [
            (
                view.grant.id,
                view.username,
                view.client_name,
                listed(view.grant.resources),
                minute(view.grant.created_at),
                minute(view.grant.expires_at),
                view.state,
            )
            for view in views
        ],
        "there are no grants",
    )


@grants.command()
@click.argument("grant_id", metavar="[ID]", required=False)
@click.option("--user", "username", help="Revoke all of this person.")
@click.option("--client", "client_id", metavar="ID", help="Revoke all of this client.")
@yes
@located
def revoke(
    workspace: Workspace, /, grant_id: str | None, username: str | None, client_id: str | None, yes: bool
) -> None:
    """Revoke one grant, or all of a person, a client, or a person with a client.

    \b
    Example:
      gatekit grants revoke --user bob --yes
    """
    if (grant_id is not None) == (username is not None or client_id is not None):
        raise click.UsageError("give the ID of one grant, or --user and/or --client")
    whose = " with ".join(text for text in (username, client_id) if text)
    if not yes:
        what = f"the grant {grant_id}" if grant_id else f"all grants of {whose}"
        click.confirm(f"Revoke {what}? They will have to sign in again", abort=True, err=True)
    if grant_id is not None:
        one = grant_id
        view = workspace.change(lambda office: office.grants.revoke(office.actor, one))
        click.echo(f"{view.grant.id} ({view.username}, {view.client_name}) is revoked")
        return
    ended = workspace.change(lambda office: office.grants.revoke_all(office.actor, username, client_id))
    click.echo(f"{len(ended)} grant{'s' if len(ended) != 1 else ''} of {whose} revoked")


def _facts(view: GrantView) -> dict[str, Any]:
    grant = view.grant
    return {
        "id": grant.id,
        "user": view.username,
        "client_id": grant.client_id,
        "client_name": view.client_name,
        "resources": list(grant.resources),
        "scopes": list(grant.scopes),
        "state": view.state,
        "created_at": moment(grant.created_at),
        "expires_at": moment(grant.expires_at),
        "revoked_at": moment(grant.revoked_at),
        "revoke_reason": grant.revoke_reason,
    }
