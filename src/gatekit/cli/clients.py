"""``gatekit clients``: OAuth clients, whether they registered or stand in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import (
    Duration,
    as_json,
    listed,
    minute,
    moment,
    print_facts,
    print_json,
    print_table,
    yes,
)

if TYPE_CHECKING:
    from gatekit.model.oauth import Client


@click.group(short_help="OAuth clients.")
@placed
def clients() -> None:
    """OAuth clients. Most register by themselves; their names are what they say of themselves. Those of the
    configuration file appear here once a gateway has read it.

    \b
    Example:
      gatekit clients list
    """


@clients.command("list")
@as_json
@located
def list_(workspace: Workspace, /, as_json: bool) -> None:
    """List clients.

    \b
    Example:
      gatekit clients list --json
    """

    async def work(office: Office) -> list[Client]:
        return list(await office.clients.list(office.actor))

    found = workspace.read(work)
    if as_json:
        print_json([_facts(client) for client in found])
        return
    print_table(
        (
            *("ID", "NAME (SELF-ASSERTED)", "FROM", "PROVES ITSELF BY"),
            *("REDIRECTS TO", "KNOWN SINCE (UTC)", "LAST SIGN-IN", "STATE"),
        ),
        [
            (
                client.id,
                client.name,
                _ORIGINS[client.source],
                _PROOFS[client.auth_method],
                listed(client.redirect_uris),
                minute(client.created_at),
                minute(client.last_used_at),
                "disabled" if client.disabled else "active",
            )
            for client in found
        ],
        "no client has registered yet",
    )


@clients.command()
@click.argument("client_id", metavar="ID")
@as_json
@located
def show(workspace: Workspace, /, client_id: str, as_json: bool) -> None:
    """Show everything about one client.

    \b
    Example:
      gatekit clients show cli_01KB3T…
    """
    facts = _facts(workspace.read(lambda office: office.clients.show(office.actor, client_id)))
    if as_json:
        print_json(facts)
    else:
        print_facts({name: _word(value) for name, value in facts.items()})


@clients.command()
@click.argument("client_id", metavar="ID")
@located
def disable(workspace: Workspace, /, client_id: str) -> None:
    """Refuse a client everywhere from now on. Nothing is lost; `enable` takes it back.

    \b
    Example:
      gatekit clients disable cli_01KB3T…
    """
    client = workspace.change(lambda office: office.clients.disable(office.actor, client_id))
    click.echo(f"{client.id} is disabled")


@clients.command()
@click.argument("client_id", metavar="ID")
@located
def enable(workspace: Workspace, /, client_id: str) -> None:
    """Let a disabled client in again.

    \b
    Example:
      gatekit clients enable cli_01KB3T…
    """
    client = workspace.change(lambda office: office.clients.enable(office.actor, client_id))
    click.echo(f"{client.id} is enabled")


@clients.command("renew-secret")
@click.argument("client_id", metavar="ID")
@click.option(
    "--overlap",
    type=Duration(),
    default="1d",
    show_default=True,
    help="How long the secret it has stays good; 0 ends it now. At most 30d.",
)
@as_json
@located
def renew_secret(workspace: Workspace, /, client_id: str, overlap: int, as_json: bool) -> None:
    """Give a registered client another secret. It is shown once.

    \b
    Example:
      gatekit clients renew-secret cli_01KB3T… --overlap 12h
    """
    client, secret = workspace.change(
        lambda office: office.clients.renew_secret(office.actor, client_id, overlap)
    )
    if as_json:
        print_json({"id": client.id, "client_secret": secret, "overlap_seconds": overlap})
        return
    click.echo(secret)
    rest = f"stays good for {overlap} seconds" if overlap else "is refused from now on"
    click.echo(f"The new secret of {client.id}; the old one {rest}.", err=True)


@clients.command()
@click.argument("client_id", metavar="ID")
@yes
@located
def delete(workspace: Workspace, /, client_id: str, yes: bool) -> None:
    """Delete a client and everything that was granted to it.

    \b
    Example:
      gatekit clients delete cli_01KB3T… --yes
    """
    if not yes:
        click.confirm(f"Delete the client {client_id} with all its grants?", abort=True, err=True)
    client = workspace.change(lambda office: office.clients.delete(office.actor, client_id))
    click.echo(f"{client.id} was deleted")


_ORIGINS = {"dynamic": "registration", "configured": "file", "document": "its document"}
_PROOFS = {
    "none": "nothing",
    "client_secret_post": "secret",
    "client_secret_basic": "secret",
    "private_key_jwt": "key",
}


def _facts(client: Client) -> dict[str, Any]:
    return {
        "id": client.id,
        "name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "client_uri": client.client_uri,
        "auth_method": client.auth_method,
        "jwks_uri": client.jwks_uri,
        "servers": list(client.servers),
        "grant_types": list(client.grant_types),
        "scope": client.scope,
        "application_type": client.application_type,
        "source": client.source,
        "disabled": client.disabled,
        "created_at": moment(client.created_at),
        "last_used_at": moment(client.last_used_at),
    }


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value or "")
