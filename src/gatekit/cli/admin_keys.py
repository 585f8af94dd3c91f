"""``gatekit admin-keys``: keys for programs that administrate Gatekit over ``/api/v1``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from gatekit.cli.context import Office, Workspace, located, placed
from gatekit.cli.output import Duration, as_json, listed, minute, moment, print_json, print_table, yes

if TYPE_CHECKING:
    from gatekit.admin.admin_keys import AdminKeyView


@click.group(name="admin-keys", short_help="Keys for programs that administrate, over the REST interface.")
@placed
def admin_keys() -> None:
    """Admin keys: what a program sends to /api/v1 as `Authorization: Bearer gk_adm_…`.

    A key does what its scopes say, and never more than its owner may at that moment.

    \b
    Example:
      gatekit admin-keys create alice --name terraform --scope people:read --expires 30d
    """


@admin_keys.command()
@click.argument("username")
@click.option("--name", required=True, help="What it is for; you will see it in lists and in the audit.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What it may do, e.g. people:read; may be repeated, or several with commas.",
)
@click.option("--read-all", is_flag=True, help="Every scope that only reads.")
@click.option(
    "--from",
    "addresses",
    multiple=True,
    metavar="NETWORK",
    help="Where it may be used from, e.g. 192.0.2.0/24; may be repeated. None: anywhere.",
)
@click.option("--expires", type=Duration(), default="90d", show_default=True, help="At most 366d.")
@as_json
@located
def create(
    workspace: Workspace,
    /,
    username: str,
    scopes: tuple[str, ...],
    read_all: bool,
    addresses: tuple[str, ...],
    expires: int,
    as_json: bool,
    name: str,
) -> None:
    """Make a key for a person or a service account and print it. It is shown this once.

    \b
    Example:
      gatekit admin-keys create alice --name terraform --scope people:read,groups:write --expires 30d
    """
    from gatekit.admin.admin_keys import READING

    chosen = [part.strip() for scope in scopes for part in scope.split(",") if part.strip()]
    issued = workspace.change(
        lambda office: office.admin_keys.create(
            office.actor,
            username,
            name=name,
            scopes=[*chosen, *(READING if read_all else ())],
            valid_for=expires,
            addresses=addresses,
        )
    )
    key = issued.key
    if as_json:
        print_json({"token": issued.token, "id": key.id, "expires_at": moment(key.expires_at)})
        return
    click.echo(issued.token)
    click.echo(
        f"Admin key {key.id} of {issued.owner.username}, good until {minute(key.expires_at)} UTC, may: "
        f"{listed(key.scopes)}{', from ' + listed(key.addresses) if key.addresses else ''}",
        err=True,
    )
    if issued.owner.role == "member":
        click.echo(
            f"{issued.owner.username} is a member: unless the file says otherwise, the key does nothing "
            f"before `gatekit users role {issued.owner.username} admin` (or auditor)",
            err=True,
        )
    click.echo("It is not shown again. Use it as a header: Authorization: Bearer <key>", err=True)


@admin_keys.command("list")
@click.option("--user", "username", help="Only the admin keys of this person or service account.")
@as_json
@located
def list_(workspace: Workspace, /, username: str | None, as_json: bool) -> None:
    """List admin keys (never the secrets).

    \b
    Example:
      gatekit admin-keys list --user alice
    """

    async def work(office: Office) -> list[AdminKeyView]:
        return list(await office.admin_keys.list(office.actor, username))

    views = workspace.read(work)
    if as_json:
        print_json([_facts(view) for view in views])
        return
    print_table(
        ("ID", "OWNER", "NAME", "KEY", "MAY", "FROM", "EXPIRES (UTC)", "LAST USED", "STATE"),
        [
            (
                view.key.id,
                view.owner,
                view.key.name,
                f"…{view.key.hint}",
                listed(view.key.scopes),
                listed(view.key.addresses) if view.key.addresses else "anywhere",
                minute(view.key.expires_at),
                minute(view.key.last_used_at),
                view.state,
            )
            for view in views
        ],
        "there are no admin keys: gatekit admin-keys create USERNAME --name NAME --scope SCOPE",
    )


@admin_keys.command()
@click.argument("key_id", metavar="ID")
@yes
@located
def revoke(workspace: Workspace, /, key_id: str, yes: bool) -> None:
    """End an admin key at once and for good.

    \b
    Example:
      gatekit admin-keys revoke adm_01KB3T… --yes
    """
    if not yes:
        click.confirm(f"Revoke the admin key {key_id}? It cannot be taken back", abort=True, err=True)
    view = workspace.change(lambda office: office.admin_keys.revoke(office.actor, key_id))
    click.echo(f"{view.key.id} ({view.key.name}) is revoked")


def _facts(view: AdminKeyView) -> dict[str, Any]:
    key = view.key
    return {
        "id": key.id,
        "owner": view.owner,
        "name": key.name,
        "hint": key.hint,
        "scopes": list(key.scopes),
        "addresses": list(key.addresses),
        "state": view.state,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "last_used_at": moment(key.last_used_at),
    }
