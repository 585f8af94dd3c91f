"""``gatekit keys``: API keys for clients that cannot do OAuth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import Duration, as_json, listed, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.keys import KeyView


@click.group(short_help="API keys for clients that cannot do OAuth.")
@placed
def keys() -> None:
    """API keys: pasted into a client's configuration as `Authorization: Bearer gk_key_…`.

    \b
    Example:
      gatekit keys create alice --name laptop --server docs --expires 30d
    """


@keys.command()
@click.argument("username")
@click.option("--name", required=True, help="What it is for; you will see it in lists and in the audit.")
@click.option(
    "--server",
    "--servers",
    "-s",
    "servers",
    multiple=True,
    metavar="SERVER",
    help="A server it opens; may be repeated, or several with commas. None: all that its owner may use.",
)
@click.option("--read-only", is_flag=True, help="It lists and reads, and calls no tool.")
@click.option("--expires", type=Duration(), default="90d", show_default=True, help="At most 366d.")
@as_json
@located
def create(
    workspace: Workspace,
    /,
    username: str,
    servers: tuple[str, ...],
    read_only: bool,
    expires: int,
    as_json: bool,
    name: str,
) -> None:
    """Make a key for a person and print it. It is shown this once.

    \b
    Example:
      gatekit keys create alice --name laptop --server docs --expires 30d
    """
    names = tuple(part.strip() for server in servers for part in server.split(",") if part.strip())
    issued = workspace.change(
        lambda office: office.keys.create(
            office.actor,
            username,
            name=name,
            servers=names,
            valid_for=expires,
            read_only=read_only,
            known_servers=workspace.servers,
        )
    )
    key = issued.key
    if as_json:
        print_json({"token": issued.token, "id": key.id, "expires_at": moment(key.expires_at)})
        return
    click.echo(issued.token)
    opens = listed(key.servers) if key.servers else f"every server {issued.owner} may use"
    click.echo(
        f"Key {key.id} of {issued.owner}, good until {minute(key.expires_at)} UTC, opens: {opens}"
        f"{' (reading only)' if key.read_only else ''}",
        err=True,
    )
    click.echo("It is not shown again. Use it as a header: Authorization: Bearer <key>", err=True)


@keys.command("list")
@click.option("--user", "username", help="Only the keys of this person.")
@as_json
@located
def list_(workspace: Workspace, /, username: str | None, as_json: bool) -> None:
    """List keys (never the secrets).

    \b
    Example:
      gatekit keys list --user alice
    """

    async def work(office: Office) -> list[KeyView]:
        return list(await office.keys.list(office.actor, username))

    views = workspace.read(work)
    if as_json:
        print_json([_facts(view) for view in views])
        return
    print_table(
        ("ID", "OWNER", "NAME", "KEY", "SERVERS", "MAY", "EXPIRES (UTC)", "LAST USED", "STATE"),
        [
            (
                view.key.id,
                view.owner,
                view.key.name,
                f"…{view.key.hint}",
                listed(view.key.servers) if view.key.servers else "all",
                "read" if view.key.read_only else "read, call",
                minute(view.key.expires_at),
                minute(view.key.last_used_at),
                view.state,
            )
            for view in views
        ],
        "there are no keys: gatekit keys create USERNAME --name NAME",
    )


@keys.command()
@click.argument("key_id", metavar="ID")
@yes
@located
def revoke(workspace: Workspace, /, key_id: str, yes: bool) -> None:
    """End a key at once and for good.

    \b
    Example:
      gatekit keys revoke key_01KB3T… --yes
    """
    if not yes:
        click.confirm(f"Revoke the key {key_id}? It cannot be taken back", abort=True, err=True)
    key = workspace.change(lambda office: office.keys.revoke(office.actor, key_id))
    click.echo(f"{key.id} ({key.name}) is revoked")


def _facts(view: KeyView) -> dict[str, Any]:
    key = view.key
    return {
        "id": key.id,
        "owner": view.owner,
        "name": key.name,
        "hint": key.hint,
        "servers": list(key.servers),
        "read_only": key.read_only,
        "state": view.state,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "last_used_at": moment(key.last_used_at),
    }
